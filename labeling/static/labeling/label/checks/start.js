// What the button to the grid of crops does. Loaded by itself, where objects wait to be checked.

import { call } from "../api.js";
import { setText } from "../dom.js";
import { t } from "../text.js";
import { checkGrid } from "./grid.js";

/** @param {string} base the project's address in the API */
export function checksApi(base) {
  return {
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
  /** @param {number} count */
  function counted(count) {
    button.hidden = count === 0;
    setText(text, t("Check objects ({count})", { count }));
  }
  counted(config.checks ?? 0);
  button.addEventListener("click", checkGrid(dialog, config.classes, checksApi(config.api), counted));
}
