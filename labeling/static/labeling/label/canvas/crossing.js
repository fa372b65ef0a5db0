// Where a polygon's outline crosses itself.

/**
 * @typedef {import("./geometry.js").Point} Point
 * @typedef {import("./geometry.js").Part} Part
 * @typedef {{x: Float64Array, y: Float64Array, next: Int32Array, before: Int32Array, ring: Int32Array, size: number}} Edges
 *   edge n runs from point n to point next[n]
 */

/** Nearer than this, in pixels, points and lines count as touching: snapped points are off by rounding. */
const NEAR = 1e-6;

/** Each beside the one at right angles to it. */
const DIRECTIONS = [[1, 0], [0, 1], [1, 1], [1, -1]];

/**
 * The first place, from one side, where a ring crosses, touches or runs along itself, or crosses or runs along
 * another. Rings may touch each other in single points, and points may repeat or lie on one line.
 * @param {Part[]} parts @returns {Point|null}
 */
export function crossing(parts) {
  const edges = edgesOf(parts);
  const spans = DIRECTIONS.map((direction) => spansAlong(edges, direction));
  // Edges overlap least in the direction in which they are shortest for the room they have.
  const crowds = spans.map(crowding);
  const across = crowds.indexOf(Math.min(...crowds));
  return sweep(edges, spans[across], spans[across ^ 1]);
}

/** Points that repeat the one before make no edge. @param {Part[]} parts @returns {Edges} */
function edgesOf(parts) {
  const most = parts.reduce((sum, part) => sum + part.length / 2, 0);
  const edges = {
    x: new Float64Array(most),
    y: new Float64Array(most),
    next: new Int32Array(most),
    before: new Int32Array(most),
    ring: new Int32Array(most),
    size: 0,
  };
  for (const [ring, part] of parts.entries()) {
    const first = edges.size;
    for (let at = 0; at < part.length; at += 2) {
      const last = (at || part.length) - 2;
      if (Math.abs(part[at] - part[last]) <= NEAR && Math.abs(part[at + 1] - part[last + 1]) <= NEAR) continue;
      edges.x[edges.size] = part[at];
      edges.y[edges.size] = part[at + 1];
      edges.ring[edges.size] = ring;
      edges.next[edges.size] = edges.size + 1;
      edges.before[edges.size] = edges.size - 1;
      edges.size++;
    }
    if (edges.size === first) continue;
    edges.next[edges.size - 1] = first;
    edges.before[first] = edges.size - 1;
  }
  return edges;
}

/** @typedef {{low: Float64Array, high: Float64Array}} Spans where each edge begins and ends, in one direction */

/** @param {Edges} edges @param {number[]} direction @returns {Spans} */
function spansAlong({ x, y, next, size }, [dx, dy]) {
  const [low, high] = [new Float64Array(size), new Float64Array(size)];
  for (let edge = 0; edge < size; edge++) {
    const from = x[edge] * dx + y[edge] * dy;
    const to = x[next[edge]] * dx + y[next[edge]] * dy;
    low[edge] = Math.min(from, to) - 2 * NEAR;
    high[edge] = Math.max(from, to) + 2 * NEAR;
  }
  return { low, high };
}

/** @param {Spans} spans */
function crowding({ low, high }) {
  let [sum, first, last] = [0, Infinity, -Infinity];
  for (let edge = 0; edge < low.length; edge++) {
    sum += high[edge] - low[edge];
    first = Math.min(first, low[edge]);
    last = Math.max(last, high[edge]);
  }
  return sum / (last - first);
}

/** Meet edges in the order in which they begin; only those that reach each other are looked at. @param {Edges} edges */
function sweep(edges, { low, high }, { low: below, high: above }) {
  const order = Uint32Array.from({ length: edges.size }, (_, edge) => edge).sort((a, b) => low[a] - low[b]);
  const sorted = (/** @type {Float64Array} */ values) => Float64Array.from(order, (edge) => values[edge]);
  const [starts, bottoms, tops] = [sorted(low), sorted(below), sorted(above)];
  for (let at = 0; at < order.length; at++) {
    const [end, bottom, top] = [high[order[at]], bottoms[at], tops[at]];
    for (let other = at + 1; other < order.length && starts[other] <= end; other++) {
      if (bottoms[other] > top || tops[other] < bottom) continue;
      const place = conflict(edges, order[at], order[other]);
      if (place) return place;
    }
  }
  return null;
}

/** @param {Edges} edges @returns {-1|0|1} the side of an edge's line that a point is on */
function side({ x, y, next }, edge, point) {
  const [dx, dy] = [x[next[edge]] - x[edge], y[next[edge]] - y[edge]];
  const cross = dx * (y[point] - y[edge]) - dy * (x[point] - x[edge]);
  return cross * cross <= NEAR * NEAR * (dx * dx + dy * dy) ? 0 : cross < 0 ? -1 : 1;
}

/** Where two edges meet as they must not. @param {Edges} edges @returns {Point|null} */
function conflict(edges, one, two) {
  const { next, ring } = edges;
  const [a, b, c, d] = [one, next[one], two, next[two]];
  const [aSide, bSide] = [side(edges, two, a), side(edges, two, b)];
  if (aSide === bSide && aSide) return null;
  const [cSide, dSide] = [side(edges, one, c), side(edges, one, d)];
  if (cSide === dSide && cSide) return null;
  if ((!aSide && !bSide) || (!cSide && !dSide)) return overlap(edges, one, two);
  if (aSide && bSide && cSide && dSide) return meeting(edges, one, two);

  const touching = [!aSide && [a, two], !bSide && [b, two], !cSide && [c, one], !dSide && [d, one]];
  const found = touching.find((pair) => pair && isOn(edges, pair[1], pair[0]));
  if (!found) return null;
  if (ring[one] !== ring[two]) return passesThrough(edges, one, two, found[0]);
  return b === c || d === a ? null : [edges.x[found[0]], edges.y[found[0]]];
}

/** Two edges on one line: conflict if they share more than an end. @param {Edges} edges @returns {Point|null} */
function overlap(edges, one, two) {
  const { x, y, next, ring } = edges;
  const [dx, dy] = [x[next[one]] - x[one], y[next[one]] - y[one]];
  const length = Math.hypot(dx, dy);
  const along = (point) => ((x[point] - x[one]) * dx + (y[point] - y[one]) * dy) / length;
  const [c, d] = [along(two), along(next[two])];
  const [from, to] = [Math.max(0, Math.min(c, d)), Math.min(length, Math.max(c, d))];
  if (to - from < -NEAR) return null;
  const areNeighbours = ring[one] === ring[two] && (next[one] === two || next[two] === one);
  if (to - from <= NEAR && (areNeighbours || ring[one] !== ring[two])) return null;
  return [x[one] + (from / length) * dx, y[one] + (from / length) * dy];
}

/** @param {Edges} edges @returns {Point} */
function meeting({ x, y, next }, one, two) {
  const [dx, dy] = [x[next[one]] - x[one], y[next[one]] - y[one]];
  const [ex, ey] = [x[next[two]] - x[two], y[next[two]] - y[two]];
  const share = ((x[two] - x[one]) * ey - (y[two] - y[one]) * ex) / (dx * ey - dy * ex);
  return [x[one] + share * dx, y[one] + share * dy];
}

/** Whether a point on an edge's line is between its ends. @param {Edges} edges */
function isOn({ x, y, next }, edge, point) {
  const within = (values) =>
    values[point] >= Math.min(values[edge], values[next[edge]]) - NEAR &&
    values[point] <= Math.max(values[edge], values[next[edge]]) + NEAR;
  return within(x) && within(y);
}

/** Where two rings touch in a point, whether they change sides there. @param {Edges} edges @returns {Point|null} */
function passesThrough(edges, one, two, point) {
  const [px, py] = [edges.x[point], edges.y[point]];
  const [from, to] = arms(edges, one, px, py);
  const turn = (angle) => (((angle - from) % (2 * Math.PI)) + 2 * Math.PI) % (2 * Math.PI);
  const [first, second] = arms(edges, two, px, py).map(turn);
  return first < turn(to) === second < turn(to) ? null : [px, py];
}

/** The directions in which a ring leaves a point on one of its edges. @param {Edges} edges @returns {number[]} */
function arms({ x, y, next, before }, edge, px, py) {
  const isHere = (point) => Math.abs(x[point] - px) <= NEAR && Math.abs(y[point] - py) <= NEAR;
  const back = isHere(edge) ? before[edge] : edge;
  const ahead = isHere(next[edge]) ? next[next[edge]] : next[edge];
  return [back, ahead].map((point) => Math.atan2(y[point] - py, x[point] - px));
}
