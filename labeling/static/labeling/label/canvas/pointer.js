// Pointer events become calls of tools, in pixels of the image. Two fingers, the wheel, Space and the middle button move the view.

import { heldInside, panned, toImage, zoomedAt } from "./view.js";

/** @typedef {import("./state.js").State} State @typedef {import("./state.js").Point} Point @typedef {import("./state.js").Tool} Tool */

/** Movements below this, in pixels of the stage, are a click. */
const SLOP = 4;
const SLOP_COARSE = 8;
const DOUBLE_CLICK = 350;
const WHEEL = 0.0016;
const PINCH_WHEEL = 0.01;

/**
 * @param {HTMLElement} stage @param {State} state
 * @param {{tool: () => Tool, pressed: () => void, released: () => void, draw: () => void, limits: () => {min: number, max: number},
 *   menu: () => void}} on `pressed` before and `released` after a tool may have changed regions
 */
export function listenToPointer(stage, state, on) {
  /** Fingers on the stage. @type {Map<number, Point>} */
  const fingers = new Map();
  /** @type {{id: number, at: Point, moved: boolean, right: boolean, count: number}|null} */
  let press = null;
  /** @type {{id: number, at: Point}|null} */
  let pan = null;
  let lastClick = { at: /** @type {Point} */ ([0, 0]), time: 0, count: 0 };
  let penSeen = false;
  let pinched = false;

  /** @param {MouseEvent} event @returns {Point} */
  function onStage(event) {
    const { left, top } = stage.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  }

  /** @param {PointerEvent} event @returns {import("./state.js").ToolEvent} */
  function told(event) {
    const at = onStage(event);
    if (press && !press.moved) {
      const slop = event.pointerType === "touch" ? SLOP_COARSE : SLOP;
      press.moved = Math.hypot(at[0] - press.at[0], at[1] - press.at[1]) >= slop;
    }
    // Pages without https have no coalesced events.
    const trail = event.type === "pointermove" ? (event.getCoalescedEvents?.() ?? []) : [];
    return {
      point: toImage(state.view, ...at),
      shift: event.shiftKey,
      alt: event.altKey,
      ctrl: event.ctrlKey || event.metaKey,
      right: press?.right ?? false,
      moved: press?.moved ?? false,
      count: press?.count ?? 0,
      trail: (trail.length ? trail : [event]).map((each) => toImage(state.view, ...onStage(each))),
    };
  }

  /** @param {Point} at */
  function clicks(at) {
    const now = performance.now();
    const again = now - lastClick.time < DOUBLE_CLICK && Math.hypot(at[0] - lastClick.at[0], at[1] - lastClick.at[1]) < SLOP + 2;
    lastClick = { at, time: now, count: again ? lastClick.count + 1 : 1 };
    return lastClick.count;
  }

  /** @param {PointerEvent} event */
  function down(event) {
    stage.focus({ preventScroll: true });
    if (!state.sheet) return;
    if (event.pointerType === "pen") penSeen = true;
    state.coarse = event.pointerType === "touch";
    state.byKeys = false;
    if (event.pointerType === "touch") {
      fingers.set(event.pointerId, onStage(event));
      if (fingers.size > 1) return secondFinger(event);
    }
    if (press || pan) return;
    capture(event);
    // Where a pen draws, the hand that rests on the glass only moves the image.
    const palm = penSeen && event.pointerType === "touch";
    if (event.button === 1 || state.spaceHeld || state.tool === "pan" || palm) {
      event.preventDefault();
      pan = { id: event.pointerId, at: onStage(event) };
      state.panning = true;
      return on.draw();
    }
    if (event.button === 2 && state.tool !== "smart") return on.menu();
    press = { id: event.pointerId, at: onStage(event), moved: false, right: event.button === 2, count: clicks(onStage(event)) };
    on.pressed();
    on.tool().down(state, told(event));
    on.draw();
  }

  /** @param {PointerEvent} event */
  function capture(event) {
    // A pointer that a script made up, or that is gone already, cannot be captured.
    try {
      stage.setPointerCapture(event.pointerId);
    } catch {}
  }

  /** What one finger began is not what two fingers mean. @param {PointerEvent} event */
  function secondFinger(event) {
    capture(event);
    pinched = true;
    drop();
    state.panning = true;
    on.draw();
  }

  /** @param {PointerEvent} event */
  function pinch(event) {
    const before = [...fingers.values()];
    fingers.set(event.pointerId, onStage(event));
    const after = [...fingers.values()];
    const middle = (/** @type {Point[]} */ [a, b]) => /** @type {Point} */ ([(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]);
    const spread = (/** @type {Point[]} */ [a, b]) => Math.hypot(a[0] - b[0], a[1] - b[1]) || 1;
    const [from, to] = [middle(before), middle(after)];
    look(zoomedAt(panned(state.view, to[0] - from[0], to[1] - from[1]), spread(after) / spread(before), ...to, on.limits()));
  }

  /** @param {State["view"]} view */
  function look(view) {
    const { width, height } = /** @type {import("./state.js").Sheet} */ (state.sheet).doc;
    state.view = heldInside(view, state.size.width, state.size.height, width, height);
    state.fitted = false;
    on.draw();
  }

  /** @param {PointerEvent} event */
  function move(event) {
    if (!state.sheet) return;
    if (fingers.size > 1 && fingers.has(event.pointerId)) return pinch(event);
    const at = onStage(event);
    if (pan && pan.id === event.pointerId) {
      const [dx, dy] = [at[0] - pan.at[0], at[1] - pan.at[1]];
      pan.at = at;
      return look(panned(state.view, dx, dy));
    }
    if (pinched) return;
    const said = told(event);
    state.pointer = said.point;
    state.altHeld = said.alt;
    state.byKeys = false;
    if (press && press.id === event.pointerId) on.tool().move(state, said);
    else if (!press) on.tool().hover(state, said);
    on.draw();
  }

  /** @param {PointerEvent} event */
  function up(event) {
    fingers.delete(event.pointerId);
    if (pinched) {
      if (!fingers.size) pinched = state.panning = false;
      return on.draw();
    }
    if (pan?.id === event.pointerId) {
      pan = null;
      state.panning = false;
      return on.draw();
    }
    if (press?.id !== event.pointerId) return;
    const said = told(event);
    if (event.type === "pointerup") on.tool().up(state, said);
    else on.tool().abort(state);
    press = null;
    if (event.pointerType === "touch") Object.assign(state, { pointer: null, aimed: null, hover: null });
    on.released();
  }

  /** What the pointer is about to do comes to nothing, also when it goes up. */
  function drop() {
    if (press) on.tool().abort(state);
    press = pan = null;
    state.panning = false;
  }

  /** @param {WheelEvent} event */
  function wheel(event) {
    event.preventDefault();
    if (!state.sheet) return;
    const lines = event.deltaMode ? 20 : 1;
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      const along = event.deltaX || event.deltaY;
      return look(panned(state.view, -along * lines, 0));
    }
    const factor = Math.exp(-event.deltaY * lines * (event.ctrlKey ? PINCH_WHEEL : WHEEL));
    look(zoomedAt(state.view, factor, ...onStage(event), on.limits()));
  }

  stage.addEventListener("pointerdown", down);
  stage.addEventListener("pointermove", move);
  stage.addEventListener("pointerup", up);
  stage.addEventListener("pointercancel", up);
  stage.addEventListener("lostpointercapture", up); // a pointer that is taken away never goes up here
  stage.addEventListener("pointerleave", () => {
    if (press || pan) return;
    Object.assign(state, { pointer: null, aimed: state.draft ? state.aimed : null, hover: null, spot: null });
    on.draw();
  });
  stage.addEventListener("wheel", wheel, { passive: false });
  stage.addEventListener("contextmenu", (event) => event.preventDefault());
  stage.addEventListener("mousedown", (event) => event.button === 1 && event.preventDefault());

  return { look, isPressed: () => press !== null, drop };
}
