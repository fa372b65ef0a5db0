// Finding a class by any word of its path; arrows go through the list, Enter takes one.

import { make, paint, setAttribute } from "../dom.js";
import { inTreeOrder, pathOfClass } from "./classes.js";

/** @typedef {import("./state.js").State} State */

/** @param {HTMLDialogElement} dialog @param {State} state @param {{choose: (id: number) => void, keyFor: (label: import("./state.js").LabelClass) => string}} on */
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
