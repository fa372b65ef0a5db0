// The one mutable state of the canvas, and what can be asked of it. Nothing here touches the DOM.

import { newUuid } from "../uuid.js";
import { loadPrefs } from "./prefs.js";
import { newDocument } from "./regions.js";

/**
 * @typedef {[number, number]} Point
 * @typedef {import("./regions.js").Region} Region
 * @typedef {import("./regions.js").Document} Document
 * @typedef {import("./geometry.js").Shape} Shape
 * @typedef {import("../types.js").LabelClass} LabelClass @typedef {import("../types.js").Item} Item
 * @typedef {"select"|"box"|"template"|"polygon"|"points"|"smart"|"pan"} ToolName
 *
 * One image of the page and the work on it.
 * @typedef {{item: Item, doc: Document, uuid: string, touched: boolean, skipped: boolean, reason: string, left: LeftDraft|null}} Sheet
 *
 * What is being drawn. `held`: the pointer is down. `owner`: the region that gets another part. `free`: drawn by hand.
 * @typedef {{kind: "box", from: Point, to: Point, held: boolean}} BoxDraft
 * @typedef {{kind: "polygon", points: number[], to: Point, owner: number|null, free: boolean, held: boolean,
 *   before: number}} PolygonDraft `before`: how long `points` was when the pointer went down
 * @typedef {{x: number, y: number, inside: boolean}} Click
 * @typedef {{kind: "smart", from: Point|null, to: Point|null, box: number[]|null, points: Click[],
 *   parts: number[][]|null, asked: number, got: number, wanted: boolean}} SmartDraft
 * @typedef {BoxDraft|PolygonDraft|SmartDraft} Draft
 * @typedef {{draft: Draft, class: number|null}} LeftDraft what was half done when the page was left
 *
 * What the pointer holds of the selection: a handle of a box, a point of a polygon, or all of it.
 * @typedef {{type: "handle", key: number, handle: import("./geometry.js").Handle}
 *   |{type: "point", key: number, part: number, index: number}|{type: "body"}} Grip
 *
 * Where a click of the points tool would act. @typedef {{key: number, part: number, index: number, point: Point,
 *   does: "add"|"remove"}} Spot
 *
 * What a tool is told of the pointer, in pixels of the image. `moved`: it went far enough since it came down to be meant
 * as a drag. `count`: 2 for the second click of a double click.
 * @typedef {{point: Point, shift: boolean, alt: boolean, ctrl: boolean, right: boolean, moved: boolean, count: number,
 *   trail: Point[]}} ToolEvent
 *
 * A tool turns what the pointer does into changes of the state; `abort` takes back the press that is under way.
 * @typedef {{cursor: (state: State) => string, down: (state: State, event: ToolEvent) => void,
 *   move: (state: State, event: ToolEvent) => void, up: (state: State, event: ToolEvent) => void,
 *   hover: (state: State, event: ToolEvent) => void, abort: (state: State) => void,
 *   finish?: (state: State) => void, back?: (state: State) => void}} Tool
 *
 * @typedef {ReturnType<typeof newState>} State
 */

/** @param {{task: string, classes: LabelClass[]}} config */
export function newState({ task, classes }) {
  const drawing = /** @type {ToolName} */ (task === "segmentation" ? "polygon" : "box");
  return {
    task,
    classes,
    byId: new Map(classes.map((each) => [each.id, each])),
    prefs: loadPrefs(),
    sheets: /** @type {Sheet[]} */ ([]),
    sheet: /** @type {Sheet|null} */ (null),
    view: { scale: 1, x: 0, y: 0 },
    size: { width: 0, height: 0 },
    tool: drawing,
    lastDrawn: drawing,
    /** The class of what is drawn next. */
    current: classes.length === 1 ? classes[0].id : /** @type {number|null} */ (null),
    template: /** @type {Point} */ ([50, 50]),
    clipboard: /** @type {Region[]} */ ([]),
    coarse: false,
    /** Whether plain clicks of the smart tool take away. */
    takesAway: false,
    spaceHeld: false,
    failed: "",
    ...atRest(),
  };
}

/** What the hand was at; forgotten when another image comes. */
export function atRest() {
  return {
    /** Whether the view still shows the whole image, also when the window changes. */
    fitted: true,
    selected: /** @type {Set<number>} */ (new Set()),
    /** Whether the selection was only just drawn or copied, and not chosen by hand. */
    fresh: false,
    hover: /** @type {number|null} */ (null),
    draft: /** @type {Draft|null} */ (null),
    grip: /** @type {Grip|null} */ (null),
    /** Whether the grip was taken by a click, and waits for the click that says where to. */
    picked: false,
    preview: /** @type {Map<number, Shape>|null} */ (null),
    marquee: /** @type {{from: Point, to: Point}|null} */ (null),
    /** Where the pointer is, and the place that a click there means. */
    pointer: /** @type {Point|null} */ (null),
    aimed: /** @type {Point|null} */ (null),
    /** Whether keys moved the aim, not a pointer. */
    byKeys: false,
    altHeld: false,
    snappedTo: /** @type {string|null} */ (null),
    spot: /** @type {Spot|null} */ (null),
    panning: false,
    /** `passing`: it tells of something that is done, and goes by itself. */
    note: /** @type {{text: string, at: Point, passing?: true}|null} */ (null),
    /** What lay under the pointer when it came down. */
    press: /** @type {{start: Point, hits: Region[], merge: object|null}|null} */ (null),
    /** The last click on shapes that lie on each other. */
    stack: /** @type {{at: Point, key: number}|null} */ (null),
  };
}

/**
 * @param {State} state @param {import("../types.js").Page} page @param {Item} item
 * @param {any} kept what contentOf() gave @returns {Sheet}
 */
export function newSheet({ byId }, page, item, kept) {
  const answer = page.answers?.[item.id];
  const given = answer ? answer.regions : (item.suggestion?.regions ?? []);
  const origin = answer ? "drawn" : "proposed";
  const found = kept?.regions ?? given.filter(({ bbox, polygon }) => bbox || polygon).map((each) => fromAnswer(each, origin));
  // Classes may have been retired since.
  const regions = found.map((/** @type {Region} */ region) => (byId.has(region.class ?? 0) ? region : { ...region, class: null }));
  return {
    item,
    doc: newDocument(item.width ?? 1, item.height ?? 1, regions),
    uuid: kept?.uuid ?? newUuid(),
    touched: kept?.touched ?? false,
    skipped: kept?.skipped ?? answer?.skipped ?? false,
    reason: kept?.reason ?? answer?.skip_reason ?? "",
    left: kept?.draft ?? null,
  };
}

/** @param {import("../types.js").Region} given @param {string} origin where it says none @returns {Partial<Region>} */
export function fromAnswer({ class: id, bbox, polygon, confidence, origin: said }, origin) {
  return {
    class: id,
    box: bbox ? /** @type {[number, number, number, number]} */ ([...bbox]) : null,
    parts: bbox ? null : (polygon ?? []).map((part) => [...part]),
    origin: /** @type {Region["origin"]} */ (said || origin),
    ...(origin === "proposed" ? { confidence } : {}),
  };
}

/** @param {State} state @param {Sheet} sheet */
export function contentOf(state, sheet) {
  const { doc, uuid, touched, skipped, reason } = sheet;
  const draft = sheet === state.sheet ? halfDone(state) : sheet.left;
  return { uuid, regions: doc.regions, touched: touched || doc.past.length > 0 || draft !== null, skipped, reason, draft };
}

/** What is being drawn as it was before the pointer went down. @param {State} state @returns {LeftDraft|null} */
export function halfDone({ draft, current }) {
  if (draft?.kind === "box") return draft.held ? null : { draft: { ...draft }, class: current };
  if (draft?.kind === "polygon") {
    const points = draft.points.slice(0, draft.held ? draft.before : Infinity);
    return points.length ? { draft: { ...draft, points, held: false }, class: current } : null;
  }
  return draft?.asked ? { draft: { ...draft, from: null, to: null, points: [...draft.points], wanted: false }, class: current } : null;
}

/** Go on with what was half done on the image that is shown. @param {State} state */
export function takeUp(state) {
  const { left } = state.sheet ?? {};
  if (!left || !state.sheet) return;
  state.draft = left.draft;
  state.tool = state.lastDrawn = left.draft.kind;
  if (left.class !== null && state.byId.has(left.class)) state.current = left.class;
  state.sheet.left = null;
}

/** @param {Region} region */
export const isProposal = (region) => region.origin === "proposed";

/** @param {State} state @param {Region} region */
export const isShown = ({ prefs }, region) =>
  !region.hidden && !(isProposal(region) && (region.confidence ?? 1) < prefs.minimum);

/** @type {Region[]} */
const NONE = [];

/** @param {State} state @returns {Region[]} */
export const regionsOf = (state) => state.sheet?.doc.regions ?? NONE;

/** @param {State} state */
export const answered = (state) => regionsOf(state).filter((region) => !isProposal(region));

/** @param {State} state */
export const proposalsOf = (state) => regionsOf(state).filter(isProposal);

/** In the order in which they are gone through: the surest first. @param {State} state */
export const shownProposals = (state) =>
  proposalsOf(state)
    .filter((region) => isShown(state, region))
    .sort((one, other) => (other.confidence ?? 1) - (one.confidence ?? 1));

/** The proposals that accept and reject mean: the selected, else the one pointed at, else the next. @param {State} state */
export function meantProposals(state) {
  const shown = shownProposals(state);
  const chosen = shown.filter(({ key }) => state.selected.has(key));
  if (chosen.length) return chosen;
  const pointed = shown.find(({ key }) => key === state.hover);
  return pointed ? [pointed] : shown.slice(0, 1);
}

/** @param {State} state @param {number|null} key */
export const regionAt = (state, key) => regionsOf(state).find((region) => region.key === key);

/** @param {State} state */
export const selectedRegions = (state) => regionsOf(state).filter(({ key }) => state.selected.has(key));

/** The one selected region, where there is only one and it may be changed. @param {State} state */
export function onlySelected(state) {
  if (state.selected.size !== 1) return undefined;
  const region = regionAt(state, [...state.selected][0]);
  return region && !region.locked && isShown(state, region) ? region : undefined;
}

/** As it is on screen, also while it is dragged. @param {State} state @param {Region} region @returns {Shape} */
export const shapeOf = (state, region) => state.preview?.get(region.key) ?? region;

/** @param {State} state @param {Region} region */
export const classOf = (state, region) => (region.class === null ? undefined : state.byId.get(region.class));

/** How sure a model is, as the pages print it. @param {Region} region */
export const sure = ({ confidence }) => confidence == null ? "" : (confidence >= 0.995 ? ".99" : confidence.toFixed(2).slice(1));

/** @param {State} state */
export const isDrawing = ({ tool }) => ["box", "template", "polygon", "smart"].includes(tool);

/** @param {State} state @param {Iterable<number>} keys */
export function select(state, keys) {
  state.selected = new Set(keys);
  state.fresh = false;
  letGo(state);
}

/** Let go of some of what is selected; the rest stays as fresh as it was. @param {State} state @param {(key: number) => boolean} isKept */
export function keepSelected(state, isKept) {
  state.selected = new Set([...state.selected].filter(isKept));
  letGo(state);
}

/** The pointer holds nothing any more; what it showed and did not finish is gone. @param {State} state */
export function letGo(state) {
  state.grip = null;
  state.picked = false;
  state.preview = null;
  state.press = null;
  state.marquee = null;
  state.snappedTo = null;
}
