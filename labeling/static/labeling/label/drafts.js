// What is on screen, kept over a reload, a crash of the browser, a sign-in or an expired lease.

import { read, write } from "./storage.js";

/** @typedef {import("./types.js").Page} Page */
/** @typedef {{page: number, shown: Page, content: object, touched: boolean, savedAt: number}} Draft */

const KEEP_FOR = 7 * 24 * 3600 * 1000;
const PAUSE = 250;

export class Drafts {
  /** @param {import("./store.js").Store} store @param {(kept: boolean) => void} on told whether the browser keeps them */
  constructor(store, on) {
    this.store = store;
    this.on = on;
    /** @type {(() => Draft)|null} */
    this.next = null;
    this.timer = 0;
    this.key = `loupe.${store.owner}.leaving`;
    addEventListener("pagehide", () => this.leave());
    document.addEventListener("visibilitychange", () => document.hidden && this.flush());
  }

  /** The database takes too long for a page that is being left. */
  leave() {
    const draft = this.next?.();
    if (!draft) return;
    if (!write(this.key, draft)) this.store.put("drafts", draft).catch(() => {}); // too large for there
  }

  /** Written once the hand rests for a moment. @param {() => Draft} draft */
  save(draft) {
    this.next = draft;
    this.timer ||= setTimeout(() => this.flush(), PAUSE);
  }

  async flush() {
    clearTimeout(this.timer);
    this.timer = 0;
    const draft = this.next?.();
    this.next = null;
    if (draft) await this.store.put("drafts", draft).then(() => this.on(true), () => this.on(false));
  }

  /** @param {number} page */
  drop(page) {
    clearTimeout(this.timer);
    this.timer = 0;
    this.next = null;
    this.store.remove("drafts", page).catch(() => {});
  }

  /** What was left behind, the last first. @returns {Promise<Draft[]>} */
  async left() {
    const kept = /** @type {Draft[]} */ (await this.store.all("drafts").catch(() => []));
    const leaving = read(this.key, /** @type {Draft|null} */ (null));
    write(this.key, undefined);
    const all = leaving ? [leaving, ...kept.filter(({ page }) => page !== leaving.page)] : kept;
    const fresh = all.filter(({ savedAt }) => Date.now() - savedAt < KEEP_FOR);
    for (const draft of all) if (!fresh.includes(draft)) this.store.remove("drafts", draft.page).catch(() => {});
    return fresh.sort((one, other) => other.savedAt - one.savedAt);
  }
}
