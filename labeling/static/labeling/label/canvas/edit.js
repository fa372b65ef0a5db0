// What is done to regions: every command of the canvas that changes them, each one step to take back.

import { t, tn } from "../text.js";
import { boundsOf, clipBox, clipParts, flaw, moved } from "./geometry.js";
import { round } from "./paint.js";
import { add, change, duplicate, remove, reorder } from "./regions.js";
import { classOf, fromAnswer, isDrawing, isProposal, isShown, keepSelected, regionsOf, select, selectedRegions, shownProposals } from "./state.js";

/** @typedef {import("./state.js").State} State @typedef {import("./state.js").Region} Region */
/** @typedef {import("./geometry.js").Shape} Shape */

/** Shapes thinner than this on the stage are slips of the hand. */
const SLIP = 3;
/** Thinner than this, in pixels of the image and as a share of the longer side, few things are. */
const NARROW = 4;
const NARROW_SHARE = 0.01;

const docOf = (/** @type {State} */ state) => /** @type {import("./regions.js").Document} */ (state.sheet?.doc);
const keysOf = (/** @type {Region[]} */ regions) => regions.map(({ key }) => key);

/** Numbers to hundredths of a pixel, and nothing beyond the image. @param {State} state @param {Shape} shape @returns {Shape} */
function tidy(state, { box, parts }) {
  const { width, height } = docOf(state);
  if (box) return { box: /** @type {any} */ (clipBox(box, width, height).map(round)), parts: null };
  return { box: null, parts: clipParts(parts ?? [], width, height).map((part) => part.map(round)) };
}

/** @param {State} state @param {Shape} shape @returns {boolean} whether it was large enough to be meant */
export function addShape(state, shape) {
  const tidied = tidy(state, shape);
  const [, , width, height] = boundsOf(tidied.box || tidied.parts?.length ? tidied : { box: [0, 0, 0, 0] });
  const least = Math.max(1, Math.min(2, SLIP / state.view.scale));
  if (Math.min(width, height) < least) return false;
  const key = add(docOf(state), { ...tidied, class: state.current });
  if (tidied.box) state.template = [width, height];
  selectFresh(state, [key]);
  const longer = Math.max(width, height);
  if (Math.min(width, height) < Math.max(NARROW, longer * NARROW_SHARE)) tell(state, t("Very narrow: is it meant?"), tidied);
  return true;
}

/** Select what nobody chose by hand. @param {State} state @param {number[]} keys */
function selectFresh(state, keys) {
  select(state, keys);
  state.fresh = true;
}

/** Give regions other shapes; a proposal that is changed so is accepted by it. @param {State} state @param {Map<number, Shape>} shapes @param {unknown} [merge] */
export function setShapes(state, shapes, merge = null) {
  change(
    docOf(state),
    [...shapes.keys()],
    (region) => ({
      ...tidy(state, /** @type {Shape} */ (shapes.get(region.key))),
      ...(isProposal(region) ? { origin: "edited" } : {}),
    }),
    { merge },
  );
}

/** Join another part to a polygon: a hole where it lies inside. @param {State} state @param {number} key @param {number[]} part */
export function addPart(state, key, part) {
  const region = regionsOf(state).find((each) => each.key === key);
  if (region?.parts) setShapes(state, new Map([[key, { parts: [...region.parts, part] }]]));
}

/**
 * Name what is drawn next, and the selected regions. With a drawing tool in hand, what was only just made and has its
 * class is not meant: most people choose the class before they draw.
 * @param {State} state @param {number} id @returns {string} what was done
 */
export function setClass(state, id) {
  state.current = id;
  const name = state.byId.get(id)?.name ?? "";
  const isMeant = (/** @type {Region} */ region) => !region.locked && !(state.fresh && isDrawing(state) && region.class !== null);
  const chosen = state.draft ? [] : selectedRegions(state).filter(isMeant);
  if (!chosen.length) return t("Next: {name}", { name });
  const renamed = chosen.find((region) => region.class !== null && region.class !== id);
  change(docOf(state), keysOf(chosen), (region) => ({ class: id, ...(isProposal(region) ? { origin: "edited" } : {}) }));
  const text = renamed && chosen.length === 1
    ? `${classOf(state, renamed)?.name} → ${name}`
    : tn(chosen.length, "{name}", "{name}: {count} regions", { name });
  if (renamed) tell(state, text, renamed);
  return text;
}

/** Say something at a region for a while. @param {State} state @param {string} text @param {Shape} shape */
function tell(state, text, shape) {
  const [x, y, width, height] = boundsOf(shape);
  state.note = { text, at: [x + width / 2, y + height], passing: true };
}

/** @param {State} state @returns {string} */
export function removeSelected(state) {
  const chosen = selectedRegions(state).filter(({ locked }) => !locked);
  remove(docOf(state), keysOf(chosen));
  if (chosen.length) select(state, []);
  return chosen.length ? tn(chosen.length, "Deleted.", "{count} deleted.") : t("It is locked. L unlocks it.");
}

/** @param {State} state */
export function duplicateSelected(state) {
  const offset = Math.max(4, Math.round(12 / state.view.scale));
  const copies = duplicate(docOf(state), [...state.selected], offset);
  selectFresh(state, copies);
  return tn(copies.length, "One copy.", "{count} copies.");
}

/** @param {State} state */
export function copySelected(state) {
  state.clipboard = selectedRegions(state);
  return tn(state.clipboard.length, "Copied.", "{count} copied.");
}

/** @param {State} state */
export function paste(state) {
  return addCopies(state, state.clipboard);
}

/** Put regions of elsewhere where they were there, as far as this image goes. @param {State} state @param {Partial<Region>[]} regions */
function addCopies(state, regions) {
  const doc = docOf(state);
  const merge = {};
  const made = regions.flatMap((region) => {
    const shape = tidy(state, region);
    if (flaw(shape, doc.width, doc.height)) return [];
    return [add(doc, { class: region.class, ...shape }, { merge })];
  });
  selectFresh(state, made);
  return made.length ? tn(made.length, "One region pasted.", "{count} regions pasted.") : t("There is nothing to paste.");
}

/** The regions of the image before this one. @param {State} state @param {import("../types.js").Page|null} previous page, as it was sent */
export function regionsBefore({ sheets, sheet }, previous) {
  const before = sheets[sheets.findIndex((each) => each === sheet) - 1];
  if (before) return before.doc.regions.filter((region) => !isProposal(region));
  const given = previous?.items.flatMap(({ id }) => previous.answers?.[id]?.regions ?? []) ?? [];
  return given.map((each) => fromAnswer(each, "drawn"));
}

/** @param {State} state @param {import("../types.js").Page|null} previous */
export function copyPrevious(state, previous) {
  const regions = regionsBefore(state, previous);
  return regions.length ? addCopies(state, regions) : t("There is nothing to copy from the image before.");
}

/** @param {State} state @param {number} dx @param {number} dy */
export function nudge(state, dx, dy) {
  const { width, height } = docOf(state);
  const chosen = selectedRegions(state).filter(({ locked }) => !locked);
  const shapes = new Map(chosen.map((region) => [region.key, moved(region, dx, dy, width, height)]));
  setShapes(state, shapes, `nudge ${keysOf(chosen)}`);
}

/** Lock the selected regions, or all where none is selected; if all are, unlock them. @param {State} state */
export function toggleLock(state, keys = [...state.selected]) {
  const meant = regionsOf(state).filter(({ key }) => !keys.length || keys.includes(key));
  const locked = !meant.every((region) => region.locked);
  change(docOf(state), keysOf(meant), { locked }, { locked: true });
  return locked ? tn(meant.length, "Locked.", "{count} locked.") : tn(meant.length, "Unlocked.", "{count} unlocked.");
}

/** Hide the selected regions, or all where none is selected; if all are, show them. @param {State} state */
export function toggleHidden(state, keys = [...state.selected]) {
  const meant = regionsOf(state).filter(({ key }) => !keys.length || keys.includes(key));
  const hidden = !meant.every((region) => region.hidden);
  change(docOf(state), keysOf(meant), { hidden }, { locked: true });
  return hidden ? tn(meant.length, "Hidden.", "{count} hidden.") : tn(meant.length, "Shown.", "{count} shown.");
}

/** Show the selected regions alone; once more shows all. @param {State} state */
export function toggleOthers(state) {
  const others = regionsOf(state).filter(({ key }) => !state.selected.has(key));
  return toggleHidden(state, keysOf(others));
}

/** @param {State} state @param {"front"|"back"} to */
export function order(state, to) {
  reorder(docOf(state), [...state.selected], to);
}

/** @param {State} state @param {Region[]} regions */
function dropFromSelection(state, regions) {
  const gone = new Set(keysOf(regions));
  keepSelected(state, (key) => !gone.has(key));
}

/** @param {State} state @param {Region[]} regions */
export function accept(state, regions) {
  change(docOf(state), keysOf(regions), { origin: "accepted" }, { locked: true });
  dropFromSelection(state, regions);
  return tn(regions.length, "Accepted.", "{count} accepted.");
}

/** @param {State} state */
export const acceptShown = (state) => accept(state, shownProposals(state));

/** @param {State} state @param {Region[]} regions */
export function reject(state, regions) {
  remove(docOf(state), keysOf(regions), { locked: true });
  dropFromSelection(state, regions);
  if (regions.some(({ key }) => key === state.hover)) state.hover = null;
  return tn(regions.length, "Rejected.", "{count} rejected.");
}

/** Go to the next region in reading order; what was just made is taken in hand first. @param {State} state @param {1|-1} step @returns {boolean} false past the last one */
export function cycle(state, step) {
  const key = nextKey(state, step);
  if (key === null) return false;
  select(state, [key]);
  return true;
}

/** @param {State} state @param {1|-1} step @returns {number|null} */
export function nextKey(state, step) {
  const shown = regionsOf(state).filter((region) => isShown(state, region));
  const at = shown.findIndex(({ key }) => state.selected.has(key));
  const next = at < 0 ? (step > 0 ? 0 : shown.length - 1) : state.fresh && step > 0 ? at : at + step;
  return shown[next]?.key ?? null;
}

/** What the server would refuse, in words. @param {{reason: string}} found */
export function flawText({ reason }) {
  return {
    tiny: t("This is too small to be meant."),
    points: t("A polygon needs three points."),
    crossing: t("The line crosses itself here. Move or remove a point."),
    outside: t("This lies outside the image."),
  }[/** @type {"tiny"} */ (reason)];
}

/** @param {State} state @param {Region} region */
export const flawOf = (state, region) => flaw(region, docOf(state).width, docOf(state).height);

