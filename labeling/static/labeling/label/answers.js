// From what is on screen to what is sent.

import { isAnswered } from "./state.js";

/** @typedef {import("./state.js").State} State */

/** Images that Enter would wait for. @param {State} state */
export function missing(state) {
  const guided = state.page?.kind !== "manual";
  return state.tiles.filter((tile) => {
    if (isAnswered(tile)) return false;
    return !(guided && (tile.mark === "out" || !tile.selected));
  });
}

/** What Enter waits for, in a sentence. @param {State} state */
export function missingText(state) {
  const open = missing(state).length;
  if (!state.multilabel) return `${open} ${open === 1 ? "image still needs" : "images still need"} a class.`;
  return `${open} ${open === 1 ? "image has" : "images have"} no answer yet: give a class, or − for none of these.`;
}

/**
 * The answers as the API takes them. Images left out of a proposal go back as exceptions.
 * @param {State} state
 */
export function answers(state) {
  const seconds = (performance.now() - state.shownAt) / 1000 / Math.max(1, state.tiles.length);
  return state.tiles.map((tile) => ({
    item: tile.item.id,
    uuid: tile.uuid,
    seconds: Math.round(Math.min(seconds, 600) * 100) / 100,
    ...(tile.mark === "skipped" ? { skipped: true } : {}),
    ...(isAnswered(tile) ? {} : { exception: true }),
    regions: isAnswered(tile) ? tile.classes.map((id) => ({ class: id })) : [],
  }));
}
