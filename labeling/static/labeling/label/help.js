// The list of shortcuts.

import { modal } from "./dialogs.js";

/** @typedef {import("./types.js").Binding} Binding */

/** @param {HTMLElement} element @param {Binding[]} table @param {import("./types.js").Config} config */
export function helpDialog(element, table, config) {
  const dialog = modal(element);
  const keysOf = (/** @type {Binding} */ binding) => config.keys?.[binding.id] ?? binding.keys;
  const list = /** @type {HTMLElement} */ (dialog.querySelector("dl"));
  for (const binding of table) {
    const term = document.createElement("dt");
    term.dataset.shortcut = binding.id;
    for (const keys of binding.shown ?? keysOf(binding)) {
      const cap = document.createElement("kbd");
      cap.textContent = keys;
      term.append(cap, " ");
    }
    const said = document.createElement("dd");
    said.textContent = binding.text;
    list.append(term, said);
  }
  const toggle = /** @type {HTMLInputElement} */ (dialog.querySelector("input[name=single-keys]"));
  toggle.checked = config.singleKeys ?? true;
  return { open: () => dialog.showModal(), keysOf, singleKeys: () => toggle.checked };
}
