// What a labeler sets once and keeps: how images and shapes look, what helps the hand.

import { read, write } from "../storage.js";

/**
 * `brightness`, `contrast`, `saturation` in percent of the image as it is; `opacity` of fills in percent;
 * `minimum` is the confidence below which proposals stay out of sight; `numbers`: whether place and size are shown as
 * numbers, "" where nobody has said.
 * @typedef {{brightness: number, contrast: number, saturation: number, opacity: number, labels: boolean,
 *   crosshair: boolean, snap: boolean, minimum: number, numbers: ""|"open"|"folded"}} Prefs
 */

const KEY = "loupe.canvas";

/** @type {Prefs} */
const DEFAULTS = {
  brightness: 100,
  contrast: 100,
  saturation: 100,
  opacity: 12,
  labels: true,
  crosshair: true,
  snap: false,
  minimum: 0.5,
  numbers: "",
};

/** @returns {Prefs} */
export function loadPrefs() {
  const kept = Object.entries(Object(read(KEY, {})));
  const fitting = kept.filter(([name, value]) => typeof value === typeof DEFAULTS[/** @type {keyof Prefs} */ (name)]);
  return { ...DEFAULTS, ...Object.fromEntries(fitting) };
}

/** @param {Prefs} prefs */
export const savePrefs = (prefs) => write(KEY, prefs);

/** @param {Prefs} prefs */
export function resetImage(prefs) {
  const { brightness, contrast, saturation, opacity } = DEFAULTS;
  Object.assign(prefs, { brightness, contrast, saturation, opacity });
}

/** As a CSS filter; "" leaves the image as it is. @param {Prefs} prefs */
export function filterOf({ brightness, contrast, saturation }) {
  if (brightness === 100 && contrast === 100 && saturation === 100) return "";
  return `brightness(${brightness}%) contrast(${contrast}%) saturate(${saturation}%)`;
}
