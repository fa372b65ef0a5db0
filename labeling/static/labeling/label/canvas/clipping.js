// Cutting polygons at the image's border, so that what remains is whole: no spikes and no bridges along the border.

/**
 * @typedef {import("./geometry.js").Part} Part
 * @typedef {import("./geometry.js").Point} Point
 */

/** What lies in the image; parts outside vanish, a part that leaves and comes back becomes several. @param {Part[]} parts @returns {Part[]} */
export function clipParts(parts, width, height) {
  let kept = parts;
  kept = cut(kept, 0, 0, 1);
  kept = cut(kept, 0, width, -1);
  kept = cut(kept, 1, 0, 1);
  kept = cut(kept, 1, height, -1);
  return kept;
}

/**
 * Keep what lies on one side of a line across an axis. All parts are cut together: along the line, ends of what is
 * left pair up by the even-odd rule, which joins a hole at the border to the outline around it.
 * @param {Part[]} parts @param {0|1} axis @param {number} line @param {1|-1} way the side that stays
 */
function cut(parts, axis, line, way) {
  const depth = (part, at) => (part[at + axis] - line) * way;
  const isOut = (part) => part.some((_, at) => at % 2 === 0 && depth(part, at) < 0);
  if (!parts.some(isOut)) return parts;

  const rings = [];
  const runs = [];
  for (const part of parts) {
    const found = runsOf(part, axis, line, depth);
    for (const run of found) (isClosed(run) ? rings : runs).push(run);
  }
  return [...rings, ...joined(runs, 1 - axis)].map(tidied).filter((ring) => ring.length >= 6);
}

/**
 * The stretches of a part strictly inside, each with the points where it meets the line; the part itself if it is all inside.
 * @param {Part} part @returns {Part[]}
 */
function runsOf(part, axis, line, depth) {
  let first = -1;
  for (let at = 0; at < part.length && first < 0; at += 2) if (depth(part, at) <= 0) first = at;
  if (first < 0) return [[...part, part[0], part[1]]];
  const runs = [];
  let run = null;
  for (let step = 0; step < part.length; step += 2) {
    const at = (first + step) % part.length;
    const after = (at + 2) % part.length;
    const [here, there] = [depth(part, at) > 0, depth(part, after) > 0];
    if (here !== there) {
      const meet = meeting(part, at, after, axis, line, depth);
      if (there) run = [...meet];
      else {
        run.push(...meet);
        runs.push(run);
      }
    }
    if (there) run.push(part[after], part[after + 1]);
  }
  return runs;
}

/** Where an edge meets the line. @param {Part} part @returns {Point} */
function meeting(part, at, after, axis, line, depth) {
  const share = depth(part, at) / (depth(part, at) - depth(part, after));
  const point = /** @type {Point} */ ([0, 0]);
  point[axis] = line;
  const [from, to] = [part[at + 1 - axis], part[after + 1 - axis]];
  point[1 - axis] = share === 0 ? from : share === 1 ? to : from + share * (to - from);
  return point;
}

/** @param {Part} run */
const isClosed = (run) => run[0] === run[run.length - 2] && run[1] === run[run.length - 1];

/** Close runs along the line, from each end to the one beside it. @param {Part[]} runs @param {0|1} along @returns {Part[]} */
function joined(runs, along) {
  const ends = runs.flatMap((run, index) => [
    { index, isEnd: false, place: run[along] },
    { index, isEnd: true, place: run[run.length - 2 + along] },
  ]);
  const order = [...ends].sort((a, b) => a.place - b.place);
  const partner = new Map(order.map((end, at) => [end, order[at ^ 1]]));
  const rings = [];
  const done = new Set();
  for (const start of ends.filter((end) => !end.isEnd)) {
    if (done.has(start.index)) continue;
    let ring = [];
    let entry = start;
    do {
      done.add(entry.index);
      ring = ring.concat(entry.isEnd ? reversed(runs[entry.index]) : runs[entry.index]);
      entry = partner.get(ends[2 * entry.index + (entry.isEnd ? 0 : 1)]);
    } while (entry !== start && !done.has(entry.index));
    rings.push(ring);
  }
  return rings;
}

/** @param {Part} run @returns {Part} */
function reversed(run) {
  const back = [];
  for (let at = run.length - 2; at >= 0; at -= 2) back.push(run[at], run[at + 1]);
  return back;
}

/** Without points that repeat the one before. @param {Part} ring @returns {Part} */
function tidied(ring) {
  return ring.filter((_, at) => {
    const from = at - (at % 2);
    const before = (from + ring.length - 2) % ring.length;
    return ring[from] !== ring[before] || ring[from + 1] !== ring[before + 1];
  });
}
