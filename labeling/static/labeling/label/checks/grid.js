// The grid of crops: page after page of proposed objects of one class, of which those that are wrong are taken out.

import { ApiError } from "../api.js";
import { make, paint, setText } from "../dom.js";
import { digitPosition } from "../keys.js";
import { split, t, tn } from "../text.js";
import { cropTiles } from "./tiles.js";

/** @typedef {import("../types.js").CropPage} CropPage */

const GLANCE = 400; // milliseconds; nobody sees and decides faster
const LONGEST = 600; // seconds; more is an absence
const STEPS = /** @type {Record<string, [number, number]>} */ ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] });

/**
 * @param {HTMLDialogElement} dialog @param {import("../types.js").LabelClass[]} classes
 * @param {ReturnType<typeof import("./start.js").checksApi>} api
 * @param {(waiting: number) => void} counted is told how many wait
 * @returns {() => Promise<void>} opens it
 */
export function checkGrid(dialog, classes, api, counted) {
  const $ = (/** @type {string} */ name) => /** @type {HTMLElement} */ (dialog.querySelector(`[data-checks="${name}"]`));
  const tiles = cropTiles($("grid"), toggle, takeOut);
  const styled = addStyle(dialog.dataset.style ?? "");
  /** @type {CropPage|null} */
  let page = null;
  /** The page after it, on its way. @type {Promise<CropPage|null>|null} */
  let ahead = null;
  /** @type {Set<number>} */
  let out = new Set();
  /** Those of them that nobody can see. @type {Set<number>} */
  let unseen = new Set();
  let shownAt = 0;
  let busy = false;

  const label = () => classes.find(({ id }) => id === page?.class);

  function draw() {
    const name = label()?.name ?? "";
    const left = (page?.crops.length ?? 0) - out.size;
    tiles.draw(out, name);
    const text = out.size
      ? tn(out.size, "One is not {class}: its image is asked about as a whole. Enter confirms the rest.", "{count} are not {class}: their images are asked about as a whole. Enter confirms the rest.")
      : t("Which of these are not {class}? Click them or press their numbers, then Enter.");
    const chip = make("strong", "hint-class");
    chip.textContent = name;
    paint(chip, label());
    $("hint").replaceChildren(...split(text, { class: chip }));
    setText($("confirm-text"), left ? t("Confirm {count}", { count: left }) : t("Send back"));
  }

  /** @param {number} index */
  function toggle(index) {
    const crop = page?.crops[index];
    if (!crop || busy || unseen.has(crop.id)) return;
    if (!out.delete(crop.id)) out.add(crop.id);
    draw();
  }

  /** What could not be loaded is nothing to confirm: the canvas asks about its image. @param {import("../types.js").Crop} crop */
  function takeOut(crop) {
    if (!page?.crops.includes(crop)) return;
    unseen.add(crop.id);
    out.add(crop.id);
    draw();
  }

  /** @param {CropPage} next */
  function show(next) {
    page = next;
    [out, unseen] = [new Set(), new Set()];
    $("confirm").hidden = false;
    tiles.show(next.crops, label());
    draw();
    tiles.focus(0);
    shownAt = performance.now();
    ahead = api.claim([next.page]).then(preload);
    ahead.catch(() => {}); // asked for again when it is needed
  }

  /** @param {CropPage|null} next */
  function preload(next) {
    for (const { image } of next?.crops ?? []) new Image().src = image;
    return next;
  }

  async function next() {
    const coming = ahead ?? api.claim(page ? [page.page] : []);
    ahead = null;
    const found = await coming;
    if (!dialog.open) return;
    if (found) return show(found);
    page = null;
    counted(0);
    tiles.show([], undefined);
    setText($("hint"), t("Every object that waited is checked."));
    $("confirm").hidden = true;
    $("back").focus();
  }

  async function confirm() {
    if (!page || busy || (performance.now() - shownAt < GLANCE && !out.size)) return;
    const seconds = Math.min((performance.now() - shownAt) / 1000, LONGEST);
    await trying(async () => {
      const { waiting } = await api.answer(page.page, [...out], Math.round(seconds * 100) / 100);
      counted(waiting);
      page = null;
      await next();
    });
  }

  /** Do what may fail, once at a time; what is on screen stays for another try. @param {() => Promise<void>} work */
  async function trying(work) {
    if (busy) return;
    busy = true;
    setText($("trouble"), "");
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setText($("trouble"), `${error.message} ${page ? t("Nothing is lost: Enter tries again.") : ""}`);
    } finally {
      busy = false;
    }
  }

  /** @param {KeyboardEvent} event @returns {boolean} whether it meant something here */
  function press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return false;
    const position = event.shiftKey ? null : digitPosition(event);
    const onButton = /** @type {Element} */ (event.target).closest(".checks-foot button");
    if (position !== null) toggle(position);
    else if (event.key === "Enter" && !onButton) goOn(event.repeat);
    else if (event.key in STEPS) move(...STEPS[event.key]);
    else return false;
    return true;
  }

  /** @param {boolean} isHeld */
  function goOn(isHeld) {
    if (isHeld) return;
    if (page) confirm();
    else trying(next);
  }

  /** @param {number} dx @param {number} dy */
  function move(dx, dy) {
    const columns = getComputedStyle($("grid")).gridTemplateColumns.split(" ").length;
    const to = tiles.focused() + dx + dy * columns;
    if (page?.crops[to]) tiles.focus(to);
  }

  dialog.addEventListener("keydown", (event) => press(event) && event.preventDefault());
  $("confirm").addEventListener("click", () => goOn(false));
  $("back").addEventListener("click", () => dialog.close());

  return async function open() {
    await styled;
    dialog.showModal();
    if (!page) return trying(next);
    shownAt = performance.now();
    tiles.focus(0);
  };
}

/** @param {string} href @returns {Promise<unknown>} when it applies */
function addStyle(href) {
  const link = make("link");
  const loaded = new Promise((resolve) => ["load", "error"].forEach((type) => link.addEventListener(type, resolve)));
  Object.assign(link, { rel: "stylesheet", href });
  document.head.append(link);
  return loaded;
}
