// The keyboard: from a key press to the binding that it stands for.

/** @typedef {import("./types.js").Binding} Binding */

/** Latin letter of a key, also on keyboards that write another script. @param {KeyboardEvent} event */
export function letter(event) {
  if (/^[\x20-\x7e]$/.test(event.key)) return event.key;
  return /^Key[A-Z]$/.test(event.code) ? event.code[3] : event.key;
}

/** Position of the class that a digit stands for, null for other keys. @param {KeyboardEvent} event */
export function digitPosition(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  const digit = event.code.match(/^(?:Digit|Numpad)(\d)$/)?.[1] ?? event.key.match(/^(\d)$/)?.[1];
  if (digit === undefined) return null;
  return (digit === "0" ? 9 : Number(digit) - 1) + (event.shiftKey ? 10 : 0);
}

/** A key press as a combination, such as "Ctrl+Shift+Z", "?" or "Space". @param {KeyboardEvent} event */
export function combination(event) {
  const key = event.key === " " ? "Space" : letter(event);
  const isLetter = /^[a-z]$/i.test(key);
  const shift = event.shiftKey && (isLetter || key.length > 1);
  const modifiers = [(event.ctrlKey || event.metaKey) && "Ctrl", event.altKey && "Alt", shift && "Shift"];
  return [...modifiers.filter(Boolean), isLetter ? key.toUpperCase() : key].join("+");
}

/** Whether a combination is one key, which can be switched off. @param {string} keys */
export const isSingle = (keys) => keys.length === 1 || keys === "Space";

const isField = (/** @type {Element} */ element) => element.matches("input:not([type=radio], [type=range], [type=checkbox]), textarea, select");
const takes = {
  Enter: (/** @type {Element} */ element) => element.closest("a, button, summary") !== null,
  Space: (/** @type {Element} */ element) => element.closest("button, summary, input") !== null,
};

/**
 * @param {Binding[]} table the first that fits gets the key
 * @param {{keysOf: (binding: Binding) => string[], singleKeys: () => boolean, stage: Element, fired: (id: string) => void}} context
 */
export function listen(table, { keysOf, singleKeys, stage, fired }) {
  /** @type {{binding: Binding, code: string}|null} */
  let held = null;

  /** @param {KeyboardEvent} event @param {string} keys */
  function find(event, keys) {
    return table.find((each) => {
      if (each.when && !each.when()) return false;
      if (each.match) return each.match(event) && singleKeys();
      return keysOf(each).includes(keys) && (!isSingle(keys) || singleKeys());
    });
  }

  addEventListener("keydown", (event) => {
    const target = /** @type {Element} */ (event.target);
    if (event.isComposing || event.defaultPrevented || isField(target) || document.querySelector("dialog[open]")) return;
    const keys = combination(event);
    if (takes[/** @type {keyof typeof takes} */ (keys)]?.(target) && !stage.contains(target)) return;
    const found = find(event, keys);
    if (!found) return;
    event.preventDefault();
    if (event.repeat && !found.repeat) return;
    if (found.release) held = { binding: found, code: event.code };
    found.run(event);
    fired(found.id);
  });
  const letGo = (/** @type {any} */ event) => {
    held?.binding.release?.(event);
    held = null;
  };
  addEventListener("keyup", (event) => held?.code === event.code && letGo(event));
  addEventListener("blur", letGo);
}
