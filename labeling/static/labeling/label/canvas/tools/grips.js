// Handles and points of the selected region: dragged, or clicked and then put where the next click says.

import { flawOf, flawText, setShapes } from "../edit.js";
import { boundsOf, insertPoint, nearestEdge, removePoint, resized } from "../geometry.js";
import { aim, gripAt, pointAt, reachOf } from "../hit.js";
import { isDrawing, isShown, letGo, onlySelected, regionAt, regionsOf, select } from "../state.js";

/** @typedef {import("../state.js").State} State @typedef {import("../state.js").ToolEvent} ToolEvent */
/** @typedef {import("../state.js").Spot} Spot @typedef {import("../state.js").Region} Region */

const CURSORS = { nw: "nwse", se: "nwse", ne: "nesw", sw: "nesw", n: "ns", s: "ns", e: "ew", w: "ew" };

/**
 * While drawing a press begins the next shape, also beside the last one: its handles answer to Alt, and to keys that
 * aim at them. Points of polygons belong to what is drawn.
 * @param {State} state @param {ToolEvent} event
 */
export function gripFor(state, event) {
  if (isDrawing(state) && (!(event.alt || state.byKeys) || onlySelected(state)?.parts)) return null;
  return gripAt(state, event.point);
}

/** @param {State} state @param {ToolEvent} event @returns {boolean} whether the press belongs to a grip */
export function gripDown(state, event) {
  if (state.picked) {
    follow(state, event);
    return true;
  }
  const grip = gripFor(state, event);
  if (!grip) return false;
  if (event.alt && grip.type === "point") removeAt(state, grip);
  else state.grip = grip;
  return true;
}

/** @param {State} state @param {ToolEvent} event */
export function gripMove(state, event) {
  if (state.picked || event.moved) follow(state, event);
}

/** @param {State} state @param {ToolEvent} event */
export function gripUp(state, event) {
  if (!state.picked && !event.moved && !state.press?.merge) {
    state.picked = true; // the next click says where to
    return;
  }
  const [shapes, merge] = [state.preview, state.press?.merge];
  letGo(state);
  for (const [key, shape] of shapes ?? []) reshape(state, key, shape, merge ?? null);
}

/** A box that would be next to nothing stays as it was; what else would be refused later is said at once. @param {State} state @param {number} key @param {import("../geometry.js").Shape} shape @param {unknown} [merge] */
function reshape(state, key, shape, merge = null) {
  const [x, y, width, height] = shape.box ?? [0, 0, 1, 1];
  const isTiny = Math.min(width, height) < 1;
  if (!isTiny) setShapes(state, new Map([[key, shape]]), merge);
  const region = regionAt(state, key);
  const found = isTiny ? { reason: "tiny", at: [x, y] } : region && flawOf(state, region);
  if (found) state.note = { text: flawText(found), at: /** @type {[number, number]} */ (found.at), passing: true };
}

/** @param {State} state @param {ToolEvent} event */
function follow(state, event) {
  const region = onlySelected(state);
  const { grip, sheet } = state;
  if (!region || !grip || !sheet) return letGo(state);
  const point = aim(state, event);
  if (grip.type === "handle") {
    const { width, height } = sheet.doc;
    const { box } = resized(boundsOf(region), grip.handle, point, { keepRatio: event.shift, width, height });
    state.preview = new Map([[region.key, { box, parts: null }]]);
  } else if (grip.type === "point" && region.parts) {
    const parts = region.parts.with(grip.part, region.parts[grip.part].toSpliced(2 * grip.index, 2, ...point));
    state.preview = new Map([[region.key, { box: null, parts }]]);
  }
}

/** @param {State} state @param {{key: number, part: number, index: number}} place */
export function removeAt(state, { part, index }) {
  const region = onlySelected(state);
  const parts = region?.parts && removePoint(region.parts, part, index);
  if (parts) reshape(state, region.key, { box: null, parts });
}

/** @param {State} state @param {ToolEvent} event @returns {string} "" where there is no grip */
export function gripCursor(state, event) {
  const grip = state.grip ?? gripFor(state, event);
  if (!grip || grip.type === "body") return "";
  return grip.type === "handle" ? `${CURSORS[grip.handle]}-resize` : "move";
}

/** Points of polygons: a click on an edge adds one, a click on a point removes it, a drag moves it. @type {import("../state.js").Tool} */
export const pointsTool = {
  cursor: (state) => (state.spot ? "pointer" : "crosshair"),

  down(state, event) {
    state.spot = spotAt(state, event);
    if (!state.spot) {
      const under = polygonsNear(state, event)[0];
      return select(state, under ? [under.key] : []);
    }
    if (state.spot.does === "add") return addAt(state, state.spot);
    const { key, part, index } = state.spot;
    select(state, [key]);
    state.grip = { type: "point", key, part, index };
  },

  move: gripMove,

  up(state, event) {
    const { grip } = state;
    if (grip?.type !== "point") return letGo(state);
    if (event.moved || state.press) return gripUp(state, event);
    letGo(state);
    removeAt(state, grip);
  },

  hover(state, event) {
    state.spot = spotAt(state, event);
    state.hover = state.spot?.key ?? polygonsNear(state, event)[0]?.key ?? null;
  },

  abort: letGo,
};

/** @param {State} state @param {ToolEvent} event the polygons whose line is near, the nearest first */
function polygonsNear(state, { point }) {
  const reach = reachOf(state) / state.view.scale;
  return regionsOf(state)
    .filter((region) => region.parts && !region.locked && isShown(state, region))
    .map((region) => ({ region, away: nearestEdge(region.parts ?? [], point).distance }))
    .filter(({ away }) => away <= reach)
    .sort((one, other) => one.away - other.away)
    .map(({ region }) => region);
}

/** What a click here would do: to the selected polygon first, else to the nearest. @param {State} state @param {ToolEvent} event @returns {Spot|null} */
export function spotAt(state, event) {
  const own = onlySelected(state);
  const near = polygonsNear(state, event);
  const region = near.find((each) => each === own) ?? near[0];
  if (!region?.parts) return null;
  const reach = reachOf(state) / state.view.scale;
  const grip = pointAt(state, region, event.point, reach);
  if (grip?.type === "point") {
    const [x, y] = region.parts[grip.part].slice(2 * grip.index, 2 * grip.index + 2);
    return { ...grip, point: [x, y], does: "remove" };
  }
  const { part, segment, point } = nearestEdge(region.parts, event.point);
  return { key: region.key, part, index: segment, point, does: "add" };
}

/** Put a point on an edge and hold it, so that it can be dragged at once. @param {State} state @param {Spot} spot */
export function addAt(state, { key, part, index, point }) {
  const region = regionAt(state, key);
  if (!region?.parts) return;
  const merge = {};
  setShapes(state, new Map([[key, { box: null, parts: insertPoint(region.parts, part, index, point) }]]), merge);
  select(state, [key]);
  state.grip = { type: "point", key, part, index: index + 1 };
  state.press = { start: point, hits: [], merge };
  state.spot = null;
}
