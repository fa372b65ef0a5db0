// The list of classes in the panel, and finding one by typing: choosing one names what is selected, and what is drawn next.

import { make, paint, setAttribute, setText } from "../dom.js";
import { answered, selectedRegions } from "./state.js";

/** @typedef {import("./state.js").State} State @typedef {import("./state.js").LabelClass} LabelClass */

/** The names from the topmost class down to this one. @param {State} state @param {LabelClass} label @returns {string[]} */
function pathOfClass(state, label) {
  const above = label.parent === null ? undefined : state.byId.get(label.parent);
  return above ? [...pathOfClass(state, above), label.name] : [label.name];
}

/** Each class after the one it belongs to. @param {State} state */
function inTreeOrder(state) {
  /** @param {number|null} parent @returns {LabelClass[]} */
  const below = (parent) => state.classes.filter((each) => each.parent === parent).flatMap((each) => [each, ...below(each.id)]);
  const known = new Set(state.byId.keys());
  const roots = state.classes.filter(({ parent }) => parent === null || parent === undefined || !known.has(parent));
  return roots.flatMap((each) => [each, ...below(each.id)]);
}

/** @param {number} position of a class @param {string} hotkey @param {(key: string) => boolean} isTaken by the page */
export function classKey(position, hotkey, isTaken) {
  if (hotkey && !isTaken(hotkey.toUpperCase())) return hotkey.toUpperCase();
  if (position < 10) return String((position + 1) % 10);
  return position < 20 ? `⇧${(position + 1) % 10}` : "";
}

/**
 * @param {HTMLElement} list @param {State} state @param {(label: LabelClass, position: number) => string} keyFor
 * @param {(id: number) => void} choose
 */
export function classList(list, state, keyFor, choose) {
  const buttons = state.classes.map((label, position) => {
    const button = make("button", "class-choice");
    button.dataset.class = String(label.id);
    const key = make("span", "class-key");
    key.textContent = keyFor(label, position);
    const name = make("span", "class-name");
    name.textContent = label.name;
    const count = make("span", "class-count");
    button.append(key, name, count);
    button.title = [pathOfClass(state, label).join(" / "), label.description].filter(Boolean).join("\n");
    paint(button, label);
    button.addEventListener("pointerdown", (event) => event.preventDefault()); // the focus stays on the image
    button.addEventListener("click", () => choose(label.id));
    return { button, count, id: label.id };
  });
  list.append(...buttons.map(({ button }) => button));
  // Columns are as wide as the longest name needs, beside its digit and its count.
  const longest = Math.max(...state.classes.map(({ name }) => name.length));
  list.style.setProperty("--longest", `max(118px, ${longest}ch + 64px)`);
  let drawn = /** @type {unknown[]} */ ([]);

  return function draw() {
    const regions = state.sheet?.doc.regions;
    if (drawn[0] === regions && drawn[1] === state.selected && drawn[2] === state.current) return;
    drawn = [regions, state.selected, state.current];
    /** @type {Map<number|null, number>} */
    const counts = new Map();
    for (const region of answered(state)) counts.set(region.class, (counts.get(region.class) ?? 0) + 1);
    const chosen = new Set(selectedRegions(state).map((region) => region.class));
    for (const { button, count, id } of buttons) {
      setText(count, counts.has(id) ? String(counts.get(id)) : "");
      setAttribute(button, "aria-pressed", String(id === state.current));
      button.classList.toggle("given", chosen.has(id));
    }
  };
}

/**
 * Finding a class by any word of its path; arrows go through the list, Enter takes one.
 * @param {HTMLDialogElement} dialog @param {State} state @param {{choose: (id: number) => void, keyFor: (label: import("./state.js").LabelClass) => string}} on
 */
export function palette(dialog, state, { choose, keyFor }) {
  const box = /** @type {HTMLInputElement} */ (dialog.querySelector("input"));
  const list = /** @type {HTMLElement} */ (dialog.querySelector("[role=listbox]"));
  const none = /** @type {HTMLElement} */ (dialog.querySelector("[data-none]"));
  let at = 0;

  const options = inTreeOrder(state).map((label) => {
    const path = pathOfClass(state, label);
    const option = make("div", "palette-option");
    option.id = `palette-${label.id}`;
    option.setAttribute("role", "option");
    const swatch = make("span", "class-swatch");
    const name = make("span", "class-name");
    name.textContent = label.name;
    const above = make("span", "palette-path");
    above.textContent = path.slice(0, -1).join(" / ");
    const about = make("span", "palette-about");
    about.textContent = label.description;
    const key = make("kbd");
    key.textContent = keyFor(label);
    option.append(swatch, name, above, about, key);
    option.style.setProperty("--depth", String(path.length - 1));
    paint(option, label);
    option.addEventListener("pointermove", () => point(shown().findIndex(({ option: each }) => each === option)));
    option.addEventListener("click", () => take(label.id));
    return { option, id: label.id, words: path.join(" ").toLowerCase() };
  });
  list.append(...options.map(({ option }) => option));

  const shown = () => options.filter(({ option }) => !option.hidden);

  /** @param {number} index */
  function point(index) {
    const found = shown();
    at = Math.max(0, Math.min(found.length - 1, index));
    options.forEach(({ option }) => setAttribute(option, "aria-selected", "false"));
    setAttribute(box, "aria-activedescendant", found[at]?.option.id ?? null);
    if (!found[at]) return;
    setAttribute(found[at].option, "aria-selected", "true");
    found[at].option.scrollIntoView({ block: "nearest" });
  }

  function search() {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    list.classList.toggle("searching", words.length > 0);
    for (const { option, words: path } of options) option.hidden = !words.every((word) => path.includes(word));
    none.hidden = shown().length > 0;
    point(0);
  }

  /** @param {number} id */
  function take(id) {
    dialog.close();
    choose(id);
  }

  box.addEventListener("input", search);
  box.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229) return; // Safari ends a composition before its Enter
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };
    const step = steps[/** @type {"ArrowDown"} */ (event.key)];
    if (step) point(at + step);
    else if (event.key === "Enter") shown()[at] && take(shown()[at].id);
    else return;
    event.preventDefault();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());

  return function open() {
    box.value = "";
    dialog.showModal();
    search();
    const current = shown().findIndex(({ id }) => id === state.current);
    if (current > 0) point(current);
  };
}
