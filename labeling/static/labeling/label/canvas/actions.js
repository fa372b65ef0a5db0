// Buttons for what is done to the selected regions, for hands without a keyboard.

import { make } from "../dom.js";
import { t } from "../text.js";
import { icon } from "./svg.js";

/** @typedef {import("./state.js").State} State */

/**
 * @param {HTMLElement} row @param {State} state
 * @param {ReturnType<typeof import("./commands.js").commands>} act
 */
export function actionRow(row, state, act) {
  /** @type {{id: string, text: string, drawing: Parameters<typeof icon>[0], run: () => void, one?: boolean}[]} */
  const wanted = [
    { id: "duplicate", text: t("Duplicate"), drawing: "template", run: act.duplicate },
    ...(state.task === "segmentation" ? [{ id: "add-part", text: t("Add a hole or a further part"), drawing: /** @type {const} */ ("part"), run: act.addPart, one: true }] : []),
    { id: "front", text: t("In front of all others"), drawing: "front", run: () => act.order("front") },
    { id: "back-most", text: t("Behind all others"), drawing: "back", run: () => act.order("back") },
    { id: "hide-others", text: t("Hide or show all others"), drawing: "hidden", run: act.hideOthers },
    { id: "delete", text: t("Delete"), drawing: "remove", run: act.remove },
  ];
  const buttons = wanted.map(({ id, text, drawing, run, one }) => {
    const button = make("button", "row-button");
    button.type = "button";
    button.title = text;
    button.dataset.keyInTitle = id;
    button.setAttribute("aria-label", text);
    button.append(icon(drawing));
    button.addEventListener("click", run);
    return { button, one };
  });
  row.append(...buttons.map(({ button }) => button));

  return function draw() {
    const count = state.selected.size;
    row.hidden = count === 0;
    for (const { button, one } of buttons) button.hidden = Boolean(one) && count !== 1;
  };
}
