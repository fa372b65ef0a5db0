// The shortcut list and the instructions.

/** @typedef {import("./keys.js").Binding} Binding */

/** @param {HTMLElement} element */
function modal(element) {
  const dialog = /** @type {HTMLDialogElement} */ (element);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.querySelector("[data-close]")?.addEventListener("click", () => dialog.close());
  return dialog;
}

/** @param {HTMLElement} element @param {Binding[]} table */
export function helpDialog(element, table) {
  const dialog = modal(element);
  const list = /** @type {HTMLElement} */ (dialog.querySelector("dl"));
  for (const { id, keys, text, press } of table) {
    const term = document.createElement("dt");
    term.dataset.shortcut = id;
    term.dataset.press = press;
    keys.forEach((key) => {
      const cap = document.createElement(key === "…" ? "span" : "kbd");
      cap.textContent = key;
      term.append(cap, " ");
    });
    const said = document.createElement("dd");
    said.textContent = text;
    list.append(term, said);
  }
  const toggle = /** @type {HTMLInputElement} */ (dialog.querySelector("input[name=single-keys]"));
  toggle.checked = localStorage.getItem("loupe.singleKeys") !== "off";
  toggle.addEventListener("change", () => localStorage.setItem("loupe.singleKeys", toggle.checked ? "on" : "off"));
  return { open: () => dialog.showModal(), singleKeys: () => toggle.checked };
}

/**
 * Opens by itself when the labeler has not seen this version.
 * @param {HTMLElement} element @param {{version: number, text: string}|null} instructions @param {number} project
 */
export function instructionsDialog(element, instructions, project) {
  const dialog = modal(element);
  const key = `loupe.instructions.${project}`;
  const seen = Number(localStorage.getItem(key));
  const open = () => {
    dialog.showModal();
    if (instructions) localStorage.setItem(key, String(instructions.version));
  };
  if (instructions?.text && instructions.version > seen) open();
  return { open };
}
