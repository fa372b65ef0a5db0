// What the labeler reads: one line that says what to do, and what Enter will do.

import { t, tn } from "../text.js";
import { answers as answersOf, missing, missingText } from "./answers.js";
import { everyTile, openLabels, selection } from "./state.js";

/** @typedef {import("./state.js").State} State @typedef {import("../types.js").LabelClass} LabelClass */

/** @param {State} state */
export function submitText(state) {
  if (!state.page) return t("Submit");
  if (state.after.length) return t("Next");
  const tiles = everyTile(state);
  const back = answersOf(state).filter((answer) => answer.exception).length;
  if (missing(state).length || state.page.kind === "manual" || tiles.some((tile) => tile.mark === "person")) return t("Submit");
  const confirmed = tiles.filter((tile) => tile.mark === "proposed").length;
  return back && !confirmed ? t("Send back") : t("Confirm {count}", { count: confirmed });
}

/**
 * What to do now, in one line; classes in it are drawn in their colour.
 * @param {State} state @param {Map<number, LabelClass>} byId @returns {(string|LabelClass)[]}
 */
export function hintFor(state, byId) {
  if (state.incomplete && missing(state).length) return [missingText(state)];
  const hint = said(state, byId);
  if (state.before.length || state.after.length) {
    const all = everyTile(state).length;
    const part = { from: state.before.length + 1, to: state.before.length + state.tiles.length, all };
    return [t("Images {from} to {to} of {all}.", part) + " ", ...hint];
  }
  return state.tiles.length === 1 && state.alone ? [t("This one is shown alone.") + " ", ...hint] : hint;
}

/** @param {State} state @param {Map<number, LabelClass>} byId @returns {(string|LabelClass)[]} */
function said(state, byId) {
  const guided = state.page?.kind === "manual" ? tickedHint(state) : guidedHint(state, byId);
  return guided ?? [state.multilabel ? severalHint(state) : oneHint(state)];
}

/** What an answered page can still get. @param {State} state @param {string} more said where nothing is skipped */
function answeredHint(state, more) {
  const count = state.tiles.length;
  const skipped = state.tiles.filter((tile) => tile.mark === "skipped").length;
  const back = t("A digit or Backspace takes that back, Enter submits.");
  if (skipped) return `${count === 1 ? t("Skipped.") : t("{count} skipped.", { count: skipped })} ${back}`;
  return `${count === 1 ? t("It has its answer.") : t("Every image has its answer.")} ${more}`;
}

/** One class for each image. @param {State} state */
function oneHint(state) {
  const count = state.tiles.length;
  const open = missing(state).length;
  const chosen = selection(state).length;
  if (!open) return answeredHint(state, t("Enter submits."));
  if (chosen) return tn(chosen, "1 selected. Press the digit of its class.", "{count} selected. Press the digit of their class.");
  if (count === 1) return t("Press the digit of its class, then Enter.");
  if (open === count) return t("Press a digit for the outlined image, or select several first.");
  return t("{open} of {count} still need a class.", { open, count });
}

/** All classes that apply, or none of them. @param {State} state */
function severalHint(state) {
  const count = state.tiles.length;
  const open = missing(state).length;
  const chosen = selection(state).length;
  if (!open) return answeredHint(state, t("More digits add classes, Enter submits."));
  if (chosen) {
    return tn(chosen, "1 selected. Press the digits of all classes that it shows, or − for none of these.",
      "{count} selected. Press the digits of all classes that they show, or − for none of these.");
  }
  if (count === 1) return t("Press the digits of all classes that it shows, or − for none of these, then Enter.");
  if (open === count) return t("Press the digits of all classes that the outlined image shows, or − for none of these.");
  return t("{open} of {count} have no answer yet. Enter submits when each has its classes or − for none of these.", { open, count });
}

/** Where the model has ticked labels beforehand. @param {State} state @returns {string[]|null} */
function tickedHint(state) {
  if (missing(state).length || !state.tiles.some((tile) => tile.mark === "proposed")) return null;
  const parts = [t("The model has ticked what it is sure of.")];
  if (state.tiles.some((tile) => openLabels(tile).length)) parts.push(t("“?” marks what it cannot tell."));
  parts.push(state.tiles.length > 1 ? t("Digits add or take away on the image under the pointer, Enter confirms.") : t("Digits add or take away, Enter confirms."));
  return [parts.join(" ")];
}

/** A sentence with a class in it. @param {string} text with {class} @param {LabelClass} label @returns {(string|LabelClass)[]} */
function around(text, label) {
  const [before, after] = text.split("{class}");
  return [before, label, after];
}

/** @param {State} state @param {Map<number, LabelClass>} byId @returns {(string|LabelClass)[]|null} */
function guidedHint(state, byId) {
  const count = state.tiles.length;
  const out = state.tiles.filter((tile) => tile.mark === "out").length;
  const proposed = byId.get(state.page?.proposed_class ?? 0);
  if (out) return [outHint(state, out)];
  if (proposed && state.page?.kind === "clustered") {
    return around(tn(count, "This looks like {class}. Click it if it is not, then Enter.", "All {count} look like {class}. Click those that are not, then Enter."), proposed);
  }
  if (proposed) {
    return around(tn(count, "The model proposes {class}. Click it if that is wrong, then Enter.", "The model proposes {class} for all {count}. Click the wrong ones, then Enter."), proposed);
  }
  if (state.tiles.some((tile) => tile.mark === "proposed")) {
    return [tn(count, "Proposed by the model. Click it if that is wrong, then Enter.", "Proposed by the model. Click the wrong ones, then Enter.")];
  }
  if (missing(state).length < count) return null;
  return [state.multilabel
    ? t("These look alike. Click those that differ, then press the digits of their classes, or − for none of these.")
    : t("These look alike. Click those that differ, then press the digit of the class.")];
}

/** @param {State} state @param {number} out images taken out of a proposal */
function outHint(state, out) {
  if (state.page?.start_selected) return t("{count} taken out. Enter confirms the rest; what is out is asked one by one.", { count: out });
  if (state.multilabel) return t("{count} taken out. Give its classes by their digits, or − for none, or Enter; what is out goes back to the queue.", { count: out });
  return t("{count} taken out. Give another class by its digit, or Enter; what is out goes back to the queue.", { count: out });
}
