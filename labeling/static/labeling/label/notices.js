// What has to be said about sending: what happened, what was kept, what to do.

import { t, tn } from "./text.js";

/** @typedef {import("./types.js").Notice} Notice */

/** @returns {[string, string]} */
const close = () => ["close", t("Close")];

/** @param {string} text @returns {Notice} */
export const warning = (text) => ({ tone: "warn", text, actions: [close()] });

/** @param {import("./api.js").ApiError} error @returns {Notice} */
export function refusal(error) {
  if (error.signedOut) {
    const text = t("You are signed out. Your answers are kept on this computer and go out when you are back.");
    return { tone: "warn", text, actions: [["sign-in", t("Sign in")]] };
  }
  if (error.code === "deleted") {
    return { tone: "bad", text: error.message, actions: [["discard", t("Throw its answers away")], close()] };
  }
  const text = t("One page was not taken: {reason} Its answers are kept on this computer.", { reason: error.message });
  return { tone: "bad", text, actions: [["retry", t("Send again")], ["open", t("Open it")], ["discard", t("Throw its answers away")]] };
}

/** @param {number} count @param {boolean} corrected whether it was a correction @returns {Notice} */
export function late(count, corrected) {
  if (corrected) {
    return warning(tn(count, "One correction came after a reviewer's decision: kept, but not counted.",
      "{count} corrections came after a reviewer's decision: kept, but not counted."));
  }
  return warning(tn(count, "The page was open so long that it went to somebody else. One answer came second: kept, but not counted.",
    "The page was open so long that it went to somebody else. {count} answers came second: kept, but not counted."));
}

/** @param {number} count of images whose lease ran out @returns {Notice} */
export function lost(count) {
  return warning(tn(count, "While you were away, one image of this page went to somebody else. Go on and submit: your answer is kept, and counts if it is still needed.",
    "While you were away, {count} images of this page went to somebody else. Go on and submit: your answers are kept, and count where they are still needed."));
}

/** @returns {Notice} */
export function unkept() {
  return warning(t("This browser keeps nothing, perhaps because its disk is full or the window is private. Submit before you close it."));
}
