// Which values of a DICOM image are shown, from black to white: its window. The server draws it anew.

import { setText } from "./dom.js";
import { t } from "./text.js";

/** For how long the hand must rest before another picture is asked for, in milliseconds. */
const REST = 120;

/** @typedef {import("./types.js").Item} Item */

/**
 * @param {HTMLElement} box the sliders `center` and `width`
 * @param {() => Item|null} shown the image whose window they have, an object of its own each time it is shown
 * @param {(query: string) => void} exchange shows it in another window: what its address is to end with
 */
export function levelSliders(box, shown, exchange) {
  const center = /** @type {HTMLInputElement} */ (box.querySelector("[name=center]"));
  const width = /** @type {HTMLInputElement} */ (box.querySelector("[name=width]"));
  const said = /** @type {HTMLElement} */ (box.querySelector("[data-levels]"));
  /** @type {Item|null} whose window the sliders have */
  let item = null;
  let resting = 0;

  function tell() {
    const [from, to] = [Number(center.value) - Number(width.value) / 2, Number(center.value) + Number(width.value) / 2];
    setText(said, t("{from} is black, {to} is white", { from: Math.round(from), to: Math.round(to) }));
  }

  function ask() {
    exchange(`?center=${center.value}&width=${width.value}`);
  }

  for (const input of [center, width]) {
    input.addEventListener("input", () => {
      tell();
      clearTimeout(resting);
      resting = setTimeout(ask, REST);
    });
  }

  function reset() {
    const own = item?.window;
    if (!own) return;
    center.value = String(own.center);
    width.value = String(own.width);
    tell();
    clearTimeout(resting);
    exchange("");
  }

  function draw() {
    const now = shown();
    if (item === now) return;
    item = now;
    clearTimeout(resting);
    const own = item?.window;
    box.hidden = !own;
    if (!own) return;
    const range = Math.max(own.high - own.low, own.width, 1);
    for (const input of [center, width]) input.step = range > 100 ? "1" : String(range / 200);
    center.min = String(Math.min(own.low, own.center));
    center.max = String(Math.max(own.high, own.center));
    width.min = "1";
    width.max = String(2 * range);
    center.value = String(own.center);
    width.value = String(own.width);
    tell();
  }

  return { draw, reset };
}
