// What is sent, and why it cannot be sent yet.

import { t, tn } from "../text.js";
import { flawOf, flawText } from "./edit.js";
import { boundsOf } from "./geometry.js";
import { answered, isProposal } from "./state.js";

/** @typedef {import("./state.js").State} State @typedef {import("./state.js").Region} Region @typedef {import("./state.js").Sheet} Sheet */

/** @type {WeakMap<Region, ReturnType<typeof flawOf>>} shapes never change, so each is looked at once */
const known = new WeakMap();

/** @param {State} state @param {Region} region */
function flawFor(state, region) {
  if (!known.has(region)) known.set(region, flawOf(state, region));
  return known.get(region);
}

/** What has to be mended first on the image that is shown. @param {State} state @param {boolean} isPressed @returns {{text: string, at: [number, number], region?: Region}|null} */
export function flawIn(state, isPressed = false) {
  const { draft, sheet } = state;
  if (!sheet) return null;
  if (isPressed) return { text: t("Let go first, then submit."), at: state.pointer ?? [0, 0] };
  if (state.picked && state.preview) return { text: t("Click where it goes."), at: state.aimed ?? [0, 0] };
  if (draft?.kind === "smart" && draft.asked) {
    const { x, y } = draft.points[0] ?? { x: draft.box?.[0], y: draft.box?.[1] };
    return { text: t("Enter keeps what you are drawing, Esc drops it."), at: [x, y] };
  }
  if (draft?.kind === "polygon" && draft.points.length) {
    return { text: t("This polygon is not closed yet. Enter closes it, Esc drops it."), at: [draft.points[0], draft.points[1]] };
  }
  if (sheet.skipped) return null;
  // Sent empty, it would say that nothing is on an image that nobody has seen.
  if (state.failed) return { text: state.failed, at: [sheet.doc.width / 2, sheet.doc.height / 2] };
  const regions = answered(state);
  for (const region of regions) {
    const found = flawFor(state, region);
    if (found) return { text: flawText(found), at: found.at, region };
  }
  const unnamed = regions.filter((region) => region.class === null);
  if (!unnamed.length) return null;
  const [x, y, width] = boundsOf(unnamed[0]);
  const text = tn(unnamed.length, "This region needs a class: press its digit.", "{count} regions need a class. This is one: press its digit.");
  return { text, at: [x + width / 2, y], region: unnamed[0] };
}

/** @param {Sheet} sheet @returns {import("../types.js").Answer} */
export function answersOf({ item, uuid, doc, skipped, reason }) {
  if (skipped) return { item: item.id, uuid, regions: [], skipped: true, ...(reason ? { skip_reason: reason } : {}) };
  const regions = doc.regions.filter((region) => !isProposal(region)).map(({ class: id, box, parts, origin }) => ({
    class: id,
    ...(box ? { bbox: box } : { polygon: parts ?? [] }),
    origin,
  }));
  return { item: item.id, uuid, regions };
}
