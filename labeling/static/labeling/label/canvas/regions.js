// The regions of one image and the only functions that change them. Each change is a step that can be taken back.

import { boundsOf, moved } from "./geometry.js";

/**
 * Never changed, only replaced; exactly one of `box` and `parts` is there.
 * @typedef {{key: number, class: number|null, box: [number, number, number, number]|null, parts: number[][]|null,
 *   origin: "drawn"|"accepted"|"edited"|"proposed", locked: boolean, hidden: boolean, confidence?: number}} Region
 * `confidence` is a proposal's; it is no answer until its origin changes.
 *
 * `regions` are drawn in their order. `step` is the token of the last step, if further changes may join it.
 * @typedef {{width: number, height: number, regions: Region[], past: Region[][], future: Region[][],
 *   nextKey: number, step: unknown}} Document
 *
 * `merge`: join the last step if it has the same token, so that a drag is taken back as one.
 * `locked`: change locked regions too.
 * @typedef {{merge?: unknown, locked?: boolean}} Options
 */

/** @type {Omit<Region, "key">} */
const BLANK = { class: null, box: null, parts: null, origin: "drawn", locked: false, hidden: false };

/** What makes an accepted region an edited one. */
const CONTENT = ["class", "box", "parts"];

/** @param {Partial<Region>[]} [regions] keep their keys where they have them @returns {Document} */
export function newDocument(width, height, regions = []) {
  const doc = { width, height, regions: [], past: [], future: [], nextKey: 1, step: null };
  doc.nextKey = 1 + Math.max(0, ...regions.map((region) => region.key ?? 0));
  doc.regions = regions.map((region) => withKey(doc, region));
  return doc;
}

/** @param {Document} doc @param {Partial<Region>} fields @returns {Region} */
const withKey = (doc, fields) => ({ ...BLANK, ...fields, key: fields.key ?? doc.nextKey++ });

/** @param {Document} doc @param {Region[]} regions @param {Options} options */
function replace(doc, regions, { merge = null }) {
  if (merge === null || merge !== doc.step) doc.past.push(doc.regions);
  doc.regions = regions;
  doc.future = [];
  doc.step = merge;
}

/** @param {Document} doc @param {Partial<Region>} fields @param {Options} [options] @returns {number} the new region's key */
export function add(doc, fields, options = {}) {
  const region = withKey(doc, { ...fields, key: undefined });
  replace(doc, [...doc.regions, region], options);
  return region.key;
}

/** @param {unknown} a @param {unknown} b whether they are the same number for number */
function isSame(a, b) {
  if (!Array.isArray(a) || !Array.isArray(b)) return Object.is(a, b);
  return a.length === b.length && a.every((value, at) => isSame(value, b[at]));
}

/** @param {Region} region @param {Partial<Region>} fields @returns {Region} the same object when nothing differs */
function changed(region, fields) {
  const different = Object.keys(fields).filter((name) => !isSame(region[name], fields[name]));
  if (!different.length) return region;
  const isEdit = region.origin === "accepted" && different.some((name) => CONTENT.includes(name));
  return { ...region, ...(isEdit ? { origin: "edited" } : {}), ...fields };
}

/**
 * Locked regions stay as they are unless `locked` is asked for. An accepted region whose class or shape changes is edited.
 * @param {Document} doc @param {number[]} keys
 * @param {Partial<Region>|((region: Region) => Partial<Region>)} fields for all, or worked out for each
 * @param {Options} [options]
 */
export function change(doc, keys, fields, options = {}) {
  const chosen = new Set(keys);
  const regions = doc.regions.map((region) => {
    if (!chosen.has(region.key) || (region.locked && !options.locked)) return region;
    return changed(region, typeof fields === "function" ? fields(region) : fields);
  });
  if (regions.some((region, at) => region !== doc.regions[at])) replace(doc, regions, options);
}

/** Locked regions stay unless `locked` is asked for. @param {Document} doc @param {number[]} keys @param {Options} [options] */
export function remove(doc, keys, options = {}) {
  const chosen = new Set(keys);
  const regions = doc.regions.filter((region) => !chosen.has(region.key) || (region.locked && !options.locked));
  if (regions.length < doc.regions.length) replace(doc, regions, options);
}

/**
 * What is last is drawn on top. Among themselves the chosen keep their order.
 * @param {Document} doc @param {number[]} keys @param {"front"|"back"} to @param {Options} [options]
 */
export function reorder(doc, keys, to, options = {}) {
  const chosen = new Set(keys);
  const isChosen = (/** @type {Region} */ region) => chosen.has(region.key);
  const [those, others] = [doc.regions.filter(isChosen), doc.regions.filter((region) => !isChosen(region))];
  const regions = to === "front" ? [...others, ...those] : [...those, ...others];
  if (!regions.every((region, at) => region === doc.regions[at])) replace(doc, regions, options);
}

/**
 * Copies on top, drawn by the person and unlocked, a little to the lower right; at the image's end to the upper left.
 * @param {Document} doc @param {number[]} keys @param {number} offset in pixels of the image @param {Options} [options]
 * @returns {number[]} the copies' keys
 */
export function duplicate(doc, keys, offset, options = {}) {
  const chosen = new Set(keys);
  const copies = doc.regions.filter((region) => chosen.has(region.key)).map((region) => {
    const [x, y, w, h] = boundsOf(region);
    const right = x + w + offset <= doc.width ? offset : -offset;
    const down = y + h + offset <= doc.height ? offset : -offset;
    const shape = moved(region, right, down, doc.width, doc.height);
    return withKey(doc, { ...region, ...shape, key: undefined, origin: "drawn", locked: false });
  });
  if (copies.length) replace(doc, [...doc.regions, ...copies], options);
  return copies.map((copy) => copy.key);
}

/** @param {Document} doc @returns {boolean} false when there was nothing to take back */
export function undo(doc) {
  return step(doc, doc.past, doc.future);
}

/** @param {Document} doc @returns {boolean} false when there was nothing to bring back */
export function redo(doc) {
  return step(doc, doc.future, doc.past);
}

/** @param {Document} doc @param {Region[][]} from @param {Region[][]} to */
function step(doc, from, to) {
  const regions = from.pop();
  if (!regions) return false;
  to.push(doc.regions);
  doc.regions = regions;
  doc.step = null;
  return true;
}
