// A box as large as the last one, put down by one click.

import { aim } from "../aim.js";
import { addShape } from "../edit.js";
import { moved } from "../geometry.js";
import { pointAtProposal } from "../hit.js";
import { letGo } from "../state.js";
import { gripDown, gripMove, gripUp } from "./grips.js";

/** @typedef {import("../state.js").State} State @typedef {import("../state.js").Point} Point */

/** @param {State} state @param {Point} center @returns {[number, number, number, number]} */
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
