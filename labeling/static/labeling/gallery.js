// The gallery: choose images by click, range or key, then reject or approve them. A verdict is sent at once, and
// Undo takes it back on the server.

import { makePanel } from "./data/panel.js";
import { letterOf, part, send, sentence, withId } from "./data/request.js";
import { Window } from "./data/window.js";
import { toast } from "./toast.js";

const root = /** @type {HTMLElement} */ (document.querySelector("[data-gallery]"));
const grid = /** @type {HTMLElement|null} */ (root.querySelector("[data-grid]"));
const bar = /** @type {HTMLElement|null} */ (root.querySelector("[data-selection]"));
const totalNode = /** @type {HTMLElement} */ (root.querySelector("[data-total]"));
const panelNode = /** @type {HTMLElement|null} */ (root.querySelector("[data-panel]"));
const UNDO_FOR = 12;
const KEPT = `loupe:gallery:${location.pathname}${location.search}`;
new ResizeObserver(([{ target }]) => root.style.setProperty("--data-bar", `${/** @type {HTMLElement} */ (target).offsetHeight}px`))
  .observe(/** @type {Element} */ (root.querySelector(".data-bar")));
let total = { count: 0, exact: true };
/** @type {HTMLElement|null} */
let anchor = null;
/** @type {Set<number>} */
const selected = new Set();
let everything = false; // all that the address chooses, loaded or not
/** @type {(() => void)|null} */
let takeBack = null;

const idOf = (/** @type {HTMLElement} */ cell) => Number(cell.dataset.item);
const face = (/** @type {Element} */ cell) => /** @type {HTMLElement} */ (cell.querySelector(".cell-face"));
const addressOf = (/** @type {Element} */ cell) => /** @type {HTMLAnchorElement} */ (cell.querySelector("[data-open]")).href;
const query = () => new URLSearchParams(location.search);

async function countAll() {
  const response = await fetch(root.dataset.counted ?? "");
  if (!response.ok) return;
  total = await response.json();
  drawTotal();
  drawBar();
}

function said(/** @type {{count: number, exact: boolean}} */ some) {
  if (some.exact) return some.count.toLocaleString("en");
  const digits = 10 ** Math.max(0, Math.floor(Math.log10(some.count)) - 1);
  return `about ${(Math.round(some.count / digits) * digits).toLocaleString("en")}`;
}

const drawTotal = () => (totalNode.textContent = said(total));

/** @param {number} change */
function count(change) {
  total.count = Math.max(0, total.count + change);
  drawTotal();
}

countAll();

if (grid && bar && panelNode) {
  const panel = makePanel(panelNode, root.dataset.locks ?? "");
  const answers = () => /** @type {HTMLButtonElement[]} */ (panelNode.hidden ? [] : [...panelNode.querySelectorAll("[data-annotation]")]);
  let opened = "";

  const list = new Window(
    grid,
    async (next, limit) => {
      const asked = query();
      asked.delete("item");
      asked.set("cursor", next);
      if (limit) asked.set("limit", String(limit));
      return part(`?${asked}`);
    },
    drawCell,
  );

  function drawCell(/** @type {HTMLElement} */ cell) {
    const on = everything || selected.has(idOf(cell));
    cell.classList.toggle("selected", on);
    face(cell).setAttribute("aria-pressed", String(on));
    cell.classList.toggle("open", !panelNode?.hidden && addressOf(cell) === opened);
  }

  const redraw = () => {
    for (const cell of list.cells.slice(...list.shown)) drawCell(cell);
    drawBar();
  };

  function select(/** @type {HTMLElement} */ cell, /** @type {boolean} */ on) {
    if (on) selected.add(idOf(cell));
    else selected.delete(idOf(cell));
  }

  function clear() {
    selected.clear();
    everything = false;
    redraw();
  }

  function click(/** @type {HTMLElement} */ cell, /** @type {boolean} */ range) {
    if (everything) clear();
    if (range && anchor && list.cells.includes(anchor)) {
      const [from, to] = [list.cells.indexOf(anchor), list.cells.indexOf(cell)].sort((one, other) => one - other);
      for (const each of list.cells.slice(from, to + 1)) select(each, true);
    } else select(cell, !selected.has(idOf(cell)));
    anchor = cell;
    if (!panelNode?.hidden) open(cell);
    redraw();
  }

  const open = (/** @type {HTMLElement} */ cell) => openAddress(addressOf(cell));

  async function openAddress(/** @type {string} */ address) {
    try {
      await panel.open(address);
    } catch (error) {
      return toast(`Nothing is opened: ${sentence(error)}`);
    }
    opened = address;
    list.render(true);
    redraw();
    panel.placePins();
  }

  function closePanel() {
    const was = list.cells.find((cell) => addressOf(cell) === opened);
    panel.close();
    list.render(true);
    redraw();
    if (was?.isConnected) face(was).focus();
  }

  /** Say which answer to the open image is right, and go on with the next one. @param {HTMLElement} button */
  async function decide(button) {
    const choices = /** @type {HTMLElement} */ (button.closest("[data-decision]"));
    const cell = list.cells.find((each) => addressOf(each) === opened);
    for (const each of choices.querySelectorAll("button")) each.disabled = true;
    try {
      const reply = await send(choices.dataset.decision ?? "", { annotation: Number(button.dataset.annotation) });
      const at = cell ? list.cells.indexOf(cell) : -1;
      offerUndo("Decided.", reply.batch, cell ? [{ cell, at }] : [], true);
      if (!cell) return closePanel();
      const next = list.cells[at + 1] ?? list.cells[at - 1];
      list.remove([cell]);
      count(-1);
      if (!next) return closePanel();
      go(next);
      await open(next);
    } catch (error) {
      for (const each of choices.querySelectorAll("button")) each.disabled = false;
      toast(`Nothing was changed: ${sentence(error)}`);
    }
  }

  const reason = () => /** @type {HTMLInputElement} */ (/** @type {HTMLElement} */ (bar).querySelector("[data-reason]"));

  /** @param {"reject"|"approve"} verdict */
  async function judge(verdict) {
    const focused = /** @type {HTMLElement|null|undefined} */ (document.activeElement?.closest?.(".cell"));
    if (!everything && !selected.size && focused) selected.add(idOf(focused));
    if (!everything && !selected.size) return toast("Select images first: click them, or go there with the arrow keys.");
    const chosen = everything ? list.cells : list.cells.filter((cell) => selected.has(idOf(cell)));
    const items = chosen.map(idOf);
    const after = list.cells[list.cells.indexOf(chosen[chosen.length - 1]) + 1];
    const comment = verdict === "reject" ? reason().value.trim() : "";
    const body = everything ? { filter: filterOf(query()), verdict, comment } : { items, verdict, comment };
    const all = everything;
    clear();
    try {
      const reply = await send(root.dataset.reviews ?? "", body);
      document.dispatchEvent(new CustomEvent("loupe:reviewed", { detail: reply }));
      if (reply.job) return follow(reply.job.id, reply.batch, verdict);
      const done = new Set(reply.items);
      settle(verdict, chosen.filter((cell) => done.has(idOf(cell))), reply, all ? reply.done : 0, after);
    } catch (error) {
      toast(`Nothing was changed: ${sentence(error)}`);
    }
  }

  const filterOf = (/** @type {URLSearchParams} */ asked) => {
    asked.delete("item");
    asked.delete("sort");
    return Object.fromEntries(asked);
  };

  /** Draw what a verdict did, and offer to take it back. @param {string} verdict @param {HTMLElement[]} cells @param {any} reply @param {number} all @param {HTMLElement|undefined} after */
  function settle(verdict, cells, reply, all, after) {
    const places = cells.map((cell) => ({ cell, at: list.cells.indexOf(cell) }));
    if (verdict === "reject") {
      list.remove(cells);
      if (after?.isConnected) face(after).focus();
    } else for (const cell of cells) cell.classList.add("approved");
    const number = all || cells.length;
    if (verdict === "reject") count(-number);
    const what = number === 1 ? "1 image" : `${number.toLocaleString("en")} images`;
    const changed = reply.skipped.length - reply.looked_at.length;
    const text = [
      verdict === "reject" ? `${what} rejected: back to people.` : `${what} approved.`,
      reply.message,
      changed > 0 ? `${changed} had changed meanwhile and ${changed === 1 ? "was" : "were"} left alone.` : "",
    ].filter(Boolean).join(" ");
    if (number) return offerUndo(text, reply.batch, places, verdict === "reject");
    takeBack = null;
    toast(text, undefined, UNDO_FOR);
  }

  /** Say what was done and offer to take it back; cells that have left come back to their places.
   * @param {string} text @param {number} batch @param {{ cell: HTMLElement, at: number }[]} places @param {boolean} left */
  function offerUndo(text, batch, places, left) {
    const undo = async () => {
      takeBack = null;
      try {
        const undone = await send(withId(root.dataset.undo ?? "", batch), {});
        if (undone.job) return toast("This is being taken back.");
        const back = new Set(undone.items);
        for (const { cell } of places) cell.classList.remove("approved");
        if (left) {
          list.restore(places.filter(({ cell }) => back.has(idOf(cell))));
          count(undone.items.length);
        }
        toast(undone.message || "Taken back: everything is as it was.");
      } catch (error) {
        toast(`Nothing was taken back: ${sentence(error)}`);
      }
    };
    takeBack = undo;
    toast(text, { label: "Undo", run: () => takeBack === undo && undo() }, UNDO_FOR);
  }

  /** Watch a job until it is done. @param {number} job @param {number} batch @param {string} verdict */
  async function follow(job, batch, verdict) {
    const response = await fetch(withId(root.dataset.job ?? "", job));
    const state = await response.json();
    if (state.state === "queued" || state.state === "running") {
      toast(`${verdict === "reject" ? "Rejecting" : "Approving"} ${state.done.toLocaleString("en")} of ${state.total ? state.total.toLocaleString("en") : said(total)}…`);
      setTimeout(() => follow(job, batch, verdict), 1000);
    } else if (state.state === "done") {
      const undo = () => send(withId(root.dataset.undo ?? "", batch), {}).then(() => toast("This is being taken back. Reload to see it."), (error) => toast(sentence(error)));
      toast(`${state.result.count.toLocaleString("en")} images ${verdict === "reject" ? "rejected: back to people" : "approved"}.`, { label: "Undo", run: undo }, 30);
      countAll();
    } else toast(`This did not end well: ${state.error || state.state}`);
  }

  function go(/** @type {HTMLElement} */ cell) {
    list.show(cell);
    face(cell).focus({ preventScroll: true });
  }

  /** @param {string} key */
  function moveFocus(key) {
    const here = list.cells.findIndex((cell) => cell.contains(document.activeElement));
    const columns = list.columns();
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key] ?? 0;
    const next = list.cells[here < 0 ? list.shown[0] : Math.min(list.cells.length - 1, Math.max(0, here + step))];
    if (!next) return;
    go(next);
    if (!panelNode?.hidden) open(next);
  }

  grid.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    const cell = /** @type {HTMLElement|null} */ (target.closest(".cell"));
    if (!cell) return;
    if (target.closest("[data-open]")) {
      event.preventDefault();
      open(cell).then(() => panelNode.focus());
    } else if (target.closest(".cell-face")) click(cell, event.shiftKey);
  });
  grid.addEventListener("dblclick", (event) => {
    const cell = /** @type {HTMLElement|null} */ (/** @type {Element} */ (event.target).closest(".cell"));
    if (cell) open(cell);
  });
  panelNode.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    if (target.closest("[data-close-panel]")) closePanel();
    const answer = target.closest("[data-annotation]");
    if (answer) decide(/** @type {HTMLElement} */ (answer));
    const other = /** @type {HTMLAnchorElement|null} */ (target.closest("[data-open]"));
    if (other) {
      event.preventDefault();
      openAddress(other.href);
    }
  });
  bar.addEventListener("click", (event) => {
    const act = /** @type {HTMLElement|null} */ (/** @type {Element} */ (event.target).closest("[data-act]"))?.dataset.act;
    if (act === "clear") clear();
    else if (act === "all") {
      everything = true;
      redraw();
    } else if (act) judge(/** @type {"reject"|"approve"} */ (act));
  });
  reason().addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter") judge("reject");
    else if (event.key === "Escape") reason().blur();
  });
  addEventListener("keydown", (event) => {
    const target = /** @type {Element} */ (event.target);
    if (event.repeat && /^[1-9ar]$/i.test(event.key)) return; // a held key would judge images that nobody has seen
    if (event.isComposing || target.matches("input, select, textarea") || event.altKey) return;
    const letter = letterOf(event);
    const command = event.ctrlKey || event.metaKey;
    if (command && letter === "a") for (const cell of list.cells) select(cell, true);
    else if (command && letter === "z" && takeBack) takeBack();
    else if (command) return;
    else if (panel.key(letter, event)) return event.preventDefault();
    else if (/^[1-9]$/.test(event.key) && answers()[Number(event.key) - 1]) answers()[Number(event.key) - 1].click();
    else if (letter === "r" && event.shiftKey) {
      bar.hidden = false;
      reason().focus();
      return event.preventDefault();
    } else if (letter === "r") judge("reject");
    else if (letter === "a") judge("approve");
    else if (event.key === "Escape") panelNode.hidden ? clear() : closePanel();
    else if (event.key.startsWith("Arrow")) moveFocus(event.key);
    else if (event.key === "Enter" && target.closest(".cell-face")) open(/** @type {HTMLElement} */ (target.closest(".cell")));
    else return;
    event.preventDefault();
    redraw();
  });

  // Where somebody was is where they come back to.
  addEventListener("pagehide", () => sessionStorage.setItem(KEPT, JSON.stringify({ count: list.cells.length, at: scrollY })));
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
  const [entry] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType("navigation"));
  if (kept && kept.at > 0 && entry?.type !== "navigate") {
    history.scrollRestoration = "manual";
    list.reach(kept.count).then(() => {
      scrollTo({ top: kept.at });
      list.render(true);
    });
  }
  if (panelNode.dataset.opened) openAddress(new URL(panelNode.dataset.opened, location.href).href);
}

function drawBar() {
  if (!bar) return;
  bar.hidden = !everything && selected.size === 0;
  /** @type {HTMLElement} */ (bar.querySelector("[data-count]")).textContent = everything ? `all ${said(total)}` : String(selected.size);
  const all = /** @type {HTMLElement} */ (bar.querySelector("[data-act=all]"));
  all.hidden = everything || selected.size >= total.count;
  /** @type {HTMLElement} */ (bar.querySelector("[data-all-count]")).textContent = `${said(total)} that match`;
}

const filters = /** @type {HTMLFormElement} */ (root.querySelector("[data-filters]"));
const apply = () => {
  const asked = new URLSearchParams();
  for (const [key, value] of new FormData(filters)) if (value) asked.set(key, String(value));
  location.search = asked.toString();
};
filters.addEventListener("change", apply);
filters.addEventListener("submit", (event) => {
  event.preventDefault();
  apply();
});

// Saved filters
const saving = /** @type {HTMLFormElement} */ (root.querySelector("[data-save]"));
saving.addEventListener("submit", async (event) => {
  event.preventDefault();
  const given = new FormData(saving);
  const asked = query();
  asked.delete("item");
  try {
    await send(root.dataset.saved ?? "", { name: given.get("name"), shared: given.has("shared"), query: asked.toString() });
    location.reload();
  } catch (error) {
    toast(`Nothing was saved: ${sentence(error)}`);
  }
});
root.querySelector(".saved")?.addEventListener("click", async (event) => {
  const target = /** @type {Element} */ (event.target);
  const row = /** @type {HTMLElement|null} */ (target.closest("[data-filter-id]"));
  if (!row) return;
  const address = `${root.dataset.saved}${row.dataset.filterId}/`;
  const link = /** @type {HTMLAnchorElement} */ (row.querySelector("a"));
  try {
    if (target.closest("[data-delete]")) {
      await send(address, null, "DELETE");
      const again = { name: link.textContent, query: new URL(link.href).search.slice(1), shared: row.textContent?.includes("shared") };
      row.remove();
      toast("The filter is deleted.", { label: "Undo", run: () => send(root.dataset.saved ?? "", again).then(() => location.reload()) });
    } else if (target.closest("[data-rename]")) rename(row, link, address);
  } catch (error) {
    toast(`Nothing was changed: ${sentence(error)}`);
  }
});

/** @param {HTMLElement} row @param {HTMLAnchorElement} link @param {string} address */
function rename(row, link, address) {
  const field = document.createElement("input");
  field.value = link.textContent ?? "";
  field.maxLength = 80;
  field.setAttribute("aria-label", "New name");
  link.replaceWith(field);
  field.select();
  field.addEventListener("keydown", async (event) => {
    if (event.key === "Escape") return field.replaceWith(link);
    if (event.key !== "Enter" || event.isComposing) return;
    try {
      const reply = await send(address, { name: field.value }, "PATCH");
      link.textContent = reply.name;
      field.replaceWith(link);
    } catch (error) {
      toast(`Nothing was changed: ${sentence(error)}`);
    }
  });
}
