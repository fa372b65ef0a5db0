// Tabs of one person in one project tell each other which pages they hold, so that none is worked on twice.

const ANSWER_WITHIN = 120;

export class Tabs {
  /** @param {string} owner @param {() => number[]} holding the pages of this tab */
  constructor(owner, holding) {
    this.channel = new BroadcastChannel(`loupe.${owner}`);
    /** @type {Map<string, Set<number>>} */
    this.heard = new Map();
    this.channel.addEventListener("message", ({ data }) => {
      if (data.asks) this.channel.postMessage({ answers: data.asks, pages: holding() });
      else for (const page of data.pages) this.heard.get(data.answers)?.add(page);
    });
  }

  /** Pages that other tabs hold now. @returns {Promise<Set<number>>} */
  async elsewhere() {
    const question = String(Math.random());
    const pages = new Set();
    this.heard.set(question, pages);
    this.channel.postMessage({ asks: question });
    await new Promise((resolve) => setTimeout(resolve, ANSWER_WITHIN));
    this.heard.delete(question);
    return pages;
  }
}
