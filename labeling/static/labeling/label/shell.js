// Draws what every task's page has around its images: counter, state of saving, buttons, notices.

import { setAttribute, setText } from "./dom.js";
import { clock } from "./recent.js";
import { t } from "./text.js";

/** @typedef {import("./types.js").Shared} Shared @typedef {import("./types.js").Surface} Surface */

/**
 * @param {HTMLElement} root @param {Shared} shared @param {import("./types.js").Config} config
 * @param {(action: string) => void} onNotice
 */
export function shellRenderer(root, shared, config, onNotice) {
  const $ = (/** @type {string} */ name) => /** @type {HTMLElement} */ (root.querySelector(`[data-part="${name}"]`));
  const number = new Intl.NumberFormat(config.language);
  const saving = { saved: t("✓ saved"), saving: t("saving…"), offline: t("! not saved yet"), unkept: t("! neither sent nor kept") };

  /** @param {Surface} surface */
  function drawBar(surface) {
    setText($("today"), t("{count} today", { count: number.format(shared.doneToday) }));
    setAttribute($("saving"), "data-saving", shared.saving);
    setText($("saving"), saving[shared.saving]);
    setAttribute($("submit"), "aria-disabled", String(!shared.page || !surface.isReady()));
    setText($("submit-text"), surface.submitText());
    setAttribute($("skip"), "aria-disabled", String(!shared.page));
  }

  function drawCorrecting() {
    $("correcting").hidden = !shared.correcting;
    if (!shared.correcting) return;
    const time = clock(shared.page?.submitted_at ?? "", config.language);
    setText($("correcting-text"), t("Submitted at {time}. Submitting again replaces the answers.", { time }));
  }

  function drawNotice() {
    const box = $("notice");
    box.hidden = !shared.notice;
    if (!shared.notice) return;
    const { tone, text, actions } = shared.notice;
    box.className = `label-notice notice notice-${tone}`;
    const key = text + actions.map(([action]) => action).join();
    if (box.dataset.key === key) return;
    box.dataset.key = key;
    const said = document.createElement("span");
    said.className = "grow";
    said.textContent = text;
    box.replaceChildren(said, ...actions.map(([action, label]) => actionButton(action, label)));
  }

  /** @param {string} action @param {string} label */
  function actionButton(action, label) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button";
    button.textContent = label;
    button.addEventListener("click", () => onNotice(action));
    return button;
  }

  /** @param {Surface} surface */
  return function draw(surface) {
    $("nothing").hidden = !shared.nothing;
    $("waiting").hidden = !shared.waiting;
    surface.render();
    drawBar(surface);
    drawCorrecting();
    drawNotice();
    setText($("status"), shared.said);
  };
}
