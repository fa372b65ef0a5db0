// Place and size of the selected region as numbers: to the pixel, without a pointer.

import { setText } from "../dom.js";
import { t, tn } from "../text.js";
import { addShape, setShapes } from "./edit.js";
import { boundsOf } from "./geometry.js";
import { pointsOf } from "./describe.js";
import { savePrefs } from "./prefs.js";
import { asShape } from "./tools/box.js";
import { onlySelected, selectedRegions, shapeOf } from "./state.js";

/** @typedef {import("./state.js").State} State @typedef {import("./geometry.js").Shape} Shape */
/** @typedef {[number, number, number, number]} Box */

const SIDES = ["x", "y", "w", "h"];
/** The fields show tenths of a pixel. @param {number} value */
const shown = (value) => String(Math.round(value * 10) / 10);

/** Moved and scaled so that it fills a box. @param {Shape} shape @param {Box} to @returns {Shape} */
export function fittedTo(shape, to) {
  if (shape.box) return { box: to, parts: null };
  const from = boundsOf(shape);
  const across = to[2] / (from[2] || 1);
  const down = to[3] / (from[3] || 1);
  const place = (/** @type {number} */ value, /** @type {number} */ at) =>
    at % 2 ? to[1] + (value - from[1]) * down : to[0] + (value - from[0]) * across;
  return { box: null, parts: (shape.parts ?? []).map((part) => part.map(place)) };
}

/** @param {HTMLElement} form @param {State} state @param {(action: () => boolean|void) => void} doing @param {() => void} leave back to the image */
export function sizeFields(form, state, doing, leave) {
  const inputs = SIDES.map((side) => /** @type {HTMLInputElement} */ (form.querySelector(`input[name=${side}]`)));
  const title = /** @type {HTMLElement} */ (form.querySelector("h2"));
  const about = /** @type {HTMLElement} */ (form.querySelector("[data-about]"));
  const button = /** @type {HTMLButtonElement} */ (form.querySelector("button[type=submit]"));
  const fold = /** @type {HTMLDetailsElement} */ (form.querySelector("details"));
  fold.open = (state.prefs.numbers || (state.task === "detection" && "open")) === "open";
  fold.firstElementChild?.addEventListener("click", () => {
    state.prefs.numbers = fold.open ? "folded" : "open";
    savePrefs(state.prefs);
  });
  let drawn = "";

  const values = () => /** @type {Box} */ (inputs.map(({ value }) => (value.trim() === "" ? NaN : Number(value.replace(",", ".")))));

  /** What differs from what the fields showed; the rest keeps all its digits. */
  function commit() {
    const region = onlySelected(state);
    if (!region) return;
    const box = boundsOf(region);
    const given = values();
    const wanted = /** @type {Box} */ (box.map((value, at) => (shown(value) === inputs[at].value || Number.isNaN(given[at]) ? value : given[at])));
    drawn = "";
    if (wanted[2] < 1 || wanted[3] < 1 || wanted.every((value, at) => value === box[at])) return draw();
    doing(() => setShapes(state, new Map([[region.key, fittedTo(region, wanted)]])));
  }

  function addBox() {
    const given = values();
    if (given.some(Number.isNaN) || !state.sheet) return inputs.find((input) => input.value.trim() === "")?.focus();
    doing(() => addShape(state, asShape(state, given)));
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (onlySelected(state)) {
      commit();
      leave();
    } else addBox();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    drawn = "";
    draw();
    leave();
  });
  for (const input of inputs) input.addEventListener("change", () => onlySelected(state) && commit());

  function draw() {
    const region = onlySelected(state);
    const chosen = selectedRegions(state);
    const box = region ? boundsOf(shapeOf(state, region)).map(shown) : [];
    const key = [state.sheet?.uuid, region?.key, ...box, chosen.length, region && pointsOf(region), chosen[0]?.locked].join();
    if (key === drawn) return;
    const before = drawn;
    drawn = key;
    const isSame = before.split(",").slice(0, 2).join() === key.split(",").slice(0, 2).join();
    inputs.forEach((input, at) => {
      input.disabled = chosen.length > 0 && !region;
      if (region || !isSame) input.value = box[at] ?? "";
    });
    button.hidden = chosen.length > 0;
    setText(title, chosen.length > 1 ? tn(chosen.length, "One selected", "{count} selected") : chosen.length ? t("Selected") : t("By numbers"));
    const parts = region?.parts?.length ?? 0;
    const points = region?.parts ? tn(pointsOf(region), "one point", "{count} points") : "";
    setText(about, chosen[0]?.locked ? t("locked") : parts > 1 ? `${points}, ${tn(parts, "one part", "{count} parts")}` : points);
  }

  return draw;
}
