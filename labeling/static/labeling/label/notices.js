// What has to be said about sending: what happened, what was kept, what to do.

/** @typedef {import("./state.js").State} State */

/** @param {import("./api.js").ApiError} error @returns {NonNullable<State["notice"]>} */
export function refusal(error) {
  if (error.signedOut) {
    return {
      tone: "warn",
      text: "You are signed out. Your answers are kept on this computer and go out when you are back.",
      actions: [["sign-in", "Sign in"]],
    };
  }
  return {
    tone: "bad",
    text: `One page was not taken: ${error.message} Its answers are kept on this computer.`,
    actions: [["retry", "Send again"], ["close", "Close"]],
  };
}

/** @param {number} count @returns {NonNullable<State["notice"]>} */
export function lateNotice(count) {
  const which = count === 1 ? "One answer" : `${count} answers`;
  const text = `The page was open so long that it went to somebody else. ${which} came second: kept, but not counted.`;
  return { tone: "warn", text, actions: [["close", "Close"]] };
}
