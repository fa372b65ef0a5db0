// Boxes: by dragging or by two clicks, where a second click at the same place makes none and selects what is there;
// or as large as the last one, put down by one click.

import { addShape } from "../edit.js";
import { boxFrom, moved } from "../geometry.js";
import { aim, pointAtProposal } from "../hit.js";
import { letGo } from "../state.js";
import { gripDown, gripMove, gripUp } from "./grips.js";
import { clickAt } from "./select.js";

/** @typedef {import("../state.js").State} State @typedef {import("../state.js").Point} Point @typedef {import("../geometry.js").Box} Box */

/** Masks of a segmentation project are polygons, also rectangular ones. @param {State} state @param {Box} box */
export function asShape({ task }, box) {
  if (task !== "segmentation") return { box, parts: null };
  const [x, y, w, h] = box;
  return { box: null, parts: [[x, y, x + w, y, x + w, y + h, x, y + h]] };
}

/** @type {import("../state.js").Tool} */
export const boxTool = {
  cursor: () => "crosshair",

  down(state, event) {
    if (!state.draft && gripDown(state, event)) return;
    const point = aim(state, event);
    if (state.draft?.kind === "box") Object.assign(state.draft, { to: point, held: true });
    else state.draft = { kind: "box", from: point, to: point, held: true };
  },

  move(state, event) {
    if (state.grip) return gripMove(state, event);
    if (state.draft?.kind === "box") state.draft.to = aim(state, event);
  },

  up(state, event) {
    if (state.grip) return gripUp(state, event);
    const { draft } = state;
    if (draft?.kind !== "box") return;
    draft.to = aim(state, event);
    const isFirst = draft.from[0] === draft.to[0] && draft.from[1] === draft.to[1];
    if (!event.moved && isFirst && event.count < 2) {
      draft.held = false;
      return;
    }
    state.draft = null;
    if (!addShape(state, asShape(state, boxFrom(draft.from, draft.to))) && !event.moved) clickAt(state, event);
  },

  hover(state, event) {
    if (state.picked) return gripMove(state, event);
    const to = aim(state, event);
    if (state.draft?.kind === "box") state.draft.to = to;
    else pointAtProposal(state, event);
  },

  abort(state) {
    state.draft = null;
    letGo(state);
  },

  finish(state) {
    const { draft } = state;
    if (draft?.kind !== "box") return;
    state.draft = null;
    addShape(state, asShape(state, boxFrom(draft.from, draft.to)));
  },

  back(state) {
    state.draft = null;
  },
};

/** Where a template box lies that is put down here. @param {State} state @param {Point} center @returns {[number, number, number, number]} */
export function templateAt({ template, sheet }, center) {
  const { width, height } = /** @type {import("../state.js").Sheet} */ (sheet).doc;
  const [w, h] = [Math.min(template[0], width), Math.min(template[1], height)];
  /** @type {[number, number, number, number]} */
  const box = [center[0] - w / 2, center[1] - h / 2, w, h];
  return /** @type {[number, number, number, number]} */ (moved({ box }, 0, 0, width, height).box);
}

/** @type {import("../state.js").Tool} */
export const templateTool = {
  cursor: () => "crosshair",

  down(state, event) {
    if (gripDown(state, event)) return;
    aim(state, event);
  },

  move(state, event) {
    if (state.grip) gripMove(state, event);
    else aim(state, event);
  },

  up(state, event) {
    if (state.grip) return gripUp(state, event);
    addShape(state, { box: templateAt(state, aim(state, event)), parts: null });
  },

  hover(state, event) {
    if (state.picked) return gripMove(state, event);
    aim(state, event);
    pointAtProposal(state, event);
  },

  abort: letGo,
};
