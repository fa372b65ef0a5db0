// The column of tools.

import { make, setAttribute } from "../dom.js";
import { t } from "../text.js";
import { icon } from "./svg.js";

/** @typedef {import("./state.js").State} State @typedef {import("./state.js").ToolName} ToolName */

/** @param {string} task @param {boolean} outlines whether the server draws outlines @returns {{name: ToolName, text: string, keys: string}[]} */
export function toolsFor(task, outlines) {
  const drawsPolygons = task === "segmentation";
  /** @type {Record<ToolName, {text: string, keys: string}>} */
  const known = {
    select: { text: t("Select: click, move, reshape"), keys: "V" },
    box: { text: t("Box: drag, or click two corners"), keys: "R" },
    template: { text: t("Box as large as the last one, by one click"), keys: "T" },
    polygon: { text: t("Polygon: click its points; Shift + drag draws by hand"), keys: "P" },
    points: { text: t("Points: click an edge to add one, a point to remove it"), keys: "U" },
    smart: {
      text: drawsPolygons ? t("Smart polygon: click or box a thing, then Enter") : t("Smart box: click a thing, then Enter"),
      keys: "S",
    },
    pan: { text: t("Move the image; Space + drag does so with every tool"), keys: "M" },
  };
  /** @type {ToolName[]} */
  const names = drawsPolygons ? ["select", "polygon", "points", "box"] : ["select", "box", "template"];
  return [...names, ...(outlines ? /** @type {ToolName[]} */ (["smart"]) : []), /** @type {const} */ ("pan")].map((name) => ({ name, ...known[name] }));
}

/** @param {HTMLElement} column @param {State} state @param {ReturnType<typeof toolsFor>} tools @param {(name: ToolName) => void} choose */
export function toolbar(column, state, tools, choose) {
  const buttons = tools.map(({ name, text }) => {
    const button = make("button", "tool");
    button.type = "button";
    button.title = text;
    button.setAttribute("aria-label", text);
    button.dataset.tool = name;
    const key = make("kbd", "tool-key");
    key.dataset.keyOf = `tool-${name}`;
    button.append(icon(name), key);
    button.addEventListener("click", () => choose(name));
    return { name, button };
  });
  column.append(...buttons.map(({ button }) => button));

  return function draw() {
    for (const { name, button } of buttons) setAttribute(button, "aria-pressed", String(name === state.tool));
  };
}
