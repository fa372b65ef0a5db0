// What the stage says when there is nothing to label: why, and what comes next.

const hasImages = (/** @type {any} */ facts) => facts && Object.values(facts.items).some((count) => Number(count) > 0);

/**
 * @param {HTMLElement} box @param {any} facts of the project, null when they cannot be had
 * @param {string} reason from the server @param {boolean} offline
 */
export function drawNothing(box, facts, reason, offline) {
  const [title, text] = offline
    ? ["The server cannot be reached.", "Trying again by itself. Everything you did is kept."]
    : wayOn(facts, reason);
  /** @type {HTMLElement} */ (box.querySelector("h2")).textContent = title;
  /** @type {HTMLElement} */ (box.querySelector("p")).textContent = text;
  for (const node of box.querySelectorAll("[data-when]")) {
    const link = /** @type {HTMLElement} */ (node);
    link.hidden = offline || link.dataset.when !== (hasImages(facts) ? "images" : "no-images");
  }
}

/** @param {any} facts of the project @param {string} reason @returns {[string, string]} */
function wayOn(facts, reason) {
  if (reason) return ["Labeling is paused.", reason];
  if (!facts) return ["Nothing is waiting for you.", "This page looks again every few seconds."];
  if (!hasImages(facts)) return ["There are no images yet.", "As soon as some are imported, the first page appears here by itself."];
  const waiting = Object.values(facts.queue).reduce((sum, count) => sum + Number(count), 0);
  if (waiting) {
    const text = "They are with other people now, or you answered them already. If one comes back, it appears here by itself.";
    return [`${waiting.toLocaleString("en")} ${waiting === 1 ? "image waits" : "images wait"}, none of them for you.`, text];
  }
  if (facts.items.unlabeled) return ["Nothing is waiting for you.", "Images are still being read. The next page appears here by itself."];
  return ["Every image has its label.", "Thank you. New images appear here by themselves when they are imported."];
}
