// Boxes, by dragging or by two clicks. A second click at the same place makes none and selects what is there.

import { aim } from "../aim.js";
import { addShape } from "../edit.js";
import { boxFrom } from "../geometry.js";
import { pointAtProposal } from "../hit.js";
import { letGo } from "../state.js";
import { gripDown, gripMove, gripUp } from "./grips.js";
import { clickAt } from "./select.js";

/** @typedef {import("../state.js").State} State @typedef {import("../geometry.js").Box} Box */

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
