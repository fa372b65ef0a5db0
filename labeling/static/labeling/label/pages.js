// Pages over the network: fetched ahead, sent in the background, never lost.

import { ApiError } from "./api.js";

/** @typedef {import("./state.js").Page} Page */

const RETRY_AFTER = [1000, 2000, 4000, 8000, 15000, 30000];

/** Answers that are not yet with the server, kept over reloads, one entry per page. */
export class Outbox {
  /** @param {string} prefix of this person and project */
  constructor(prefix) {
    this.prefix = `${prefix}outbox.`;
  }

  /** @param {number} page @param {object[]} answers */
  put(page, answers) {
    localStorage.setItem(this.prefix + page, JSON.stringify({ page, answers, at: Date.now() }));
  }

  /** @param {number} page */
  drop(page) {
    localStorage.removeItem(this.prefix + page);
  }

  /** @returns {{page: number, answers: object[], at: number}[]} oldest first */
  entries() {
    return Object.keys(localStorage)
      .filter((key) => key.startsWith(this.prefix))
      .map((key) => JSON.parse(localStorage.getItem(key) ?? "null"))
      .sort((one, other) => one.at - other.at);
  }
}

/** Sends what is in the outbox, one page after the other, until it is empty. */
export class Sender {
  /**
   * @param {ReturnType<import("./api.js").projectApi>} api @param {Outbox} outbox
   * @param {{saved: (reply: object) => void, state: (saving: string) => void,
   *   refused: (error: ApiError, page: number) => void}} on
   */
  constructor(api, outbox, on) {
    this.api = api;
    this.outbox = outbox;
    this.on = on;
    this.tries = 0;
    this.timer = 0;
    this.refused = new Set();
    /** @type {Promise<void>|null} */
    this.running = null;
    addEventListener("online", () => this.flush());
  }

  /** @param {number} page @param {object[]} answers */
  send(page, answers) {
    this.outbox.put(page, answers);
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
      const entry = this.outbox.entries().find(({ page }) => !this.refused.has(page));
      if (!entry) break;
      this.on.state("saving");
      try {
        const reply = await this.api.submit(entry.page, entry.answers);
        this.outbox.drop(entry.page);
        this.tries = 0;
        this.on.saved(reply);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (error.offline) return this.later();
        this.refused.add(entry.page);
        this.on.refused(error, entry.page);
        if (error.signedOut) return this.on.state("offline");
      }
    }
    this.on.state(this.refused.size ? "offline" : "saved");
  }

  later() {
    this.on.state("offline");
    const wait = RETRY_AFTER[Math.min(this.tries++, RETRY_AFTER.length - 1)];
    this.timer = setTimeout(() => this.flush(), wait);
  }
}

/** Keeps the next page ready, with its images decoded. */
export class Prefetcher {
  /** @param {ReturnType<import("./api.js").projectApi>} api @param {(page: Page) => string[]} imagesOf */
  constructor(api, imagesOf) {
    this.api = api;
    this.imagesOf = imagesOf;
    /** @type {Page[]} pages that are here already, the next one first */
    this.ready = [];
    /** @type {Promise<Page|null>|null} */
    this.coming = null;
    /** @type {HTMLImageElement[]} decoded images stay in memory as long as they are referenced */
    this.images = [];
    this.generation = 0;
  }

  /** Fetch one page ahead unless there is one. @param {number} size @param {number[]} onScreen */
  ahead(size, onScreen) {
    if (this.ready.length || this.coming) return;
    this.coming = this.fetch(size, onScreen);
    this.coming.catch(() => {}).finally(() => (this.coming = null));
  }

  /** @param {number} size @param {number[]} onScreen @returns {Promise<Page|null>} */
  async fetch(size, onScreen) {
    const generation = this.generation;
    const page = await this.api.claim(size, onScreen);
    if (!page) return null;
    if (generation !== this.generation) {
      this.api.release(page.page).catch(() => {});
      return null;
    }
    this.ready.push(page);
    this.images = this.imagesOf(page).map((url) => {
      const image = new Image();
      image.src = url;
      image.decode().catch(() => {});
      return image;
    });
    return page;
  }

  /** The next page, at once where it is here. @param {number} size @param {number[]} onScreen */
  async take(size, onScreen) {
    if (this.coming) await this.coming.catch(() => null);
    if (!this.ready.length) await this.fetch(size, onScreen);
    return this.ready.shift() ?? null;
  }

  /** @param {Page} page put before all others */
  putBack(page) {
    this.ready.unshift(page);
  }

  /** Give back what was fetched ahead. */
  releaseAll() {
    this.generation++;
    for (const page of this.ready.splice(0)) this.api.release(page.page).catch(() => {});
  }
}
