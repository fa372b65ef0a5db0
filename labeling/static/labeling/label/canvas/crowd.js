// The shapes that are not selected, all on one canvas: a thousand cost little more than ten.

import { inkOn } from "../dom.js";
import { boundsOf } from "./geometry.js";
import { casingOf, colorOf, pathOf, TAG, tagOf, tagPlace } from "./paint.js";
import { classOf, isProposal, sure } from "./state.js";

/** @typedef {import("./state.js").State} State @typedef {import("./state.js").Region} Region */

const FONT = "600 11px system-ui, sans-serif";
/** Shapes that look narrower than this get no long tag until they are pointed at. */
const ROOM_FOR_TAG = 24;
/** More shapes than this follow the view as a picture, and are drawn anew once it rests. */
const MANY = 150;
const REST = 70; // ms

/** @param {HTMLCanvasElement} canvas */
export function crowdLayer(canvas) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  /** @type {WeakMap<Region, Path2D>} */
  const paths = new WeakMap();
  /** @type {Map<string, number>} */
  const widths = new Map();
  /** @type {Map<string, CanvasPattern>} */
  const patterns = new Map();
  let drawn = /** @type {unknown[]} */ ([]);
  let drawnView = { scale: 1, x: 0, y: 0 };
  let resting = 0;

  /** @param {Region} region */
  function pathFor(region) {
    const known = paths.get(region);
    if (known) return known;
    const made = new Path2D(pathOf(region));
    paths.set(region, made);
    return made;
  }

  /** @param {string} text */
  function widthOf(text) {
    const known = widths.get(text);
    if (known !== undefined) return known;
    context.font = FONT;
    const width = Math.ceil(context.measureText(text).width);
    widths.set(text, width);
    return width;
  }

  /** Diagonal lines for classes that share their colour with another one. @param {string} color */
  function stripes(color) {
    const known = patterns.get(color);
    if (known) return known;
    const tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    const pen = /** @type {CanvasRenderingContext2D} */ (tile.getContext("2d"));
    pen.strokeStyle = color;
    pen.lineWidth = 2.5;
    for (const shift of [-8, 0, 8]) {
      pen.moveTo(shift - 2, 10);
      pen.lineTo(shift + 10, -2);
    }
    pen.stroke();
    const made = /** @type {CanvasPattern} */ (context.createPattern(tile, "repeat"));
    patterns.set(color, made);
    return made;
  }

  /** @param {State} state @param {Region} region @param {number} scale of the view */
  function drawShape(state, region, scale) {
    const { box } = region;
    const path = box ? null : pathFor(region);
    const [x, y, width, height] = box ?? [0, 0, 0, 0];
    const color = colorOf(state, region);
    const proposed = isProposal(region);
    const striped = classOf(state, region)?.striped;
    context.globalAlpha = (state.prefs.opacity / 100) * (proposed ? 0.5 : 1) * (striped ? 2 : 1);
    if (striped) {
      const pattern = stripes(color);
      pattern.setTransform(new DOMMatrix().scale(1 / scale));
      context.fillStyle = pattern;
    } else context.fillStyle = color;
    if (path) context.fill(path, "evenodd");
    else context.fillRect(x, y, width, height);
    context.globalAlpha = 1;
    context.setLineDash(proposed ? [6 / scale, 4 / scale] : []);
    for (const [style, thick] of /** @type {[string, number][]} */ ([[casingOf(color), 3.5], [color, 1.75]])) {
      context.strokeStyle = style;
      context.lineWidth = thick / scale;
      if (path) context.stroke(path);
      else context.strokeRect(x, y, width, height);
    }
  }

  /** What fits above a shape: its class, else how sure the proposal is, else nothing. @param {State} state @param {Region} region @param {number} room */
  function tagFor(state, region, room) {
    const whole = tagOf(state, region);
    if (widthOf(whole) <= Math.max(room, ROOM_FOR_TAG) * 1.4) return whole;
    return isProposal(region) && room >= ROOM_FOR_TAG ? sure(region) : "";
  }

  /** @param {State} state @param {Region} region @param {number[]} bounds on the stage */
  function drawTag(state, region, [x, y, w]) {
    const text = tagFor(state, region, w);
    if (!text) return;
    const width = widthOf(text) + 10;
    const color = colorOf(state, region);
    const [left, top] = tagPlace(x, y, width, state.size.width);
    const proposed = isProposal(region);
    context.fillStyle = proposed ? "rgb(20 20 20 / 0.82)" : color;
    context.fillRect(left, top, width, TAG);
    if (proposed) {
      context.strokeStyle = color;
      context.lineWidth = 1;
      context.setLineDash([4, 3]);
      context.strokeRect(left + 0.5, top + 0.5, width - 1, TAG - 1);
    }
    context.fillStyle = proposed ? "#fff" : inkOn(color);
    context.fillText(text, left + 5, top + 12);
  }

  /** @param {State} state @param {Region[]} crowd */
  function draw(state, crowd) {
    const { view, size, prefs } = state;
    const key = [size.width, size.height, devicePixelRatio, prefs.opacity, prefs.labels, ...crowd];
    const isSame = key.length === drawn.length && key.every((each, at) => each === drawn[at]);
    if (isSame && view === drawnView) return;
    clearTimeout(resting);
    if (isSame && crowd.length > MANY) {
      const scale = view.scale / drawnView.scale;
      canvas.style.transform = `matrix(${scale}, 0, 0, ${scale}, ${view.x - drawnView.x * scale}, ${view.y - drawnView.y * scale})`;
      resting = setTimeout(() => drawAll(state, crowd), REST);
      return;
    }
    drawn = key;
    drawAll(state, crowd);
  }

  /** @param {State} state @param {Region[]} crowd */
  function drawAll(state, crowd) {
    const { view, size, prefs } = state;
    const ratio = devicePixelRatio;
    drawnView = view;
    canvas.style.transform = "";
    const wide = Math.round(size.width * ratio);
    const high = Math.round(size.height * ratio);
    if (canvas.width !== wide) canvas.width = wide;
    if (canvas.height !== high) canvas.height = high;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, wide, high);
    const seen = crowd
      .map((region) => ({ region, bounds: onStage(view, boundsOf(region)) }))
      .filter(({ bounds: [x, y, w, h] }) => x < size.width && y < size.height && x + w > 0 && y + h > 0);
    context.setTransform(ratio * view.scale, 0, 0, ratio * view.scale, ratio * view.x, ratio * view.y);
    context.lineJoin = "round";
    for (const { region } of seen) drawShape(state, region, view.scale);
    if (!prefs.labels) return;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.font = FONT;
    for (const { region, bounds } of seen) drawTag(state, region, bounds);
  }

  return { draw, widthOf };
}

/** @param {{scale: number, x: number, y: number}} view @param {number[]} box in pixels of the image */
export const onStage = ({ scale, x, y }, box) => [box[0] * scale + x, box[1] * scale + y, box[2] * scale, box[3] * scale];
