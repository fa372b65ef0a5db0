// Boxes and polygons on one image: ties state, tools, pointer, drawing and panel together.

import { paint, setAttribute, setText } from "../dom.js";
import { t, tn } from "../text.js";
import { viewBar } from "./adjust.js";
import { answersOf, flawIn } from "./answers.js";
import { actionRow, draftBar, toolbar, toolsFor } from "./buttons.js";
import { classKey, classList, palette } from "./classes.js";
import { commands } from "./commands.js";
import { crowdLayer } from "./crowd.js";
import { describe } from "./describe.js";
import * as edit from "./edit.js";
import { sizeFields } from "./fields.js";
import { canvasBindings } from "./keys.js";
import { levelSliders } from "../levels.js";
import { bringIntoView, fit, limits } from "./look.js";
import { objectList } from "./objects.js";
import { outliner } from "./outline.js";
import { overlay } from "./overlay.js";
import { listenToPointer } from "./pointer.js";
import { filterOf } from "./prefs.js";
import { leftText, proposalSection } from "./proposals.js";
import { redo, undo } from "./regions.js";
import { imageStage } from "./stage.js";
import * as states from "./state.js";
import { boxTool, templateTool } from "./tools/box.js";
import { gripCursor, pointsTool } from "./tools/grips.js";
import { polygonTool } from "./tools/polygon.js";
import { panTool, selectTool } from "./tools/select.js";
import { smartTool } from "./tools/smart.js";
import { toStage } from "./view.js";

/** @typedef {import("../types.js").Surface} Surface @typedef {import("../types.js").Host} Host */

const NOTE_GAP = 14;
/** For how long a note stays that needs no answer, in milliseconds. */
const PASSING = 4000;
/** When crops are looked for where none waited, in milliseconds. */
const LATER = 60_000;

/** @type {Record<states.ToolName, states.Tool>} */
const TOOLS = {
  select: selectTool,
  box: boxTool,
  template: templateTool,
  polygon: polygonTool,
  points: pointsTool,
  smart: smartTool,
  pan: panTool,
};

/**
 * @param {HTMLElement} root @param {import("../types.js").Config} config @param {import("../types.js").Shared} shared
 * @param {Host} host @returns {Surface}
 */
export function makeSurface(root, config, shared, host) {
  const $ = (/** @type {string} */ name) => /** @type {HTMLElement} */ (root.querySelector(`[data-canvas="${name}"]`));
  const stage = $("stage");
  const state = states.newState(config);
  const tools = toolsFor(config.task);
  const image = imageStage(/** @type {HTMLCanvasElement} */ ($("image")), {
    loaded(size) {
      const sheet = state.sheet;
      if (sheet && !sheet.item.width) Object.assign(sheet.doc, size);
      if (state.fitted) fit(state);
      render();
    },
    exchanged: () => render(),
    failed() {
      state.failed = t("This image could not be loaded. Skip it, or reload the page.");
      render();
    },
  });
  const crowd = crowdLayer(/** @type {HTMLCanvasElement} */ ($("crowd")));
  const above = overlay(/** @type {any} */ ($("overlay")), crowd.widthOf);
  const outlines = outliner(state, config.api, () => settle(states.regionsOf(state)), () => act.finish());

  /** @type {(() => void)|null} made when it is first asked for */
  let showPalette = null;
  function openPalette() {
    showPalette ??= palette(/** @type {HTMLDialogElement} */ ($("palette")), state, {
      keyFor: (label) => keyFor(label, state.classes.indexOf(label)),
      choose(id) {
        act.assign(id);
        stage.focus();
      },
    });
    showPalette();
  }
  setTimeout(() => import("../checks/start.js").then(({ start }) => start(root, $("checks"), config)), config.checks ? 0 : LATER);
  const act = commands(state, {
    tools: TOOLS,
    doing,
    settle: () => settle(states.regionsOf(state)),
    draw: render,
    say: host.say,
    openPalette,
    previous: () => shared.previous,
    stage,
    isPressed: () => pointer.isPressed(),
    drop: () => pointer.drop(),
  });
  const table = canvasBindings(act, state, tools, stage, $("checks"));
  const taken = new Set([...table.flatMap(({ id, keys }) => config.keys?.[id] ?? keys), "D", "F", "I"]);
  const drawClasses = classList($("classes"), state, keyFor, act.assign);
  const drawObjects = objectList($("objects"), state, act.rows);
  const drawProposals = proposalSection($("proposed"), state, act.rows, { acceptShown: act.acceptShown, draw: render });
  const drawActions = actionRow($("actions"), state, act);
  const drawDraft = draftBar($("draft"), state, { ...act, draw: render });
  const drawFields = sizeFields($("fields"), state, doing, () => stage.focus());
  const drawTools = toolbar($("tools"), state, tools, act.choose);
  const levels = levelSliders($("levels"), () => state.sheet?.item ?? null, (query) => state.sheet && image.exchange(state.sheet.item.image + query));
  const bar = viewBar($("view"), state, { ...act, draw: render, reset: levels.reset });
  for (const [name, run] of Object.entries({ find: openPalette, before: act.copyPrevious, all: act.selectAll })) $(name).addEventListener("click", run);
  // The focus, and with it the keys, stay on the image.
  $("body").addEventListener("mousedown", (event) => {
    if (/** @type {Element} */ (event.target).closest("button, summary")) event.preventDefault();
  });

  /** What the panel shows, so that a drag does not write it again. @type {unknown[]} */
  let drawnPanel = [];
  let hadDraft = false;
  /** Regions as they were when the pointer went down. @type {states.Region[]} */
  let before = [];
  /** The note that is going to pass. @type {states.State["note"]} */
  let passing = null;
  const pointer = listenToPointer(stage, state, {
    tool: () => TOOLS[state.tool],
    pressed: () => (before = begin()),
    released: () => settle(before),
    draw: render,
    limits: () => limits(state),
    menu: () => state.draft && act.back(),
  });
  stage.addEventListener("dblclick", () => {
    const isIdle = state.tool === "select" || state.tool === "pan";
    if (isIdle && state.hover === null && !state.selected.size) act.fit();
  });

  /** @param {states.LabelClass} label @param {number} position */
  function keyFor({ hotkey }, position) {
    return classKey(position, hotkey, (key) => taken.has(key));
  }

  /** Do something to regions; what it says is read out. @param {() => string|boolean|void} action */
  function doing(action) {
    if (!state.sheet) return;
    const known = begin();
    const said = action();
    if (typeof said === "string") host.say(said);
    settle(known);
  }

  /** What was told of the last action goes with the next one. @returns {states.Region[]} the regions before it */
  function begin() {
    if (state.note?.passing) state.note = null;
    return states.regionsOf(state);
  }

  /** Draw, and keep what changed. @param {states.Region[]} known the regions before */
  function settle(known) {
    outlines.check();
    if (state.note?.passing && state.note !== passing) host.say(state.note.text);
    const regions = states.regionsOf(state);
    const drafted = hadDraft || state.draft !== null;
    hadDraft = state.draft !== null;
    if (regions === known) return drafted ? host.changed() : render();
    if (regions.length === known.length + 1) {
      const asked = state.note?.passing ? `. ${state.note.text}` : "";
      host.say(describe(state, regions[regions.length - 1]) + asked);
    }
    if (state.sheet) state.sheet.skipped = false;
    if (!state.draft && !state.note?.passing) state.note = null;
    host.changed();
  }

  new ResizeObserver(() => {
    state.size = { width: stage.clientWidth, height: stage.clientHeight };
    if (state.fitted) fit(state);
    render();
  }).observe(stage);

  /** @param {states.Sheet} sheet */
  function turnTo(sheet) {
    pointer.drop();
    Object.assign(state, states.atRest(), { sheet, failed: "" });
    state.size = { width: stage.clientWidth, height: stage.clientHeight };
    image.show(sheet.item.image);
    fit(state);
    states.takeUp(state);
    outlines.check();
  }

  function drawStage() {
    const meant = states.meantProposals(state);
    const shown = states.regionsOf(state).filter((region) => states.isShown(state, region));
    const rest = shown.filter(({ key }) => !state.selected.has(key));
    // What is only pointed at stays in the crowd too, which need not be drawn again for it.
    const active = shown.filter((region) => state.selected.has(region.key) || region.key === state.hover || region === meant[0]);
    if (state.sheet) image.draw(state.view, state.size, state.sheet.doc);
    crowd.draw(state, rest);
    above.draw(state, active);
    const filter = filterOf(state.prefs);
    if ($("image").style.filter !== filter) $("image").style.filter = filter;
    const cursor = state.panning ? "grabbing" : state.spaceHeld ? "grab" : cursorNow();
    if (stage.style.cursor !== cursor) stage.style.cursor = cursor;
  }

  function cursorNow() {
    const at = state.pointer && !state.draft && state.tool !== "pan" && state.tool !== "points" && state.tool !== "smart" ? state.pointer : null;
    const grip = at && gripCursor(state, { point: at, ctrl: false, shift: false, alt: state.altHeld, right: false, moved: false, count: 0, trail: [] });
    return grip || TOOLS[state.tool].cursor(state);
  }

  /** Below a place, else above it, and whole. @param {HTMLElement} note @param {states.Point} at @returns {states.Point} */
  function placeFor({ offsetWidth: wide, offsetHeight: high }, [x, y]) {
    const below = y + NOTE_GAP + high <= state.size.height;
    return [Math.max(8, Math.min(state.size.width - wide - 8, x - wide / 2)), below ? y + NOTE_GAP : y - NOTE_GAP - high];
  }

  function drawNote() {
    const note = $("note");
    const busy = outlines.isBusy();
    const said = busy ? t("Looking for the outline…") : (state.note?.text ?? state.failed);
    note.hidden = !said;
    setText(note, said);
    setAttribute(note, "data-tone", (state.note && !state.note.passing) || state.failed ? "warn" : null);
    const told = state.note;
    if (told?.passing && told !== passing) {
      setTimeout(() => {
        if (state.note === told) begin();
        drawNote();
      }, PASSING);
    }
    passing = told;
    const at = state.note ? toStage(state.view, ...state.note.at) : null;
    const isSeen = at && at[0] >= 0 && at[1] >= 0 && at[0] <= state.size.width && at[1] <= state.size.height;
    note.classList.toggle("at-place", Boolean(isSeen));
    const [x, y] = isSeen ? placeFor(note, at) : [null, null];
    note.style.left = isSeen ? `${x}px` : "";
    note.style.top = isSeen ? `${y}px` : "";
    if (isSeen) note.style.setProperty("--ring", `${at[0] - x}px ${at[1] - y}px`);
  }

  function drawPanel() {
    drawFields();
    drawActions();
    const seen = [state.sheet, states.regionsOf(state), state.selected, state.hover, state.current, state.prefs.minimum, state.sheet?.skipped];
    if (seen.every((each, at) => each === drawnPanel[at])) return;
    drawnPanel = seen;
    drawClasses();
    const answered = states.answered(state);
    setText($("count"), state.sheet ? String(answered.length) : "");
    drawObjects(answered);
    $("all").hidden = answered.length < 2;
    $("before").hidden = !state.sheet || answered.length > 0 || !edit.regionsBefore(state, shared.previous).length;
    $("empty").hidden = answered.length > 0 || !state.sheet;
    drawProposals();
    const unnamed = answered.filter((region) => region.class === null).length;
    setText($("unnamed"), unnamed ? tn(unnamed, "One region needs a class.", "{count} regions need a class.") : "");
    setText($("left"), leftText(state));
    setText($("why"), state.sheet?.item.why || shared.page?.why || "");
    const next = state.byId.get(state.current ?? 0);
    paint($("next"), next);
    setText($("next"), next ? t("Next: {name}", { name: next.name }) : "");
    setText($("file"), state.sheet?.item.file_name ?? "");
    setText($("said"), state.sheet?.skipped ? t("Skipped. Anything you draw takes that back.") : "");
  }

  function render() {
    root.classList.toggle("is-empty", !state.sheet);
    drawStage();
    drawNote();
    drawTools();
    bar.draw();
    levels.draw();
    drawDraft();
    drawPanel();
  }

  return {
    show(page, kept) {
      state.sheets = page.items.map((item) => states.newSheet(state, page, item, /** @type {any} */ (kept)?.sheets?.[item.id]));
      turnTo(state.sheets.find(({ left }) => left) ?? state.sheets[0]);
      root.classList.remove("is-empty"); // what is hidden takes no focus
      if (document.activeElement === document.body) stage.focus({ preventScroll: true });
    },
    clear() {
      pointer.drop();
      Object.assign(state, states.atRest(), { sheets: [], sheet: null, failed: "" });
      image.clear();
      image.draw(state.view, state.size, { width: 1, height: 1 });
    },
    content: () => ({ sheets: Object.fromEntries(state.sheets.map((sheet) => [sheet.item.id, states.contentOf(state, sheet)])) }),
    isTouched: () => state.sheets.some((sheet) => states.contentOf(state, sheet).touched),
    isReady: () => state.sheet !== null && !flawIn(state),
    flaw() {
      const found = flawIn(state, pointer.isPressed());
      if (!found) return "";
      if (found.region) {
        states.select(state, [found.region.key]);
        bringIntoView(state, found.region);
      }
      state.note = { text: found.text, at: found.at };
      return found.text;
    },
    answers: () => state.sheets.map(answersOf),
    turn(step) {
      const next = state.sheets[state.sheets.indexOf(/** @type {states.Sheet} */ (state.sheet)) + step];
      if (!next) return false;
      turnTo(next);
      return true;
    },
    undo: () => takeBack(undo),
    redo: () => state.draft === null && takeBack(redo),
    skip(reason) {
      const { sheet } = state;
      if (!sheet) return false;
      pointer.drop();
      Object.assign(sheet, { skipped: true, reason, touched: true });
      state.draft = null;
      return sheet === state.sheets[state.sheets.length - 1] || !this.turn(1);
    },
    images: (page) => page.items.map((item) => item.image),
    submitText() {
      const isLast = !state.sheet || state.sheet === state.sheets[state.sheets.length - 1];
      if (!isLast) return t("Next image");
      return state.sheet && !state.sheet.skipped && !states.answered(state).length ? t("Submit empty") : t("Submit");
    },
    bindings: () => table,
    render,
  };

  /** @param {typeof undo} step */
  function takeBack(step) {
    const { sheet } = state;
    if (!sheet) return false;
    state.note = null;
    if (pointer.isPressed()) {
      pointer.drop();
      return true;
    }
    if (state.grip) {
      states.letGo(state);
      return true;
    }
    if (step === undo && state.draft) {
      if (TOOLS[state.tool].back) TOOLS[state.tool].back?.(state);
      outlines.check();
      return true;
    }
    if (step === undo && sheet.skipped) {
      sheet.skipped = false;
      return true;
    }
    const done = step(sheet.doc);
    const there = new Set(sheet.doc.regions.map(({ key }) => key));
    if (done) states.keepSelected(state, (key) => there.has(key));
    return done;
  }
}
