// The "?" dialog: every shortcut by group, where keys are found, changed and given back.

import { modal } from "./dialogs.js";
import { make, setText } from "./dom.js";
import { combination } from "./keys.js";
import { capsOf, capText } from "./keymap.js";
import { t } from "./text.js";

/** @typedef {import("./types.js").Binding} Binding @typedef {import("./keymap.js").Keymap} Keymap */
/** @typedef {{binding: Binding, node: HTMLElement, text: HTMLElement, keys: HTMLElement, note: HTMLElement}} Row */

const GROUPS = /** @type {Record<string, () => string>} */ ({
  page: () => t("Page"),
  classes: () => t("Classes"),
  tools: () => t("Tools"),
  shapes: () => t("Shapes"),
  proposals: () => t("Proposals"),
  view: () => t("View"),
});

/** @param {string} name @param {string} text @param {(event: MouseEvent) => void} run */
function makeButton(name, text, run) {
  const button = make("button", name);
  button.type = "button";
  button.textContent = text;
  button.addEventListener("click", run);
  return button;
}

/** @param {string} keys */
function makeCaps(keys) {
  return capsOf(keys).map((part) => {
    const cap = make("kbd");
    cap.textContent = part;
    return cap;
  });
}

/** @param {HTMLElement} element @param {Keymap} keymap @param {() => void} changed */
export function helpDialog(element, keymap, changed) {
  const dialog = modal(element);
  const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (dialog.querySelector(`[data-help="${name}"]`));
  const find = /** @type {HTMLInputElement} */ (part("find"));
  const single = /** @type {HTMLInputElement} */ (part("single"));
  /** What waits for new keys. @type {{row: Row, old: string}|null} */
  let waiting = null;

  const rows = keymap.table.map(makeRow);
  const sections = Object.entries(GROUPS).map(([group, title]) => makeSection(title(), rows.filter(({ binding }) => binding.group === group)));
  part("list").append(...sections.map(({ node }) => node));

  /** @param {Binding} binding @returns {Row} */
  function makeRow(binding) {
    const node = make("li", "shortcut");
    node.dataset.shortcut = binding.id;
    const text = make("span", "shortcut-text");
    text.textContent = binding.text;
    const keys = make("span", "shortcut-keys");
    const note = make("div", "shortcut-note");
    note.hidden = true;
    node.append(text, keys, note);
    return { binding, node, text, keys, note };
  }

  /** @param {string} title @param {Row[]} own */
  function makeSection(title, own) {
    const node = make("section", "shortcut-group");
    const head = make("h3");
    head.textContent = title;
    const list = make("ul");
    list.append(...own.map((row) => row.node));
    node.append(head, list);
    return { node, own };
  }

  /** @param {Row} row */
  function drawRow(row) {
    const { binding } = row;
    if (binding.match) return row.keys.replaceChildren(...(binding.shown ?? []).map(makeShown));
    const own = keymap.keysOf(binding);
    const buttons = own.map((keys) => makeKeyButton(row, keys));
    if (!own.length) buttons.push(makeKeyButton(row, ""));
    if (keymap.isChanged(binding)) {
      const reset = makeButton("button button-quiet shortcut-reset", t("Reset"), () => change(row, () => keymap.reset(binding)));
      reset.setAttribute("aria-label", t("Reset the keys of “{name}”", { name: binding.text }));
      buttons.push(reset);
    }
    row.keys.replaceChildren(...buttons);
  }

  /** @param {string} shown */
  function makeShown(shown) {
    const cap = make(shown === "…" ? "span" : "kbd");
    cap.textContent = shown;
    return cap;
  }

  /** @param {Row} row @param {string} keys "" where there are none */
  function makeKeyButton(row, keys) {
    const isWaiting = waiting?.row === row && waiting.old === keys;
    const button = makeButton("shortcut-key", "", () => wait(row, keys));
    button.dataset.combination = keys;
    button.classList.toggle("waiting", isWaiting);
    button.classList.toggle("off", keys !== "" && !keymap.working(row.binding).includes(keys));
    if (isWaiting) button.textContent = t("Press the new keys…");
    else if (keys) button.append(...makeCaps(keys));
    else button.textContent = t("no keys");
    button.setAttribute("aria-label", t("{name}: {keys}. Change the keys.", { name: row.binding.text, keys: keys ? capText(keys) : t("no keys") }));
    return button;
  }

  /** @param {Row} row @param {string} old */
  function wait(row, old) {
    stop();
    waiting = { row, old };
    drawRow(row);
    say(row, t("Press the new keys. Esc leaves them as they are."));
    focusKey(row, old);
  }

  function stop() {
    if (!waiting) return;
    const { row } = waiting;
    waiting = null;
    drawRow(row);
    say(row, "");
  }

  /** @param {Row} row @param {string} keys */
  function focusKey(row, keys) {
    const buttons = /** @type {HTMLElement[]} */ ([...row.keys.querySelectorAll(".shortcut-key")]);
    (buttons.find((button) => button.dataset.combination === keys) ?? buttons[0]).focus();
  }

  /** @param {Row} row @param {string} text @param {HTMLElement[]} [buttons] */
  function say(row, text, buttons = []) {
    const said = make("span", "grow");
    said.textContent = text;
    row.note.replaceChildren(said, ...buttons);
    row.note.hidden = !text;
    setText(part("status"), text);
  }

  /** @param {Row} row @param {() => void} action @param {string} [keys] of the button that is on then */
  function change(row, action, keys = "") {
    stop();
    action();
    draw();
    focusKey(row, keys);
    changed();
  }

  /** @param {KeyboardEvent} event */
  function take(event) {
    if (!waiting) return;
    event.preventDefault();
    event.stopPropagation();
    const { row, old } = waiting;
    const keys = combination(event);
    if (!keys || event.repeat) return;
    if (keys === "Escape" || keys === old) {
      stop();
      return focusKey(row, old);
    }
    const refusal = keymap.refusal(event, row.binding);
    if (refusal) return say(row, refusal);
    const others = keymap.others(keys, row.binding);
    if (others.length) return ask(row, old, keys, others);
    change(row, () => keymap.assign(row.binding, old, keys), keys);
    say(row, keymap.working(row.binding).includes(keys) ? "" : t("Single keys are switched off below."));
  }

  /** @param {Row} row @param {string} old @param {string} keys @param {Binding[]} others that have these keys */
  function ask(row, old, keys, others) {
    stop();
    const shown = capText(keys);
    const give = (/** @type {"take"|"swap"} */ rest) => change(row, () => keymap.assign(row.binding, old, keys, rest), keys);
    const swap = makeButton("button", t("Swap them"), () => {
      give("swap");
      say(row, "");
    });
    const takeIt = makeButton("button", t("Take it away there"), () => {
      give("take");
      say(row, "");
    });
    const leave = makeButton("button button-quiet", t("Leave it"), () => {
      say(row, "");
      focusKey(row, old);
    });
    const names = others.map((other) => t("“{text}”", { text: other.text })).join(", ");
    say(row, t("{keys} is used for {names}.", { keys: shown, names }), [...(old ? [swap] : []), takeIt, leave]);
    (old ? swap : takeIt).focus();
  }

  function draw() {
    rows.forEach(drawRow);
    single.checked = keymap.choice.singleKeys;
    part("reset-all").hidden = !keymap.table.some((binding) => keymap.isChanged(binding));
    filter();
  }

  function filter() {
    const wanted = find.value.trim().toLocaleLowerCase();
    for (const { node, own } of sections) {
      for (const { binding, node: row } of own) {
        const caps = keymap.keysOf(binding).map((keys) => `${keys} ${capText(keys)}`);
        row.hidden = ![binding.text, ...caps, ...(binding.shown ?? [])].join(" ").toLocaleLowerCase().includes(wanted);
      }
      node.hidden = own.every(({ node: row }) => row.hidden);
    }
    part("none").hidden = sections.some(({ node }) => !node.hidden);
  }

  dialog.addEventListener("keydown", take, true);
  dialog.addEventListener("cancel", (event) => waiting && event.preventDefault());
  dialog.addEventListener("click", (event) => !(/** @type {Element} */ (event.target).closest(".shortcut-key")) && stop());
  dialog.addEventListener("close", stop);
  find.addEventListener("input", filter);
  single.addEventListener("change", () => {
    keymap.setSingle(single.checked);
    draw();
    changed();
  });
  part("reset-all").addEventListener("click", () => {
    keymap.resetAll();
    rows.forEach((row) => say(row, ""));
    draw();
    changed();
  });
  draw();
  return {
    open() {
      find.value = "";
      draw();
      dialog.showModal();
    },
  };
}
