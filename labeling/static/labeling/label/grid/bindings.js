// The grid's shortcuts.

import { digitPosition, letter } from "../keys.js";
import { t } from "../text.js";

/** @typedef {import("../types.js").Binding} Binding */

/**
 * @param {Record<string, (...args: any[]) => void>} act what keys can do
 * @param {import("./state.js").State} state @returns {Binding[]}
 */
export function gridBindings(act, state) {
  /** @param {KeyboardEvent} event */
  function classFor(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
    const own = event.shiftKey ? undefined : state.classes.find(({ hotkey }) => hotkey && hotkey.toLowerCase() === letter(event).toLowerCase());
    const position = digitPosition(event);
    return own ?? (position === null ? undefined : state.classes[position]);
  }
  /** @param {"left"|"right"|"up"|"down"} direction @param {string} key */
  const arrow = (direction, key) => ({
    id: direction,
    group: /** @type {const} */ ("view"),
    text: {
      left: t("Go one image left; with Shift, select on the way"),
      right: t("Go one image right; with Shift, select on the way"),
      up: t("Go one row up; with Shift, select on the way"),
      down: t("Go one row down; with Shift, select on the way"),
    }[direction],
    keys: [key, `Shift+${key}`],
    repeat: true,
    run: (/** @type {KeyboardEvent} */ event) => act.move(direction, event.shiftKey),
  });
  /** @type {Binding[]} */
  const several = [
    { id: "none-of-these", group: "classes", text: t("None of these: no class fits the selected images, or the outlined one"), keys: ["-", "`"], run: () => act.none() },
  ];
  return [
    {
      id: "assign",
      group: "classes",
      text: state.multilabel
        ? t("Give the class with this digit to the selected images, or to the outlined one; once more takes it away. With Shift: classes 11 to 20")
        : t("Give the class with this digit to the selected images, or to the next open one. With Shift: classes 11 to 20"),
      keys: [],
      shown: ["1", "…", "9", "0"],
      match: (event) => classFor(event) !== undefined,
      run: (event) => act.assign(classFor(event)?.id),
    },
    ...(state.multilabel ? several : []),
    { id: "clear", group: "classes", text: t("Take back what the selected images, or the outlined one, have: classes or a skip"), keys: ["Backspace", "Delete"], run: () => act.clear() },
    { id: "find", group: "classes", text: t("Find a class by typing its name; Enter gives the first one found"), keys: ["/"], run: () => act.find() },
    { id: "all", group: "view", text: t("Select all images"), keys: ["Ctrl+A"], run: () => act.selectAll() },
    { id: "invert", group: "view", text: t("Select the others instead"), keys: ["Ctrl+I", "X"], run: () => act.invert() },
    { id: "none", group: "view", text: t("Clear the selection"), keys: ["Escape"], run: () => act.selectNone() },
    arrow("left", "ArrowLeft"),
    arrow("right", "ArrowRight"),
    arrow("up", "ArrowUp"),
    arrow("down", "ArrowDown"),
    { id: "magnify", group: "view", text: t("Hold to look at the image under the pointer in full size"), keys: ["Z"], run: () => act.magnify(true), release: () => act.magnify(false) },
  ];
}
