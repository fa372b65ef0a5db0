// A person's keys: with the server, and on this computer until the server has them.

import { saveKeys } from "./api.js";

/** @typedef {import("./keymap.js").Choice} Choice */

/** @param {number} user @param {string} url @param {Choice} choice from the server, with the page */
export function keyStore(user, url, choice) {
  const place = `loupe.${user}.keys`;
  const waiting = () => localStorage.getItem(place);

  async function send() {
    const sent = waiting();
    if (!sent) return;
    const isSaved = await saveKeys(url, JSON.parse(sent)).catch(() => false);
    if (isSaved && waiting() === sent) localStorage.removeItem(place);
  }

  addEventListener("online", send);
  send();
  return {
    /** @returns {Choice} */
    load: () => JSON.parse(waiting() ?? "null") ?? { keys: { ...choice.keys }, singleKeys: choice.singleKeys },
    /** @param {Choice} changed */
    save(changed) {
      localStorage.setItem(place, JSON.stringify(changed));
      send();
    },
  };
}
