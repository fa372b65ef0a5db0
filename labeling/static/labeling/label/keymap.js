// Which keys do what, for this person: the defaults of the table, and what they have changed.

import { combination, isSingle, partsOf } from "./keys.js";
import { t } from "./text.js";

/** @typedef {import("./types.js").Binding} Binding @typedef {{keys: Record<string, string[]>, singleKeys: boolean}} Choice */

const NAMES = /** @type {Record<string, () => string>} */ ({
  Ctrl: () => (onApple ? "⌘" : t("Ctrl")),
  Alt: () => (onApple ? "⌥" : "Alt"),
  Shift: () => "⇧",
  Enter: () => "⏎",
  Escape: () => t("Esc"),
  Space: () => t("Space"),
  Backspace: () => "⌫",
  Delete: () => t("Del"),
  Insert: () => t("Ins"),
  Home: () => t("Home"),
  End: () => t("End"),
  PageUp: () => t("Page up"),
  PageDown: () => t("Page down"),
  Tab: () => "⇥",
  ArrowLeft: () => "←",
  ArrowRight: () => "→",
  ArrowUp: () => "↑",
  ArrowDown: () => "↓",
  "-": () => "−",
});
const onApple = /Mac|iPhone|iPad/.test(navigator.platform);

/** What the browser or the system does before any page hears of it, or what getting around needs. */
const RESERVED = /^(Ctrl\+(Shift\+)?[WTNQ]|Ctrl\+Shift\+[IJC]|Ctrl\+[LRJ1-9]|(Ctrl\+|Alt\+)(Shift\+)?Tab|Alt\+(F4|Space|Arrow.*)|F(1|3|5|6|7|11|12)|Ctrl\+F(4|5)|Ctrl\+Shift\+(Delete|Escape)|Ctrl\+Escape|Ctrl\+Alt\+Delete)$/;

/** A combination as people read it, key by key. @param {string} keys */
export const capsOf = (keys) => partsOf(keys).map((part) => NAMES[part]?.() ?? part);

/** The same in one piece. @param {string} keys */
export const capText = (keys) => capsOf(keys).join(" ").replace("⇧ ", "⇧");

export class Keymap {
  /** @param {Binding[]} table @param {Choice} choice @param {(choice: Choice) => void} keep told of every change */
  constructor(table, choice, keep) {
    this.table = table;
    /** A class's own letter gives way to what else has that key. */
    this.order = [...table.filter(({ match }) => !match), ...table.filter(({ match }) => match)];
    this.choice = choice;
    this.keep = keep;
  }

  /** @param {Binding} binding */
  keysOf(binding) {
    return this.choice.keys[binding.id] ?? binding.keys;
  }

  /** The combinations that work now. @param {Binding} binding */
  working(binding) {
    return this.keysOf(binding).filter((keys) => this.choice.singleKeys || !isSingle(keys));
  }

  /** What a key press stands for. @param {KeyboardEvent} event @param {string} pressed */
  find(event, pressed) {
    if (!this.choice.singleKeys && isSingle(pressed)) return undefined;
    const stands = (/** @type {Binding} */ each) => each.match?.(event) ?? this.keysOf(each).includes(pressed);
    return this.order.find((each) => stands(each) && (each.when?.() ?? true));
  }

  /** @param {Binding} binding */
  isChanged(binding) {
    return binding.id in this.choice.keys;
  }

  /** Why a combination cannot be had, "" when it can. @param {KeyboardEvent} event @param {Binding} binding */
  refusal(event, binding) {
    const keys = combination(event);
    const shown = capText(keys);
    if (binding.keys.includes(keys)) return "";
    if (RESERVED.test(keys)) return t("{keys} belongs to the browser. Press something else.", { keys: shown });
    if (/^(Shift\+)?Tab$/.test(keys)) return t("{keys} moves on from button to button. Press something else.", { keys: shown });
    const whole = this.table.find((each) => each.match?.(event));
    return whole ? t("{keys} belongs to “{name}”, which stays as it is. Press something else.", { keys: shown, name: whole.text }) : "";
  }

  /** What else a combination stands for. @param {string} keys @param {Binding} binding @returns {Binding[]} */
  others(keys, binding) {
    return this.table.filter((each) => each !== binding && !each.match && this.keysOf(each).includes(keys));
  }

  /**
   * Give a binding a combination, in the place of `old` where it had that.
   * @param {Binding} binding @param {string} old "" to add one @param {string} keys
   * @param {"take"|"swap"} [rest] what the others of this combination get: nothing, or the old one
   */
  assign(binding, old, keys, rest = "take") {
    for (const other of this.others(keys, binding)) {
      this.set(other, this.keysOf(other).flatMap((each) => (each !== keys ? [each] : rest === "swap" && old ? [old] : [])));
    }
    const own = this.keysOf(binding).filter((each) => each !== keys || each === old);
    this.set(binding, own.includes(old) ? own.map((each) => (each === old ? keys : each)) : [...own, keys]);
    this.keep(this.choice);
  }

  /** Back to the keys that it began with, which others lose. @param {Binding} binding */
  reset(binding) {
    delete this.choice.keys[binding.id];
    for (const keys of binding.keys) {
      const changed = this.others(keys, binding).filter((other) => this.isChanged(other) && !other.keys.includes(keys));
      for (const other of changed) this.set(other, this.keysOf(other).filter((each) => each !== keys));
    }
    this.keep(this.choice);
  }

  resetAll() {
    this.choice.keys = {};
    this.keep(this.choice);
  }

  /** @param {boolean} on */
  setSingle(on) {
    this.choice.singleKeys = on;
    this.keep(this.choice);
  }

  /** @param {Binding} binding @param {string[]} keys */
  set(binding, keys) {
    const unique = [...new Set(keys)];
    if (unique.join(" ") === binding.keys.join(" ")) delete this.choice.keys[binding.id];
    else this.choice.keys[binding.id] = unique;
  }
}

/** Write the keys that work now where the page names a shortcut: on a button, or in its title. @param {ParentNode} root @param {Keymap} keymap */
export function writeCaps(root, keymap) {
  const capOf = (/** @type {string|undefined} */ id) => {
    const binding = keymap.table.find((each) => each.id === id);
    const keys = binding && keymap.working(binding)[0];
    return keys ? capText(keys) : "";
  };
  for (const node of root.querySelectorAll("[data-key-of]")) {
    const cap = /** @type {HTMLElement} */ (node);
    cap.textContent = capOf(cap.dataset.keyOf);
    cap.hidden = !cap.textContent;
  }
  for (const node of root.querySelectorAll("[data-key-in-title]")) {
    const button = /** @type {HTMLElement} */ (node);
    button.dataset.title ??= button.title;
    button.title = `${button.dataset.title}  ${capOf(button.dataset.keyInTitle)}`.trim();
  }
}
