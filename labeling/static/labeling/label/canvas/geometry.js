// Boxes and polygons in pixels of the upright image: measuring, moving, resizing, snapping, and what is wrong with one.
// Nothing here touches the DOM.

import { crossing } from "./crossing.js";
import { areaOfParts, boundsOfParts, isWithin, nearestEdge, nearestPoint } from "./polygon.js";

export { clipParts } from "./clipping.js";
export { crossing } from "./crossing.js";
export { insertPoint, nearestEdge, nearestPoint, removePoint, simplified } from "./polygon.js";

/**
 * @typedef {[number, number]} Point
 * @typedef {[number, number, number, number]} Box x, y, width, height
 * @typedef {number[]} Part x1, y1, x2, y2, …, closed from the last point to the first
 *
 * Exactly one of both is there. Parts are combined by the even-odd rule: a part within another is a hole.
 * @typedef {{box?: Box|null, parts?: Part[]|null}} Shape
 * @typedef {"n"|"ne"|"e"|"se"|"s"|"sw"|"w"|"nw"} Handle
 */

/** Shapes below this many pixels, wide or high for a box, in all for a polygon, are slips of the hand. */
const SMALLEST = 1;

/** How far outside the image a rounded corner may lie; the server has the same number. */
const TOLERANCE = 0.5;

const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

/** The box between two corners, whichever they are. @param {Point} a @param {Point} b @returns {Box} */
export function boxFrom(a, b) {
  return [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.abs(a[0] - b[0]), Math.abs(a[1] - b[1])];
}

/** The part of a box within the image; without width or height where there is none. @param {Box} box @returns {Box} */
export function clipBox([x, y, w, h], width, height) {
  return boxFrom(
    [clamp(x, 0, width), clamp(y, 0, height)],
    [clamp(x + w, 0, width), clamp(y + h, 0, height)],
  );
}

/** @param {Shape} shape @returns {Box} */
export const boundsOf = (shape) => shape.box ? [...shape.box] : boundsOfParts(shape.parts);

/** @param {Shape} shape @returns {number} square pixels; a polygon's by the even-odd rule, if its parts do not cross */
export const areaOf = (shape) => shape.box ? shape.box[2] * shape.box[3] : areaOfParts(shape.parts);

/** @param {Shape} shape @param {Point} point */
export function contains(shape, [x, y]) {
  if (!shape.box) return isWithin(shape.parts, x, y);
  const [left, top, width, height] = shape.box;
  return x >= left && x <= left + width && y >= top && y <= top + height;
}

/** Shifted, but not past the image's border. @param {Shape} shape @returns {Shape} */
export function moved(shape, dx, dy, width, height) {
  const [x, y, w, h] = boundsOf(shape);
  const right = clamp(dx, -x, width - w - x);
  const down = clamp(dy, -y, height - h - y);
  if (shape.box) return { box: [x + right, y + down, w, h] };
  return { parts: shape.parts.map((part) => part.map((value, at) => value + (at % 2 ? down : right))) };
}

/** What a handle pulls: -1 the left or upper side, 1 the right or lower one, 0 neither. @param {Handle} handle */
function pulls(handle) {
  const across = handle.includes("w") ? -1 : handle.includes("e") ? 1 : 0;
  const along = handle.includes("n") ? -1 : handle.includes("s") ? 1 : 0;
  return [across, along];
}

/** @returns {Handle} */
const handleOf = (across, along) =>
  /** @type {Handle} */ ((along < 0 ? "n" : along > 0 ? "s" : "") + (across < 0 ? "w" : across > 0 ? "e" : ""));

/**
 * Pull a handle to a point. Past the opposite side the box flips, and the handle is then the one on that side.
 * Give the box and handle as the drag began: a box pulled flat has no ratio left to keep.
 * @param {Box} box @param {Handle} handle @param {Point} point
 * @param {{keepRatio?: boolean, width?: number, height?: number}} [options] the image's size holds the box inside
 * @returns {{box: Box, handle: Handle}}
 */
export function resized(box, handle, point, { keepRatio = false, width = Infinity, height = Infinity } = {}) {
  const room = Number.isFinite(width) ? [[0, width], [0, height]] : [[-Infinity, Infinity], [-Infinity, Infinity]];
  const sides = [0, 1].map((axis) => pulledSide(box, axis, pulls(handle)[axis], point[axis], room[axis]));
  if (keepRatio && box[2] > 0 && box[3] > 0) keepShape(box, sides, room);
  const [across, along] = sides;
  return {
    box: [across.from, along.from, across.size, along.size],
    handle: handleOf(across.way, along.way),
  };
}

/**
 * One axis of a pull: what stays (`fixed`), which way the box reaches from it (0: nothing is pulled), and the result.
 * @typedef {{way: number, fixed: number, from: number, size: number}} Side
 * @param {Box} box @returns {Side}
 */
function pulledSide(box, axis, pull, to, [low, high]) {
  const [start, size] = [box[axis], box[axis + 2]];
  if (!pull) return { way: 0, fixed: start + size / 2, from: start, size };
  const fixed = pull > 0 ? start : start + size;
  const end = clamp(to, low, high);
  return { way: Math.sign(end - fixed) || pull, fixed, from: Math.min(fixed, end), size: Math.abs(end - fixed) };
}

/** Scale both sides alike, as far as the farther pull says and the image allows. @param {Box} box @param {Side[]} sides */
function keepShape(box, sides, room) {
  const wanted = Math.max(...sides.map((side, axis) => side.way ? side.size / box[axis + 2] : 0));
  const allowed = sides.map(({ way, fixed }, axis) => {
    const [low, high] = room[axis];
    const space = way > 0 ? high - fixed : way < 0 ? fixed - low : 2 * Math.min(high - fixed, fixed - low);
    return Math.max(0, space) / box[axis + 2];
  });
  const scale = Math.min(wanted, ...allowed);
  sides.forEach((side, axis) => {
    side.size = scale * box[axis + 2];
    side.from = side.way > 0 ? side.fixed : side.way < 0 ? side.fixed - side.size : side.fixed - side.size / 2;
  });
}

/** @param {Shape} shape @returns {Part[]} */
function partsOf(shape) {
  if (!shape.box) return shape.parts;
  const [x, y, w, h] = shape.box;
  return [[x, y, x + w, y, x + w, y + h, x, y + h]];
}

/**
 * Draw a point to a corner of another shape, else to an edge, else to the image's border.
 * @param {Point} point
 * @param {{shapes: Shape[], width: number, height: number, within: number}} near `within` in pixels of the image
 * @returns {{point: Point, to: "corner"|"edge"|"border"|null}}
 */
export function snapped(point, { shapes, width, height, within }) {
  let corner = { distance: Infinity, point };
  let edge = corner;
  for (const shape of shapes) {
    if (!reaches(boundsOf(shape), point, within)) continue;
    const parts = partsOf(shape);
    const foundEdge = nearestEdge(parts, point);
    if (foundEdge.distance > within) continue;
    if (foundEdge.distance < edge.distance) edge = foundEdge;
    const { part, index, distance } = nearestPoint(parts, point);
    if (distance < corner.distance) {
      corner = { distance, point: [parts[part][2 * index], parts[part][2 * index + 1]] };
    }
  }
  if (corner.distance <= within) return { point: corner.point, to: "corner" };
  if (edge.distance <= within) return { point: edge.point, to: "edge" };
  return snappedToBorder(point, width, height, within);
}

/** Whether a point is in a box or at most `within` beside it. @param {Box} box @param {Point} point */
function reaches([x, y, w, h], point, within) {
  return point[0] >= x - within && point[0] <= x + w + within && point[1] >= y - within && point[1] <= y + h + within;
}

/** @param {Point} point @returns {{point: Point, to: "border"|null}} */
function snappedToBorder([x, y], width, height, within) {
  const side = x < width / 2 ? 0 : width;
  const end = y < height / 2 ? 0 : height;
  const [across, along] = [Math.abs(x - side), Math.abs(y - end)];
  if (Math.hypot(across, along) <= within) return { point: [side, end], to: "border" };
  if (across <= within && across <= along) return { point: [side, clamp(y, 0, height)], to: "border" };
  if (along <= within) return { point: [clamp(x, 0, width), end], to: "border" };
  return { point: [x, y], to: null };
}

/**
 * Why a shape cannot be an answer, and where to look; null when it can.
 * @param {Shape} shape
 * @returns {{reason: "tiny"|"points"|"crossing"|"outside", at: Point}|null}
 */
export function flaw(shape, width, height) {
  const parts = partsOf(shape);
  const poor = shape.box ? null : parts.length ? parts.find(hasFewPoints) : [0, 0];
  if (poor) return { reason: "points", at: [poor[0], poor[1]] };
  const outside = firstOutside(parts, width, height);
  if (outside) return { reason: "outside", at: outside };
  const [x, y, w, h] = boundsOf(shape);
  const tiny = /** @type {const} */ ({ reason: "tiny", at: [x + w / 2, y + h / 2] });
  if (shape.box ? Math.min(w, h) < SMALLEST : w * h < SMALLEST) return tiny;
  const crossed = shape.box ? null : crossing(parts);
  if (crossed) return { reason: "crossing", at: crossed };
  return areaOf(shape) < SMALLEST && !shape.box ? tiny : null;
}

/** @param {Part} part */
function hasFewPoints(part) {
  const places = new Set();
  for (let at = 0; at < part.length && places.size < 3; at += 2) places.add(`${part[at]} ${part[at + 1]}`);
  return places.size < 3;
}

/** @param {Part[]} parts @returns {Point|null} */
function firstOutside(parts, width, height) {
  const beyond = (value, end) => value < -TOLERANCE || value > end + TOLERANCE;
  for (const part of parts) {
    for (let at = 0; at < part.length; at += 2) {
      if (beyond(part[at], width) || beyond(part[at + 1], height)) return [part[at], part[at + 1]];
    }
  }
  return null;
}
