// What the labeler reads: one line that says what to do, and what Enter will do.

import { answers as answersOf, missing, missingText } from "./answers.js";
import { openLabels, selection } from "./state.js";

/** @typedef {import("./state.js").State} State @typedef {import("./state.js").LabelClass} LabelClass */

const NUMBERS = ["", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/** @param {State} state */
export function submitText(state) {
  if (!state.page) return "Submit";
  const back = answersOf(state).filter((answer) => answer.exception).length;
  if (missing(state).length || state.page.kind === "manual" || state.tiles.some((tile) => tile.mark === "person")) return "Submit";
  const confirmed = state.tiles.filter((tile) => tile.mark === "proposed").length;
  return back && !confirmed ? "Send back" : `Confirm ${confirmed}`;
}

/**
 * What to do now, in one line; classes in it are drawn in their colour.
 * @param {State} state @param {Map<number, LabelClass>} byId @returns {(string|LabelClass)[]}
 */
export function hintFor(state, byId) {
  if (state.incomplete && missing(state).length) return [missingText(state)];
  const guided = state.page?.kind === "manual" ? tickedHint(state) : guidedHint(state, byId);
  const hint = guided ?? [state.multilabel ? severalHint(state) : oneHint(state)];
  return state.tiles.length === 1 && state.size > 1 ? ["This one is shown alone. ", ...hint] : hint;
}

/** What an answered page can still get. @param {State} state @param {string} more said where nothing is skipped */
function answeredHint(state, more) {
  const count = state.tiles.length;
  const skipped = state.tiles.filter((tile) => tile.mark === "skipped").length;
  if (skipped) return `${count === 1 ? "Skipped" : `${skipped} skipped`}. A digit or Backspace takes that back, Enter submits.`;
  return `${count === 1 ? "It" : "Every image"} has its answer. ${more}`;
}

/** One class for each image. @param {State} state */
function oneHint(state) {
  const count = state.tiles.length;
  const open = missing(state).length;
  const chosen = selection(state).length;
  if (!open) return answeredHint(state, "Enter submits.");
  if (chosen) return `${chosen} selected. Press the digit of ${chosen === 1 ? "its" : "their"} class.`;
  if (count === 1) return "Press the digit of its class, then Enter.";
  if (open === count) return "Press a digit for the outlined image, or select several first.";
  return `${open} of ${count} still need a class.`;
}

/** All classes that apply, or none of them. @param {State} state */
function severalHint(state) {
  const count = state.tiles.length;
  const open = missing(state).length;
  const chosen = selection(state).length;
  if (!open) return answeredHint(state, "More digits add classes, Enter submits.");
  if (chosen) return `${chosen} selected. Press the digits of all classes that ${chosen === 1 ? "it shows" : "they show"}, or − for none of these.`;
  if (count === 1) return "Press the digits of all classes that it shows, or − for none of these, then Enter.";
  if (open === count) return "Press the digits of all classes that the outlined image shows, or − for none of these.";
  return `${open} of ${count} have no answer yet. Enter submits when each has its classes or − for none of these.`;
}

/** Where the model has ticked labels beforehand. @param {State} state @returns {string[]|null} */
function tickedHint(state) {
  if (missing(state).length || !state.tiles.some((tile) => tile.mark === "proposed")) return null;
  const open = state.tiles.some((tile) => openLabels(tile).length) ? " “?” marks what it cannot tell." : "";
  const where = state.tiles.length > 1 ? " on the image under the pointer" : "";
  return [`The model has ticked what it is sure of.${open} Digits add or take away${where}, Enter confirms.`];
}

/** @param {State} state @param {Map<number, LabelClass>} byId @returns {(string|LabelClass)[]|null} */
function guidedHint(state, byId) {
  const count = state.tiles.length;
  const out = state.tiles.filter((tile) => tile.mark === "out").length;
  const proposed = byId.get(state.page?.proposed_class ?? 0);
  const wrongOnes = count === 1 ? "it if that is wrong" : "the wrong ones";
  if (out && state.page?.start_selected) return [`${out} taken out. Enter confirms the rest; what is out is asked one by one.`];
  if (out) return [`${out} taken out. Give ${state.multilabel ? "its classes by their digits, or − for none," : "another class by its digit,"} or Enter; what is out goes back to the queue.`];
  if (proposed && state.page?.kind === "clustered") {
    const all = count === 1 ? "This looks like " : count === 2 ? "Both look like " : `All ${NUMBERS[count]} look like `;
    return [all, proposed, `. Click ${count === 1 ? "it if it is not" : "those that are not"}, then Enter.`];
  }
  if (proposed) {
    const all = count === 1 ? "" : count === 2 ? " for both" : ` for all ${NUMBERS[count]}`;
    return ["The model proposes ", proposed, `${all}. Click ${wrongOnes}, then Enter.`];
  }
  if (state.tiles.some((tile) => tile.mark === "proposed")) return [`Proposed by the model. Click ${wrongOnes}, then Enter.`];
  if (missing(state).length === count) {
    const press = state.multilabel ? "the digits of their classes, or − for none of these" : "the digit of the class";
    return [`These look alike. Click those that differ, then press ${press}.`];
  }
  return null;
}
