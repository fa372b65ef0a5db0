// Asks the server for the outline of what the smart tool was told, and puts the latest answer into the draft.

import { ApiError, projectApi } from "../api.js";
import { round } from "./paint.js";
import { smartDraft } from "./tools/smart.js";

/** @typedef {import("./state.js").State} State */

/** @param {State} state @param {string} base the project's address in the API @param {() => void} draw @param {() => void} finish */
export function outliner(state, base, draw, finish) {
  const api = projectApi(base);
  let sent = /** @type {object|null} */ (null);
  let sentAt = 0;

  /** Send what is new in the draft; while one answer is on its way, only the latest waits. */
  async function check() {
    const draft = smartDraft(state);
    if (!draft || draft.asked === draft.got || (sent === draft && sentAt === draft.asked)) return;
    sent = draft;
    sentAt = draft.asked;
    const asked = draft.asked;
    const item = /** @type {import("./state.js").Sheet} */ (state.sheet).item.id;
    try {
      const { polygon } = await api.outline(item, {
        points: draft.points,
        ...(draft.box ? { box: draft.box } : {}),
      });
      if (asked !== draft.asked) return;
      draft.parts = polygon.map((/** @type {number[]} */ part) => part.map(round));
      draft.got = asked;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (asked !== draft.asked) return;
      fail(draft, error.message);
    }
    if (smartDraft(state) !== draft) return;
    if (draft.wanted) finish();
    draw();
  }

  /** The last click is taken back, what was there before it stays. @param {import("./state.js").SmartDraft} draft @param {string} message */
  function fail(draft, message) {
    const last = draft.points.pop();
    if (!last) draft.box = null;
    draft.got = draft.asked;
    draft.wanted = false;
    const at = last ? [last.x, last.y] : (state.aimed ?? [0, 0]);
    if (smartDraft(state) !== draft) return;
    state.note = { text: message, at: /** @type {[number, number]} */ (at) };
    if (!draft.points.length && !draft.box) state.draft = null;
  }

  return { check, isBusy: () => Boolean(smartDraft(state) && smartDraft(state)?.asked !== smartDraft(state)?.got) };
}
