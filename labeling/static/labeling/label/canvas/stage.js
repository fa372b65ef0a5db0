// The image on the stage: drawn from the level of detail that fits the zoom, so that large images stay smooth.

/** From this scale on (CSS pixels for one of the image's) pixels are shown as squares. */
const CRISP = 4;
/** Images with a longer side get smaller copies, each half of the one before. */
const LARGE = 2048;

/** @typedef {{width: number, height: number}} Size */

const whenIdle = (/** @type {() => void} */ work) =>
  "requestIdleCallback" in window ? requestIdleCallback(work, { timeout: 500 }) : setTimeout(work, 50);

/** @param {CanvasImageSource} source @param {number} width @param {number} height */
function halved(source, width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.ceil(width / 2);
  canvas.height = Math.ceil(height / 2);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {{loaded: (size: Size) => void, exchanged: () => void, failed: () => void}} on
 */
export function imageStage(canvas, on) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { alpha: false }));
  const ground = getComputedStyle(canvas).getPropertyValue("--stage-ground") || "#222";
  let url = "";
  let drawn = "";
  /** The address that is to take the place of this one. */
  let wanted = "";
  /** The image, then its halves. @type {{source: CanvasImageSource, width: number, height: number}[]} */
  let levels = [];

  /** @param {string} address */
  function show(address) {
    if (address === url) return;
    clear();
    url = address;
    if (!address) return;
    const image = new Image();
    image.onload = () => {
      if (url !== address) return;
      levels = [{ source: image, width: image.naturalWidth, height: image.naturalHeight }];
      on.loaded({ width: image.naturalWidth, height: image.naturalHeight });
      if (Math.max(image.naturalWidth, image.naturalHeight) > LARGE) whenIdle(() => addLevel(address));
    };
    image.onerror = () => url === address && on.failed();
    image.src = address;
  }

  /** Show the same image as another address has it; until that is here, it stays as it was. @param {string} address */
  function exchange(address) {
    if (address === url || !url) return;
    const before = url;
    const image = new Image();
    wanted = address;
    image.onload = () => {
      if (wanted !== address || !isSame(before)) return;
      clear();
      url = address;
      levels = [{ source: image, width: image.naturalWidth, height: image.naturalHeight }];
      on.exchanged();
    };
    image.onerror = () => wanted === address && isSame(before) && on.failed();
    image.src = address;
  }

  /** Whether what is shown is an image still, whatever its window. @param {string} address */
  function isSame(address) {
    return url.split("?")[0] === address.split("?")[0];
  }

  /** One level at a time, so that the hand never waits for them. @param {string} address */
  function addLevel(address) {
    if (url !== address) return;
    const { source, width, height } = levels[levels.length - 1];
    const smaller = halved(source, width, height);
    levels.push({ source: smaller, width: smaller.width, height: smaller.height });
    if (Math.max(smaller.width, smaller.height) > LARGE / 2) whenIdle(() => addLevel(address));
  }

  function clear() {
    for (const { source } of levels.slice(1)) /** @type {HTMLCanvasElement} */ (source).width = 0; // gives memory back at once
    url = "";
    levels = [];
    drawn = "";
  }

  /** @param {{scale: number, x: number, y: number}} view @param {Size} size of the stage @param {Size} item */
  function draw(view, size, item) {
    const ratio = devicePixelRatio;
    const wide = Math.round(size.width * ratio);
    const high = Math.round(size.height * ratio);
    const key = [view.scale, view.x, view.y, wide, high, url, levels.length > 0].join();
    if (key === drawn) return;
    drawn = key;
    if (canvas.width !== wide) canvas.width = wide;
    if (canvas.height !== high) canvas.height = high;
    context.fillStyle = ground;
    context.fillRect(0, 0, wide, high);
    if (!levels.length) return;
    const scale = view.scale * ratio;
    const enough = [...levels].reverse().find((each) => each.width >= item.width * scale) ?? levels[0];
    const across = enough.width / item.width;
    const down = enough.height / item.height;
    // Whole pixels of the source only: parts of them would shift what is shown.
    const left = Math.max(0, Math.floor((-view.x / view.scale) * across));
    const top = Math.max(0, Math.floor((-view.y / view.scale) * down));
    const right = Math.min(enough.width, Math.ceil(((size.width - view.x) / view.scale) * across));
    const bottom = Math.min(enough.height, Math.ceil(((size.height - view.y) / view.scale) * down));
    if (right <= left || bottom <= top) return;
    context.imageSmoothingEnabled = view.scale < CRISP;
    context.drawImage(
      enough.source,
      left,
      top,
      right - left,
      bottom - top,
      (left / across) * scale + view.x * ratio,
      (top / down) * scale + view.y * ratio,
      ((right - left) / across) * scale,
      ((bottom - top) / down) * scale,
    );
  }

  return { show, exchange, draw, clear, isLoaded: () => levels.length > 0 };
}
