// From what is on screen to what is sent.

import { t, tn } from "../text.js";
import { everyTile, isAnswered } from "./state.js";

/** @typedef {import("./state.js").State} State */

/** Images that Enter would wait for. @param {State} state */
export function missing(state) {
  const guided = state.page?.kind !== "manual";
  return state.tiles.filter((tile) => {
    if (isAnswered(tile)) return false;
    return !(guided && (tile.mark === "out" || !tile.selected));
  });
}

/** What Enter waits for, in a sentence; empty when nothing. @param {State} state */
export function missingText(state) {
  const open = missing(state).length;
  if (!open) return "";
  if (!state.multilabel) return tn(open, "One image still needs a class.", "{count} images still need a class.");
  return tn(open, "One image has no answer yet: give a class, or − for none of these.",
    "{count} images have no answer yet: give a class, or − for none of these.");
}

/**
 * The answers as the API takes them. Images left out of a proposal go back as exceptions.
 * @param {State} state
 */
export function answers(state) {
  return everyTile(state).map((tile) => ({
    item: tile.item.id,
    uuid: tile.uuid,
    ...(tile.mark === "skipped" ? { skipped: true, ...(tile.reason ? { skip_reason: tile.reason } : {}) } : {}),
    ...(isAnswered(tile) ? {} : { exception: true }),
    regions: isAnswered(tile) ? tile.classes.map((id) => ({ class: id })) : [],
  }));
}
