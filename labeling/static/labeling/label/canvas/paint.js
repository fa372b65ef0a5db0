// How shapes look, on the canvas and in the overlay alike: a dark line under a coloured one reads on any image.

import { lightness } from "../dom.js";
import { nameOf } from "./describe.js";
import { classOf, isProposal, sure } from "./state.js";

/** @typedef {import("./state.js").State} State @typedef {import("./state.js").Region} Region */

export const NO_CLASS = "#d8d8d8";
const DARK = "rgb(0 0 0 / 0.72)";
const LIGHT = "rgb(255 255 255 / 0.9)";

/** The colours of dark classes stand on a light line instead. @param {string} color */
export const casingOf = (color) => (lightness(color) > 0.1 ? DARK : LIGHT);

/** @param {State} state @param {Region} region */
export const colorOf = (state, region) => classOf(state, region)?.color ?? NO_CLASS;

/** Longer names would hide the image; the panel says them in whole. */
const LONGEST_NAME = 28;

/** What its tag says. @param {State} state @param {Region} region */
export function tagOf(state, region) {
  const whole = nameOf(state, region);
  const name = whole.length > LONGEST_NAME ? `${whole.slice(0, LONGEST_NAME - 1).trimEnd()}…` : whole;
  return isProposal(region) ? `${name} ${sure(region)}` : name;
}

/** How high tags are, in pixels of the stage. */
export const TAG = 16;

/**
 * Where a tag goes: above its shape, else within, and not beyond the stage.
 * @param {number} x @param {number} y @param {number} width of the tag @param {number} room that the stage has
 * @returns {import("./state.js").Point}
 */
export function tagPlace(x, y, width, room) {
  const [left, top] = [Math.max(0, Math.min(Math.round(x) - 1, room - width)), Math.round(y)];
  return [left, top < TAG ? Math.max(0, top) : top - TAG];
}

/** A path in pixels of the image. @param {import("./geometry.js").Shape} shape */
export function pathOf({ box, parts }) {
  if (box) return `M${round(box[0])} ${round(box[1])}h${round(box[2])}v${round(box[3])}h${round(-box[2])}z`;
  let path = "";
  for (const part of parts ?? []) {
    for (let at = 0; at < part.length; at += 2) path += `${at ? "L" : "M"}${round(part[at])} ${round(part[at + 1])}`;
    path += "z";
  }
  return path;
}

/** Numbers are kept to hundredths of a pixel. @param {number} value */
export const round = (value) => Math.round(value * 100) / 100;
