// Regions in words, for the list and for screen readers.

import { t, tn } from "../text.js";
import { boundsOf } from "./geometry.js";
import { classOf, isProposal, sure } from "./state.js";

/** @typedef {import("./state.js").State} State @typedef {import("./state.js").Region} Region */

/** The same marks everywhere: by a person, confirmed. @param {Region} region */
export const markOf = ({ origin }) => (origin === "drawn" ? "●" : "◉");

/** @param {Region} region */
export function originOf(region) {
  if (isProposal(region)) return t("proposed, {sure} sure", { sure: sure(region) });
  return { drawn: t("yours"), accepted: t("accepted"), edited: t("accepted and changed") }[/** @type {"drawn"} */ (region.origin)];
}

/** @param {State} state @param {Region} region */
export const nameOf = (state, region) => classOf(state, region)?.name ?? t("needs a class");

/** "forklift, box 310 by 205 at 120, 44, yours". @param {State} state @param {Region} region */
export function describe(state, region) {
  const [x, y, width, height] = boundsOf(region).map(Math.round);
  const values = { name: nameOf(state, region), x, y, width, height, origin: originOf(region) };
  if (region.box) return t("{name}, box {width} by {height} at {x}, {y}, {origin}", values);
  const count = pointsOf(region);
  return tn(count, "{name}, polygon of one point at {x}, {y}, {origin}", "{name}, polygon of {count} points at {x}, {y}, {origin}", values);
}

/** @param {Region} region */
export const pointsOf = ({ parts }) => (parts ?? []).reduce((sum, part) => sum + part.length / 2, 0);

/** Width and height, or the number of points. @param {Region} region */
export function sizeOf(region) {
  if (region.parts) return t("{count} pts", { count: pointsOf(region) });
  const [, , width, height] = boundsOf(region).map(Math.round);
  return `${width} × ${height}`;
}
