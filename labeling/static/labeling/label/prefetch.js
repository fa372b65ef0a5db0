// The next pages, fetched before they are asked for, with their images decoded.

/** @typedef {import("./types.js").Page} Page */

const AHEAD = 3;

export class Prefetcher {
  /** @param {ReturnType<import("./api.js").projectApi>} api @param {(page: Page) => string[]} imagesOf */
  constructor(api, imagesOf) {
    this.api = api;
    this.imagesOf = imagesOf;
    /** @type {Page[]} pages that are here already, the next one first */
    this.ready = [];
    /** @type {Promise<Page|null>|null} */
    this.coming = null;
    /** @type {Map<number, HTMLImageElement[]>} by page; decoded images stay in memory as long as they are referenced */
    this.images = new Map();
    this.generation = 0;
  }

  /** Fetch pages ahead, one after the other, until there are enough. @param {number} size @param {() => number[]} held */
  async ahead(size, held) {
    while (this.ready.length < AHEAD && !this.coming) {
      this.coming = this.fetch(size, held());
      try {
        if (!(await this.coming)) return;
      } catch {
        return; // whoever needs a page asks again, and says what is wrong
      } finally {
        this.coming = null;
      }
    }
  }

  /** @param {number} size @param {number[]} held @returns {Promise<Page|null>} */
  async fetch(size, held) {
    const generation = this.generation;
    const page = await this.api.claim(size, held);
    if (!page) return null;
    if (generation !== this.generation) {
      await this.api.release(page.page).catch(() => {}); // or the server would hand it out again
      return null;
    }
    this.ready.push(page);
    this.decode(page);
    return page;
  }

  /** @param {Page} page */
  decode(page) {
    const kept = new Set(this.ready.map((each) => each.page));
    for (const number of this.images.keys()) if (!kept.has(number)) this.images.delete(number);
    const images = this.imagesOf(page).map((url) => {
      const image = new Image();
      image.src = url;
      image.decode().catch(() => {}); // a broken one says so where it is shown
      return image;
    });
    this.images.set(page.page, images);
  }

  /** The next page, at once where it is here. @param {number} size @param {() => number[]} held */
  async take(size, held) {
    if (!this.ready.length && this.coming) await this.coming.catch(() => null);
    if (!this.ready.length) await this.fetch(size, held());
    return this.ready.shift() ?? null;
  }

  /** @param {Page} page put before all others */
  putBack(page) {
    this.ready.unshift(page);
  }

  /** Give back what was fetched ahead. @param {(page: Page) => boolean} isKept told of pages that somebody worked on */
  releaseAll(isKept) {
    this.generation++;
    this.images.clear();
    const fetched = this.ready;
    this.ready = fetched.filter(isKept);
    for (const page of fetched) if (!isKept(page)) this.api.release(page.page).catch(() => {});
  }
}
