// Dragging moves the image; pointer.js does that for every tool that is held with Space or the wheel.

/** @type {import("../state.js").Tool} */
export const panTool = {
  cursor: (state) => (state.panning ? "grabbing" : "grab"),
  down() {},
  move() {},
  up() {},
  hover() {},
  abort() {},
};
