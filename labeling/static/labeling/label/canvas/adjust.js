// The bar below the image: zoom, what helps the hand, how the image looks.

import { setAttribute, setText } from "../dom.js";
import { t } from "../text.js";
import { resetImage, savePrefs } from "./prefs.js";
import { icon } from "./svg.js";

/** @typedef {import("./state.js").State} State */

const ICONS = { "zoom-out": "minus", "zoom-in": "plus", fit: "fit", crosshair: "crosshair", snap: "snap", labels: "labels" };
const SLIDERS = /** @type {const} */ (["brightness", "contrast", "saturation", "opacity"]);
const SWITCHES = /** @type {const} */ (["crosshair", "snap", "labels"]);

/**
 * @param {HTMLElement} bar @param {State} state
 * @param {{zoomIn: () => void, zoomOut: () => void, fit: () => void, full: () => void, draw: () => void, reset: () => void}} act
 */
export function viewBar(bar, state, act) {
  const $ = (/** @type {string} */ name) => /** @type {HTMLElement} */ (bar.querySelector(`[data-view="${name}"]`));
  const menu = /** @type {HTMLDetailsElement} */ ($("adjust"));
  for (const [name, drawing] of Object.entries(ICONS)) {
    const button = $(name);
    button.append(icon(/** @type {"fit"} */ (drawing)));
    button.dataset.keyInTitle = name;
  }
  /** @type {HTMLElement} */ (menu.querySelector("summary")).append(icon("adjust"));

  const kept = () => {
    savePrefs(state.prefs);
    act.draw();
  };
  const runs = { "zoom-in": act.zoomIn, "zoom-out": act.zoomOut, fit: act.fit, full: act.full };
  for (const [name, run] of Object.entries(runs)) $(name).addEventListener("click", run);
  for (const name of SWITCHES) $(name).addEventListener("click", () => toggle(name));
  const sliders = SLIDERS.map((name) => {
    const input = /** @type {HTMLInputElement} */ (menu.querySelector(`input[name=${name}]`));
    input.addEventListener("input", () => {
      state.prefs[name] = Number(input.value);
      kept();
    });
    return { name, input };
  });
  $("reset").addEventListener("click", () => {
    resetImage(state.prefs);
    act.reset();
    kept();
  });
  addEventListener("pointerdown", (event) => {
    if (menu.open && !menu.contains(/** @type {Node} */ (event.target))) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    event.preventDefault();
    menu.open = false;
    menu.querySelector("summary")?.focus();
  });

  /** @param {typeof SWITCHES[number]} name */
  function toggle(name) {
    state.prefs[name] = !state.prefs[name];
    kept();
  }

  function draw() {
    const percent = Math.round(state.view.scale * 100);
    setText($("full"), `${state.sheet ? percent : 100} %`);
    for (const name of SWITCHES) setAttribute($(name), "aria-pressed", String(state.prefs[name]));
    for (const { name, input } of sliders) if (input.value !== String(state.prefs[name])) input.value = String(state.prefs[name]);
    const { brightness, contrast, saturation } = state.prefs;
    menu.classList.toggle("changed", brightness !== 100 || contrast !== 100 || saturation !== 100);
    const at = state.pointer;
    setText($("at"), at && state.sheet ? `${Math.floor(at[0])}, ${Math.floor(at[1])}` : "");
    const place = state.sheets.length > 1 && state.sheet ? state.sheets.indexOf(state.sheet) + 1 : 0;
    setText($("place"), place ? t("image {number} of {count}", { number: place, count: state.sheets.length }) : "");
  }

  return { draw, toggle };
}
