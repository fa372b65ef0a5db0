// An image with what a model says of it: boxes and outlines dashed, classes as chips below.

/** @typedef {import("./thresholds.js").Region} Region */
/** @typedef {{id: number, name: string, color: string}} LabelClass */

const SVG = "http://www.w3.org/2000/svg";

/** @param {string} name @param {Record<string, string|number>} attributes */
function shape(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
  return node;
}

/** @param {Region} region */
export function pathOf(region) {
  if (region.polygon) {
    const corners = (/** @type {number[]} */ part) => part.map((value, at) => (at % 2 ? "," : at ? "L" : "M") + value).join("");
    return region.polygon.map((part) => `${corners(part)}Z`).join("");
  }
  const [x, y, width, height] = region.bbox ?? [0, 0, 0, 0];
  return `M${x},${y}h${width}v${height}h${-width}Z`;
}

/** @param {Element} figure @param {Region[]} regions @param {Map<number, LabelClass>} classes */
export function drawShapes(figure, regions, classes) {
  const overlay = /** @type {SVGElement} */ (figure.querySelector("svg"));
  const drawn = regions.flatMap((each) => {
    const color = classes.get(each.class)?.color ?? "#888";
    const path = { d: pathOf(each), "fill-rule": "evenodd" };
    const line = shape("path", { ...path, class: "line", stroke: color });
    const title = shape("title", {});
    title.textContent = `${classes.get(each.class)?.name ?? ""} ${each.confidence.toFixed(2)}`;
    line.append(title);
    return [shape("path", { ...path, class: "casing" }), line];
  });
  overlay.replaceChildren(...drawn);
}

/** @param {LabelClass|undefined} label @param {string} text */
export function chip(label, text) {
  const node = document.createElement("span");
  node.className = "auto-chip";
  const swatch = shape("svg", { viewBox: "0 0 12 12", class: "swatch", "aria-hidden": "true" });
  swatch.append(shape("rect", { width: 12, height: 12, fill: label?.color ?? "#888" }));
  node.append(swatch, text);
  return node;
}

/** The chips of an image: each class once, with its surest confidence and how often. @param {Region[]} regions @param {Map<number, LabelClass>} classes */
export function chipsOf(regions, classes) {
  /** @type {Map<number, {count: number, best: number}>} */
  const seen = new Map();
  for (const { class: label, confidence } of regions) {
    const before = seen.get(label) ?? { count: 0, best: 0 };
    seen.set(label, { count: before.count + 1, best: Math.max(before.best, confidence) });
  }
  return [...seen].map(([label, { count, best }]) => {
    const known = classes.get(label);
    const times = count > 1 ? `${count} × ` : "";
    return chip(known, `${times}${known?.name ?? ""} ${best.toFixed(2)}`);
  });
}

/** A figure for an image. @param {any} picture @param {boolean} large @param {string} label */
export function figureOf(picture, large, label) {
  const figure = document.createElement("figure");
  figure.className = "auto-picture";
  figure.dataset.item = picture.id;
  const face = document.createElement("button");
  face.type = "button";
  face.className = "auto-face";
  face.setAttribute("aria-label", label);
  const image = document.createElement("img");
  image.alt = "";
  image.decoding = "async";
  image.draggable = false;
  image.src = large ? picture.image : picture.thumbnail;
  if (Math.max(picture.width ?? 0, picture.height ?? 0) <= 64) image.className = "crisp";
  const overlay = shape("svg", {
    viewBox: `0 0 ${picture.width || 1} ${picture.height || 1}`,
    preserveAspectRatio: "xMidYMid meet",
    "aria-hidden": "true",
  });
  face.append(image, overlay);
  const caption = document.createElement("figcaption");
  figure.append(face, caption);
  return figure;
}

/** Where in the image, in its own pixels, an event is. @param {Element} figure @param {PointerEvent} event @returns {[number, number]} */
export function placeOf(figure, event) {
  const overlay = /** @type {SVGSVGElement} */ (figure.querySelector("svg"));
  const to = overlay.getScreenCTM()?.inverse();
  const { width, height } = overlay.viewBox.baseVal;
  const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(to);
  return [Math.max(0, Math.min(width, x)), Math.max(0, Math.min(height, y))];
}
