// The parts of one polygon: measured, searched and changed point by point. Parts are flat lists x1, y1, x2, y2, …

/**
 * @typedef {import("./geometry.js").Point} Point
 * @typedef {import("./geometry.js").Part} Part
 */

/** @param {Part[]} parts @returns {import("./geometry.js").Box} */
export function boundsOfParts(parts) {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const part of parts) {
    for (let at = 0; at < part.length; at += 2) {
      left = Math.min(left, part[at]);
      right = Math.max(right, part[at]);
      top = Math.min(top, part[at + 1]);
      bottom = Math.max(bottom, part[at + 1]);
    }
  }
  return [left, top, right - left, bottom - top];
}

/** By the even-odd rule. @param {Part[]} parts */
export function isWithin(parts, x, y) {
  let inside = false;
  for (const part of parts) {
    for (let at = 0, before = part.length - 2; at < part.length; before = at, at += 2) {
      const [y1, y2] = [part[before + 1], part[at + 1]];
      if (y1 > y === y2 > y) continue;
      if (x < part[before] + ((y - y1) / (y2 - y1)) * (part[at] - part[before])) inside = !inside;
    }
  }
  return inside;
}

/** Twice would be the shoelace; relative to the first point, so that far-off polygons lose no digits. @param {Part} part */
function areaOfRing(part) {
  let twice = 0;
  for (let at = 2; at + 3 < part.length; at += 2) {
    twice += (part[at] - part[0]) * (part[at + 3] - part[1]) - (part[at + 2] - part[0]) * (part[at + 1] - part[1]);
  }
  return Math.abs(twice) / 2;
}

/** Each part counts for or against, by how many others lie around it. @param {Part[]} parts */
export function areaOfParts(parts) {
  if (parts.length === 1) return areaOfRing(parts[0]);
  let area = 0;
  for (const part of parts) {
    const around = parts.filter((other) => other !== part && liesIn(part, other)).length;
    area += around % 2 ? -areaOfRing(part) : areaOfRing(part);
  }
  return area;
}

/** Whether a part lies in another that it may touch but not cross. @param {Part} part @param {Part} other */
function liesIn(part, other) {
  for (let at = 0; at < part.length; at += 2) {
    const after = (at + 2) % part.length;
    const points = [[part[at], part[at + 1]], [(part[at] + part[after]) / 2, (part[at + 1] + part[after + 1]) / 2]];
    const free = points.find((/** @type {Point} */ point) => nearestEdge([other], point).distance > 1e-6);
    if (free) return isWithin([other], free[0], free[1]);
  }
  return false;
}

/**
 * The edge nearest to a point; segment n runs from point n to the next.
 * @param {Part[]} parts @param {Point} point
 * @returns {{part: number, segment: number, point: Point, distance: number}}
 */
export function nearestEdge(parts, [x, y]) {
  const best = { part: -1, segment: -1, point: /** @type {Point} */ ([x, y]), distance: Infinity };
  for (const [number, part] of parts.entries()) {
    for (let before = part.length - 2, at = 0; at < part.length; before = at, at += 2) {
      const [px, py] = [part[before], part[before + 1]];
      const [dx, dy] = [part[at] - px, part[at + 1] - py];
      const length = dx * dx + dy * dy;
      const along = length ? Math.max(0, Math.min(1, ((x - px) * dx + (y - py) * dy) / length)) : 0;
      const [ox, oy] = [px + along * dx - x, py + along * dy - y];
      const distance = ox * ox + oy * oy;
      if (distance >= best.distance) continue;
      best.part = number;
      best.segment = before / 2;
      best.point = [px + along * dx, py + along * dy];
      best.distance = distance;
    }
  }
  best.distance = Math.sqrt(best.distance);
  return best;
}

/** @param {Part[]} parts @param {Point} point @returns {{part: number, index: number, distance: number}} */
export function nearestPoint(parts, [x, y]) {
  const best = { part: -1, index: -1, distance: Infinity };
  for (const [number, part] of parts.entries()) {
    for (let at = 0; at < part.length; at += 2) {
      const distance = (part[at] - x) ** 2 + (part[at + 1] - y) ** 2;
      if (distance >= best.distance) continue;
      best.part = number;
      best.index = at / 2;
      best.distance = distance;
    }
  }
  best.distance = Math.sqrt(best.distance);
  return best;
}

/** Put a point on a segment, where it becomes point `segment + 1`. @param {Part[]} parts @param {Point} point @returns {Part[]} */
export function insertPoint(parts, part, segment, point) {
  return parts.with(part, parts[part].toSpliced(2 * segment + 2, 0, ...point));
}

/** Take a point away, and its part when fewer than three points remain. @param {Part[]} parts @returns {Part[]|null} null: no part is left */
export function removePoint(parts, part, index) {
  const rest = parts[part].toSpliced(2 * index, 2);
  const remaining = rest.length < 6 ? parts.toSpliced(part, 1) : parts.with(part, rest);
  return remaining.length ? remaining : null;
}

/**
 * A line drawn by hand with fewer points (Douglas and Peucker): none that is left out is farther off than `tolerance`.
 * @param {Part} points a flat list; its first and last point stay
 * @returns {Part}
 */
export function simplified(points, tolerance) {
  const last = points.length / 2 - 1;
  if (last < 2) return [...points];
  const kept = new Uint8Array(last + 1);
  kept[0] = kept[last] = 1;
  const open = [[0, last]];
  while (open.length) {
    const [from, to] = open.pop();
    const { index, distance } = farthest(points, from, to);
    if (distance <= tolerance) continue;
    kept[index] = 1;
    open.push([from, index], [index, to]);
  }
  return points.filter((_, at) => kept[at >> 1]);
}

/** Of the points between two, the one farthest from the line between them. @param {Part} points */
function farthest(points, from, to) {
  const line = [points[2 * from], points[2 * from + 1], points[2 * to], points[2 * to + 1]];
  const [dx, dy] = [line[2] - line[0], line[3] - line[1]];
  const length = dx * dx + dy * dy;
  const best = { index: -1, distance: 0 };
  for (let index = from + 1; index < to; index++) {
    const [x, y] = [points[2 * index] - line[0], points[2 * index + 1] - line[1]];
    const along = length ? Math.max(0, Math.min(1, (x * dx + y * dy) / length)) : 0;
    const distance = (x - along * dx) ** 2 + (y - along * dy) ** 2;
    if (distance > best.distance) Object.assign(best, { index, distance });
  }
  best.distance = Math.sqrt(best.distance);
  return best;
}
