// The canvas's shortcuts.

import { digitPosition, letter } from "../keys.js";
import { t } from "../text.js";

/** @typedef {import("../types.js").Binding} Binding @typedef {import("./state.js").State} State */

const ARROWS = { left: [-1, 0], right: [1, 0], up: [0, -1], down: [0, 1] };

/**
 * @param {ReturnType<typeof import("./commands.js").commands>} act @param {State} state
 * @param {ReturnType<typeof import("./buttons.js").toolsFor>} tools @param {Element} stage
 * @param {HTMLElement} checks the button that opens the grid of crops
 * @returns {Binding[]}
 */
export function canvasBindings(act, state, tools, stage, checks) {
  const isThere = () => state.sheet !== null;
  const isSelected = () => state.selected.size > 0;
  const isDrafting = () => state.draft !== null;
  // Arrows and Tab also work the panel's own controls.
  const isOnStage = () => document.activeElement === document.body || stage.contains(document.activeElement);

  /** @param {KeyboardEvent} event */
  function classFor(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
    const pressed = letter(event).toLowerCase();
    const own = event.shiftKey ? undefined : state.classes.find(({ hotkey }) => hotkey && hotkey.toLowerCase() === pressed);
    const position = digitPosition(event);
    return own ?? (position === null ? undefined : state.classes[position]);
  }

  /** @param {"left"|"right"|"up"|"down"} way @param {string} key @returns {Binding[]} */
  function arrow(way, key) {
    const [dx, dy] = ARROWS[way];
    const texts = { left: t("Nudge left by a pixel; Shift: by ten"), right: t("Nudge right by a pixel; Shift: by ten"), up: t("Nudge up by a pixel; Shift: by ten"), down: t("Nudge down by a pixel; Shift: by ten") };
    const aims = { left: t("Aim further left without a pointer; Shift: finer"), right: t("Aim further right without a pointer; Shift: finer"), up: t("Aim further up without a pointer; Shift: finer"), down: t("Aim further down without a pointer; Shift: finer") };
    return [
      {
        id: `nudge-${way}`,
        group: "shapes",
        text: texts[way],
        keys: [key, `Shift+${key}`],
        repeat: true,
        when: () => isSelected() && isOnStage(),
        run: ({ shiftKey }) => act.nudge(dx * (shiftKey ? 10 : 1), dy * (shiftKey ? 10 : 1)),
      },
      {
        id: `aim-${way}`,
        group: "tools",
        text: aims[way],
        keys: [`Ctrl+${key}`, `Ctrl+Shift+${key}`],
        repeat: true,
        when: isThere,
        run: ({ shiftKey }) => act.aimBy(dx, dy, shiftKey),
      },
    ];
  }

  /** @type {Binding[]} */
  const polygons = state.task !== "segmentation" ? [] : [
    { id: "add-part", group: "tools", text: t("Draw a hole or a further part of the selected polygon; Shift + click begins one too"), keys: ["G"], when: isThere, run: act.addPart },
  ];

  return [
    ...tools.map(({ name, text, keys }) => /** @type {Binding} */ ({
      id: `tool-${name}`, group: "tools", text, keys: [keys], run: () => act.choose(name),
    })),
    { id: "repeat", group: "tools", text: t("Back to the tool that drew last"), keys: ["N"], run: act.again },
    ...polygons,
    { id: "finish", group: "tools", text: t("Finish what is being drawn"), keys: ["Enter"], when: isDrafting, run: act.finish },
    { id: "point-back", group: "tools", text: t("Take back the last point"), keys: ["Backspace"], repeat: true, when: isDrafting, run: act.back },
    { id: "cancel", group: "tools", text: t("Cancel; then select nothing"), keys: ["Escape"], when: isThere, run: act.cancel },
    { id: "click", group: "tools", text: t("Click where you aim without a pointer"), keys: ["."], when: isThere, run: act.clickAim },
    { id: "pan-hold", group: "view", text: t("Hold to move the image with the pointer; the wheel held does the same"), keys: ["Space"], when: isOnStage, run: () => act.hold(true), release: () => act.hold(false) },
    { id: "fit", group: "view", text: t("Show the whole image"), keys: ["Z"], run: act.fit },
    { id: "zoom-in", group: "view", text: t("Closer; the wheel zooms at the pointer"), keys: ["+", "="], repeat: true, run: act.zoomIn },
    { id: "zoom-out", group: "view", text: t("Farther"), keys: ["-"], repeat: true, run: act.zoomOut },
    {
      id: "assign",
      group: "classes",
      text: t("Give the selected regions, and what is drawn next, the class with this digit; what was just drawn with a class keeps it until it is selected. With Shift: classes 11 to 20"),
      keys: [],
      shown: ["1", "…", "9", "0"],
      match: (event) => isThere() && classFor(event) !== undefined,
      run: (event) => act.assign(/** @type {import("./state.js").LabelClass} */ (classFor(event)).id),
    },
    { id: "palette", group: "classes", text: t("Find a class by typing"), keys: ["/", "C"], when: isThere, run: act.palette },
    { id: "next-region", group: "shapes", text: t("Select the next region"), keys: ["Tab"], repeat: true, when: () => isOnStage() && act.canCycle(1), run: () => act.cycle(1) },
    { id: "last-region", group: "shapes", text: t("Select the region before"), keys: ["Shift+Tab"], repeat: true, when: () => isOnStage() && act.canCycle(-1), run: () => act.cycle(-1) },
    { id: "all", group: "shapes", text: t("Select all regions"), keys: ["Ctrl+A"], when: isThere, run: act.selectAll },
    { id: "delete", group: "shapes", text: t("Delete the selected regions"), keys: ["Delete", "Backspace"], when: isSelected, run: act.remove },
    { id: "duplicate", group: "shapes", text: t("Duplicate the selected regions"), keys: ["Ctrl+D"], when: isSelected, run: act.duplicate },
    { id: "copy", group: "shapes", text: t("Copy the selected regions"), keys: ["Ctrl+C"], when: isSelected, run: act.copy },
    { id: "paste", group: "shapes", text: t("Paste them, also on another image"), keys: ["Ctrl+V"], when: isThere, run: act.paste },
    { id: "copy-previous", group: "shapes", text: t("Copy the regions of the image before"), keys: ["B"], when: isThere, run: act.copyPrevious },
    { id: "lock", group: "shapes", text: t("Lock or unlock: the selected regions, or all"), keys: ["L"], when: isThere, run: act.lock },
    { id: "hide", group: "shapes", text: t("Hide or show: the selected regions, or all"), keys: ["H"], when: isThere, run: act.hide },
    { id: "hide-others", group: "shapes", text: t("Hide or show all others"), keys: ["Shift+H"], when: isSelected, run: act.hideOthers },
    { id: "front", group: "shapes", text: t("In front of all others"), keys: ["]"], when: isSelected, run: () => act.order("front") },
    { id: "back-most", group: "shapes", text: t("Behind all others"), keys: ["["], when: isSelected, run: () => act.order("back") },
    ...["left", "right", "up", "down"].flatMap((way) => arrow(/** @type {"left"} */ (way), `Arrow${way[0].toUpperCase()}${way.slice(1)}`)),
    { id: "accept", group: "proposals", text: t("Accept the proposal that is selected or pointed at, else the next"), keys: ["A"], when: act.hasProposals, run: act.accept },
    { id: "accept-all", group: "proposals", text: t("Accept all that are shown"), keys: ["Shift+A"], when: act.hasProposals, run: act.acceptShown },
    { id: "reject", group: "proposals", text: t("Reject the proposal that is selected or pointed at, else the next"), keys: ["X"], when: act.hasProposals, run: act.reject },
    { id: "check-objects", group: "proposals", text: t("Check nine proposed objects at once"), keys: ["Shift+C"], when: () => !checks.hidden, run: () => checks.click() },
  ];
}
