// What was pressed, as a combination such as "Ctrl+Shift+Z", and the listener that runs what it stands for.

/** @typedef {import("./types.js").Binding} Binding */

const MODIFIERS = new Set(["Control", "Shift", "Alt", "AltGraph", "Meta", "CapsLock", "NumLock", "ScrollLock", "Fn", "FnLock", "Hyper", "Super", "OS"]);

/** What a key of an American keyboard writes, without and with Shift, for keyboards that write another script there. */
const CHARACTERS = {
  Backquote: "`~", Minus: "-_", Equal: "=+", BracketLeft: "[{", BracketRight: "]}", Backslash: "\\|", Semicolon: ";:",
  Quote: "'\"", Comma: ",<", Period: ".>", Slash: "/?", Space: "  ",
};

const command = (/** @type {KeyboardEvent} */ event) => event.ctrlKey || event.metaKey;

/** Whether the character is one that a Latin keyboard writes. @param {string} key */
const isLatin = (key) => /^[\x20-\x7e]$/.test(key) || /^\p{Script=Latin}$/u.test(key) || /^[−€£§°]$/u.test(key);

/** The character at the key's place on an American keyboard, "" where that has none. @param {KeyboardEvent} event */
function characterAt({ code, shiftKey }) {
  const simple = code.match(/^(?:Key|Digit|Numpad)([A-Z0-9])$/)?.[1];
  return simple ?? CHARACTERS[/** @type {keyof typeof CHARACTERS} */ (code)]?.[shiftKey ? 1 : 0] ?? "";
}

/** The key itself, letters in capitals; "" for one that only changes others. @param {KeyboardEvent} event */
export function letter(event) {
  let { key } = event;
  if (MODIFIERS.has(key)) return "";
  const composed = key.length > 1 && /^(Dead|Process|Unidentified)$/.test(key);
  const foreign = [...key].length === 1 && !isLatin(key);
  const byOption = event.altKey && !event.getModifierState("AltGraph") && !/^[\x20-\x7e]$/.test(key) && [...key].length === 1;
  if (composed || foreign || byOption) key = characterAt(event) || key;
  if (key === " ") return "Space";
  if (key === "−") return "-";
  return [...key].length === 1 ? key.toLocaleUpperCase("en") : key;
}

/** @param {KeyboardEvent} event @returns {string} "" while only modifiers are down */
export function combination(event) {
  const key = letter(event);
  if (!key) return "";
  const typed = event.getModifierState("AltGraph"); // Windows says Ctrl and Alt with it
  const keepsShift = key.length > 1 || /^\p{L}$/u.test(key);
  const parts = [!typed && command(event) ? "Ctrl" : "", !typed && event.altKey ? "Alt" : "", event.shiftKey && keepsShift ? "Shift" : ""];
  return [...parts, key].filter(Boolean).join("+");
}

/** "Ctrl+Shift+Z" as ["Ctrl", "Shift", "Z"]. @param {string} keys */
export function partsOf(keys) {
  const [, modifiers, key] = /** @type {RegExpMatchArray} */ (keys.match(/^((?:(?:Ctrl|Alt|Shift)\+)*)(.+)$/));
  return [...modifiers.split("+").filter(Boolean), key];
}

/** Whether it is a character alone, which people can switch off. @param {string} keys */
export const isSingle = (keys) => /^(Shift\+)?(.|Space)$/u.test(keys);

/** Position of the class that a digit stands for, null for other keys. @param {KeyboardEvent} event */
export function digitPosition(event) {
  if (command(event) || event.altKey || event.getModifierState("AltGraph")) return null;
  const digit = event.code.match(/^(?:Digit|Numpad)(\d)$/)?.[1] ?? event.key.match(/^(\d)$/)?.[1];
  if (digit === undefined) return null;
  return (digit === "0" ? 9 : Number(digit) - 1) + (event.shiftKey ? 10 : 0);
}

const isField = (/** @type {Element} */ element) =>
  element.matches("input:not([type=radio], [type=checkbox], [type=range], [type=button]), textarea, select, [contenteditable]");

/** What an element outside the stage does with its keys by itself. @param {Element} element @param {string} pressed */
function takes(element, pressed) {
  const key = pressed.replace(/^Shift\+/, "");
  if (element.closest("a, button, summary, input") && /^(Enter|Space|Tab)$/.test(key)) return true;
  return element.matches("[type=radio], [type=range]") && /^(Arrow.*|Home|End|Page.*)$/.test(key);
}

/**
 * Run bindings as their keys are pressed; each time, `fired` is told which. Fields and dialogs keep their keys.
 * @param {import("./keymap.js").Keymap} keymap @param {{stage: Element, fired: (id: string) => void}} context
 */
export function listen(keymap, { stage, fired }) {
  /** @type {{binding: Binding, code: string}|null} */
  let held = null;
  addEventListener("keydown", (event) => {
    const target = /** @type {Element} */ (event.target);
    if (event.isComposing || event.defaultPrevented || isField(target) || document.querySelector("dialog[open]")) return;
    const pressed = combination(event);
    if (!pressed || (takes(target, pressed) && !stage.contains(target))) return;
    const binding = keymap.find(event, pressed);
    if (!binding) return;
    event.preventDefault();
    if (event.repeat && !binding.repeat) return;
    if (binding.release) held = { binding, code: event.code };
    binding.run(event);
    fired(binding.id);
  });
  const letGo = (/** @type {KeyboardEvent} */ event) => {
    held?.binding.release?.(event);
    held = null;
  };
  addEventListener("keyup", (event) => held?.code === event.code && letGo(event));
  addEventListener("blur", () => letGo(new KeyboardEvent("keyup")));
}
