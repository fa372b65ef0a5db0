// The gallery: choose images by click, range or key, then reject or approve them.
// A verdict is sent when its toast goes, so that Undo takes it back before anything happened.

import { toast } from "./toast.js";

const root = /** @type {HTMLElement} */ (document.querySelector("[data-gallery]"));
const grid = /** @type {HTMLElement|null} */ (root.querySelector("[data-grid]"));
const panel = /** @type {HTMLElement} */ (root.querySelector("[data-panel]"));
const bar = /** @type {HTMLElement} */ (root.querySelector("[data-selection]"));
const totalNode = /** @type {HTMLElement} */ (root.querySelector("[data-total]"));
const UNDO_FOR = 5;
let total = Number(totalNode.textContent?.replace(/\D/g, ""));
/** @type {HTMLElement|null} */
let anchor = null;
/** @type {{verdict: string, cells: HTMLElement[], timer: number}|null} */
let pending = null;

const cells = () => /** @type {HTMLElement[]} */ ([...(grid?.querySelectorAll(".cell:not([hidden])") ?? [])]);
const selected = () => cells().filter((cell) => cell.classList.contains("selected"));
const face = (/** @type {Element} */ cell) => /** @type {HTMLElement} */ (cell.querySelector(".cell-face"));

/** @param {HTMLElement} cell @param {boolean} on */
function select(cell, on) {
  cell.classList.toggle("selected", on);
  face(cell).setAttribute("aria-pressed", String(on));
}

const answers = () => /** @type {HTMLButtonElement[]} */ (panel.hidden ? [] : [...panel.querySelectorAll("[data-annotation]")]);

function drawBar() {
  const count = selected().length;
  bar.hidden = count === 0;
  /** @type {HTMLElement} */ (bar.querySelector("[data-count]")).textContent = String(count);
}

/** @param {HTMLElement} cell @param {boolean} range */
function click(cell, range) {
  const all = cells();
  if (range && anchor && all.includes(anchor)) {
    const [from, to] = [all.indexOf(anchor), all.indexOf(cell)].sort((one, other) => one - other);
    for (const each of all.slice(from, to + 1)) select(each, true);
  } else {
    select(cell, !cell.classList.contains("selected"));
  }
  anchor = cell;
  if (!panel.hidden) open(cell);
  drawBar();
}

const addressOf = (/** @type {Element} */ cell) => /** @type {HTMLAnchorElement} */ (cell.querySelector("[data-open]")).href;

/** @param {HTMLElement} cell */
const open = (cell) => openAddress(addressOf(cell));

/** @param {string} address of an item's panel; its cell need not be on the page */
async function openAddress(address) {
  const response = await fetch(address, { headers: { "HX-Request": "true" } });
  if (!response.ok) return toast("This image can no longer be opened.");
  panel.innerHTML = await response.text();
  panel.hidden = false;
  for (const each of cells()) each.classList.toggle("open", addressOf(each) === address);
}

function closePanel() {
  const was = grid?.querySelector(".cell.open");
  panel.hidden = true;
  was?.classList.remove("open");
  if (was) face(was).focus();
}

/** Say which answer to the open image is right, and go on with the next one. @param {HTMLElement} button */
async function decide(button) {
  const list = /** @type {HTMLElement} */ (button.closest("[data-decision]"));
  const cell = /** @type {HTMLElement|null|undefined} */ (grid?.querySelector(".cell.open"));
  for (const each of list.querySelectorAll("button")) each.disabled = true;
  await flush();
  try {
    await send(list.dataset.decision ?? "", { annotation: Number(button.dataset.annotation) });
    toast("Decided.");
    if (!cell) return closePanel();
    const all = cells();
    const next = all[all.indexOf(cell) + 1] ?? all[all.indexOf(cell) - 1];
    cell.remove();
    count(-1);
    drawBar();
    if (!next) return closePanel();
    face(next).focus();
    await open(next);
  } catch (error) {
    for (const each of list.querySelectorAll("button")) each.disabled = false;
    toast(`Nothing was changed: ${sentence(error)}`);
  }
}

/** Post JSON; returns the reply. Throws an Error with the server's sentence. @param {string} address @param {object} body */
async function send(address, body) {
  const response = await fetch(address, {
    method: "POST",
    keepalive: true,
    headers: {
      "Content-Type": "application/json",
      "X-CSRFToken": document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] ?? "",
    },
    body: JSON.stringify(body),
  });
  const reply = await response.json();
  if (!response.ok) throw new Error(reply.error.message);
  return reply;
}

const sentence = (/** @type {unknown} */ error) => error instanceof TypeError ? "the server cannot be reached." : /** @type {Error} */ (error).message;

/** @param {"reject"|"approve"} verdict */
function judge(verdict) {
  const focused = document.activeElement?.closest?.(".cell");
  const chosen = selected().length ? selected() : focused ? [/** @type {HTMLElement} */ (focused)] : [];
  if (!chosen.length) return toast("Select images first: click them, or go there with the arrow keys.");
  flush();
  const all = cells();
  const after = all[all.indexOf(chosen[chosen.length - 1]) + 1];
  for (const cell of chosen) {
    select(cell, false);
    if (verdict === "reject") cell.hidden = true;
    else cell.classList.add("approved");
  }
  count(verdict === "reject" ? -chosen.length : 0);
  drawBar();
  if (after && verdict === "reject") face(after).focus();
  const what = chosen.length === 1 ? "1 image" : `${chosen.length} images`;
  const text = verdict === "reject" ? `${what} rejected: back to people.` : `${what} approved.`;
  const mine = { verdict, cells: chosen, timer: window.setTimeout(flush, UNDO_FOR * 1000) };
  pending = mine;
  toast(text, { label: "Undo", run: () => pending === mine && takeBack() }, UNDO_FOR);
}

/** @param {number} change */
function count(change) {
  total += change;
  totalNode.textContent = total.toLocaleString("en");
}

function restore(/** @type {string} */ verdict, /** @type {HTMLElement[]} */ chosen) {
  for (const cell of chosen) {
    cell.hidden = false;
    cell.classList.remove("approved");
  }
  count(verdict === "reject" ? chosen.length : 0);
}

function takeBack() {
  if (!pending) return;
  clearTimeout(pending.timer);
  restore(pending.verdict, pending.cells);
  pending = null;
}

/** Send the verdict that waits, if there is one. */
async function flush() {
  if (!pending) return;
  const { verdict, cells: chosen, timer } = pending;
  pending = null;
  clearTimeout(timer);
  const items = chosen.map((cell) => Number(cell.dataset.item));
  try {
    const reply = await send(root.dataset.reviews ?? "", { items, verdict, comment: "" });
    document.dispatchEvent(new CustomEvent("loupe:reviewed", { detail: reply }));
    if (reply.skipped.length) toast(`${reply.skipped.length} had changed meanwhile and were left alone.`);
    if (verdict === "reject") for (const cell of chosen) cell.remove();
  } catch (error) {
    restore(verdict, chosen);
    toast(`Nothing was changed: ${sentence(error)}`);
  }
}

/** @param {string} key */
function moveFocus(key) {
  const all = cells();
  const here = all.findIndex((cell) => cell.contains(document.activeElement));
  const top = all[0]?.offsetTop;
  const columns = all.findIndex((cell) => cell.offsetTop !== top);
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -(columns > 0 ? columns : all.length), ArrowDown: columns > 0 ? columns : all.length }[key] ?? 0;
  const next = all[here < 0 ? 0 : Math.min(all.length - 1, Math.max(0, here + step))];
  if (!next) return;
  face(next).focus();
  if (!panel.hidden) open(next);
}

if (grid) {
  grid.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    const cell = /** @type {HTMLElement|null} */ (target.closest(".cell"));
    if (!cell) return;
    if (target.closest("[data-open]")) {
      event.preventDefault();
      open(cell).then(() => panel.focus());
    } else if (target.closest(".cell-face")) click(cell, event.shiftKey);
  });
  grid.addEventListener("dblclick", (event) => {
    const cell = /** @type {HTMLElement|null} */ (/** @type {Element} */ (event.target).closest(".cell"));
    if (cell) open(cell);
  });
  panel.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    if (target.closest("[data-close-panel]")) closePanel();
    const answer = target.closest("[data-annotation]");
    if (answer) decide(/** @type {HTMLElement} */ (answer));
  });
  for (const button of bar.querySelectorAll("[data-act]")) {
    button.addEventListener("click", () => {
      const act = /** @type {HTMLElement} */ (button).dataset.act;
      if (act === "clear") clear();
      else judge(/** @type {"reject"|"approve"} */ (act));
    });
  }
  addEventListener("keydown", (event) => {
    const target = /** @type {Element} */ (event.target);
    if (event.repeat && /^[1-9ar]$/i.test(event.key)) return; // a held key would judge images that nobody has seen
    if (event.isComposing || target.matches("input, select, textarea") || event.altKey) return;
    const letter = /^Key[A-Z]$/.test(event.code) ? event.code[3].toLowerCase() : event.key;
    const command = event.ctrlKey || event.metaKey;
    if (command && letter === "a") cells().forEach((cell) => select(cell, true));
    else if (command && letter === "z" && pending) takeBack();
    else if (command) return;
    else if (/^[1-9]$/.test(event.key) && answers()[Number(event.key) - 1]) answers()[Number(event.key) - 1].click();
    else if (letter === "r") judge("reject");
    else if (letter === "a") judge("approve");
    else if (event.key === "Escape") panel.hidden ? clear() : closePanel();
    else if (event.key.startsWith("Arrow")) moveFocus(event.key);
    else if (event.key === "Enter" && target.closest(".cell-face")) open(/** @type {HTMLElement} */ (target.closest(".cell")));
    else return;
    event.preventDefault();
    drawBar();
  });
  addEventListener("pagehide", flush);
  if (panel.dataset.opened) openAddress(new URL(panel.dataset.opened, location.href).href);
}

function clear() {
  for (const cell of selected()) select(cell, false);
  drawBar();
}

const filters = /** @type {HTMLFormElement} */ (root.querySelector("[data-filters]"));
const apply = () => {
  const query = new URLSearchParams();
  for (const [key, value] of new FormData(filters)) if (value) query.set(key, String(value));
  location.search = query.toString();
};
filters.addEventListener("change", apply);
filters.addEventListener("submit", (event) => {
  event.preventDefault();
  apply();
});
