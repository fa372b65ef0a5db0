// One's own pace: kept in this browser, seen by nobody else.

import { read, write } from "./storage.js";
import { t } from "./text.js";

/** @typedef {{at: number, images: number, seconds: number}} Sitting */

const SLOT = 15 * 60_000;
const SLOTS = 16;

export class Pace {
  /** @param {string} owner */
  constructor(owner) {
    this.key = `loupe.${owner}.pace`;
    const today = new Date().setHours(0, 0, 0, 0);
    this.sent = read(this.key, /** @type {Sitting[]} */ ([])).filter(({ at }) => at >= today);
  }

  /** @param {number} images @param {number} seconds for each */
  add(images, seconds) {
    if (!images) return;
    this.sent.push({ at: Date.now(), images, seconds: Math.round(seconds * 100) / 100 });
    write(this.key, this.sent.slice(-2000));
  }

  /** Seconds for an image, in the middle of the last pages. */
  get usual() {
    const last = this.sent.slice(-30).map(({ seconds }) => seconds).sort((one, other) => one - other);
    return last.length ? last[last.length >> 1] : null;
  }

  /** Images in each quarter of an hour of the last four hours. @returns {number[]} */
  get line() {
    const slots = new Array(SLOTS).fill(0);
    for (const { at, images } of this.sent) {
      const back = Math.floor((Date.now() - at) / SLOT);
      if (back < SLOTS) slots[SLOTS - 1 - back] += images;
    }
    return slots;
  }
}

/** @param {HTMLElement} box @param {Pace} pace @param {number} doneToday @param {string} language */
export function drawPace(box, pace, doneToday, language) {
  const number = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
  const usual = pace.usual;
  const lines = [t("{count} images today", { count: number.format(doneToday) })];
  if (usual !== null) lines.push(t("{seconds} seconds for an image, lately", { seconds: number.format(usual) }));
  const said = lines.map((text) => {
    const line = document.createElement("p");
    line.textContent = text;
    return line;
  });
  const note = document.createElement("p");
  note.className = "small muted";
  note.textContent = t("The bars are the last four hours. Only you see this.");
  box.replaceChildren(...said, bars(pace.line), note);
}

/** @param {number[]} slots */
function bars(slots) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const most = Math.max(1, ...slots);
  svg.setAttribute("viewBox", `0 0 ${slots.length * 12} 40`);
  svg.setAttribute("class", "pace-bars");
  svg.setAttribute("aria-hidden", "true");
  slots.forEach((images, slot) => {
    const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const height = images ? Math.max(2, (images / most) * 38) : 1;
    for (const [name, value] of Object.entries({ x: slot * 12 + 1, y: 40 - height, width: 10, height, rx: 1 })) bar.setAttribute(name, String(value));
    svg.append(bar);
  });
  return svg;
}
