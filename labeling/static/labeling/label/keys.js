// Every shortcut of the Label page, in one table: the keyboard and the "?" dialog both read it.

/**
 * `press` is one example in Playwright's notation; `single` marks keys without Ctrl, which can be
 * switched off; `held` runs `release` on key up.
 * @typedef {{id: string, keys: string[], text: string, press: string, single?: boolean,
 *   match: (event: KeyboardEvent) => boolean, run: (event: KeyboardEvent) => void, release?: () => void}} Binding
 */

/** Latin letter of a key, also on keyboards that write another script. @param {KeyboardEvent} event */
export function letter(event) {
  if (/^[\x20-\x7e]$/.test(event.key)) return event.key.toLowerCase();
  return /^Key[A-Z]$/.test(event.code) ? event.code[3].toLowerCase() : event.key;
}

/** Position of the class that a digit stands for, null for other keys. @param {KeyboardEvent} event */
export function digitPosition(event) {
  const digit = event.code.match(/^(?:Digit|Numpad)(\d)$/)?.[1] ?? event.key.match(/^(\d)$/)?.[1];
  if (digit === undefined) return null;
  return (digit === "0" ? 9 : Number(digit) - 1) + (event.shiftKey ? 10 : 0);
}

const command = (/** @type {KeyboardEvent} */ event) => event.ctrlKey || event.metaKey;
const plain = (/** @type {KeyboardEvent} */ event) => !command(event) && !event.altKey;
const RESERVED = new Set(["s", "i", "z", "?", "/", " ", "-", "`"]);

/**
 * @param {Record<string, (...args: any[]) => void>} act what keys can do
 * @param {{classes: import("./state.js").LabelClass[], multilabel: boolean}} state
 * @returns {Binding[]}
 */
export function bindings(act, state) {
  const classFor = (/** @type {KeyboardEvent} */ event) => {
    const own = state.classes.find(({ hotkey }) => hotkey && hotkey.toLowerCase() === letter(event));
    if (own && !RESERVED.has(letter(event)) && !event.shiftKey) return own;
    const position = digitPosition(event);
    return position === null ? undefined : state.classes[position];
  };
  const arrows = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" };
  /** @type {Binding} */
  const none = {
    id: "none-of-these",
    keys: ["−", "`"],
    text: "None of these: no class fits the selected images, or the outlined one",
    press: "-",
    single: true,
    match: (event) => plain(event) && (event.key === "-" || event.key === "−" || event.code === "Backquote"),
    run: () => act.none(),
  };
  return [
    {
      id: "assign",
      keys: ["1", "…", "9", "0"],
      text: state.multilabel
        ? "Give the class with this digit to the selected images, or to the outlined one; once more takes it away. With Shift: classes 11 to 20"
        : "Give the class with this digit to the selected images, or to the next open one. With Shift: classes 11 to 20",
      press: "1",
      single: true,
      match: (event) => plain(event) && classFor(event) !== undefined,
      run: (event) => act.assign(classFor(event)?.id),
    },
    ...(state.multilabel ? [none] : []),
    {
      id: "clear",
      keys: ["Backspace", "Delete"],
      text: "Take back what the selected images, or the outlined one, have: classes or a skip",
      press: "Backspace",
      single: true,
      match: (event) => plain(event) && (event.key === "Backspace" || event.key === "Delete"),
      run: () => act.clear(),
    },
    {
      id: "submit",
      keys: ["Enter"],
      text: state.multilabel
        ? "Submit this page, as soon as every image has its classes, none of these, or a skip (Ctrl + Enter does the same)"
        : "Submit this page (Ctrl + Enter does the same)",
      press: "Enter",
      match: (event) => event.key === "Enter" && !event.shiftKey && !event.altKey,
      run: () => act.submit(),
    },
    {
      id: "skip",
      keys: ["S"],
      text: "Skip the selected images, or the whole page when none is selected",
      press: "s",
      single: true,
      match: (event) => plain(event) && letter(event) === "s",
      run: () => act.skip(),
    },
    {
      id: "undo",
      keys: ["Ctrl", "Z"],
      text: "Take back the last step, then the last page",
      press: "Control+z",
      match: (event) => command(event) && !event.shiftKey && letter(event) === "z",
      run: () => act.undo(),
    },
    {
      id: "all",
      keys: ["Ctrl", "A"],
      text: "Select all images",
      press: "Control+a",
      match: (event) => command(event) && letter(event) === "a",
      run: () => act.selectAll(),
    },
    {
      id: "none",
      keys: ["Esc"],
      text: "Clear the selection",
      press: "Escape",
      match: (event) => event.key === "Escape",
      run: () => act.selectNone(),
    },
    {
      id: "move",
      keys: ["←", "→", "↑", "↓"],
      text: "Go to another image; Space selects it",
      press: "ArrowRight",
      single: true,
      match: (event) => plain(event) && event.key in arrows,
      run: (event) => act.move(arrows[/** @type {keyof typeof arrows} */ (event.key)]),
    },
    {
      id: "magnify",
      keys: ["Z"],
      text: "Hold to look at the image under the pointer in full size",
      press: "z",
      single: true,
      match: (event) => plain(event) && letter(event) === "z",
      run: () => act.magnify(true),
      release: () => act.magnify(false),
    },
    {
      id: "find",
      keys: ["/"],
      text: "Find a class by typing its name; Enter gives the first one found",
      press: "/",
      single: true,
      match: (event) => plain(event) && event.key === "/",
      run: () => act.find(),
    },
    {
      id: "instructions",
      keys: ["I"],
      text: "Show the instructions",
      press: "i",
      single: true,
      match: (event) => plain(event) && letter(event) === "i",
      run: () => act.instructions(),
    },
    {
      id: "help",
      keys: ["?"],
      text: "Show this list",
      press: "?",
      single: true,
      match: (event) => plain(event) && event.key === "?",
      run: () => act.help(),
    },
  ];
}

const isField = (/** @type {Element} */ element) => element.matches("input:not([type=radio]), textarea, select");
const takesEnter = (/** @type {Element} */ element) => element.closest("a, button, summary, select") !== null;

/**
 * @param {Binding[]} table
 * @param {{enabled: () => boolean, stage: Element, fired: (id: string) => void}} context
 */
export function listen(table, { enabled, stage, fired }) {
  /** @type {Binding|null} */
  let held = null;
  addEventListener("keydown", (event) => {
    const target = /** @type {Element} */ (event.target);
    if (event.isComposing || event.defaultPrevented || isField(target) || document.querySelector("dialog[open]")) return;
    if (event.key === "Enter" && !command(event) && takesEnter(target) && !stage.contains(target)) return;
    const found = table.find((each) => each.match(event));
    if (!found || (found.single && !enabled())) return;
    event.preventDefault();
    if (event.repeat && !["move"].includes(found.id)) return;
    if (found.release) held = found;
    found.run(event);
    fired(found.id);
  });
  const letGo = () => {
    held?.release?.();
    held = null;
  };
  addEventListener("keyup", (event) => held && held.match(event) && letGo());
  addEventListener("blur", letGo);
}
