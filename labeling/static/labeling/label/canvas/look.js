// Where the labeler looks: zooming by keys and buttons, fitting, bringing a region into view.

import { boundsOf } from "./geometry.js";
import { onStage } from "./crowd.js";
import { fitView, heldInside, zoomedAt } from "./view.js";

/** @typedef {import("./state.js").State} State */

const MARGIN = 20;
const CLOSEST = 64;

/** @param {State} state */
const sizeOf = (state) => /** @type {import("./state.js").Sheet} */ (state.sheet).doc;

/** Half of what fits, up to pixels the size of fingertips. @param {State} state */
export function limits(state) {
  const { width, height } = sizeOf(state);
  const fitting = fitView(state.size.width, state.size.height, width, height, MARGIN).scale;
  return { min: Math.min(fitting / 2, 1), max: Math.max(CLOSEST, fitting) };
}

/** @param {State} state */
export function fit(state) {
  if (!state.sheet || !state.size.width) return;
  const { width, height } = sizeOf(state);
  state.view = fitView(state.size.width, state.size.height, width, height, MARGIN);
  state.fitted = true;
}

/** @param {State} state @param {number} factor @param {[number, number]} [at] place on the stage, its middle where none is given */
export function zoom(state, factor, at = [state.size.width / 2, state.size.height / 2]) {
  if (!state.sheet) return;
  const { width, height } = sizeOf(state);
  const view = zoomedAt(state.view, factor, ...at, limits(state));
  state.view = heldInside(view, state.size.width, state.size.height, width, height);
  state.fitted = false;
}

/** Whether at least a part of a region is on the stage. @param {State} state @param {import("./state.js").Region} region */
export function isInView({ view, size }, region) {
  const [x, y, w, h] = onStage(view, boundsOf(region));
  return x < size.width && y < size.height && x + w > 0 && y + h > 0;
}

/** Move the view only as far as needed for a region to be seen. @param {State} state @param {import("./state.js").Region} region */
export function bringIntoView(state, region) {
  const [x, y, w, h] = onStage(state.view, boundsOf(region));
  const shift = (/** @type {number} */ from, /** @type {number} */ length, /** @type {number} */ room) => {
    if (from >= 0 && from + length <= room) return 0;
    return length > room - 2 * MARGIN ? room / 2 - from - length / 2 : from < 0 ? MARGIN - from : room - MARGIN - from - length;
  };
  const dx = shift(x, w, state.size.width);
  const dy = shift(y, h, state.size.height);
  if (!dx && !dy) return;
  state.view = { ...state.view, x: state.view.x + dx, y: state.view.y + dy };
  state.fitted = false;
}
