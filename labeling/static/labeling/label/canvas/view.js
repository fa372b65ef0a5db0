// How the image lies on the stage: stage = image × scale + (x, y). Views are never changed, only replaced.

/** @typedef {{scale: number, x: number, y: number}} View */

/** The whole image, as large as it goes, in the middle. @returns {View} */
export function fitView(stageWidth, stageHeight, imageWidth, imageHeight, margin = 0) {
  const room = (/** @type {number} */ size) => Math.max(1, size - 2 * margin);
  const scale = Math.min(room(stageWidth) / imageWidth, room(stageHeight) / imageHeight);
  return { scale, x: (stageWidth - imageWidth * scale) / 2, y: (stageHeight - imageHeight * scale) / 2 };
}

/**
 * Closer or farther, with the pixel at a place of the stage where it is.
 * @param {View} view @param {{min: number, max: number}} limits of the scale
 * @returns {View}
 */
export function zoomedAt(view, factor, sx, sy, limits) {
  const scale = Math.max(limits.min, Math.min(limits.max, view.scale * factor));
  const ratio = scale / view.scale;
  return { scale, x: sx - (sx - view.x) * ratio, y: sy - (sy - view.y) * ratio };
}

/** @param {View} view @returns {View} */
export const panned = (view, dx, dy) => ({ scale: view.scale, x: view.x + dx, y: view.y + dy });

/** @param {View} view @returns {[number, number]} */
export const toImage = (view, sx, sy) => [(sx - view.x) / view.scale, (sy - view.y) / view.scale];

/** @param {View} view @returns {[number, number]} */
export const toStage = (view, ix, iy) => [ix * view.scale + view.x, iy * view.scale + view.y];

/**
 * Pulled back so that some of the image stays on the stage.
 * @param {View} view @param {number} [least] pixels of the stage that stay covered, across and along
 * @returns {View}
 */
export function heldInside(view, stageWidth, stageHeight, imageWidth, imageHeight, least = 48) {
  const held = (/** @type {number} */ place, /** @type {number} */ stage, /** @type {number} */ image) => {
    const size = image * view.scale;
    const kept = Math.min(least, size, stage);
    return Math.max(kept - size, Math.min(stage - kept, place));
  };
  return {
    scale: view.scale,
    x: held(view.x, stageWidth, imageWidth),
    y: held(view.y, stageHeight, imageHeight),
  };
}
