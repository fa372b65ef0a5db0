// Classes of whole images: a page of them in a grid.

import { sizePicker, findBox } from "./controls.js";
import { answers, missing, missingText } from "./answers.js";
import { submitText } from "./hint.js";
import { gridBindings } from "./bindings.js";
import { levelSliders } from "../levels.js";
import { t, tn } from "../text.js";
import { columnsFor, pictureFor, renderer } from "./render.js";
import * as states from "./state.js";

/** @typedef {import("../types.js").Surface} Surface @typedef {import("../types.js").Host} Host */

/**
 * @param {HTMLElement} root @param {import("../types.js").Config} config @param {import("../types.js").Shared} shared
 * @param {Host} host @returns {Surface}
 */
export function makeSurface(root, config, shared, host) {
  const stage = /** @type {HTMLElement} */ (root.querySelector("[data-part=stage]"));
  const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (root.querySelector(`[data-part="${name}"]`));
  const state = states.newState(config.classes, config.task === "multilabel");

  const act = {
    /** @param {number} id */
    assign(id) {
      if (!state.page) return;
      const chosen = states.assign(state, id);
      const label = state.classes.find((each) => each.id === id);
      host.say(`${label?.name}: ${named(chosen)}`);
      find.clear();
      changed();
    },
    none() {
      if (!state.page) return;
      host.say(t("none of these: {images}", { images: named(states.assignNone(state)) }));
      changed();
    },
    clear() {
      if (!state.page) return;
      const cleared = states.clear(state);
      if (cleared.length) host.say(t("cleared: {images}", { images: named(cleared) }));
      changed();
    },
    selectAll: () => change(states.selectAll),
    selectNone: () => change(states.selectNone),
    invert: () => change(states.invertSelection),
    /** @param {"left"|"right"|"up"|"down"} direction @param {boolean} extend */
    move(direction, extend) {
      if (!state.page) return;
      const columns = Number(stage.dataset.columns);
      states.moveCursor(state, { left: -1, right: 1, up: -columns, down: columns }[direction]);
      state.hover = null;
      if (extend) states.selectTo(state, state.cursor);
      changed();
      focusCursor();
    },
    /** @param {boolean} on */
    magnify(on) {
      state.magnified = on && state.page !== null;
      render();
    },
    find: () => find.focus(),
  };

  const draw = renderer(
    root,
    {
      onTile(index, event) {
        if (event.shiftKey) states.selectTo(state, index);
        else states.toggle(state, index);
        changed();
      },
      onHover(index) {
        state.hover = index;
        render();
      },
      onFocus(index) {
        state.cursor = index;
        render();
      },
      onChip: (index, id) => change(() => states.unassign(state, index, id)),
      onDoubt: (index, id) => change(() => states.add(state, index, id)),
      onClear: (index) => change(() => states.clear(state, index)),
      onMagnify(index) {
        state.hover = index;
        act.magnify(!state.magnified);
      },
      onClass: act.assign,
      onNone: act.none,
    },
    state,
  );
  const withWindow = () => state.tiles.find(({ item }) => item.window)?.item ?? null;
  const levels = levelSliders(part("levels"), withWindow, (query) => {
    state.window = query;
    draw();
  });
  part("levels-reset").addEventListener("click", levels.reset);
  /** @type {import("../types.js").Item|null} whose window all that have one are shown in */
  let leading = null;

  function render() {
    const first = withWindow();
    if (first !== leading) state.window = "";
    leading = first;
    part("levels-menu").hidden = !first;
    levels.draw();
    draw();
  }
  part("magnifier").addEventListener("click", () => act.magnify(false));
  for (const [name, run] of Object.entries({ "select-all": act.selectAll, "select-none": act.selectNone, invert: act.invert })) {
    part(name).addEventListener("click", run);
  }
  const find = findBox(part("find"), part("classes"), {
    type(text) {
      state.filter = text;
      render();
    },
    choose: act.assign,
  });
  sizePicker(root, shared.size, (size) => {
    document.dispatchEvent(new CustomEvent("loupe:size", { detail: size }));
    if (!host.setSize(size)) return;
    states.layOut(state, size);
    if (state.tiles.length < size) host.say(t("The new size starts with the next page."));
    changed();
  });
  new ResizeObserver(render).observe(stage);

  /** @param {states.Tile[]} tiles */
  function named(tiles) {
    return tiles.length === 1
      ? t("image {number}", { number: state.tiles.indexOf(tiles[0]) + 1 })
      : tn(tiles.length, "one image", "{count} images");
  }

  /** @param {(state: states.State) => void} action */
  function change(action) {
    if (!state.page) return;
    action(state);
    changed();
  }

  function changed() {
    state.incomplete = false;
    host.changed();
  }

  function focusCursor() {
    /** @type {HTMLElement|null} */ (stage.querySelector(`[data-index="${state.cursor}"]`))?.focus();
  }

  /** Point at what Enter waits for. */
  function point() {
    const open = missing(state);
    state.incomplete = true;
    state.cursor = state.tiles.indexOf(open[0]);
    for (const tile of state.tiles) tile.selected &&= open.includes(tile);
    root.classList.remove("nudge");
    requestAnimationFrame(() => root.classList.add("nudge"));
  }

  return {
    show(page, kept) {
      const inside = document.activeElement && stage.contains(document.activeElement);
      states.showPage(state, page, /** @type {states.Content|null} */ (kept));
      state.alone = page.items.length === 1 && shared.size > 1 && !shared.correcting;
      if (state.part !== shared.size && kept) states.layOut(state, Math.max(shared.size, 1));
      if (inside) focusCursor();
    },
    clear: () => states.clearPage(state),
    content: () => states.contentOf(state),
    isTouched: () => states.isTouched(state),
    isReady: () => missing(state).length === 0,
    flaw() {
      const text = missingText(state);
      if (text) point();
      return text;
    },
    answers: () => answers(state),
    turn: (step) => states.turn(state, step),
    undo: () => states.undo(state),
    redo: () => states.redo(state),
    skip: (reason) => states.skip(state, reason),
    images(page) {
      const columns = columnsFor(page.items.length, stage.clientHeight > stage.clientWidth * 1.1);
      const edge = ((stage.clientWidth || root.clientWidth) / columns) * devicePixelRatio;
      return page.items.map((item) => pictureFor(item, edge));
    },
    submitText: () => submitText(state),
    bindings: () => gridBindings(act, state),
    render,
  };
}
