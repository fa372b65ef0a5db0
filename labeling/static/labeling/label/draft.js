// What is on screen, kept over a reload, a crash of the browser or a sign-in.

/** @typedef {import("./state.js").State} State */

const KEEP_FOR = 24 * 3600 * 1000;

/** @param {string} prefix of this person and project */
export function draftStore(prefix) {
  const key = `${prefix}draft`;
  return {
    /** @param {object} draft */
    save: (draft) => localStorage.setItem(key, JSON.stringify(draft)),
    clear: () => localStorage.removeItem(key),
    /** @returns {{page: import("./state.js").Page, tiles: import("./state.js").Tile[], touched: boolean}|null} */
    load() {
      const draft = JSON.parse(localStorage.getItem(key) ?? "null");
      return draft && Date.now() - draft.savedAt < KEEP_FOR ? draft : null;
    },
  };
}
