// Boxes over one image in which faces are hidden: drawn by pointer or keyboard, and taken away.

import { send, withId } from "./data/request.js";

const page = /** @type {HTMLElement} */ (document.querySelector("[data-faces]"));
const part = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (page.querySelector(selector));
const stage = part("[data-stage]");
const picture = /** @type {HTMLImageElement} */ (part("[data-picture]"));
const over = /** @type {SVGSVGElement} */ (/** @type {unknown} */ (part("[data-over]")));
const draft = /** @type {SVGRectElement} */ (/** @type {unknown} */ (part("[data-draft]")));
const said = part("[data-said]");
const problem = part("[data-problem]");
const width = Number(page.dataset.width);
const height = Number(page.dataset.height);
const SMALLEST = 2; // pixels of the image, as the server says

/** @typedef {{x: number, y: number, width: number, height: number}} Box */
/** @type {Box|null} */
let box = null;
let byKeys = false;
let busy = false;
/** @type {{x: number, y: number}|null} */
let from = null;

/** Lay the boxes over the picture, however large it is shown. */
function place() {
  const [whole, inside] = [stage.getBoundingClientRect(), picture.getBoundingClientRect()];
  over.style.left = `${inside.left - whole.left}px`;
  over.style.top = `${inside.top - whole.top}px`;
  over.style.width = `${inside.width}px`;
  over.style.height = `${inside.height}px`;
}
new ResizeObserver(place).observe(stage);
new ResizeObserver(place).observe(picture);

/** Pixels of the image under the pointer. @param {PointerEvent} event */
function at(event) {
  const shown = picture.getBoundingClientRect();
  const x = ((event.clientX - shown.left) / shown.width) * width;
  const y = ((event.clientY - shown.top) / shown.height) * height;
  return { x: Math.min(Math.max(x, 0), width), y: Math.min(Math.max(y, 0), height) };
}

function draw() {
  draft.toggleAttribute("hidden", !box);
  draft.style.display = box ? "" : "none";
  for (const [name, value] of Object.entries(box ?? {})) draft.setAttribute(name, String(Math.round(value * 10) / 10));
}

function giveUp() {
  box = from = null;
  byKeys = false;
  draw();
}

stage.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || busy) return;
  stage.setPointerCapture(event.pointerId);
  byKeys = false;
  from = at(event);
});

stage.addEventListener("pointermove", (event) => {
  if (!from) return;
  const to = at(event);
  box = { x: Math.min(from.x, to.x), y: Math.min(from.y, to.y), width: Math.abs(to.x - from.x), height: Math.abs(to.y - from.y) };
  draw();
});

stage.addEventListener("pointerup", () => {
  const isLarge = box && box.width >= SMALLEST && box.height >= SMALLEST;
  from = null;
  if (isLarge) add();
  else giveUp();
});
stage.addEventListener("pointercancel", giveUp);

/** Begin a box in the middle, for the keyboard. */
function begin() {
  const [wide, high] = [width / 5, height / 5];
  box = { x: (width - wide) / 2, y: (height - high) / 2, width: wide, height: high };
  byKeys = true;
  said.textContent = page.dataset.keys ?? "";
  draw();
}
part("[data-new]").addEventListener("click", begin);

/** @param {string} key @param {boolean} resizes @param {boolean} isFine */
function steer(key, resizes, isFine) {
  if (!box) return;
  const step = isFine ? 1 : Math.max(1, Math.round(Math.max(width, height) / 64));
  const [across, down] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key] ?? [0, 0];
  if (resizes) {
    box.width = Math.min(Math.max(box.width + across * step, SMALLEST), width - box.x);
    box.height = Math.min(Math.max(box.height + down * step, SMALLEST), height - box.y);
  } else {
    box.x = Math.min(Math.max(box.x + across * step, 0), width - box.width);
    box.y = Math.min(Math.max(box.y + down * step, 0), height - box.height);
  }
  draw();
}

addEventListener("keydown", (event) => {
  const target = /** @type {Element} */ (event.target);
  if (event.metaKey || event.ctrlKey || target.matches("input, select, textarea")) return;
  if (box && byKeys && event.key.startsWith("Arrow")) {
    event.preventDefault();
    steer(event.key, event.shiftKey, event.altKey);
  } else if (box && byKeys && event.key === "Enter") {
    event.preventDefault();
    add();
  } else if (box && event.key === "Escape") giveUp();
  else if (event.code === "KeyN" && !busy) begin();
  else if (event.code === "KeyJ") go("[data-after]");
  else if (event.code === "KeyK") go("[data-before]");
});

const go = (/** @type {string} */ selector) => /** @type {HTMLAnchorElement|null} */ (document.querySelector(selector))?.click();

function add() {
  if (!box) return;
  change(page.dataset.hiding ?? "", page.dataset.faces ?? "", { bbox: [box.x, box.y, box.width, box.height] }, "POST");
}

for (const button of page.querySelectorAll("[data-remove]")) {
  const id = Number(/** @type {HTMLElement} */ (button).dataset.remove);
  button.addEventListener("click", () => change(page.dataset.showing ?? "", withId(page.dataset.face ?? "", id), null, "DELETE"));
}

for (const row of page.querySelectorAll("[data-row]")) {
  const its = over.querySelector(`[data-box="${/** @type {HTMLElement} */ (row).dataset.row}"]`);
  const show = (/** @type {boolean} */ here) => () => its?.classList.toggle("here", here);
  for (const event of ["pointerenter", "focusin"]) row.addEventListener(event, show(true));
  for (const event of ["pointerleave", "focusout"]) row.addEventListener(event, show(false));
}

/** Ask the server, then show what the image is now. @param {string} doing @param {string} address @param {object|null} body @param {string} method */
async function change(doing, address, body, method) {
  if (busy) return;
  busy = true;
  problem.hidden = true;
  said.textContent = doing;
  try {
    await send(address, body, method);
    location.reload();
  } catch (error) {
    problem.textContent = error instanceof TypeError ? page.dataset.offline ?? "" : /** @type {Error} */ (error).message;
    problem.hidden = false;
    said.textContent = "";
    busy = false;
    giveUp();
  }
}

draw();
place();
