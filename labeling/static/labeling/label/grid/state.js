// The one mutable state of the Label page, and the only functions that change it.
// Nothing here touches the DOM or the network.

import { newUuid } from "../uuid.js";

/**
 * @typedef {import("../types.js").LabelClass} LabelClass @typedef {import("../types.js").Page} Page
 * @typedef {import("../types.js").Item} Item
 *
 * What a tile shows now: nothing, a proposal, a person's answer, skipped, or taken out of the proposal.
 * @typedef {"empty"|"proposed"|"person"|"skipped"|"out"} Mark
 * @typedef {{item: Item, proposal: number[], doubtful: number[], confidence: number|null, classes: number[],
 *   mark: Mark, reason: string, selected: boolean, uuid: string}} Tile
 * @typedef {{tiles: {classes: number[], mark: Mark, reason: string, selected: boolean}[], cursor: number}} Snapshot
 *
 * `window` is what the addresses of DICOM images end with, "" for their own windows.
 * A page may be shown in parts of `part` images: `tiles` are on screen, `before` and `after` are not.
 * @typedef {{classes: LabelClass[], multilabel: boolean, page: Page|null, tiles: Tile[], before: Tile[], after: Tile[], part: number,
 *   cursor: number, hover: number|null, anchor: number, fresh: boolean, magnified: boolean, history: Snapshot[],
 *   future: Snapshot[], touched: boolean, alone: boolean, incomplete: boolean, filter: string, window: string}} State
 */

const WHOLE = 100; // no page has as many images

/** @param {LabelClass[]} classes @param {boolean} multilabel @returns {State} */
export function newState(classes, multilabel) {
  return {
    classes,
    multilabel,
    page: null,
    tiles: [],
    before: [],
    after: [],
    part: WHOLE,
    cursor: 0,
    hover: null,
    anchor: 0,
    fresh: false,
    magnified: false,
    history: [],
    future: [],
    touched: false,
    alone: false,
    incomplete: false,
    filter: "",
    window: "",
  };
}

/** @typedef {{before: Tile[], tiles: Tile[], after: Tile[], part: number, touched: boolean}} Content what survives a reload */

/**
 * Put a page on screen, with its own earlier answers or a draft's where there are any.
 * @param {State} state @param {Page} page @param {Content|null} kept
 */
export function showPage(state, page, kept) {
  state.page = page;
  state.before = kept?.before ?? [];
  const known = new Set(state.classes.map(({ id }) => id));
  state.tiles = kept?.tiles ?? page.items.map((item) => newTile(page, item, known));
  state.after = kept?.after ?? [];
  state.part = kept?.part ?? WHOLE;
  state.touched = kept?.touched ?? false;
  state.magnified = false;
  state.filter = "";
  begin(state);
}

/** Start on the images that are on screen now. @param {State} state */
function begin(state) {
  state.cursor = firstOpen(state) ?? 0;
  state.anchor = state.cursor;
  state.hover = null;
  state.history = [];
  state.future = [];
  state.fresh = false;
  state.incomplete = false;
}

/** @param {State} state */
export function clearPage(state) {
  Object.assign(state, { page: null, tiles: [], before: [], after: [], part: WHOLE, magnified: false, touched: false });
  begin(state);
}

/** @param {State} state @returns {Content} */
export const contentOf = (state) => {
  const { before, tiles, after, part } = state;
  return { before, tiles, after, part, touched: isTouched(state) };
};

/** @param {State} state every image of the page, also those not on screen */
export const everyTile = (state) => [...state.before, ...state.tiles, ...state.after];

/**
 * Show at most `size` images of the page at a time; whatever they have, they keep.
 * @param {State} state @param {number} size
 */
export function layOut(state, size) {
  const all = everyTile(state);
  const outlined = state.before.length + state.cursor;
  state.touched ||= state.history.length > 0;
  state.part = size;
  cut(state, all, all.length <= size ? 0 : Math.floor(outlined / size) * size);
  begin(state);
  state.cursor = state.anchor = outlined - state.before.length;
}

/** Go to the next or the last images of the page. @param {State} state @param {1|-1} step @returns {boolean} */
export function turn(state, step) {
  const from = state.before.length + step * state.part;
  const all = everyTile(state);
  if (from < 0 || from >= all.length) return false;
  cut(state, all, from);
  state.touched = true;
  begin(state);
  return true;
}

/** @param {State} state @param {Tile[]} all @param {number} from */
function cut(state, all, from) {
  const to = from + state.part;
  Object.assign(state, { before: all.slice(0, from), tiles: all.slice(from, to), after: all.slice(to) });
}

/** @param {Page} page @param {Item} item @param {Set<number>} known classes, for some may be retired by now @returns {Tile} */
function newTile(page, item, known) {
  const answer = page.answers?.[item.id];
  const suggested = item.suggestion?.regions ?? [];
  // Without a suggestion nothing is proposed; on pages asked one by one, it ticks single labels.
  const guided = page.kind !== "manual" || Boolean(item.suggestion);
  const proposal = !guided ? [] : suggested.length ? suggested.map((region) => /** @type {number} */ (region.class))
    : page.proposed_class ? [page.proposed_class] : [];
  /** @type {Tile} */
  const tile = {
    item,
    proposal: page.proposed_class && page.kind === "clustered" ? [page.proposed_class] : proposal,
    doubtful: item.suggestion?.doubtful ?? [],
    confidence: guided ? item.suggestion?.confidence ?? null : null,
    classes: [],
    mark: "empty",
    reason: "",
    selected: false,
    uuid: newUuid(),
  };
  if (answer) {
    tile.reason = answer.skip_reason ?? "";
    const classes = answer.regions.map((region) => /** @type {number} */ (region.class));
    tile.classes = classes.filter((id) => known.has(id));
    tile.mark = answer.skipped ? "skipped" : tile.classes.length < classes.length ? "empty" : "person";
  } else reset(tile, page.start_selected);
  return tile;
}

/** Back to how the page began: the proposal, else nothing. @param {Tile} tile @param {boolean} selected */
function reset(tile, selected) {
  tile.classes = [...tile.proposal];
  tile.mark = tile.proposal.length ? "proposed" : "empty";
  tile.selected = selected;
}

/** Whether single labels are ticked beforehand, not a whole answer proposed. @param {Tile} tile */
export const isTicked = (tile) => Boolean(tile.item.suggestion?.doubtful);

/** The labels that the model leaves open and nobody has decided. @param {Tile} tile */
export const openLabels = (tile) => tile.mark === "proposed" ? tile.doubtful.filter((id) => !tile.classes.includes(id)) : [];

/** @param {Tile} tile */
export const isAnswered = (tile) => tile.mark === "person" || tile.mark === "proposed" || tile.mark === "skipped";

/** Whether a person said that no class fits. @param {Tile} tile */
export const isNone = (tile) => tile.mark === "person" && !tile.classes.length;

/** Whether images begin selected and clicking takes one out. @param {State} state */
const beginsSelected = (state) => Boolean(state.page?.start_selected);

/** @param {State} state @returns {number|null} */
export function firstOpen(state, from = 0) {
  const order = state.tiles.map((_, index) => (from + index) % state.tiles.length);
  return order.find((index) => !isAnswered(state.tiles[index])) ?? null;
}

/** @param {State} state */
export const selection = (state) => state.tiles.filter((tile) => tile.selected);

/** @param {State} state @returns {Snapshot} */
const snapshot = (state) => ({
  tiles: state.tiles.map(({ classes, mark, reason, selected }) => ({ classes: [...classes], mark, reason, selected })),
  cursor: state.cursor,
});

/** Keep what is on screen so that one Ctrl+Z brings it back. @param {State} state */
function remember(state) {
  state.history.push(snapshot(state));
  state.future = [];
}

/** @param {State} state @param {Snapshot[]} from @param {Snapshot[]} to @returns {boolean} false when there was nothing */
function swap(state, from, to) {
  const last = from.pop();
  if (!last) return false;
  to.push(snapshot(state));
  last.tiles.forEach((saved, index) => Object.assign(state.tiles[index], saved));
  state.cursor = last.cursor;
  return true;
}

/** Take back the last change of these images. @param {State} state */
export const undo = (state) => swap(state, state.history, state.future);

/** @param {State} state */
export const redo = (state) => swap(state, state.future, state.history);

/** Whether a person changed anything here. @param {State} state */
export const isTouched = (state) => state.touched || state.history.length > 0;

/** @param {State} state @param {number} index @param {boolean} on */
function setSelected(state, index, on) {
  const tile = state.tiles[index];
  tile.selected = on;
  if (!tile.proposal.length || tile.mark === "person" || tile.mark === "skipped") return;
  if (isTicked(tile)) return; // its labels are changed one by one
  // On a proposed image the selection is the exception, or its opposite where all begin selected.
  const out = beginsSelected(state) ? !on : on;
  tile.mark = out ? "out" : "proposed";
  tile.classes = out ? [] : [...tile.proposal];
}

/** A plain or Ctrl click. @param {State} state @param {number} index */
export function toggle(state, index) {
  const tile = state.tiles[index];
  if (!tile) return;
  if (tile.proposal.length) remember(state);
  if (state.fresh && !tile.selected) for (const other of state.tiles) other.selected = false;
  state.fresh = false;
  setSelected(state, index, !tile.selected);
  state.cursor = state.anchor = index;
}

/** A Shift click: everything from the last clicked image to this one. @param {State} state @param {number} index */
export function selectTo(state, index) {
  remember(state);
  const on = !beginsSelected(state) || state.tiles[index].selected === false;
  const [from, to] = [Math.min(state.anchor, index), Math.max(state.anchor, index)];
  for (let at = from; at <= to; at++) if (state.tiles[at].selected !== on) setSelected(state, at, on);
  state.cursor = index;
}

/** @param {State} state */
export function selectAll(state) {
  remember(state);
  for (const [index, tile] of state.tiles.entries()) {
    if (beginsSelected(state)) setSelected(state, index, true);
    else tile.selected = true;
  }
  state.fresh = false;
}

/** @param {State} state */
export function selectNone(state) {
  if (beginsSelected(state) && state.tiles.some((tile) => tile.selected && tile.proposal.length)) remember(state);
  for (const [index, tile] of state.tiles.entries()) {
    if (beginsSelected(state)) setSelected(state, index, false);
    else tile.selected = false;
  }
  state.fresh = false;
}

/** Select what is not selected, and the other way round. @param {State} state */
export function invertSelection(state) {
  if (state.tiles.some((tile) => tile.proposal.length)) remember(state);
  for (const [index, tile] of state.tiles.entries()) setSelected(state, index, !tile.selected);
  state.fresh = false;
}

/** @param {State} state @param {number} step */
export function moveCursor(state, step) {
  const count = state.tiles.length;
  if (count) state.cursor = Math.min(count - 1, Math.max(0, state.cursor + step));
}

/**
 * What a class or a skip applies to: the selection, else the image under the pointer, else the next open one.
 * @param {State} state
 * @returns {Tile[]}
 */
export function targets(state) {
  const chosen = selection(state);
  if (chosen.length) return chosen;
  const hovered = state.hover === null ? null : state.tiles[state.hover];
  const open = firstOpen(state, state.cursor);
  if (hovered && (state.multilabel || !isAnswered(hovered) || open === null)) return [hovered];
  if (state.multilabel || open === null) return [state.tiles[state.cursor]];
  return [state.tiles[open]];
}

/**
 * Give a class. One class per image: it replaces. Several: it is added, or taken away where all have it.
 * @param {State} state @param {number} classId
 */
export function assign(state, classId) {
  const chosen = targets(state);
  remember(state);
  const ownWork = (/** @type {Tile} */ tile) => tile.mark === "person" || tile.mark === "proposed";
  const everywhere = chosen.every((tile) => ownWork(tile) && tile.classes.includes(classId));
  for (const tile of chosen) {
    const before = ownWork(tile) ? tile.classes : [];
    if (!state.multilabel) tile.classes = [classId];
    else if (everywhere) tile.classes = before.filter((id) => id !== classId);
    else if (!before.includes(classId)) tile.classes = [...before, classId];
    tile.mark = state.multilabel && !tile.classes.length ? "empty" : "person";
  }
  settle(state, chosen);
  return chosen;
}

/** Say that no class fits; the hand goes on to the next open image. @param {State} state */
export function assignNone(state) {
  const chosen = targets(state);
  remember(state);
  for (const tile of chosen) {
    tile.classes = [];
    tile.mark = "person";
  }
  goOn(state, chosen);
  return chosen;
}

/**
 * Take a person's answers back from the selection, else from the image under the pointer or the outlined one.
 * @param {State} state @param {number} [index] this image alone
 */
export function clear(state, index) {
  const chosen = index === undefined ? selection(state) : [state.tiles[index]];
  if (!chosen.length) chosen.push(state.tiles[state.hover ?? state.cursor]);
  const given = chosen.filter((tile) => tile?.mark === "person" || tile?.mark === "skipped");
  if (!given.length) return given;
  remember(state);
  for (const tile of given) reset(tile, beginsSelected(state));
  state.cursor = state.tiles.indexOf(given[0]);
  return given;
}

/** Give one image one class more. @param {State} state @param {number} index @param {number} classId */
export function add(state, index, classId) {
  remember(state);
  const tile = state.tiles[index];
  tile.classes = [...tile.classes, classId];
  tile.mark = "person";
  state.cursor = index;
}

/** Take one class off one image. @param {State} state @param {number} index @param {number} classId */
export function unassign(state, index, classId) {
  remember(state);
  const tile = state.tiles[index];
  tile.classes = tile.classes.filter((id) => id !== classId);
  tile.mark = tile.classes.length ? "person" : tile.proposal.length && !isTicked(tile) ? "out" : "empty";
}

/** @param {State} state @param {string} reason @returns {boolean} whether all images on screen are skipped by it */
export function skip(state, reason) {
  const chosen = selection(state);
  remember(state);
  const skipped = chosen.length ? chosen : state.tiles.filter((tile) => tile.mark !== "person");
  for (const tile of skipped) {
    tile.mark = "skipped";
    tile.reason = reason;
    tile.classes = [];
  }
  settle(state, skipped);
  return chosen.length === 0 || chosen.length === state.tiles.length;
}

/** After an answer the hand goes on to the next open image. @param {State} state @param {Tile[]} chosen */
function settle(state, chosen) {
  if (state.multilabel) {
    state.fresh = true;
    state.cursor = state.tiles.indexOf(chosen[chosen.length - 1]);
    return;
  }
  goOn(state, chosen);
}

/** @param {State} state @param {Tile[]} chosen have their answer */
function goOn(state, chosen) {
  for (const tile of chosen) tile.selected = false;
  state.cursor = firstOpen(state, state.tiles.indexOf(chosen[chosen.length - 1])) ?? state.cursor;
}
