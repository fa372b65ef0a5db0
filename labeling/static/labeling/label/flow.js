// Page after page: get, show, submit, skip, take back, correct. Knows nothing of what is on a page.

import { ApiError, projectApi } from "./api.js";
import { Drafts } from "./drafts.js";
import { keepLease } from "./lease.js";
import * as notices from "./notices.js";
import { Outbox } from "./outbox.js";
import { Pace } from "./pace.js";
import { Prefetcher } from "./prefetch.js";
import { answered, Recent } from "./recent.js";
import { Store } from "./store.js";
import { Tabs } from "./tabs.js";
import { t, tn } from "./text.js";

/**
 * @typedef {import("./types.js").Page} Page @typedef {import("./types.js").Shared} Shared
 * @typedef {import("./types.js").Config} Config @typedef {import("./types.js").Surface} Surface
 * @typedef {import("./types.js").Host} Host @typedef {import("./types.js").Notice} Notice
 */

const LOOK_AGAIN = 4000;
const MOST_HELD = 50; // more the API does not take
const GLANCE = 400; // milliseconds; nobody sees and decides faster
const LONGEST = 600; // seconds for an image; more is an absence

/**
 * @param {Config} config @param {Shared} shared @param {(host: Host) => Surface} makeSurface
 * @param {{draw: () => void, nothing: (facts: any, refusal: ApiError|null) => void,
 *   askReason: (done: (reason: string) => void, isTouched: boolean) => void}} page
 */
export function createFlow(config, shared, makeSurface, { draw, nothing, askReason }) {
  const owner = `${config.user}.${config.project}`;
  const api = projectApi(config.api);
  const store = new Store(owner);
  const drafts = new Drafts(store, (kept) => {
    if (!kept && shared.saving !== "unkept") update(() => (shared.notice = notices.unkept()));
  });
  const recent = new Recent(api, config.classes);
  const pace = new Pace(owner);
  const tabs = new Tabs(owner, own);
  const outbox = new Outbox(api, store, {
    saved(reply, entry) {
      shared.doneToday = reply.done_today;
      const late = reply.saved.filter((/** @type {{status: string}} */ { status }) => status === "kept").length;
      if (reply.notice) notify(notices.warning(reply.notice));
      else if (late) update(() => (shared.notice = notices.late(late, corrections.has(entry.page))));
      else if (reply.known) import("./gold/known.js").then((it) => notify(it.known(reply.known[0], config.classes)));
    },
    state: (saving) => update(() => (shared.saving = saving)),
    refused(error, entry) {
      stuck = entry;
      update(() => (shared.notice = notices.refusal(error)));
    },
  });
  /** Pages that were submitted again. @type {Set<number>} */
  const corrections = new Set();
  /** What was done on pages that another one pushed aside. @type {Map<number, object>} */
  const aside = new Map();
  /** What the server refused last. @type {import("./outbox.js").Entry|null} */
  let stuck = null;
  /** The page that was submitted last, if that was a correction. @type {number|null} */
  let corrected = null;
  let shownAt = 0;
  let sentAt = 0;
  let again = 0;

  /** @type {Host} */
  const host = { changed, say, submit, skip, undo, redo, setSize };
  const surface = makeSurface(host);
  const prefetch = new Prefetcher(api, surface.images);

  /** @param {() => void} change */
  function update(change) {
    change();
    draw();
  }

  /** A change of what the labeler works on: it is drawn and kept. */
  function changed() {
    keep();
    draw();
  }

  function keep() {
    const page = shared.page;
    if (page) drafts.save(() => ({ page: page.page, shown: page, content: surface.content(), touched: surface.isTouched(), savedAt: Date.now() }));
  }

  /** @param {string} text for screen readers */
  function say(text) {
    shared.said = text;
  }

  /** @param {Notice} notice */
  function notify(notice) {
    say(notice.text);
    update(() => (shared.notice = notice));
  }

  /** Pages that this tab has. @returns {number[]} */
  function own() {
    const open = [...(shared.page && !shared.correcting ? [shared.page] : []), ...prefetch.ready];
    return [...open.map(({ page }) => page), ...outbox.entries.map(({ page }) => page)];
  }

  /** Pages that the server is not to hand out again, to this tab or another one. */
  const held = () => [...own(), ...tabs.elsewhere].slice(0, MOST_HELD);

  /** @param {Page} page @param {object|null} [content] from a draft */
  function show(page, content = null) {
    clearTimeout(again);
    Object.assign(shared, { page, correcting: Boolean(page.submitted_at), waiting: false, nothing: false });
    surface.show(page, content ?? aside.get(page.page) ?? null);
    aside.delete(page.page);
    shownAt = performance.now();
    keep();
    draw();
    tabs.tell();
    fetchAhead();
  }

  const fetchAhead = () => prefetch.ahead(shared.size, held).then(() => tabs.tell());

  function clearStage() {
    shared.page = null;
    shared.correcting = false;
    surface.clear();
    shared.waiting = !shared.nothing;
  }

  /** The page on screen comes back after the one that is about to be shown. */
  function putAside() {
    const page = shared.page;
    if (!page) return;
    if (shared.correcting) return drafts.drop(page.page);
    drafts.flush();
    aside.set(page.page, surface.content());
    prefetch.putBack(page);
  }

  /** Show the next page: at once where it is here, else as soon as it comes. */
  async function next() {
    const ready = prefetch.ready.shift();
    if (ready) return show(ready);
    update(clearStage);
    try {
      let page = await prefetch.take(shared.size, held);
      if (!page && outbox.running) {
        await outbox.running; // what is being sent may be what the rest of the queue waits for
        page = await prefetch.take(shared.size, held);
      }
      if (shared.page) return page ? prefetch.putBack(page) : undefined; // an undo was faster
      if (page) return show(page);
      await showNothing(null);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.signedOut) {
        addEventListener("focus", next, { once: true });
        return update(() => Object.assign(shared, { notice: notices.refusal(error), waiting: false }));
      }
      await showNothing(error);
    }
  }

  /** @param {ApiError|null} refusal of the server */
  async function showNothing(refusal) {
    const facts = refusal?.offline ? null : await api.facts().catch(() => null);
    if (shared.page) return;
    nothing(facts, refusal);
    update(() => Object.assign(shared, { waiting: false, nothing: true }));
    clearTimeout(again);
    again = setTimeout(next, LOOK_AGAIN);
  }

  function submit() {
    const page = shared.page;
    if (!page) return;
    const flaw = surface.flaw();
    if (flaw) {
      say(flaw);
      return draw();
    }
    if (isAccident()) return;
    if (surface.turn(1)) return changed();
    const seconds = Math.min((performance.now() - shownAt) / 1000 / Math.max(1, page.items.length), LONGEST);
    const given = surface.answers().map((answer) => ({ ...answer, seconds: Math.round(seconds * 100) / 100 }));
    const count = given.filter((answer) => !answer.skipped && !answer.exception).length;
    corrected = shared.correcting ? page.page : null;
    if (shared.correcting) corrections.add(page.page);
    else {
      shared.doneToday += count;
      pace.add(given.length, seconds);
    }
    recent.add(page, given);
    shared.previous = recent.last;
    drafts.drop(page.page);
    outbox.send(page, given);
    sentAt = performance.now();
    shared.notice = null;
    say(shared.correcting ? t("Corrected.") : t("{count} sent. {today} today.", { count, today: shared.doneToday }));
    next();
  }

  /** Whether it is a second Enter for the page before, for nobody can have looked at this one yet. */
  const isAccident = () => performance.now() - sentAt < GLANCE && !surface.isTouched();

  function skip() {
    if (!shared.page) return;
    askReason((reason) => {
      if (!shared.page) return;
      const whole = surface.skip(reason);
      changed();
      if (whole) submit();
    }, surface.isTouched());
  }

  function undo() {
    if (surface.undo() || surface.turn(-1)) {
      say(t("Taken back."));
      return changed();
    }
    if (shared.correcting) return leave();
    return corrected === null ? undoPage() : correct(recent.get(corrected), "");
  }

  function redo() {
    if (!surface.redo()) return;
    say(t("Done again."));
    changed();
  }

  /** Bring the last submitted page back into the queue and on screen; the one there comes after it. */
  async function undoPage() {
    await outbox.flush();
    if (outbox.pending.length) return notify(notices.warning(t("The last page is not saved yet, so it cannot be taken back now.")));
    try {
      const page = await api.undo();
      putAside();
      recent.drop(page.page);
      const labels = Object.values(page.answers).filter((/** @type {{skipped: boolean}} */ { skipped }) => !skipped);
      shared.doneToday = Math.max(0, shared.doneToday - labels.length);
      shared.notice = null;
      say(t("The last page is back."));
      show(page);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.signedOut) return notify(notices.refusal(error));
      notify(notices.warning(error.status === 404 ? t("There is no page of the last ten minutes to take back.") : error.message));
    }
  }

  /** Show a submitted page, to be corrected. @param {Promise<Page|null>} wanted @param {string} none said when there is none */
  async function correct(wanted, none) {
    if (shared.correcting && surface.isTouched()) return notify(notices.warning(t("Submit this correction first, or undo it.")));
    try {
      const page = await wanted;
      if (!page) return notify(notices.warning(none));
      if (tabs.elsewhere.includes(page.page)) return notify(notices.warning(t("This page is open in another tab.")));
      putAside();
      shared.notice = null;
      say(tn(page.items.length, "A submitted page of one image.", "A submitted page of {count} images."));
      show(page);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      notify(error.signedOut ? notices.refusal(error) : notices.warning(error.message));
    }
  }

  const shownNumber = () => (shared.correcting && shared.page ? shared.page.page : null);
  const back = () => correct(recent.beside(shownNumber(), 1), t("There is no earlier page."));

  async function forward() {
    if (!shared.correcting) return;
    if (surface.isTouched()) return notify(notices.warning(t("Submit this correction first, or undo it.")));
    const page = await recent.beside(shownNumber(), -1).catch(() => null);
    return page ? correct(Promise.resolve(page), "") : leave();
  }

  /** Back from a submitted page to the work, leaving it as it was. */
  function leave() {
    if (!shared.correcting || !shared.page) return;
    drafts.drop(shared.page.page);
    shared.notice = null;
    next();
  }

  /** Take up what a reload, a crash or a sign-in interrupted, else get a page. */
  async function start() {
    outbox.load();
    const asked = tabs.ask();
    const left = await drafts.left();
    if (left.length) await asked;
    const mine = left.filter(({ page }) => !tabs.elsewhere.includes(page));
    const draft = mine.find(({ touched }) => touched) ?? mine[0];
    for (const other of mine) if (other !== draft && !other.touched) drafts.drop(other.page);
    if (!draft || !(await stillOpen(draft))) return next();
    show(draft.shown, draft.content);
  }

  /** Whether a draft is worth showing; its lease is taken up again. @param {import("./drafts.js").Draft} draft */
  async function stillOpen(draft) {
    if (draft.shown.submitted_at) return draft.touched;
    try {
      const { lease_expires_at, lost, state } = await api.extend(draft.page);
      if (state === "submitted") {
        drafts.drop(draft.page); // in another tab
        return false;
      }
      draft.shown.lease_expires_at = lease_expires_at;
      if (lost.length && draft.touched) shared.notice = notices.lost(lost.length);
      if (!lost.length || draft.touched) return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.offline || draft.touched) return true;
    }
    drafts.drop(draft.page);
    return false;
  }

  /** @param {Page} page */
  const isAside = (page) => aside.has(page.page);

  /** Show what the server refused, to be mended. */
  function openStuck() {
    if (stuck) correct(Promise.resolve(answered(stuck.shown, stuck.answers)), "");
  }

  function discardStuck() {
    if (stuck) outbox.drop(stuck);
    stuck = null;
    outbox.flush();
  }

  /** Whether the page on screen stays, and its images are to be laid out anew. @param {number} size */
  function setSize(size) {
    shared.size = size;
    prefetch.releaseAll(isAside);
    if (!shared.page) return false;
    if (shared.correcting || surface.isTouched()) {
      fetchAhead();
      return true;
    }
    const { page } = shared.page;
    drafts.drop(page);
    update(clearStage);
    // Before it is back, the queue could hand out the same page again.
    api.release(page).catch(() => {}).then(next);
    return false;
  }

  keepLease(api, () => [...(shared.page && !shared.correcting ? [shared.page] : []), ...prefetch.ready], (page, lost) => {
    if (page === shared.page) notify(notices.lost(lost));
  });
  addEventListener("pagehide", () => prefetch.releaseAll(isAside));
  addEventListener("pageshow", (event) => event.persisted && shared.page && fetchAhead());

  return { surface, pace, recent, start, submit, skip, undo, redo, back, forward, leave, retry: () => outbox.retry(), openStuck, discardStuck,
    correct: (/** @type {number} */ page) => correct(recent.get(page), "") };
}
