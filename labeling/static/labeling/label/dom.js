// The few ways in which the Label page writes to the document: only what differs.

/** @typedef {import("./types.js").LabelClass} LabelClass */

/** @template {keyof HTMLElementTagNameMap} K @param {K} tag @param {string} [name] @returns {HTMLElementTagNameMap[K]} */
export function make(tag, name) {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (tag === "button") node.setAttribute("type", "button");
  return node;
}

/** @param {Node} node @param {string} text */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** @param {Element} node @param {string} name @param {string|null} value */
export function setAttribute(node, name, value) {
  if (node.getAttribute(name) === value) return;
  if (value === null) node.removeAttribute(name);
  else node.setAttribute(name, value);
}

/** Relative luminance of #rrggbb, 0 to 1. @param {string} color */
export function lightness(color) {
  const [red, green, blue] = [1, 3, 5].map((at) => (parseInt(color.slice(at, at + 2), 16) / 255) ** 2.2);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** Black or white, whichever reads on a colour. @param {string} color */
export const inkOn = (color) => (lightness(color) > 0.18 ? "#000" : "#fff");

/** @param {HTMLElement} node @param {LabelClass} [label] none takes the colour away */
export function paint(node, label) {
  if (!label) {
    node.style.removeProperty("--class");
    return node.classList.remove("striped");
  }
  node.style.setProperty("--class", label.color);
  node.style.setProperty("--class-ink", inkOn(label.color));
  node.classList.toggle("striped", label.striped);
}
