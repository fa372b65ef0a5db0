// What the hand works on, in SVG over the image: selected and hovered shapes, what is being drawn, guides.
// Nodes stay; only what differs is written.

import { inkOn, setAttribute } from "../dom.js";
import { casingOf, colorOf, NO_CLASS, pathOf, TAG, tagOf, tagPlace } from "./paint.js";
import { boundsOf, boxFrom } from "./geometry.js";
import { handlesFor } from "./hit.js";
import { onStage } from "./crowd.js";
import { makeSvg } from "./svg.js";
import { classOf, isDrawing, isProposal, onlySelected, regionAt, shapeOf } from "./state.js";
import { templateAt } from "./tools/box.js";
import { closes } from "./tools/polygon.js";
import { toStage } from "./view.js";

/** @typedef {import("./state.js").State} State @typedef {import("./state.js").Region} Region @typedef {import("./state.js").Point} Point */

/** Three lines of one shape: its fill, the line below and the line. @param {string} name */
function makeShape(name) {
  const [fill, casing, line] = ["fill", "casing", "line"].map((each) => makeSvg("path", each));
  return { node: makeSvg("g", `shape ${name}`, [fill, casing, line]), fill, casing, line, path: "" };
}

/** @param {SVGElement} svg @param {(text: string) => number} widthOf */
export function overlay(svg, widthOf) {
  const stripes = makeSvg("defs");
  const shapes = makeSvg("g", "shapes");
  const drawn = makeShape("draft");
  const rubber = makeShape("rubber");
  const marks = makeSvg("g", "marks");
  const guides = ["guide-across", "guide-down"].map((name) => makeSvg("path", `guide ${name}`));
  const marquee = makeSvg("rect", "marquee");
  const aimed = makeSvg("circle", "aimed");
  const tags = makeSvg("g", "tags");
  const inImage = makeSvg("g", "in-image", [shapes, drawn.node, rubber.node]);
  const handles = handleLayer();
  svg.append(stripes, inImage, marquee, ...guides, aimed, handles.node, marks, tags);
  /** @type {Map<number, ReturnType<typeof makeShape> & {tag: SVGElement}>} */
  const nodes = new Map();

  /** @param {ReturnType<typeof makeShape>} made @param {string} path @param {string} color */
  function trace(made, path, color) {
    if (made.path !== path) {
      made.path = path;
      for (const each of [made.fill, made.casing, made.line]) each.setAttribute("d", path);
    }
    if (made.node.style.getPropertyValue("--class") === color) return;
    made.node.style.setProperty("--class", color);
    made.node.style.setProperty("--casing", casingOf(color));
  }

  /** @param {State} state @param {Region} region */
  function drawRegion(state, region) {
    let made = nodes.get(region.key);
    if (!made) {
      const tag = makeSvg("g", "tag", [makeSvg("rect"), makeSvg("text")]);
      made = { ...makeShape(""), tag };
      made.node.setAttribute("data-region", String(region.key));
      nodes.set(region.key, made);
      shapes.append(made.node);
      tags.append(tag);
    }
    const shape = shapeOf(state, region);
    trace(made, pathOf(shape), colorOf(state, region));
    const proposed = isProposal(region) && !state.preview?.has(region.key);
    made.node.classList.toggle("selected", state.selected.has(region.key));
    made.node.classList.toggle("proposed", proposed);
    setAttribute(made.fill, "fill", fillOf(state, region));
    drawTag(state, region, made.tag, onStage(state.view, boundsOf(shape)), proposed);
  }

  /** @param {State} state @param {Region} region */
  function fillOf(state, region) {
    const label = classOf(state, region);
    if (!label?.striped) return colorOf(state, region);
    const id = `stripes-${label.id}`;
    const known = stripes.querySelector(`#${id}`);
    const pattern = known ?? makeSvg("pattern", "", [makeSvg("path")]);
    setAttribute(pattern, "patternTransform", `scale(${1 / state.view.scale}) rotate(45)`);
    if (known) return `url(#${id})`;
    for (const [name, value] of Object.entries({ id, width: "6", height: "6", patternUnits: "userSpaceOnUse" })) pattern.setAttribute(name, value);
    const line = /** @type {Element} */ (pattern.firstChild);
    line.setAttribute("d", "M1.5 0V6");
    line.setAttribute("stroke", label.color);
    line.setAttribute("stroke-width", "3");
    stripes.append(pattern);
    return `url(#${id})`;
  }

  /** @param {State} state @param {Region} region @param {SVGElement} tag @param {number[]} bounds @param {boolean} proposed */
  function drawTag(state, region, tag, [x, y], proposed) {
    const [box, text] = /** @type {SVGElement[]} */ ([...tag.children]);
    const said = tagOf(state, region);
    const color = colorOf(state, region);
    setAttribute(tag, "transform", `translate(${tagPlace(x, y, widthOf(said) + 10, state.size.width)})`);
    tag.classList.toggle("proposed", proposed);
    if (text.textContent !== said) {
      text.textContent = said;
      setAttribute(box, "width", String(widthOf(said) + 10));
      setAttribute(box, "height", String(TAG));
      setAttribute(text, "x", "5");
      setAttribute(text, "y", "12");
    }
    setAttribute(box, "fill", proposed ? "rgb(20 20 20 / 0.82)" : color);
    setAttribute(box, "stroke", proposed ? color : "none");
    setAttribute(text, "fill", proposed ? "#fff" : inkOn(color));
  }

  /** @param {State} state */
  function drawDraft(state) {
    const { draft } = state;
    const color = (state.current !== null && state.byId.get(state.current)?.color) || NO_CLASS;
    let [line, band] = ["", ""];
    if (draft?.kind === "box") line = pathOf({ box: boxFrom(draft.from, draft.to) });
    else if (draft?.kind === "polygon" && draft.points.length) {
      const path = pathOf({ parts: [draft.points] }).slice(0, -1);
      line = path;
      if (!draft.held || !draft.free) band = `M${draft.points.slice(-2).join(" ")}L${draft.to.join(" ")}`;
    } else if (draft?.kind === "smart") {
      line = draft.parts ? pathOf({ parts: draft.parts }) : "";
      if (draft.from && draft.to) band = pathOf({ box: boxFrom(draft.from, draft.to) });
      else if (draft.box && !draft.parts) band = pathOf({ box: /** @type {any} */ (draft.box) });
    } else if (state.tool === "template" && state.aimed && state.sheet && !state.grip) band = pathOf({ box: templateAt(state, state.aimed) });
    const owner = draft?.kind === "polygon" && draft.owner !== null ? regionAt(state, draft.owner) : undefined;
    trace(drawn, line, owner ? colorOf(state, owner) : color);
    trace(rubber, band, owner ? colorOf(state, owner) : color);
    drawMarks(state);
  }

  /** Points of what is drawn, and clicks of the smart tool. @param {State} state */
  function drawMarks(state) {
    const { draft, view } = state;
    /** @type {{at: import("./state.js").Point, kind: string}[]} */
    const wanted = [];
    if (draft?.kind === "polygon") {
      const closing = closes(state, draft.held ? null : draft.to);
      for (let at = 0; at < draft.points.length; at += 2) {
        wanted.push({ at: [draft.points[at], draft.points[at + 1]], kind: at ? "point" : closing ? "first closing" : "first" });
      }
    }
    if (draft?.kind === "smart") for (const { x, y, inside } of draft.points) wanted.push({ at: [x, y], kind: inside ? "plus" : "minus" });
    if (state.spot) wanted.push({ at: state.spot.point, kind: state.spot.does });
    while (marks.childElementCount > wanted.length) marks.lastChild?.remove();
    while (marks.childElementCount < wanted.length) marks.append(makeSvg("g", "", [makeSvg("circle"), makeSvg("path")]));
    wanted.forEach(({ at, kind }, index) => {
      const [x, y] = toStage(view, ...at);
      const node = marks.children[index];
      setAttribute(node, "class", `mark ${kind}`);
      setAttribute(node, "transform", `translate(${x} ${y})`);
    });
  }

  /** @param {State} state */
  function drawGuides(state) {
    const wanted = state.byKeys || (state.prefs.crosshair && !state.coarse && (state.tool === "box" || state.tool === "template"));
    const at = wanted && state.aimed && !state.grip && !state.panning ? toStage(state.view, ...state.aimed) : null;
    setAttribute(guides[0], "d", at ? `M0 ${at[1]}H${state.size.width}` : "");
    setAttribute(guides[1], "d", at ? `M${at[0]} 0V${state.size.height}` : "");
    const near = state.snappedTo && state.aimed ? toStage(state.view, ...state.aimed) : null;
    setAttribute(aimed, "r", near ? "6" : "0");
    if (near) setAttribute(aimed, "transform", `translate(${near[0]} ${near[1]})`);
    const box = state.marquee ? onStage(state.view, boxFrom(state.marquee.from, state.marquee.to)) : [0, 0, 0, 0];
    ["x", "y", "width", "height"].forEach((name, index) => setAttribute(marquee, name, String(box[index])));
  }

  /** @param {State} state @param {Region[]} active */
  function draw(state, active) {
    const { scale, x, y } = state.view;
    setAttribute(inImage, "transform", `matrix(${scale} 0 0 ${scale} ${x} ${y})`);
    svg.style.setProperty("--fill", String(state.prefs.opacity / 100));
    const keys = new Set(active.map(({ key }) => key));
    for (const [key, made] of nodes) {
      if (keys.has(key)) continue;
      made.node.remove();
      made.tag.remove();
      nodes.delete(key);
    }
    for (const region of active) drawRegion(state, region);
    drawDraft(state);
    drawGuides(state);
    handles.draw(state);
  }

  return { draw };
}

// ---- handles of the one selected region: squares for a box, dots for the points of a polygon ----

/** More handles than this are only shown near the pointer. */
const MOST_HANDLES = 400;
const NEAR = 60;

/** @param {State} state @returns {{name: string, at: Point, held: boolean}[]} on the stage */
function handlesOf(state) {
  const region = onlySelected(state);
  if (!region || state.draft || state.grip?.type === "body") return [];
  if (region.box) return boxHandles(state, boundsOf(shapeOf(state, region)));
  return isDrawing(state) ? [] : polygonHandles(state, shapeOf(state, region).parts ?? []);
}

/** @param {State} state @param {number[]} box */
function boxHandles({ view, grip }, [x, y, w, h]) {
  return handlesFor(view, w, h).map(([name, across, down]) => ({
    name,
    at: toStage(view, x + across * w, y + down * h),
    held: grip?.type === "handle" && grip.handle === name,
  }));
}

/** @param {State} state @param {number[][]} parts */
function polygonHandles({ view, size, grip, pointer }, parts) {
  const many = parts.reduce((sum, part) => sum + part.length / 2, 0) > MOST_HANDLES;
  const near = pointer && toStage(view, ...pointer);
  /** @type {{name: string, at: Point, held: boolean}[]} */
  const found = [];
  parts.forEach((points, part) => {
    for (let at = 0; at < points.length; at += 2) {
      const [x, y] = toStage(view, points[at], points[at + 1]);
      if (x < 0 || y < 0 || x > size.width || y > size.height) continue;
      if (many && !(near && Math.hypot(near[0] - x, near[1] - y) < NEAR)) continue;
      const held = grip?.type === "point" && grip.part === part && grip.index === at / 2;
      found.push({ name: "point", at: [x, y], held });
    }
  });
  return found;
}

function handleLayer() {
  const node = makeSvg("g", "handles");

  /** @param {State} state */
  function draw(state) {
    const wanted = handlesOf(state);
    const idle = isDrawing(state) && !state.altHeld && !state.byKeys;
    while (node.childElementCount > wanted.length) node.lastChild?.remove();
    while (node.childElementCount < wanted.length) node.append(makeSvg("rect"));
    wanted.forEach(({ name, at, held }, index) => {
      const handle = node.children[index];
      setAttribute(handle, "class", `handle ${name === "point" ? "round" : ""} ${held ? "held" : idle ? "idle" : ""}`);
      setAttribute(handle, "data-handle", name);
      setAttribute(handle, "transform", `translate(${at[0]} ${at[1]})`);
    });
  }

  return { node, draw };
}
