// Making SVG nodes, and the small drawings of tools and buttons.

const SVG = "http://www.w3.org/2000/svg";

/** @param {string} tag @param {string} [name] @param {Element[]} [children] */
export function makeSvg(tag, name = "", children = []) {
  const node = document.createElementNS(SVG, tag);
  if (name) node.setAttribute("class", name);
  node.append(...children);
  return /** @type {SVGElement} */ (node);
}

/** Drawn with lines on a square of 16. */
const ICONS = {
  select: "M4 2.5l8.5 5.2-3.9.9 2.3 4-1.8 1-2.3-4L4 12.4z",
  box: "M2.5 4.5h11v7h-11z M2.5 4.5h.01M13.5 4.5h.01M13.5 11.5h.01M2.5 11.5h.01",
  template: "M2.5 2.5h7v7h-7z M6.5 6.5h7v7h-7z",
  polygon: "M3 6l5-3.5L13.5 6l-2 7H5z",
  points: "M2.5 12L8 4l5.5 8 M8 4h.01M2.5 12h.01M13.5 12h.01M11 2.5h4M13 .5v4",
  smart: "M3 13l6-6 M10.5 2v2.5M10.5 7.5V10M7 6h-.5M8 3.5l-.5-.5M13 3.5l.5-.5M13 8.5l.5.5M14.5 6H12.5",
  pan: "M8 2v12M2 8h12M8 2L6.3 3.7M8 2l1.7 1.7M8 14l-1.7-1.7M8 14l1.7-1.7M2 8l1.7-1.7M2 8l1.7 1.7M14 8l-1.7-1.7M14 8l-1.7 1.7",
  lock: "M4 7.5h8v6H4z M5.5 7.5V5a2.5 2.5 0 015 0v2.5",
  unlock: "M4 7.5h8v6H4z M5.5 7.5V5a2.5 2.5 0 014.8-1",
  eye: "M1.5 8C3 5.3 5.3 4 8 4s5 1.3 6.5 4C13 10.7 10.7 12 8 12S3 10.7 1.5 8z M8 6.3a1.7 1.7 0 100 3.4 1.7 1.7 0 000-3.4z",
  hidden: "M2 2l12 12 M4 5.4C3 6 2.2 6.9 1.5 8 3 10.7 5.3 12 8 12c1 0 1.9-.2 2.7-.5 M6.3 4.2C6.8 4.1 7.4 4 8 4c2.7 0 5 1.3 6.5 4-.4.7-.8 1.3-1.3 1.8",
  remove: "M4 4l8 8M12 4l-8 8",
  accept: "M3 8.5l3.5 3.5L13 4.5",
  part: "M2.5 3.5h11v9h-11z M6 6.5h4v3H6z",
  front: "M8 13V5M4.5 8.5L8 5l3.5 3.5M3 2.5h10",
  back: "M8 3v8M4.5 7.5L8 11l3.5-3.5M3 13.5h10",
  minus: "M3.5 8h9",
  plus: "M3.5 8h9M8 3.5v9",
  fit: "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10",
  crosshair: "M8 1.5v13M1.5 8h13",
  snap: "M3.5 2.5v5a4.5 4.5 0 009 0v-5h-3v5a1.5 1.5 0 01-3 0v-5zM3.5 5h3M9.5 5h3",
  labels: "M2 4.5h8l4 3.5-4 3.5H2z M4.8 8h3.5",
  adjust: "M8 2.5a5.5 5.5 0 100 11z M8 2.5a5.5 5.5 0 010 11",
};

/** @param {keyof typeof ICONS} name */
export function icon(name) {
  const path = makeSvg("path");
  path.setAttribute("d", ICONS[name]);
  const node = makeSvg("svg", "icon", [path]);
  node.setAttribute("viewBox", "0 0 16 16");
  node.setAttribute("aria-hidden", "true");
  return node;
}

/** @param {Element} svg made by icon() @param {keyof typeof ICONS} name */
export function setIcon(svg, name) {
  const path = /** @type {Element} */ (svg.firstChild);
  if (path.getAttribute("d") !== ICONS[name]) path.setAttribute("d", ICONS[name]);
}
