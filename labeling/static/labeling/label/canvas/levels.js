// Which values of a DICOM image are shown, from black to white: its window. The server draws it anew.

import { setText } from "../dom.js";
import { t } from "../text.js";

/** For how long the hand must rest before another picture is asked for, in milliseconds. */
const REST = 120;

/**
 * @param {HTMLElement} box the sliders `center` and `width` @param {import("./state.js").State} state
 * @param {(address: string) => void} exchange shows the same image from another address
 */
export function levelSliders(box, state, exchange) {
  const center = /** @type {HTMLInputElement} */ (box.querySelector("[name=center]"));
  const width = /** @type {HTMLInputElement} */ (box.querySelector("[name=width]"));
  const said = /** @type {HTMLElement} */ (box.querySelector("[data-levels]"));
  /** @type {import("./state.js").Sheet|null} whose window the sliders have */
  let sheet = null;
  let resting = 0;

  function tell() {
    const [from, to] = [Number(center.value) - Number(width.value) / 2, Number(center.value) + Number(width.value) / 2];
    setText(said, t("{from} is black, {to} is white", { from: Math.round(from), to: Math.round(to) }));
  }

  function ask() {
    const item = sheet?.item;
    if (!item?.window) return;
    const isOwn = Number(center.value) === item.window.center && Number(width.value) === item.window.width;
    exchange(isOwn ? item.image : `${item.image}?center=${center.value}&width=${width.value}`);
  }

  for (const input of [center, width]) {
    input.addEventListener("input", () => {
      tell();
      clearTimeout(resting);
      resting = setTimeout(ask, REST);
    });
  }

  function reset() {
    const own = sheet?.item.window;
    if (!own) return;
    center.value = String(own.center);
    width.value = String(own.width);
    tell();
    ask();
  }

  function draw() {
    if (sheet === state.sheet) return;
    sheet = state.sheet;
    clearTimeout(resting);
    const own = sheet?.item.window;
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
