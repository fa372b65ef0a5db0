// The list of classes in the panel: choosing one names what is selected, and what is drawn next.

import { make, paint, setAttribute, setText } from "../dom.js";
import { answered, selectedRegions } from "./state.js";

/** @typedef {import("./state.js").State} State @typedef {import("./state.js").LabelClass} LabelClass */

/** The names from the topmost class down to this one. @param {State} state @param {LabelClass} label @returns {string[]} */
export function pathOfClass(state, label) {
  const above = label.parent === null ? undefined : state.byId.get(label.parent);
  return above ? [...pathOfClass(state, above), label.name] : [label.name];
}

/** Each class after the one it belongs to. @param {State} state */
export function inTreeOrder(state) {
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
    button.type = "button";
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
