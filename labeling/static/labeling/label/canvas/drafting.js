// What can be done with what is being drawn, in words and as buttons: nobody needs keys to finish or to cancel.

import { make, setAttribute, setText } from "../dom.js";
import { t } from "../text.js";

/** @typedef {import("./state.js").State} State */

/** @param {State} state @returns {{text: string, keep: boolean, back: boolean, sign: boolean}|null} */
function offerFor({ draft, picked }) {
  if (picked) return { text: t("Click where it goes."), keep: false, back: false, sign: false };
  if (draft?.kind === "box") return draft.held ? null : { text: t("Click the opposite corner."), keep: false, back: false, sign: false };
  if (draft?.kind === "polygon") {
    const text = draft.points.length ? "" : t("Draw the hole or the further part.");
    return { text, keep: draft.points.length >= 6, back: draft.points.length > 0, sign: false };
  }
  if (!draft) return null;
  const text = draft.parts ? t("Click adds, Alt + click takes away.") : "";
  return { text, keep: Boolean(draft.parts), back: draft.points.length > 0, sign: Boolean(draft.parts) };
}

/**
 * @param {HTMLElement} bar @param {State} state
 * @param {{finish: () => void, back: () => void, cancel: () => void, draw: () => void}} act
 */
export function draftBar(bar, state, act) {
  const text = make("span", "draft-text");
  const sign = makeButton(t("Take away"), "", () => {
    state.takesAway = !state.takesAway;
    act.draw();
  });
  const keep = makeButton(t("Keep"), "finish", act.finish);
  const back = makeButton(t("Point back"), "point-back", act.back);
  const cancel = makeButton(t("Cancel"), "cancel", act.cancel);
  bar.append(text, sign, keep, back, cancel);

  /** @param {string} name @param {string} binding whose key is printed on it @param {() => void} run */
  function makeButton(name, binding, run) {
    const button = make("button", "draft-button");
    button.type = "button";
    button.append(name);
    if (binding) {
      const cap = make("kbd");
      cap.dataset.keyOf = binding;
      button.append(" ", cap);
    }
    button.addEventListener("click", run);
    return button;
  }

  return function draw() {
    const offer = offerFor(state);
    bar.hidden = !offer;
    if (!offer) return;
    setText(text, offer.text);
    sign.hidden = !offer.sign;
    setAttribute(sign, "aria-pressed", String(state.takesAway));
    keep.hidden = !offer.keep;
    back.hidden = !offer.back;
  };
}
