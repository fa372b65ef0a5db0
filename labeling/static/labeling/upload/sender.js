// Sends files in parts: what is on the server already is not sent again, what breaks is gone on with.

import { crc32 } from "./crc32.js";

const NAMED = 1000; // files named in one request
const SENDERS = 4; // requests at once
const SMALL = 2 ** 20;
const PACK_FILES = 250;
const PACK_BYTES = 4 * 2 ** 20;
const LEAST = 2 ** 18;
const MOST = 8 * 2 ** 20;
const SECONDS = 3; // that a request should take: what breaks loses no more
const WAITS = [1, 2, 4, 8, 15, 30];
const BUSY = new Set([429, 502, 503, 504]);
const TRIES = 5; // of bytes that keep arriving wrong

/** @typedef {{file: File, path: string}} Chosen */
/** @typedef {Chosen & {id: number, received: number, tries: number}} Entry */
/** @typedef {"naming"|"sending"|"waiting"|"paused"|"finishing"|"done"|"incomplete"|"stopped"} Phase */

/** Why sending stopped, in a sentence for people. */
export class Stopped extends Error {
  /** @param {string} message @param {number} [status] */
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

export class Sender {
  /** @type {Phase} */ phase = "naming";
  files = 0;
  filesHere = 0;
  size = 0;
  received = 0;
  named = 0;
  chosen = 0;
  waitsUntil = 0;
  missing = 0; // files that were begun and not chosen now
  /** @type {Map<string, string[]>} why files are left out, and which */ refused = new Map();
  /** @type {string[]} */ unreadable = [];
  /** @type {any} what the server tells of the upload */ facts = null;

  /** @type {Entry[]} */ #queue = [];
  #paused = false;
  #over = new AbortController();
  /** @type {(() => void)[]} */ #wake = [];
  #limit = SMALL;
  #at = "";

  /**
   * `told` goes with the first request: what the server is to know of all of it.
   * @param {string} url @param {{told: Record<string, unknown>, upload?: number, changed: () => void}} options
   */
  constructor(url, { told, upload, changed }) {
    this.url = url;
    this.told = told;
    this.changed = changed;
    this.goesOn = Boolean(upload);
    if (upload) this.#at = `${url}${upload}/`;
    addEventListener("online", () => this.#wakeUp());
  }

  /** Send files to their last byte, and have them imported. Raises Stopped. @param {Chosen[]} chosen */
  async send(chosen) {
    const all = distinct(chosen);
    this.chosen = all.length;
    if (!this.#at) {
      const step = Math.max(1, Math.floor(all.length / 50));
      const sample = all.filter((_, index) => index % step === 0).slice(0, 50).map(named);
      this.facts = await this.#ask("POST", this.url, { ...this.told, sample });
      this.#at = `${this.url}${this.facts.id}/`;
    }
    for (let start = 0; start < all.length; start += NAMED) await this.#name(all.slice(start, start + NAMED));
    await this.goOn();
  }

  /** Send what is queued; again after it has stopped. Raises Stopped. */
  async goOn() {
    if (!this.files) return this.#none();
    this.#over = new AbortController();
    this.#become("sending");
    try {
      await Promise.all(Array.from({ length: SENDERS }, () => this.#work()));
    } catch (error) {
      this.#over.abort();
      throw error;
    }
    this.facts = await this.#ask("GET", this.#at);
    this.missing = this.facts.files - this.facts.files_here;
    if (this.missing) return this.#become("incomplete");
    await this.complete(false);
  }

  /** @param {boolean} leaveOut what is missing */
  async complete(leaveOut) {
    this.facts = await this.#ask("POST", `${this.#at}complete/`, { leave_out: leaveOut });
    this.#become("finishing");
    while (this.facts.state === "finishing") {
      await this.#pause(700);
      this.facts = await this.#ask("GET", this.#at);
    }
    if (this.facts.state !== "complete") throw new Stopped(this.facts.error || "The upload was cancelled.");
    this.#become("done");
  }

  pause() {
    this.#paused = true;
    this.#become("paused");
  }

  resume() {
    this.#paused = false;
    this.#become("sending");
    this.#wakeUp();
  }

  async cancel() {
    this.#paused = false;
    this.#over.abort();
    this.#queue = [];
    if (this.#at) await this.#ask("DELETE", this.#at);
    this.#become("stopped");
  }

  /** Nothing that was chosen is of use: forget it, unless there was something before. */
  async #none() {
    this.facts = await this.#ask("GET", this.#at);
    if (!this.facts.files) await this.#ask("DELETE", this.#at);
    this.#become(this.facts.files ? "incomplete" : "stopped");
  }

  /** @param {Chosen[]} page */
  async #name(page) {
    const told = await this.#ask("POST", `${this.#at}files/`, { files: page.map(named), known_only: this.goesOn });
    for (const [index, row] of told.files.entries()) {
      if (row.refused) {
        const paths = this.refused.get(row.refused) ?? [];
        paths.push(page[index].path);
        this.refused.set(row.refused, paths);
        continue;
      }
      this.files += 1;
      this.size += row.size;
      this.received += row.received;
      if (row.received === row.size) this.filesHere += 1;
      else this.#queue.push({ ...page[index], id: row.file, received: row.received, tries: 0 });
    }
    this.named += page.length;
    this.changed();
  }

  async #work() {
    for (let pack = this.#next(); pack.length; pack = this.#next()) {
      try {
        await this.#deliver(pack);
      } catch (error) {
        this.#queue.unshift(...pack.filter(isMissing));
        throw error;
      }
    }
  }

  /** The files of one request: one that is large, or many that are small. @returns {Entry[]} */
  #next() {
    const pack = this.#queue.splice(0, 1);
    let bytes = pack[0]?.file.size ?? Infinity;
    while (pack.length < PACK_FILES && this.#queue.length) {
      bytes += this.#queue[0].file.size;
      if (bytes > Math.min(PACK_BYTES, this.#limit * 2)) break;
      pack.push(...this.#queue.splice(0, 1));
    }
    return pack;
  }

  /** Send files until all of them are there. @param {Entry[]} pack */
  async #deliver(pack) {
    for (let left = pack; left.length; left = left.filter(isMissing)) {
      const parts = await this.#parts(left);
      if (!parts.length) return;
      const line = JSON.stringify(parts.map(({ entry, data }) => [entry.id, entry.received, data.length, crc32(data)]));
      const body = new Blob([`${line}\n`, ...parts.map(({ data }) => data)]);
      const began = performance.now();
      const told = await this.#ask("PUT", `${this.#at}chunks/`, body);
      const speed = body.size / ((performance.now() - began) / 1000);
      this.#limit = Math.max(LEAST, Math.min(MOST, speed * SECONDS));
      for (const [index, { received, problem }] of told.chunks.entries()) this.#note(parts[index].entry, received, problem);
      this.changed();
    }
  }

  /** @param {Entry[]} pack @returns {Promise<{entry: Entry, data: Uint8Array}[]>} */
  async #parts(pack) {
    const found = [];
    for (const entry of pack) {
      try {
        const part = entry.file.slice(entry.received, entry.received + this.#limit);
        found.push({ entry, data: new Uint8Array(await part.arrayBuffer()) });
      } catch {
        this.unreadable.push(entry.path); // it was moved or changed on this computer
        entry.tries = Infinity;
      }
    }
    return found;
  }

  /** @param {Entry} entry @param {number} received @param {string} problem */
  #note(entry, received, problem) {
    if (received > entry.received) entry.tries = 0;
    else if (problem && ++entry.tries >= TRIES) throw new Stopped(`${entry.path}: ${problem}`);
    this.received += received - entry.received;
    entry.received = received;
    if (received === entry.file.size) this.filesHere += 1;
  }

  /**
   * Ask the server, again and again while it cannot be reached. Raises Stopped for what it refuses.
   * @param {string} method @param {string} url @param {unknown} [body] @returns {Promise<any>}
   */
  async #ask(method, url, body) {
    const before = this.phase === "waiting" ? "sending" : this.phase;
    for (let tries = 0; ; tries++) {
      while (this.#paused && method === "PUT") await this.#pause(Infinity);
      const reply = await this.#reply(method, url, body);
      if (this.#over.signal.aborted && method === "PUT") throw new Stopped("");
      if (reply && !BUSY.has(reply.status)) {
        if (this.phase === "waiting") this.#become(before);
        if (reply.ok) return reply.status === 204 ? null : reply.json();
        throw await refusal(reply);
      }
      const seconds = WAITS[Math.min(tries, WAITS.length - 1)];
      this.waitsUntil = Date.now() + seconds * 1000;
      if (!this.#paused) this.#become("waiting");
      await this.#pause(seconds * 1000);
    }
  }

  /** @param {string} method @param {string} url @param {unknown} body */
  async #reply(method, url, body) {
    const isJson = body !== undefined && !(body instanceof Blob);
    /** @type {Record<string, string>} */
    const headers = { "X-CSRFToken": document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] ?? "" };
    if (body !== undefined) headers["Content-Type"] = isJson ? "application/json" : "application/octet-stream";
    const signal = method === "PUT" ? this.#over.signal : undefined;
    try {
      return await fetch(url, { method, headers, signal, body: isJson ? JSON.stringify(body) : /** @type {Blob} */ (body) });
    } catch {
      return null;
    }
  }

  /** @param {number} ms or until something wakes it */
  async #pause(ms) {
    await new Promise((resolve) => {
      this.#wake.push(() => resolve(null));
      if (ms < Infinity) setTimeout(resolve, ms, null);
    });
  }

  #wakeUp() {
    for (const wake of this.#wake.splice(0)) wake();
  }

  /** @param {Phase} phase */
  #become(phase) {
    this.phase = phase;
    this.changed();
  }
}

const isMissing = (/** @type {Entry} */ entry) => entry.received < entry.file.size && entry.tries < Infinity;

const named = (/** @type {Chosen} */ { file, path }) => ({ path, size: file.size, modified: file.lastModified });

/** @param {Response} reply */
async function refusal(reply) {
  if (reply.status === 401) return new Stopped("You are signed out. Sign in again in another tab, then go on here.", 401);
  const told = await reply.json().catch(() => null);
  return new Stopped(told?.error?.message ?? `The server answered ${reply.status}.`, reply.status);
}

/** A path names one file of an upload, and files of several folders can be called the same. @param {Chosen[]} chosen */
function distinct(chosen) {
  /** @type {Map<string, number>} */
  const seen = new Map();
  return chosen.map(({ file, path }) => {
    let free = path;
    while (seen.has(free)) {
      const count = (seen.get(path) ?? 1) + 1;
      seen.set(path, count);
      free = path.replace(/(\.[^./]*)?$/, ` (${count})$1`);
    }
    seen.set(free, 1);
    return { file, path: free };
  });
}
