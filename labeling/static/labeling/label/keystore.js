// A person's keys: with the server, and on this computer until the server has them.

import { saveKeys } from "./api.js";
import { read, write } from "./storage.js";

/** @typedef {import("./keymap.js").Choice} Choice */

/** @param {number} user @param {string} url @param {Choice} choice from the server, with the page */
export function keyStore(user, url, choice) {
  const place = `loupe.${user}.keys`;
  /** @type {Choice|null} */
  let waiting = read(place, null);

  async function send() {
    const sent = waiting;
    if (!sent) return;
    const isSaved = await saveKeys(url, sent).catch(() => false);
    if (!isSaved || waiting !== sent) return;
    waiting = null;
    write(place, undefined);
  }

  addEventListener("online", send);
  send();
  return {
    /** @returns {Choice} */
    load: () => waiting ?? { keys: { ...choice.keys }, singleKeys: choice.singleKeys },
    /** @param {Choice} changed */
    save(changed) {
      waiting = structuredClone(changed);
      write(place, waiting);
      send();
    },
  };
}
