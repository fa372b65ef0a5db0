// A list of regions in the panel. Rows stay with their region and are written again only when it changed.

import { make, paint, setAttribute, setText } from "../dom.js";
import { t } from "../text.js";
import { describe, markOf, nameOf, sizeOf } from "./describe.js";
import { icon, setIcon } from "./svg.js";
import { classOf, isProposal, sure } from "./state.js";

/** @typedef {import("./state.js").State} State @typedef {import("./state.js").Region} Region */

/**
 * @typedef {{choose: (key: number, event: MouseEvent) => void, hover: (key: number|null) => void, lock: (key: number) => void,
 *   hide: (key: number) => void, remove: (key: number) => void, accept: (key: number) => void}} RowActions
 */

/** @param {HTMLElement} list @param {State} state @param {RowActions} on */
export function objectList(list, state, on) {
  /** @type {Map<number, ReturnType<typeof makeRow>>} */
  const rows = new Map();
  let order = "";

  /** @param {string} name @param {Parameters<typeof icon>[0]} drawing @param {() => void} run */
  function makeButton(name, drawing, run) {
    const button = make("button", `row-button ${name}`);
    button.type = "button";
    button.append(icon(drawing));
    button.addEventListener("click", run);
    return button;
  }

  /** @param {Region} region */
  function makeRow({ key, origin }) {
    const row = make("li", "object");
    row.dataset.region = String(key);
    const main = make("button", "object-main");
    main.type = "button";
    const swatch = make("span", "class-swatch");
    const mark = make("span", "object-mark");
    const name = make("span", "object-name");
    const size = make("span", "object-size");
    main.append(swatch, mark, name, size);
    main.addEventListener("click", (event) => on.choose(key, event));
    row.addEventListener("pointerenter", () => on.hover(key));
    row.addEventListener("pointerleave", () => on.hover(null));
    main.addEventListener("focus", () => main.matches(":focus-visible") && on.hover(key));
    const accept = origin === "proposed" ? makeButton("accept", "accept", () => on.accept(key)) : null;
    const lock = accept ? null : makeButton("lock", "unlock", () => on.lock(key));
    const hide = makeButton("hide", "eye", () => on.hide(key));
    const remove = makeButton("remove", "remove", () => on.remove(key));
    row.append(main, ...[accept, lock, hide, remove].filter((each) => each !== null));
    return { row, main, mark, name, size, accept, lock, hide, remove, drawn: /** @type {unknown[]} */ ([]) };
  }

  /** @param {ReturnType<typeof makeRow>} made @param {Region} region @param {boolean} selected @param {boolean} next */
  function write(made, region, selected, next) {
    const proposed = isProposal(region);
    const name = nameOf(state, region);
    paint(made.row, classOf(state, region));
    made.row.classList.toggle("proposed", proposed);
    made.row.classList.toggle("selected", selected);
    made.row.classList.toggle("next", next);
    made.row.classList.toggle("unseen", region.hidden);
    made.row.classList.toggle("unnamed", region.class === null);
    setAttribute(made.main, "aria-pressed", String(selected));
    setAttribute(made.main, "aria-label", describe(state, region) + (region.locked ? `, ${t("locked")}` : "") + (region.hidden ? `, ${t("hidden")}` : ""));
    setText(made.mark, proposed ? "" : markOf(region));
    setText(made.name, name);
    setText(made.size, proposed ? sure(region) : sizeOf(region));
    label(made.accept, t("Accept {name}", { name }));
    label(made.lock, region.locked ? t("Unlock {name}", { name }) : t("Lock {name}", { name }));
    label(made.hide, region.hidden ? t("Show {name}", { name }) : t("Hide {name}", { name }));
    label(made.remove, proposed ? t("Reject {name}", { name }) : t("Delete {name}", { name }));
    if (made.lock) {
      setIcon(/** @type {Element} */ (made.lock.firstChild), region.locked ? "lock" : "unlock");
      made.lock.classList.toggle("on", region.locked);
    }
    setIcon(/** @type {Element} */ (made.hide.firstChild), region.hidden ? "hidden" : "eye");
    made.hide.classList.toggle("on", region.hidden);
  }

  /** @param {HTMLElement|null} button @param {string} text */
  function label(button, text) {
    if (!button) return;
    setAttribute(button, "aria-label", text);
    setAttribute(button, "title", text);
  }

  /** @param {Region[]} regions @param {number|null} [next] the proposal that is accepted next */
  return function draw(regions, next = null) {
    const keys = new Set(regions.map(({ key }) => key));
    for (const [key, made] of rows) {
      if (keys.has(key)) continue;
      made.row.remove();
      rows.delete(key);
    }
    for (const region of regions) {
      const made = rows.get(region.key) ?? makeRow(region);
      rows.set(region.key, made);
      const selected = state.selected.has(region.key);
      const wanted = [region, selected, region.key === next];
      if (!wanted.every((each, at) => each === made.drawn[at])) {
        const chosen = selected && !made.drawn[1];
        made.drawn = wanted;
        write(made, region, selected, region.key === next);
        if (chosen && state.selected.size === 1 && made.row.isConnected) made.row.scrollIntoView({ block: "nearest" });
      }
      made.row.classList.toggle("hovered", state.hover === region.key);
    }
    const wantedOrder = regions.map(({ key }) => key).join();
    if (wantedOrder === order) return;
    order = wantedOrder;
    regions.forEach((region, at) => {
      const { row } = /** @type {ReturnType<typeof makeRow>} */ (rows.get(region.key));
      if (list.children[at] !== row) list.insertBefore(row, list.children[at] ?? null);
    });
  };
}
