// Polygons, point by point or by hand; with Shift another part of the selected one.

import { addPart, addShape, flawText } from "../edit.js";
import { flaw, simplified } from "../geometry.js";
import { aim, pointAtProposal } from "../hit.js";
import { onlySelected, regionAt, select } from "../state.js";

/** @typedef {import("../state.js").State} State @typedef {import("../state.js").PolygonDraft} PolygonDraft */
/** @typedef {import("../state.js").Point} Point */

/** How near to the first point a click closes, and how far apart points by hand are, in pixels of the stage. */
const CLOSING = 9;
const CLOSING_COARSE = 22;
const STEP = 3;
/** By how much a line by hand may differ from what the hand drew, in pixels of the stage. */
const BY_HAND = 1.2;

/** @param {State} state @returns {PolygonDraft|null} */
const draftOf = (state) => (state.draft?.kind === "polygon" ? state.draft : null);

/** @param {State} state @param {number[]} points @param {number} at @param {Point} point in pixels of the stage */
const distance = (state, points, at, [x, y]) => Math.hypot(points[at] - x, points[at + 1] - y) * state.view.scale;

/** Whether a click here closes the polygon. @param {State} state @param {Point|null} point */
export function closes(state, point) {
  const points = draftOf(state)?.points;
  return Boolean(points && points.length >= 6 && point && distance(state, points, 0, point) <= (state.coarse ? CLOSING_COARSE : CLOSING));
}

/** @param {State} state @param {number|null} owner the region that the points are for, null for a new one @returns {PolygonDraft} */
export function beginPolygon(state, owner) {
  const at = state.aimed ?? [0, 0];
  return (state.draft = { kind: "polygon", points: [], to: at, owner, free: false, held: false, before: 0 });
}

/** @type {import("../state.js").Tool} */
export const polygonTool = {
  cursor: () => "crosshair",

  down(state, event) {
    state.note = null;
    if (event.count > 2) return; // the end of a double click that closed the polygon
    const point = aim(state, event);
    const draft = draftOf(state) ?? beginPolygon(state, null);
    const { points } = draft;
    Object.assign(draft, { before: points.length, held: true, free: event.shift, to: point });
    const isDouble = event.count > 1 && points.length && distance(state, points, points.length - 2, point) < STEP;
    if (!isDouble && !closes(state, event.point)) points.push(...point);
  },

  move(state, event) {
    const draft = draftOf(state);
    if (!draft?.held || !event.moved || draft.points.length === draft.before) return;
    if (!draft.free) draft.points.splice(-2, 2, ...aim(state, event));
    else {
      for (const each of event.trail) {
        const point = aim(state, { ...event, point: each });
        if (distance(state, draft.points, draft.points.length - 2, point) >= STEP) draft.points.push(...point);
      }
    }
    draft.to = aim(state, event);
  },

  up(state, event) {
    const draft = draftOf(state);
    if (!draft?.held) return;
    draft.held = false;
    const { points, before } = draft;
    if (points.length === before) return polygonTool.finish?.(state);
    const byHand = draft.free && event.moved;
    if (byHand) points.splice(before, Infinity, ...simplified(points.slice(before), BY_HAND / state.view.scale));
    if (before === 0) {
      const selected = onlySelected(state);
      if (draft.free && !byHand && selected?.parts) draft.owner = selected.key;
      if (draft.owner === null) select(state, []);
    }
    if (byHand && before === 0) polygonTool.finish?.(state);
  },

  hover(state, event) {
    const to = aim(state, event);
    const draft = draftOf(state);
    if (draft) draft.to = to;
    else pointAtProposal(state, event);
  },

  abort(state) {
    const draft = draftOf(state);
    if (!draft?.held) return;
    draft.held = false;
    draft.points.length = draft.before;
    if (!draft.points.length && draft.owner === null) state.draft = null;
  },

  finish(state) {
    const draft = draftOf(state);
    if (!draft || !state.sheet) return;
    const { doc } = state.sheet;
    const owner = draft.owner === null ? undefined : regionAt(state, draft.owner);
    const found = flaw({ parts: [draft.points] }, doc.width, doc.height)
      ?? flaw({ parts: [...(owner?.parts ?? []), draft.points] }, doc.width, doc.height);
    if (found) {
      state.note = { text: flawText(found), at: draft.points.length ? found.at : draft.to };
      return;
    }
    state.draft = null;
    if (owner) addPart(state, owner.key, draft.points);
    else addShape(state, { box: null, parts: [draft.points] });
  },

  back(state) {
    const draft = draftOf(state);
    state.note = null;
    draft?.points.splice(-2, 2);
    if (!draft?.points.length) state.draft = null;
  },
};
