// An outline that the server draws around what is clicked or boxed, refined by clicks that add and take away.

import { addShape } from "../edit.js";
import { boundsOf, boxFrom } from "../geometry.js";
import { inside, pointAtProposal } from "../hit.js";

/** @typedef {import("../state.js").State} State @typedef {import("../state.js").SmartDraft} SmartDraft */

/** @param {State} state @returns {SmartDraft|null} */
export const smartDraft = (state) => (state.draft?.kind === "smart" ? state.draft : null);

/** @param {State} state @returns {SmartDraft} */
function begin(state) {
  state.takesAway = false;
  return (state.draft = { kind: "smart", from: null, to: null, box: null, points: [], parts: null, asked: 0, got: 0, wanted: false });
}

/** @type {import("../state.js").Tool} */
export const smartTool = {
  cursor: () => "crosshair",

  down(state, event) {
    state.note = null;
    const draft = smartDraft(state) ?? begin(state);
    draft.from = draft.to = inside(state, event.point);
  },

  move(state, event) {
    const draft = smartDraft(state);
    if (draft?.from && event.moved) draft.to = inside(state, event.point);
  },

  up(state, event) {
    const draft = smartDraft(state);
    if (!draft?.from || !draft.to) return;
    const { from, to } = draft;
    draft.from = draft.to = null;
    if (event.moved && !draft.points.length && !draft.box) draft.box = boxFrom(from, to);
    else draft.points.push({ x: from[0], y: from[1], inside: (event.alt || event.right) === state.takesAway });
    draft.asked += 1;
  },

  hover(state, event) {
    state.aimed = inside(state, event.point);
    if (!state.draft) pointAtProposal(state, event);
  },

  abort(state) {
    const draft = smartDraft(state);
    if (!draft) return;
    draft.from = draft.to = null;
    if (!draft.asked) state.draft = null;
  },

  finish(state) {
    const draft = smartDraft(state);
    if (!draft) return;
    draft.wanted = draft.got < draft.asked; // then it is kept as soon as it is there
    if (!draft.parts || draft.wanted) return;
    state.draft = null;
    addShape(state, state.task === "detection" ? { box: boundsOf({ parts: draft.parts }), parts: null } : { box: null, parts: draft.parts });
  },

  back(state) {
    const draft = smartDraft(state);
    if (!draft) return;
    if (!draft.points.pop()) draft.box = null;
    if (draft.points.length || draft.box) draft.asked += 1;
    else state.draft = null;
  },
};
