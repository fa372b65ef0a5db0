// Answers on their way to the server: kept until it has them, sent one page after the other.

import { ApiError } from "./api.js";

/** @typedef {import("./types.js").Answer} Answer */
/** `shown` is the page as it was on screen. @typedef {{page: number, shown: import("./types.js").Page, answers: Answer[], at: number}} Entry */

const RETRY_AFTER = [1000, 2000, 4000, 8000, 15000, 30000];

export class Outbox {
  /**
   * @param {ReturnType<import("./api.js").projectApi>} api @param {import("./store.js").Store} store
   * @param {{saved: (reply: any, entry: Entry) => void, state: (saving: import("./types.js").Shared["saving"]) => void,
   *   refused: (error: ApiError, entry: Entry) => void}} on
   */
  constructor(api, store, on) {
    this.api = api;
    this.store = store;
    this.on = on;
    /** @type {Entry[]} oldest first */
    this.entries = [];
    this.unkept = false;
    this.tries = 0;
    this.timer = 0;
    /** @type {Set<Entry>} */
    this.refused = new Set();
    /** @type {Promise<void>|null} */
    this.running = null;
    this.signedOut = false;
    addEventListener("online", () => this.flush());
    addEventListener("focus", () => this.signedOut && this.retry()); // perhaps signed in again, in another tab
  }

  /** What can still be sent. */
  get pending() {
    return this.entries.filter((each) => !this.refused.has(each));
  }

  /** Take up what an earlier visit, or another tab that is gone, left behind. */
  async load() {
    const known = new Set(this.entries.map(({ page, at }) => `${page} ${at}`));
    const kept = /** @type {Entry[]} */ (await this.store.all("outbox").catch(() => []));
    const fresh = kept.filter(({ page, at }) => !known.has(`${page} ${at}`));
    this.entries = [...fresh, ...this.entries].sort((one, other) => one.at - other.at);
    return this.flush();
  }

  /** @param {import("./types.js").Page} shown @param {Answer[]} answers */
  send(shown, answers) {
    const page = shown.page;
    const entry = { page, shown, answers, at: Date.now() };
    this.entries = [...this.entries.filter((each) => each.page !== page || each === this.sending), entry];
    this.store.put("outbox", entry).then(() => (this.unkept = false), () => (this.unkept = true));
    return this.flush();
  }

  /** Try again what the server refused, too. */
  retry() {
    this.refused.clear();
    return this.flush();
  }

  /** @returns {Promise<void>} settled when nothing more can be sent now */
  flush() {
    clearTimeout(this.timer);
    this.running ??= this.drain().finally(() => (this.running = null));
    return this.running;
  }

  async drain() {
    for (;;) {
      const [entry] = this.pending;
      if (!entry) break;
      this.signedOut = false;
      this.on.state("saving");
      this.sending = entry;
      try {
        const reply = await this.api.submit(entry.page, entry.answers);
        this.tries = 0;
        this.drop(entry);
        this.on.saved(reply, entry);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (error.offline) return this.later();
        this.refused.add(entry);
        this.signedOut = error.signedOut;
        this.on.refused(error, entry);
        if (error.signedOut) return this.waiting();
      } finally {
        this.sending = null;
      }
    }
    if (this.entries.length) this.waiting();
    else this.on.state("saved");
  }

  /** @param {Entry} entry that the server has, or nobody wants any more */
  drop(entry) {
    this.entries = this.entries.filter((each) => each !== entry);
    const newer = this.entries.some(({ page }) => page === entry.page);
    if (!newer) this.store.remove("outbox", entry.page).catch(() => {});
  }

  waiting() {
    this.on.state(this.unkept ? "unkept" : "offline");
  }

  later() {
    this.waiting();
    const wait = RETRY_AFTER[Math.min(this.tries++, RETRY_AFTER.length - 1)];
    this.timer = setTimeout(() => this.flush(), wait);
  }
}
