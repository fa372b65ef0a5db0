// What a model proposes, apart from the answers: how sure it must be to be shown, and the list to go through.

import { setText } from "../dom.js";
import { t, tn } from "../text.js";
import { objectList } from "./objects.js";
import { savePrefs } from "./prefs.js";
import { meantProposals, proposalsOf, shownProposals } from "./state.js";

/** @typedef {import("./state.js").State} State */

/**
 * @param {HTMLElement} section @param {State} state @param {import("./objects.js").RowActions} on
 * @param {{acceptShown: () => void, draw: () => void}} act
 */
export function proposalSection(section, state, on, act) {
  const $ = (/** @type {string} */ name) => /** @type {HTMLElement} */ (section.querySelector(`[data-proposed="${name}"]`));
  const slider = /** @type {HTMLInputElement} */ ($("minimum"));
  const drawList = objectList($("list"), state, on);
  slider.value = String(Math.round(state.prefs.minimum * 100));
  slider.addEventListener("input", () => {
    state.prefs.minimum = Number(slider.value) / 100;
    savePrefs(state.prefs);
    act.draw();
  });
  $("accept-all").addEventListener("click", act.acceptShown);

  return function draw() {
    const all = proposalsOf(state);
    const shown = shownProposals(state);
    section.hidden = all.length === 0;
    if (section.hidden) return drawList([]);
    setText($("counts"), `${shown.length} / ${all.length}`);
    const least = state.prefs.minimum.toFixed(2).replace(/^0/, "");
    setText($("least"), t("at least {confidence}", { confidence: least }));
    /** @type {HTMLButtonElement} */ ($("accept-all")).disabled = shown.length === 0;
    drawList(shown, meantProposals(state)[0]?.key ?? null);
  };
}

/** What happens to proposals that nobody took up. @param {State} state */
export function leftText(state) {
  const left = proposalsOf(state).length;
  return left ? tn(left, "One proposal is not accepted: it is not sent.", "{count} proposals not accepted: they are not sent.") : "";
}
