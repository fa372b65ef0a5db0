// What keys and buttons can do here. Each command ends with everything drawn, and kept where regions changed.

import { t } from "../text.js";
import { aim, inside } from "./hit.js";
import * as edit from "./edit.js";
import { bringIntoView, fit, isInView, zoom } from "./look.js";
import { beginPolygon } from "./tools/polygon.js";
import { isDrawing, isShown, letGo, meantProposals, onlySelected, proposalsOf, regionAt, regionsOf, select } from "./state.js";
import { toImage } from "./view.js";
import { describe } from "./describe.js";

/** @typedef {import("./state.js").State} State @typedef {import("./state.js").ToolName} ToolName @typedef {import("./state.js").Tool} Tool */

const ZOOM_STEP = 1.25;
/** Steps of the aim that keys move, in pixels of the stage. */
const AIM_STEP = 20;
const AIM_FINE = 1;

/** Whether another tool would lose points that somebody set. @param {State} state */
const isHalfDone = ({ draft }) => (draft?.kind === "polygon" && draft.points.length > 2) || (draft?.kind === "smart" && draft.parts !== null);

/**
 * @param {State} state
 * @param {{tools: Record<ToolName, Tool>, doing: (action: () => string|boolean|void) => void, settle: () => void, draw: () => void, say: (text: string) => void,
 *   openPalette: () => void, previous: () => import("../types.js").Page|null, stage: HTMLElement, isPressed: () => boolean,
 *   drop: () => void}} page `drop`: the press that is under way
 */
export function commands(state, { tools, doing, settle, draw, say, openPalette, previous, stage, isPressed, drop }) {
  const looking = (/** @type {() => void} */ move) => () => {
    move();
    draw();
  };

  /** @param {ToolName} name @returns {boolean} false while something is half done */
  function choose(name) {
    drop();
    if (isHalfDone(state)) {
      state.note = { text: t("Enter keeps what you are drawing, Esc drops it."), at: aimPoint() };
      say(state.note.text);
      draw();
      return false;
    }
    letGo(state);
    Object.assign(state, { tool: name, draft: null, spot: null, note: null });
    if (isDrawing(state)) state.lastDrawn = name;
    else state.fresh = false;
    settle();
    return true;
  }

  function cancel() {
    const held = state.draft || state.grip || (state.note && !state.note.passing) || state.press || isPressed();
    drop();
    Object.assign(state, { draft: null, note: null, spot: null });
    letGo(state);
    if (held) say(t("Cancelled."));
    else select(state, []);
    settle();
  }

  /** What a tool is told by keys: a click at the place they aim at. @param {import("./state.js").Point} point */
  const keyEvent = (point) => ({ point, shift: false, alt: false, ctrl: false, right: false, moved: false, count: 1, trail: [point] });

  function aimPoint() {
    const { width, height } = state.size;
    return state.aimed ?? state.pointer ?? inside(state, toImage(state.view, width / 2, height / 2));
  }

  /** Nobody decides about a proposal out of sight: it is brought into view first. @param {typeof edit.accept} action */
  function meantOrShown(action) {
    const meant = meantProposals(state);
    if (!meant.length) return say(t("No proposal is shown.")), draw();
    if ( meant.length > 1 || isInView(state, meant[0])) return doing(() => action(state, meant));
    bringIntoView(state, meant[0]);
    say(describe(state, meant[0]));
    draw();
  }

  return {
    choose,
    cancel,
    again: () => choose(state.lastDrawn),
    palette: openPalette,
    assign: (/** @type {number} */ id) => doing(() => edit.setClass(state, id)),
    finish: () => doing(() => tools[state.tool].finish?.(state)),
    back: () => doing(() => tools[state.tool].back?.(state)),
    addPart() {
      const region = onlySelected(state);
      if (!region?.parts) return say(t("Select one polygon first.")), draw();
      if (!choose("polygon")) return;
      beginPolygon(state, region.key);
      say(t("Draw the hole or the further part."));
      draw();
    },

    /** Move the place that "." clicks. @param {number} dx @param {number} dy @param {boolean} fine */
    aimBy(dx, dy, fine) {
      const step = (fine ? AIM_FINE : AIM_STEP) / state.view.scale;
      const [x, y] = aimPoint();
      const point = inside(state, [x + dx * step, y + dy * step]);
      tools[state.tool].hover(state, { ...keyEvent(point) });
      Object.assign(state, { aimed: point, pointer: point, byKeys: true });
      say(`${Math.round(point[0])}, ${Math.round(point[1])}`);
      draw();
    },
    clickAim() {
      drop();
      const point = aimPoint();
      state.aimed = state.pointer = point;
      doing(() => {
        const event = keyEvent(point);
        tools[state.tool].down(state, event);
        tools[state.tool].up(state, event);
        state.aimed = aim(state, event);
      });
    },
    /** @param {boolean} on */
    hold(on) {
      state.spaceHeld = on;
      draw();
    },

    fit: looking(() => fit(state)),
    zoomIn: looking(() => zoom(state, ZOOM_STEP)),
    zoomOut: looking(() => zoom(state, 1 / ZOOM_STEP)),
    full: looking(() => zoom(state, 1 / state.view.scale)),

    canCycle: (/** @type {1|-1} */ step) => edit.nextKey(state, step) !== null,
    /** @param {1|-1} step */
    cycle(step) {
      edit.cycle(state, step);
      const region = onlySelected(state) ?? regionAt(state, [...state.selected][0]);
      if (region) {
        bringIntoView(state, region);
        say(describe(state, region));
      }
      draw();
    },
    selectAll() {
      select(state, regionsOf(state).filter((region) => isShown(state, region) && region.origin !== "proposed").map(({ key }) => key));
      draw();
    },
    remove: () => doing(() => edit.removeSelected(state)),
    duplicate: () => doing(() => edit.duplicateSelected(state)),
    copy: () => doing(() => edit.copySelected(state)),
    paste: () => doing(() => edit.paste(state)),
    copyPrevious: () => doing(() => edit.copyPrevious(state, previous())),
    lock: () => doing(() => edit.toggleLock(state)),
    hide: () => doing(() => edit.toggleHidden(state)),
    hideOthers: () => doing(() => edit.toggleOthers(state)),
    order: (/** @type {"front"|"back"} */ to) => doing(() => edit.order(state, to)),
    nudge: (/** @type {number} */ dx, /** @type {number} */ dy) => doing(() => edit.nudge(state, dx, dy)),

    hasProposals: () => proposalsOf(state).length > 0,
    accept: () => meantOrShown(edit.accept),
    acceptShown: () => doing(() => edit.acceptShown(state)),
    reject: () => meantOrShown(edit.reject),

    /** What rows of the lists do. @type {import("./objects.js").RowActions} */
    rows: {
      choose(key, event) {
        const region = regionAt(state, key);
        if (!region) return;
        const keys = new Set(event.shiftKey || event.ctrlKey || event.metaKey ? state.selected : []);
        if (!keys.delete(key)) keys.add(key);
        select(state, keys);
        bringIntoView(state, region);
        draw();
      },
      hover(key) {
        if (state.hover === key) return;
        state.hover = key;
        draw();
      },
      lock: (key) => doing(() => edit.toggleLock(state, [key])),
      hide: (key) => doing(() => edit.toggleHidden(state, [key])),
      accept: (key) => doing(() => edit.accept(state, regionsOf(state).filter((each) => each.key === key))),
      remove(key) {
        const region = regionAt(state, key);
        if (region?.origin === "proposed") return doing(() => edit.reject(state, [region]));
        select(state, [key]);
        doing(() => edit.removeSelected(state));
        stage.focus();
      },
    },
  };
}
