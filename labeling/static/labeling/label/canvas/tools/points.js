// Points of polygons: a click on an edge adds one, a click on a point removes it, a drag moves it.

import { setShapes } from "../edit.js";
import { insertPoint, nearestEdge } from "../geometry.js";
import { pointAt, reachOf } from "../hit.js";
import { isShown, letGo, onlySelected, regionAt, regionsOf, select } from "../state.js";
import { gripMove, gripUp, removeAt } from "./grips.js";

/** @typedef {import("../state.js").State} State @typedef {import("../state.js").ToolEvent} ToolEvent */
/** @typedef {import("../state.js").Spot} Spot @typedef {import("../state.js").Region} Region */

/** @type {import("../state.js").Tool} */
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
