// The handles of the one selected region: squares for a box, dots for the points of a polygon.

import { setAttribute } from "../dom.js";
import { boundsOf } from "./geometry.js";
import { handlesFor } from "./hit.js";
import { makeSvg } from "./svg.js";
import { isDrawing, onlySelected, shapeOf } from "./state.js";
import { toStage } from "./view.js";

/** @typedef {import("./state.js").State} State @typedef {import("./state.js").Point} Point */

/** More points than this are only shown near the pointer. */
const MOST = 400;
const NEAR = 60;

/** @param {State} state @returns {{name: string, at: Point, held: boolean}[]} on the stage */
export function handlesOf(state) {
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
  const many = parts.reduce((sum, part) => sum + part.length / 2, 0) > MOST;
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

export function handleLayer() {
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
