// What the stage says when there is nothing to label: why, and what comes next.

import { t, tn } from "./text.js";

const hasImages = (/** @type {any} */ facts) => facts && Object.values(facts.items).some((count) => Number(count) > 0);

/**
 * @param {HTMLElement} box @param {any} facts of the project, null when they cannot be had
 * @param {import("./api.js").ApiError|null} refusal of the server
 */
export function drawNothing(box, facts, refusal) {
  const offline = refusal?.offline;
  const [title, text] = offline
    ? [t("The server cannot be reached."), t("Trying again by itself. Everything you did is kept.")]
    : wayOn(facts, refusal);
  /** @type {HTMLElement} */ (box.querySelector("h2")).textContent = title;
  /** @type {HTMLElement} */ (box.querySelector("p")).textContent = text;
  for (const node of box.querySelectorAll("[data-when]")) {
    const link = /** @type {HTMLElement} */ (node);
    link.hidden = offline || link.dataset.when !== (hasImages(facts) ? "images" : "no-images");
  }
}

/** @param {any} facts of the project @param {import("./api.js").ApiError|null} refusal @returns {[string, string]} */
function wayOn(facts, refusal) {
  if (refusal) return [t("Nothing is waiting for you."), refusal.message];
  if (!facts) return [t("Nothing is waiting for you."), t("This page looks again every few seconds.")];
  if (!hasImages(facts)) return [t("There are no images yet."), t("As soon as some are imported, the first page appears here by itself.")];
  const waiting = Object.values(facts.queue).reduce((sum, count) => sum + Number(count), 0);
  if (waiting) {
    const text = t("They are with other people now, assigned to others, or you answered them already. If one comes back, it appears here by itself.");
    return [tn(waiting, "One image waits, but not for you.", "{count} images wait, none of them for you."), text];
  }
  if (facts.items.unlabeled) return [t("Nothing is waiting for you."), t("Images are still being read. The next page appears here by itself.")];
  return [t("Every image has its label."), t("Thank you. New images appear here by themselves when they are imported.")];
}
