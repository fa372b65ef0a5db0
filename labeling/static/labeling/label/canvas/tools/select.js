// Select, move and reshape. Less than a few pixels is a click, and a click changes nothing.

import { setShapes } from "../edit.js";
import { boundsOf, boxFrom, moved } from "../geometry.js";
import { regionsAt } from "../hit.js";
import { isShown, letGo, regionsOf, select, selectedRegions } from "../state.js";
import { addAt, gripDown, gripFor, gripMove, gripUp, spotAt } from "./grips.js";

/** @typedef {import("../state.js").State} State @typedef {import("../state.js").ToolEvent} ToolEvent */
/** @typedef {import("../state.js").Point} Point */

/** Clicks this near to the last one (pixels of the stage) go on to the next shape below. */
const SAME_PLACE = 5;

/** @type {import("../state.js").Tool} */
export const selectTool = {
  cursor: (state) => state.press?.hits.length && state.grip ? "move" : state.hover === null ? "default" : "pointer",

  down(state, event) {
    const spot = event.alt && !gripFor(state, event) ? spotAt(state, event) : null;
    if (spot?.does === "add") return addAt(state, spot);
    if (gripDown(state, event)) return;
    state.press = { start: event.point, hits: regionsAt(state, event.point), merge: null };
  },

  move(state, event) {
    if (state.grip && state.grip.type !== "body") return gripMove(state, event);
    if (!event.moved || !state.press) return;
    if (state.press.hits.length) return moveBody(state, event.point);
    state.marquee = { from: state.press.start, to: event.point };
  },

  up(state, event) {
    if (state.grip && state.grip.type !== "body") return gripUp(state, event);
    const { preview, marquee } = state;
    if (preview) {
      letGo(state);
      setShapes(state, preview);
    } else if (marquee) {
      const kept = event.shift || event.ctrl ? [...state.selected] : [];
      select(state, [...kept, ...within(state, marquee)]);
    } else clickAt(state, event);
    letGo(state);
  },

  hover(state, event) {
    if (state.picked) return gripMove(state, event);
    state.hover = regionsAt(state, event.point)[0]?.key ?? null;
  },

  abort: letGo,
};

/** Dragging moves the image: pointer.js sees to that, as it does with Space and the wheel. @type {import("../state.js").Tool} */
export const panTool = {
  cursor: (state) => (state.panning ? "grabbing" : "grab"),
  down() {},
  move() {},
  up() {},
  hover() {},
  abort() {},
};


/** @param {State} state @param {Point} to */
function moveBody(state, to) {
  const { start, hits, merge } = /** @type {NonNullable<State["press"]>} */ (state.press);
  if (!hits.some(({ key }) => state.selected.has(key))) {
    select(state, [hits[0].key]);
    state.press = { start, hits, merge };
  }
  state.grip = { type: "body" };
  const { width, height } = /** @type {import("../state.js").Sheet} */ (state.sheet).doc;
  const free = selectedRegions(state).filter(({ locked }) => !locked);
  state.preview = new Map(free.map((region) => [region.key, moved(region, to[0] - start[0], to[1] - start[1], width, height)]));
}

/** @param {State} state @param {{from: Point, to: Point}} marquee regions that lie in it */
function within(state, { from, to }) {
  const [left, top, width, height] = boxFrom(from, to);
  const isIn = (/** @type {import("../state.js").Region} */ region) => {
    const [x, y, w, h] = boundsOf(region);
    return !region.locked && isShown(state, region) && x >= left && y >= top && x + w <= left + width && y + h <= top + height;
  };
  return regionsOf(state).filter(isIn).map(({ key }) => key);
}

/** Select what is there; again at the same place, what lies below it. @param {State} state @param {ToolEvent} event */
export function clickAt(state, { point, shift, ctrl }) {
  const hits = regionsAt(state, point);
  const near = state.stack && Math.hypot(state.stack.at[0] - point[0], state.stack.at[1] - point[1]) * state.view.scale < SAME_PLACE;
  const last = near ? hits.findIndex(({ key }) => key === state.stack?.key) : -1;
  const hit = hits[(last + 1) % hits.length];
  state.stack = hit ? { at: point, key: hit.key } : null;
  if (shift || ctrl) {
    if (!hits.length) return;
    const keys = new Set(state.selected);
    if (!keys.delete(hits[0].key)) keys.add(hits[0].key);
    select(state, keys);
  } else select(state, hit ? [hit.key] : []);
}
