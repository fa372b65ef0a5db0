// Keys as they are printed on buttons, after the labeler's own choice of keys.

/** @typedef {import("../types.js").Binding} Binding */

const SHORT = { Escape: "Esc", Delete: "Del", Enter: "⏎", Backspace: "⌫", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" };

/** @param {string} keys such as "Shift+A" */
export const cap = (keys) =>
  keys.replace("Shift+", "⇧").replace(/[A-Z][a-z]+[A-Za-z]*$/, (name) => SHORT[/** @type {"Enter"} */ (name)] ?? name).replace(/\+(?=.)/g, " ");

/** @param {import("../types.js").Config} config @param {Binding[]} table @returns {(id: string) => string} "" where there is no key */
export function capsOf(config, table) {
  const byId = new Map(table.map((binding) => [binding.id, binding]));
  return (id) => {
    const keys = config.keys?.[id] ?? byId.get(id)?.keys ?? [];
    return keys.length ? cap(keys[0]) : "";
  };
}
