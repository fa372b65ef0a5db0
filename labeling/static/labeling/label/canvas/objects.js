// A list of regions in the panel. Rows stay with their region and are written again only when it changed;
// of long lists only those about to be seen are there.

import { make, paint, setAttribute, setText } from "../dom.js";
import { t } from "../text.js";
import { describe, markOf, nameOf, sizeOf } from "./describe.js";
import { icon, setIcon } from "./svg.js";
import { classOf, isProposal, sure } from "./state.js";

/** @typedef {import("./state.js").State} State @typedef {import("./state.js").Region} Region */

/** Lists up to this long are there as a whole; of longer ones so many rows more than are seen. */
const ALL = 120;
const SPARE = 12;
const ROW = 30;

/**
 * @typedef {{choose: (key: number, event: MouseEvent) => void, hover: (key: number|null) => void, lock: (key: number) => void,
 *   hide: (key: number) => void, remove: (key: number) => void, accept: (key: number) => void}} RowActions
 */

/** @param {HTMLElement} list @param {State} state @param {RowActions} on */
export function objectList(list, state, on) {
  /** @type {Map<number, ReturnType<typeof makeRow>>} */
  const rows = new Map();
  /** What stands for the rows above and below those that are there. */
  const [above, below] = [make("li", "object-space"), make("li", "object-space")];
  for (const space of [above, below]) space.setAttribute("aria-hidden", "true");
  list.append(above, below);
  let shown = /** @type {Region[]} */ ([]);
  let shownNext = /** @type {number|null} */ (null);
  let selectedThen = state.selected;
  list.addEventListener("scroll", () => shown.length > ALL && draw(shown, shownNext));

  /** @param {string} name @param {Parameters<typeof icon>[0]} drawing @param {() => void} run */
  function makeButton(name, drawing, run) {
    const button = make("button", `row-button ${name}`);
    button.append(icon(drawing));
    button.addEventListener("click", run);
    return button;
  }

  /** @param {Region} region */
  function makeRow({ key, origin }) {
    const row = make("li", "object");
    row.dataset.region = String(key);
    const main = make("button", "object-main");
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

  const heightOf = () => rows.values().next().value?.row.offsetHeight || ROW;

  /** Scroll to a region that was just selected elsewhere. @param {Region[]} regions */
  function follow(regions) {
    if (state.selected === selectedThen) return;
    selectedThen = state.selected;
    const at = state.selected.size === 1 ? regions.findIndex(({ key }) => state.selected.has(key)) : -1;
    if (at < 0) return;
    const height = heightOf();
    if (list.scrollTop > at * height) list.scrollTop = at * height;
    else if (list.scrollTop + list.clientHeight < (at + 1) * height) list.scrollTop = (at + 1) * height - list.clientHeight;
  }

  /** The first row that is there, and the one after the last. @param {number} count */
  function windowOf(count) {
    if (count <= ALL) return [0, count];
    const height = heightOf();
    const first = Math.max(0, Math.floor(list.scrollTop / height) - SPARE);
    return [first, Math.min(count, first + Math.ceil(list.clientHeight / height) + 2 * SPARE)];
  }

  /** @param {Region[]} regions @param {number|null} [next] the proposal that is accepted next */
  function draw(regions, next = null) {
    [shown, shownNext] = [regions, next];
    const height = regions.length > ALL ? heightOf() : 0;
    follow(regions);
    const [from, to] = windowOf(regions.length);
    const seen = regions.slice(from, to);
    const keys = new Set(seen.map(({ key }) => key));
    for (const [key, made] of rows) {
      if (keys.has(key)) continue;
      made.row.remove();
      rows.delete(key);
    }
    above.style.height = `${from * height}px`;
    below.style.height = `${(regions.length - to) * height}px`;
    seen.forEach((region, at) => {
      const made = rows.get(region.key) ?? makeRow(region);
      rows.set(region.key, made);
      const selected = state.selected.has(region.key);
      const wanted = [region, selected, region.key === next];
      if (!wanted.every((each, index) => each === made.drawn[index])) {
        made.drawn = wanted;
        write(made, region, selected, region.key === next);
      }
      made.row.classList.toggle("hovered", state.hover === region.key);
      if (list.children[at + 1] !== made.row) list.insertBefore(made.row, list.children[at + 1]);
    });
  }

  return draw;
}
