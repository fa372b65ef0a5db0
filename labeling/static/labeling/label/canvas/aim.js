// The place that the pointer means: inside the image, and at a corner, an edge or the border where snapping is on.

import { snapped } from "./geometry.js";
import { round } from "./paint.js";
import { isShown, regionsOf } from "./state.js";

/** @typedef {import("./state.js").State} State @typedef {import("./state.js").Point} Point */

/** How near, in pixels of the stage, a place draws the pointer to it. */
const PULL = 8;

/** @param {State} state @param {Point} point */
export function inside(state, [x, y]) {
  const { width, height } = /** @type {import("./state.js").Sheet} */ (state.sheet).doc;
  return /** @type {Point} */ ([round(Math.max(0, Math.min(width, x))), round(Math.max(0, Math.min(height, y)))]);
}

/** Ctrl turns snapping over while it is held. @param {State} state @param {{point: Point, ctrl: boolean}} event @returns {Point} */
export function aim(state, { point, ctrl }) {
  state.snappedTo = null;
  if (state.prefs.snap === ctrl || !state.sheet) return (state.aimed = inside(state, point));
  const { width, height } = state.sheet.doc;
  const held = state.preview ?? new Map();
  const shapes = regionsOf(state).filter((region) => isShown(state, region) && !held.has(region.key));
  const found = snapped(point, { shapes, width, height, within: PULL / state.view.scale });
  state.snappedTo = found.to;
  return (state.aimed = inside(state, found.point));
}
