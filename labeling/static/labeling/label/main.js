// The Label page: ties state, rendering, keys and network together.

import { answers, missing, missingText } from "./answers.js";
import { ApiError, projectApi } from "./api.js";
import { findBox, sizePicker } from "./controls.js";
import { draftStore } from "./draft.js";
import { helpDialog, instructionsDialog } from "./dialogs.js";
import { bindings, listen } from "./keys.js";
import { keepLease } from "./lease.js";
import { drawNothing } from "./nothing.js";
import { lateNotice, refusal } from "./notices.js";
import { Outbox, Prefetcher, Sender } from "./pages.js";
import { columnsFor, pictureFor, renderer } from "./render.js";
import * as states from "./state.js";

const root = /** @type {HTMLElement} */ (document.querySelector("[data-label-page]"));
const config = JSON.parse(document.getElementById("label-config")?.textContent ?? "{}");
const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (root.querySelector(`[data-part="${name}"]`));
const stage = part("stage");
const prefix = `loupe.${config.user}.${config.project}.`;
const LOOK_AGAIN = 4000;

const state = states.newState({
  classes: config.classes,
  multilabel: config.multilabel,
  size: Number(localStorage.getItem("loupe.size")) || config.size,
  doneToday: config.doneToday,
});
const api = projectApi(config.api);
const drafts = draftStore(prefix);
const outbox = new Outbox(prefix);
const prefetch = new Prefetcher(api, imagesOf);
/** Answers of pages that an undo pushed aside. @type {Map<number, states.Tile[]>} */
const aside = new Map();
const sender = new Sender(api, outbox, {
  saved(reply) {
    state.doneToday = reply.done_today;
    const late = reply.saved.filter((/** @type {{status: string}} */ { status }) => status === "kept").length;
    if (late) update(() => (state.notice = lateNotice(late)));
  },
  state: (saving) => update(() => (state.saving = saving)),
  refused: (error) => update(() => (state.notice = refusal(error))),
});
let again = 0;

const act = {
  assign(/** @type {number} */ id) {
    if (!state.page) return;
    const chosen = states.assign(state, id);
    const label = state.classes.find((each) => each.id === id);
    say(`${label?.name}: ${named(chosen)}`);
    find.clear();
    changed();
  },
  none() {
    if (!state.page) return;
    say(`none of these: ${named(states.assignNone(state))}`);
    changed();
  },
  clear() {
    if (!state.page) return;
    const cleared = states.clear(state);
    if (cleared.length) say(`cleared: ${named(cleared)}`);
    changed();
  },
  submit,
  skip() {
    if (!state.page) return;
    const whole = states.skip(state);
    changed();
    if (whole) submit();
  },
  undo() {
    if (states.undo(state)) {
      say("Taken back.");
      changed();
    } else undoPage();
  },
  selectAll: () => change(states.selectAll),
  selectNone: () => change(states.selectNone),
  move(/** @type {string} */ direction) {
    if (!state.page) return;
    const columns = Number(stage.dataset.columns);
    states.moveCursor(state, { left: -1, right: 1, up: -columns, down: columns }[direction] ?? 0);
    state.hover = null;
    update();
    /** @type {HTMLElement|null} */ (stage.querySelector(`[data-index="${state.cursor}"]`))?.focus();
  },
  magnify: (/** @type {boolean} */ on) => update(() => (state.magnified = on && state.page !== null)),
  find: () => find.focus(),
  instructions: () => instructions.open(),
  help: () => help.open(),
};

const render = renderer(
  root,
  {
    onTile(index, event) {
      if (event.shiftKey) states.selectTo(state, index);
      else states.toggle(state, index);
      changed();
    },
    onHover: (index) => update(() => (state.hover = index)),
    onFocus: (index) => update(() => (state.cursor = index)),
    onChip(index, id) {
      states.unassign(state, index, id);
      changed();
    },
    onDoubt(index, id) {
      states.add(state, index, id);
      changed();
    },
    onClear(index) {
      states.clear(state, index);
      changed();
    },
    onClass: act.assign,
    onNone: act.none,
    onNotice(action) {
      if (action === "sign-in") location.assign(config.signIn);
      if (action === "retry") sender.retry();
      update(() => (state.notice = null));
    },
  },
  state,
);
const table = bindings(act, state);
const help = helpDialog(part("help"), table);
const instructions = instructionsDialog(part("instructions"), config.instructions, config.project);

/** @param {() => void} [first] */
function update(first) {
  first?.();
  render();
}

/** @param {states.Tile[]} tiles */
const named = (tiles) => (tiles.length === 1 ? `image ${state.tiles.indexOf(tiles[0]) + 1}` : `${tiles.length} images`);

/** A change of what the labeler works on: it is drawn and kept. */
function changed() {
  state.incomplete = false;
  if (state.page) drafts.save({ ...states.draftOf(state), touched: states.isTouched(state) });
  render();
}

/** @param {(state: states.State) => void} action */
function change(action) {
  if (!state.page) return;
  action(state);
  changed();
}

/** @param {string} text for screen readers */
function say(text) {
  state.said = text;
}

/** @param {states.Page} page */
function imagesOf(page) {
  const columns = columnsFor(page.items.length, stage.clientHeight > stage.clientWidth * 1.1);
  const edge = ((stage.clientWidth || root.clientWidth) / columns) * devicePixelRatio;
  return page.items.map((item) => pictureFor(item, edge));
}

const onScreen = () => [
  ...(state.page ? [state.page.page] : []),
  ...prefetch.ready.map(({ page }) => page),
  ...outbox.entries().map(({ page }) => page),
];

/** @param {states.Page} page */
function show(page) {
  clearTimeout(again);
  states.showPage(state, page, aside.get(page.page));
  aside.delete(page.page);
  // Resuming is worth it only where the labeler left something; the first change saves a draft.
  drafts.save({ ...states.draftOf(state), touched: false });
  if (document.activeElement && stage.contains(document.activeElement)) {
    /** @type {HTMLElement|null} */ (stage.querySelector(`[data-index="${state.cursor}"]`))?.focus();
  }
  render();
  prefetch.ahead(state.size, onScreen());
}

function clearStage() {
  state.page = null;
  state.tiles = [];
  state.history = []; // what is undone from here on is the page that has just gone
  state.waiting = !state.nothing;
}

/** Show the next page: at once where it is here, else as soon as it comes. */
async function next() {
  const ready = prefetch.ready.shift();
  if (ready) return show(ready);
  update(clearStage);
  try {
    let page = await prefetch.take(state.size, onScreen());
    if (!page && sender.running) {
      await sender.running; // what is being sent may be what the rest of the queue waits for
      page = await prefetch.take(state.size, onScreen());
    }
    if (state.page) return page ? prefetch.putBack(page) : undefined; // an undo was faster
    if (page) return show(page);
    await showNothing("");
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.signedOut) return update(() => Object.assign(state, { notice: refusal(error), waiting: false }));
    await showNothing(error.offline ? "" : error.message, error.offline);
  }
}

/** @param {string} reason from the server @param {boolean} [offline] */
async function showNothing(reason, offline = false) {
  const facts = offline ? null : await api.facts().catch(() => null);
  drawNothing(part("nothing"), facts, reason, offline);
  update(() => states.showNothing(state, facts ?? {}));
  drafts.clear();
  clearTimeout(again);
  again = setTimeout(next, LOOK_AGAIN);
}

function submit() {
  if (!state.page) return;
  const open = missing(state);
  if (open.length) {
    say(missingText(state));
    state.incomplete = true;
    state.cursor = state.tiles.indexOf(open[0]);
    for (const tile of state.tiles) tile.selected &&= open.includes(tile);
    root.classList.remove("nudge");
    requestAnimationFrame(() => root.classList.add("nudge"));
    return update();
  }
  const given = answers(state);
  const count = given.filter((answer) => !answer.skipped && !answer.exception).length;
  state.doneToday += count;
  sender.send(state.page.page, given);
  drafts.clear();
  state.notice = null;
  say(`${count} sent. ${state.doneToday} today.`);
  document.dispatchEvent(new CustomEvent("loupe:submitted"));
  next();
}

/** Bring the last submitted page back; the one on screen comes after it. */
async function undoPage() {
  await sender.flush();
  if (outbox.entries().length) {
    return update(() => (state.notice = { tone: "warn", text: "The last page is not saved yet, so it cannot be taken back now.", actions: [["close", "Close"]] }));
  }
  try {
    const page = await api.undo();
    if (state.page) {
      aside.set(state.page.page, state.tiles);
      prefetch.putBack(state.page);
    }
    const labels = Object.values(page.answers).filter((/** @type {{skipped: boolean}} */ { skipped }) => !skipped);
    state.doneToday = Math.max(0, state.doneToday - labels.length);
    say("The last page is back.");
    show(page);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const text = error.status === 404 ? "There is no page of the last ten minutes to take back." : error.message;
    say(text);
    update(() => (state.notice = error.signedOut ? refusal(error) : { tone: "warn", text, actions: [["close", "Close"]] }));
  }
}

/** Take up what a reload or a sign-in interrupted, else get a page. */
async function start() {
  sender.flush();
  const draft = drafts.load();
  if (!draft) return next();
  try {
    draft.page.lease_expires_at = (await api.extend(draft.page.page)).lease_expires_at;
  } catch (error) {
    if (!(error instanceof ApiError && error.offline) && !draft.touched) {
      drafts.clear();
      return next();
    }
  }
  clearTimeout(again);
  aside.set(draft.page.page, draft.tiles);
  show(draft.page);
  if (draft.touched) drafts.save({ ...draft, savedAt: Date.now() });
}

/** @param {number} size */
async function resize(size) {
  state.size = size;
  localStorage.setItem("loupe.size", String(size));
  document.dispatchEvent(new CustomEvent("loupe:size", { detail: size }));
  prefetch.releaseAll();
  if (state.page && !states.isTouched(state)) {
    const { page } = state.page;
    drafts.clear();
    update(clearStage);
    // Before it is back, the queue could hand out the same page again.
    await api.release(page).catch(() => {});
    next();
  } else if (state.page) {
    say("The new size starts with the next page.");
    prefetch.ahead(size, onScreen());
    render();
  }
}

sizePicker(root, state.size, resize);
for (const [name, action] of Object.entries({ submit: act.submit, skip: act.skip, undo: act.undo, "show-help": act.help, "show-instructions": act.instructions })) {
  part(name).addEventListener("click", () => action());
}
const find = findBox(part("find"), part("classes"), {
  type: (text) => update(() => (state.filter = text)),
  choose: act.assign,
});

listen(table, {
  stage,
  enabled: help.singleKeys,
  fired: (id) => document.dispatchEvent(new CustomEvent("loupe:key", { detail: id })),
});
keepLease(api, () => [...(state.page ? [state.page] : []), ...prefetch.ready]);
new ResizeObserver(() => render()).observe(stage);
addEventListener("pagehide", () => prefetch.releaseAll());
addEventListener("pageshow", (event) => event.persisted && state.page && prefetch.ahead(state.size, onScreen()));
start();
