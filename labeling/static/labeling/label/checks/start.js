// What the button to the grid of crops does. Loaded by itself: at once where objects wait to be checked.

import { call } from "../api.js";
import { setText } from "../dom.js";
import { t } from "../text.js";
import { checkGrid } from "./grid.js";

const LOOK_AGAIN = 60_000;

/** @param {string} base the project's address in the API */
export function checksApi(base) {
  return {
    /** @returns {Promise<{waiting: number}>} */
    count: () => call("GET", `${base}checks/`),
    /** @param {number[]} holding pages of crops that are on screen @returns {Promise<import("../types.js").CropPage|null>} */
    claim: (holding) => call("POST", `${base}checks/`, { holding }),
    /** @param {number} page @param {number[]} exceptions @param {number} seconds @returns {Promise<{waiting: number}>} */
    answer: (page, exceptions, seconds) => call("POST", `${base}checks/${page}/`, { exceptions, seconds }),
  };
}

/** @param {HTMLElement} root @param {HTMLElement} button @param {import("../types.js").Config} config */
export function start(root, button, config) {
  const dialog = /** @type {HTMLDialogElement} */ (root.querySelector('[data-part="checks"]'));
  const text = /** @type {HTMLElement} */ (button.querySelector("span"));
  const api = checksApi(config.api);

  /** @param {number} count */
  function counted(count) {
    button.hidden = count === 0;
    setText(text, t("Check objects ({count})", { count }));
  }

  /** A model may have proposed more meanwhile. */
  async function look() {
    if (document.hidden || dialog.open) return;
    const reply = await api.count().catch(() => null); // whoever opens the grid is told what is wrong
    if (reply) counted(reply.waiting);
  }

  button.addEventListener("click", checkGrid(dialog, config.classes, api, counted));
  setInterval(look, LOOK_AGAIN);
  if (config.checks) counted(config.checks);
  else look();
}
