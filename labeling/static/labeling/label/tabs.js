// Tabs of one person in one project tell each other which pages they hold, so that none is worked on twice.

import { newUuid } from "./uuid.js";

const ANSWER_WITHIN = 120;

export class Tabs {
  /** @param {string} owner @param {() => number[]} holding the pages of this tab */
  constructor(owner, holding) {
    this.holding = holding;
    this.name = newUuid();
    /** @type {Map<string, number[]>} by tab */
    this.others = new Map();
    this.channel = globalThis.BroadcastChannel && new BroadcastChannel(`loupe.${owner}`);
    this.channel?.addEventListener("message", ({ data }) => {
      if (data.pages) this.others.set(data.tab, data.pages);
      else this.tell();
    });
    addEventListener("pagehide", () => this.channel?.postMessage({ tab: this.name, pages: [] }));
  }

  /** Say what this tab holds. */
  tell() {
    this.channel?.postMessage({ tab: this.name, pages: this.holding() });
  }

  /** Resolves once the other tabs have said what they hold. */
  async ask() {
    this.channel?.postMessage({});
    await new Promise((resolve) => setTimeout(resolve, ANSWER_WITHIN));
  }

  /** Pages of other tabs, as far as they have told. @returns {number[]} */
  get elsewhere() {
    return [...this.others.values()].flat();
  }
}
