// The dialogs of the Label page: instructions, why something is skipped, one's own pace.

import { read, write } from "./storage.js";
import { t } from "./text.js";

/** Closes by a click beside it, too. @param {HTMLElement} element */
export function modal(element) {
  const dialog = /** @type {HTMLDialogElement} */ (element);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.querySelector("[data-close]")?.addEventListener("click", () => dialog.close());
  return dialog;
}

/**
 * Opens by itself when the labeler has not seen this version.
 * @param {HTMLElement} element @param {import("./types.js").Config} config
 */
export function instructionsDialog(element, { instructions, project, user }) {
  const dialog = modal(element);
  const key = `loupe.instructions.${user}.${project}`;
  const seen = read(key, 0);
  const open = () => {
    dialog.showModal();
    if (instructions) write(key, instructions.version);
  };
  if (instructions?.text && instructions.version > seen) open();
  return { open };
}

/**
 * Asks why images are skipped; Enter skips without a reason. Letters go into the field for another reason.
 * @param {HTMLElement} element @param {boolean} draws whether shapes are drawn, not classes chosen
 */
export function skipDialog(element, draws) {
  const dialog = modal(element);
  const reasons = [
    t("Too blurred, dark or broken to tell"),
    draws ? t("I cannot tell what is what") : t("It fits no class, or several"),
    t("It should not be in this project"),
  ];
  const list = /** @type {HTMLElement} */ (dialog.querySelector("[data-part=skip-reasons]"));
  const other = /** @type {HTMLInputElement} */ (dialog.querySelector("input[name=other]"));
  /** @type {(reason: string) => void} */
  let done = () => {};
  const finish = (/** @type {string} */ reason) => {
    dialog.close();
    done(reason);
  };
  reasons.forEach((reason, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "skip-reason";
    const cap = document.createElement("kbd");
    cap.textContent = String(index + 1);
    button.append(cap, ` ${reason}`);
    button.addEventListener("click", () => finish(reason));
    list.append(button);
  });
  dialog.addEventListener("keydown", (event) => {
    const typing = event.target === other;
    const digit = Number(event.code.match(/^(?:Digit|Numpad)([1-9])$/)?.[1] ?? 0);
    if (!typing && reasons[digit - 1]) finish(reasons[digit - 1]);
    else if (event.key === "Enter" && (typing || event.target === dialog)) finish(other.value.trim());
    else {
      const writes = event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey;
      if (writes && !typing) other.focus();
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  });
  dialog.querySelector("[data-part=skip-plain]")?.addEventListener("click", () => finish(other.value.trim()));
  const drops = /** @type {HTMLElement} */ (dialog.querySelector("[data-part=skip-drops]"));
  return (/** @type {(reason: string) => void} */ then, /** @type {boolean} */ isTouched) => {
    done = then;
    other.value = "";
    drops.hidden = !isTouched;
    dialog.showModal();
    dialog.focus();
  };
}
