// Handles and points of the selected region: dragged, or clicked and then put where the next click says.

import { setShapes } from "../edit.js";
import { boundsOf, removePoint, resized } from "../geometry.js";
import { aim, gripAt } from "../hit.js";
import { isDrawing, letGo, onlySelected } from "../state.js";

/** @typedef {import("../state.js").State} State @typedef {import("../state.js").ToolEvent} ToolEvent */

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
  if (shapes) setShapes(state, shapes, merge ?? null);
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
  if (parts) setShapes(state, new Map([[region.key, { box: null, parts }]]));
}

/** @param {State} state @param {ToolEvent} event @returns {string} "" where there is no grip */
export function gripCursor(state, event) {
  const grip = state.grip ?? gripFor(state, event);
  if (!grip || grip.type === "body") return "";
  return grip.type === "handle" ? `${CURSORS[grip.handle]}-resize` : "move";
}
