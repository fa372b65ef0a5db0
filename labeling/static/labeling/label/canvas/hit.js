// What the pointer means: regions, the handles of a selected one, points, and places that it snaps to.

import { areaOf, boundsOf, contains, nearestEdge, snapped } from "./geometry.js";
import { round } from "./paint.js";
import { isProposal, isShown, onlySelected, regionsOf, shapeOf } from "./state.js";

/** @typedef {import("./state.js").State} State @typedef {import("./state.js").Region} Region */
/** @typedef {import("./state.js").Point} Point @typedef {import("./state.js").Grip} Grip */

/** Half the width of what a handle answers to, in pixels of the stage: 24 for a mouse, 44 for a finger. */
const REACH = 12;
const REACH_COARSE = 22;
/** A border can be clicked a little beside its line. */
const BORDER = 4;

/** Names with their place in the box: 0 the left or upper side, 1 the right or lower one. @type {[import("./geometry.js").Handle, number, number][]} */
const HANDLES = [
  ["nw", 0, 0],
  ["ne", 1, 0],
  ["se", 1, 1],
  ["sw", 0, 1],
  ["n", 0.5, 0],
  ["e", 1, 0.5],
  ["s", 0.5, 1],
  ["w", 0, 0.5],
];

/** Boxes that look smaller have handles at their corners only. */
const ROOM_FOR_EDGES = 44;

/** @param {State["view"]} view @param {number} width @param {number} height of a box in pixels of the image */
export const handlesFor = ({ scale }, width, height) =>
  Math.min(width, height) * scale < ROOM_FOR_EDGES ? HANDLES.slice(0, 4) : HANDLES;

/** @param {State} state */
export const reachOf = (state) => (state.coarse ? REACH_COARSE : REACH);

/** @param {Region} region @param {Point} point @param {number} slack in pixels of the image */
function isAt(region, point, slack) {
  const [x, y, w, h] = boundsOf(region);
  if (point[0] < x - slack || point[1] < y - slack || point[0] > x + w + slack || point[1] > y + h + slack) return false;
  if (region.box) return true;
  return contains(region, point) || nearestEdge(region.parts ?? [], point).distance <= slack;
}

/** The regions at a place that a click can mean, smallest first. @param {State} state @param {Point} point */
export function regionsAt(state, point) {
  const slack = BORDER / state.view.scale;
  return regionsOf(state)
    .filter((region) => !region.locked && isShown(state, region) && isAt(region, point, slack))
    .reverse()
    .sort((one, other) => areaOf(one) - areaOf(other));
}

/** While drawing only proposals answer to the pointer, so that they can be accepted where they are. @param {State} state @param {{point: Point}} event */
export function pointAtProposal(state, { point }) {
  state.hover = regionsAt(state, point).find(isProposal)?.key ?? null;
}

/**
 * The handle or point of the selected region at a place. Deep inside a small box the box itself is meant.
 * @param {State} state @param {Point} point @returns {Grip|null}
 */
export function gripAt(state, point) {
  const region = onlySelected(state);
  if (!region) return null;
  const reach = reachOf(state) / state.view.scale;
  return region.box ? handleAt(state, region, point, reach) : pointAt(state, region, point, reach);
}

/** @param {State} state @param {Region} region @param {Point} point @param {number} reach @returns {Grip|null} */
function handleAt(state, region, [px, py], reach) {
  const [x, y, w, h] = boundsOf(shapeOf(state, region));
  const inward = Math.min(reach, Math.min(w, h) / 4);
  if (px > x + inward && px < x + w - inward && py > y + inward && py < y + h - inward) return null;
  let best = null;
  let least = Infinity;
  for (const [handle, across, down] of handlesFor(state.view, w, h)) {
    const away = Math.max(Math.abs(px - x - across * w), Math.abs(py - y - down * h));
    const near = Math.hypot(px - x - across * w, py - y - down * h);
    if (away > reach || near >= least) continue;
    least = near;
    best = handle;
  }
  return best && { type: "handle", key: region.key, handle: best };
}

/** @param {State} state @param {Region} region @param {Point} point @param {number} reach @returns {Grip|null} */
export function pointAt(state, region, [px, py], reach) {
  /** @type {Grip|null} */
  let best = null;
  let least = reach;
  (shapeOf(state, region).parts ?? []).forEach((points, part) => {
    for (let at = 0; at < points.length; at += 2) {
      const away = Math.hypot(points[at] - px, points[at + 1] - py);
      if (away > least) continue;
      least = away;
      best = { type: "point", key: region.key, part, index: at / 2 };
    }
  });
  return best;
}

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
