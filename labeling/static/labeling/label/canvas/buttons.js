// The column of tools, and buttons for what keys do to the selection and to what is being drawn:
// nobody needs a keyboard to finish or to cancel.

import { make, setAttribute, setText } from "../dom.js";
import { t } from "../text.js";
import { icon } from "./svg.js";

/** @typedef {import("./state.js").State} State @typedef {import("./state.js").ToolName} ToolName */

/** @param {string} task @returns {{name: ToolName, text: string, keys: string}[]} */
export function toolsFor(task) {
  const drawsPolygons = task === "segmentation";
  /** @type {Record<ToolName, {text: string, keys: string}>} */
  const known = {
    select: { text: t("Select: click, move, reshape"), keys: "V" },
    box: { text: t("Box: drag, or click two corners; Alt + drag a handle reshapes it"), keys: "R" },
    template: { text: t("Box as large as the last one, by one click; Alt + drag a handle reshapes it"), keys: "T" },
    polygon: { text: t("Polygon: click its points; Shift + drag draws by hand"), keys: "P" },
    points: { text: t("Points: click an edge to add one, a point to remove it"), keys: "U" },
    smart: {
      text: drawsPolygons ? t("Smart polygon: drag a box around a thing, or click it; then Enter") : t("Smart box: drag a box around a thing, or click it; then Enter"),
      keys: "S",
    },
    pan: { text: t("Move the image; Space + drag does so with every tool"), keys: "M" },
  };
  /** @type {ToolName[]} */
  const names = drawsPolygons ? ["select", "polygon", "points", "box"] : ["select", "box", "template"];
  return [...names, /** @type {const} */ ("smart"), /** @type {const} */ ("pan")].map((name) => ({ name, ...known[name] }));
}

/** @param {HTMLElement} column @param {State} state @param {ReturnType<typeof toolsFor>} tools @param {(name: ToolName) => void} choose */
export function toolbar(column, state, tools, choose) {
  const buttons = tools.map(({ name, text }) => {
    const button = make("button", "tool");
    button.title = text;
    button.setAttribute("aria-label", text);
    button.dataset.tool = name;
    const key = make("kbd", "tool-key");
    key.dataset.keyOf = `tool-${name}`;
    button.append(icon(name), key);
    button.addEventListener("click", () => choose(name));
    return { name, button };
  });
  column.append(...buttons.map(({ button }) => button));

  return function draw() {
    for (const { name, button } of buttons) setAttribute(button, "aria-pressed", String(name === state.tool));
  };
}

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

/** @param {State} state @returns {{text: string, keep?: boolean, back?: boolean, sign?: boolean}|null} */
function offerFor({ tool, draft, picked }) {
  if (picked) return { text: t("Click where it goes.") };
  if (draft?.kind === "box") return draft.held ? null : { text: t("Click the opposite corner.") };
  if (draft?.kind === "polygon") {
    const text = draft.points.length ? "" : t("Draw the hole or the further part.");
    return { text, keep: draft.points.length >= 6, back: draft.points.length > 0 };
  }
  if (!draft) return tool === "smart" ? { text: t("Drag a box around the thing, or click it.") } : null;
  const text = draft.parts ? t("Click adds, Alt + click takes away.") : "";
  return { text, keep: Boolean(draft.parts), back: draft.points.length > 0, sign: Boolean(draft.parts) };
}

/**
 * @param {HTMLElement} bar @param {State} state
 * @param {{finish: () => void, back: () => void, cancel: () => void, draw: () => void}} act
 */
export function draftBar(bar, state, act) {
  const text = make("span", "draft-text");
  const sign = makeButton(t("Take away"), "", () => {
    state.takesAway = !state.takesAway;
    act.draw();
  });
  const keep = makeButton(t("Keep"), "finish", act.finish);
  const back = makeButton(t("Point back"), "point-back", act.back);
  const cancel = makeButton(t("Cancel"), "cancel", act.cancel);
  bar.append(text, sign, keep, back, cancel);

  /** @param {string} name @param {string} binding whose key is printed on it @param {() => void} run */
  function makeButton(name, binding, run) {
    const button = make("button", "draft-button");
    button.append(name);
    if (binding) {
      const cap = make("kbd");
      cap.dataset.keyOf = binding;
      button.append(" ", cap);
    }
    button.addEventListener("click", run);
    return button;
  }

  return function draw() {
    const offer = offerFor(state);
    bar.hidden = !offer;
    if (!offer) return;
    setText(text, offer.text);
    const isHint = !state.draft && !state.picked;
    bar.classList.toggle("hint", isHint);
    cancel.hidden = isHint;
    sign.hidden = !offer.sign;
    setAttribute(sign, "aria-pressed", String(state.takesAway));
    keep.hidden = !offer.keep;
    back.hidden = !offer.back;
  };
}
