// Draws the state. Walks nodes that exist and writes only what differs.

import { make, paint, setAttribute, setText } from "../dom.js";
import { t } from "../text.js";
import { hintFor } from "./hint.js";
import { isNone, isTicked, openLabels, selection, targets } from "./state.js";

/** @typedef {import("./state.js").State} State @typedef {import("./state.js").Tile} Tile */
/** @typedef {import("../types.js").LabelClass} LabelClass */

/** Small images are not blown up further than this, in CSS pixels for each of theirs. */
const LARGEST_SCALE = 8;
/** Up to here their pixels stay crisp; blown up further, squares hide what they show. */
const CRISP_SCALE = 4;
/** Larger images are always drawn smoothly. */
const TINY = 64;

const INSET = 12; // between an image and its tile's edges, both sides together
const CAPTION = 32;

/** @param {HTMLImageElement} image that has loaded, in a box with room for it @param {HTMLElement} box @param {number} inset */
function magnify(image, box, inset) {
  const { naturalWidth: width, naturalHeight: height } = image;
  if (!width || !height) return;
  const fit = Math.min((box.clientWidth - inset) / width, (box.clientHeight - inset) / height);
  image.style.maxWidth = `${LARGEST_SCALE * width}px`;
  image.style.maxHeight = `${LARGEST_SCALE * height}px`;
  image.classList.toggle("crisp", Math.max(width, height) <= TINY && fit > 1 && fit <= CRISP_SCALE);
}

/** Columns that a page's images are laid out in. @param {number} count @param {boolean} tall */
export function columnsFor(count, tall) {
  if (count <= 1) return 1;
  if (count <= 4) return count === 2 && tall ? 1 : 2;
  return count <= 6 && tall ? 2 : 3;
}

/**
 * @param {import("../types.js").Item} item @param {number} edge longest side in device pixels
 * @param {string} [inWindow] what a DICOM image's address ends with
 */
export function pictureFor(item, edge, inWindow = "") {
  if (item.window && inWindow) return item.image + inWindow;
  const longest = Math.max(item.width ?? 0, item.height ?? 0);
  return longest > 320 && edge <= 400 ? item.thumbnail : item.image;
}

/** @param {number} position of a class @returns {string} the key printed on it */
export function badge(position, hotkey = "") {
  if (hotkey) return hotkey.toUpperCase();
  if (position < 10) return String((position + 1) % 10);
  return position < 20 ? `⇧${(position + 1) % 10}` : "";
}

/**
 * @param {HTMLElement} root
 * @param {{onTile: (index: number, event: MouseEvent) => void, onHover: (index: number|null) => void,
 *   onFocus: (index: number) => void, onChip: (index: number, classId: number) => void,
 *   onDoubt: (index: number, classId: number) => void, onClear: (index: number) => void,
 *   onMagnify: (index: number) => void, onClass: (classId: number) => void, onNone: () => void}} on
 * @param {State} state
 */
export function renderer(root, on, state) {
  const $ = (/** @type {string} */ name) => /** @type {HTMLElement} */ (root.querySelector(`[data-part="${name}"]`));
  const stage = $("stage");
  const classBar = $("classes");
  const byId = new Map(state.classes.map((each) => [each.id, each]));
  const largeImage = /** @type {HTMLImageElement} */ ($("magnifier").querySelector("img"));
  largeImage.addEventListener("load", () => magnify(largeImage, $("magnifier"), CAPTION));
  /** @type {ReturnType<typeof makeTile>[]} */
  const nodes = [];
  const classButtons = state.classes.map((label, position) => makeClassButton(label, position));
  classBar.append(...classButtons);
  const noneButton = state.multilabel ? makeNoneButton() : null;
  if (noneButton) classBar.append(noneButton);

  /** @param {LabelClass} label @param {number} position */
  function makeClassButton(label, position) {
    const button = make("button", "class-button");
    button.type = "button";
    button.dataset.class = String(label.id);
    const key = make("span", "class-key");
    key.textContent = badge(position, label.hotkey);
    const name = make("span", "class-name");
    name.textContent = label.name;
    const count = make("span", "class-count");
    button.append(key, name, count);
    button.title = label.description;
    paint(button, label);
    button.addEventListener("mousedown", (event) => event.preventDefault()); // the focus stays on the images
    button.addEventListener("click", () => on.onClass(label.id));
    return button;
  }

  function makeNoneButton() {
    const button = make("button", "class-button none-button");
    button.type = "button";
    const key = make("span", "class-key");
    key.textContent = "−";
    const name = make("span", "class-name");
    name.textContent = t("none of these");
    button.append(key, name, make("span", "class-count"));
    button.addEventListener("mousedown", (event) => event.preventDefault());
    button.addEventListener("click", () => on.onNone());
    return button;
  }

  /** @param {number} index */
  function makeTile(index) {
    const tile = make("div", "tile");
    const face = make("button", "tile-face");
    face.type = "button";
    face.dataset.index = String(index);
    const image = make("img");
    image.alt = "";
    image.draggable = false;
    image.addEventListener("load", () => {
      tile.classList.remove("loading", "failed");
      magnify(image, face, INSET);
    });
    image.addEventListener("error", () => tile.classList.replace("loading", "failed"));
    face.dataset.failed = t("This image could not be loaded. Skip it, or reload the page.");
    const sign = make("span", "tile-sign");
    sign.setAttribute("aria-hidden", "true");
    face.append(image, sign);
    const foot = make("div", "tile-foot");
    const chips = make("div", "tile-chips");
    const name = make("span", "tile-name");
    foot.append(chips, name);
    const lens = make("button", "tile-lens");
    lens.type = "button";
    lens.textContent = "⤢";
    lens.addEventListener("mousedown", (event) => event.preventDefault());
    lens.addEventListener("click", () => on.onMagnify(index));
    tile.append(face, lens, foot);
    face.addEventListener("click", (event) => on.onTile(index, event));
    face.addEventListener("focus", () => on.onFocus(index));
    tile.addEventListener("pointerenter", () => on.onHover(index));
    tile.addEventListener("pointerleave", () => on.onHover(null));
    return { tile, face, image, sign, lens, chips, name, url: "", chipsKey: "" };
  }

  function layout() {
    const count = Math.max(1, state.tiles.length);
    const tall = stage.clientHeight > stage.clientWidth * 1.1;
    const columns = columnsFor(count, tall);
    setAttribute(stage, "data-columns", String(columns));
    setAttribute(stage, "data-count", String(count));
    const rows = Math.ceil(count / columns);
    return (Math.max(stage.clientWidth / columns, stage.clientHeight / rows) || 300) * devicePixelRatio;
  }

  function drawTiles() {
    const edge = layout();
    const next = selection(state).length || !state.page ? [] : targets(state);
    while (nodes.length < state.tiles.length) {
      const made = makeTile(nodes.length);
      nodes.push(made);
      stage.append(made.tile);
    }
    nodes.forEach((node, index) => {
      const tile = state.tiles[index];
      node.tile.hidden = !tile;
      if (!tile) return;
      const url = pictureFor(tile.item, edge, state.window);
      if (node.url !== url) {
        const isSame = node.url.split("?")[0] === url.split("?")[0]; // in another window: it stays until that is here
        node.url = url;
        node.tile.classList.toggle("loading", !isSame);
        node.tile.classList.remove("failed");
        node.image.src = url;
      } else magnify(node.image, node.face, INSET);
      setAttribute(node.tile, "data-mark", tile.mark);
      node.tile.classList.toggle("selected", tile.selected);
      node.tile.classList.toggle("next", next.includes(tile));
      paint(node.tile, byId.get(tile.classes[0] ?? (isNone(tile) ? 0 : tile.proposal[0])));
      setAttribute(node.face, "aria-pressed", String(tile.selected));
      setAttribute(node.face, "aria-label", describe(tile, index));
      setAttribute(node.face, "tabindex", index === state.cursor ? "0" : "-1");
      setAttribute(node.lens, "aria-label", t("Look at image {number} in full size", { number: index + 1 }));
      setText(node.sign, tile.mark === "out" ? "✕" : "");
      setText(node.name, tile.item.file_name);
      setAttribute(node.name, "title", tile.item.why ? `${tile.item.file_name}: ${tile.item.why}` : tile.item.file_name);
      drawChips(node, tile, index);
    });
  }

  /** @param {ReturnType<typeof makeTile>} node @param {Tile} tile @param {number} index */
  function drawChips(node, tile, index) {
    const open = openLabels(tile);
    const key = `${tile.item.id} ${tile.mark} ${tile.reason} ${tile.classes} ${tile.proposal} ${tile.confidence} ${open}`;
    if (node.chipsKey === key) return;
    node.chipsKey = key;
    const ids = tile.mark === "out" ? tile.proposal : tile.classes;
    const chips = ids.map((id) => makeChip(tile, index, id));
    for (const id of open) chips.push(makeDoubt(index, id));
    if (isNone(tile)) chips.push(makeNote(index, t("none of these")));
    if (tile.mark === "skipped") chips.push(makeNote(index, tile.reason ? t("skipped: {reason}", { reason: tile.reason }) : t("skipped")));
    node.chips.replaceChildren(...chips);
  }

  /** An answer without a class, which a click takes back. @param {number} index @param {string} text */
  function makeNote(index, text) {
    const chip = make("button", "class-chip note");
    chip.type = "button";
    const name = make("span", "class-name");
    name.textContent = text;
    const cross = make("span", "class-cross");
    cross.textContent = "✕";
    chip.append(name, cross);
    chip.setAttribute("aria-label", t("Take back “{text}” from image {number}", { text, number: index + 1 }));
    chip.addEventListener("mousedown", (event) => event.preventDefault());
    chip.addEventListener("click", () => on.onClear(index));
    return chip;
  }

  /** A label that the model leaves open; a click says that it applies. @param {number} index @param {number} id */
  function makeDoubt(index, id) {
    const label = byId.get(id);
    const chip = make("button", "class-chip doubt");
    chip.type = "button";
    if (label) paint(chip, label);
    const name = make("span", "class-name");
    name.textContent = `${label?.name ?? ""} ?`;
    chip.append(make("span", "class-swatch"), name);
    chip.setAttribute("aria-label", t("Add {name} to image {number}", { name: label?.name, number: index + 1 }));
    chip.addEventListener("mousedown", (event) => event.preventDefault());
    chip.addEventListener("click", () => on.onDoubt(index, id));
    return chip;
  }

  /** @param {Tile} tile @param {number} index @param {number} id */
  function makeChip(tile, index, id) {
    const label = byId.get(id);
    const own = tile.mark === "person" || (tile.mark === "proposed" && isTicked(tile));
    const chip = make(own ? "button" : "span", `class-chip ${tile.mark}`);
    if (label) paint(chip, label);
    const swatch = make("span", "class-swatch");
    const name = make("span", "class-name");
    name.textContent = tile.mark === "out" ? t("not {name}", { name: label?.name }) : label?.name ?? "";
    chip.append(swatch, name);
    if (tile.mark === "proposed" && tile.confidence !== null) {
      const sure = make("span", "class-sure");
      sure.textContent = tile.confidence >= 0.995 ? ".99" : tile.confidence.toFixed(2).slice(1);
      sure.title = t("how sure the model is");
      chip.append(sure);
    }
    if (own) {
      const cross = make("span", "class-cross");
      cross.textContent = "✕";
      chip.append(cross);
      chip.setAttribute("aria-label", t("Remove {name} from image {number}", { name: label?.name, number: index + 1 }));
      chip.setAttribute("type", "button");
      chip.addEventListener("mousedown", (event) => event.preventDefault());
      chip.addEventListener("click", () => on.onChip(index, id));
    }
    return chip;
  }

  /** @param {Tile} tile @param {number} index */
  function describe(tile, index) {
    const names = tile.classes.map((id) => byId.get(id)?.name).join(", ");
    const proposal = tile.proposal.map((id) => byId.get(id)?.name).join(", ");
    const sure = tile.confidence === null ? "" : ` ${Math.round(tile.confidence * 100)} %`;
    const what = {
      empty: t("no answer yet"),
      proposed: t("proposed: {names}", { names }) + sure,
      person: names || t("none of these"),
      skipped: t("skipped"),
      out: t("not {name}", { name: proposal }),
    }[tile.mark];
    return t("Image {number}, {file}: {what}", { number: index + 1, file: tile.item.file_name, what });
  }

  function drawClasses() {
    const wanted = state.filter.trim().toLocaleLowerCase();
    const given = new Map();
    for (const tile of state.tiles) for (const id of tile.classes) given.set(id, (given.get(id) ?? 0) + 1);
    state.classes.forEach((label, position) => {
      const button = classButtons[position];
      button.hidden = wanted !== "" && !label.name.toLocaleLowerCase().includes(wanted);
      button.disabled = !state.page;
      setText(/** @type {Node} */ (button.lastChild), state.tiles.length > 1 && given.get(label.id) ? `${given.get(label.id)}` : "");
      button.classList.toggle("given", given.has(label.id));
    });
    if (!noneButton) return;
    const none = state.tiles.filter(isNone).length;
    noneButton.disabled = !state.page;
    noneButton.classList.toggle("given", none > 0);
    setText(/** @type {Node} */ (noneButton.lastChild), state.tiles.length > 1 && none ? `${none}` : "");
  }

  function drawHint() {
    const hint = $("hint");
    const parts = state.page ? hintFor(state, byId) : [""];
    const text = parts.map((part) => (typeof part === "string" ? part : part.name)).join("");
    if (hint.textContent !== text) {
      hint.replaceChildren(
        ...parts.map((part) => {
          if (typeof part === "string") return part;
          const name = make("strong", "hint-class");
          name.textContent = part.name;
          paint(name, part);
          return name;
        }),
      );
    }
    setText($("why"), state.tiles.length === 1 ? state.tiles[0].item.why : (state.page?.why ?? ""));
  }

  function drawMagnifier() {
    const overlay = $("magnifier");
    const tile = state.magnified ? state.tiles[state.hover ?? state.cursor] : undefined;
    overlay.hidden = !tile;
    if (!tile) return;
    const address = tile.item.window ? tile.item.image + state.window : tile.item.image;
    if (largeImage.getAttribute("src") !== address) largeImage.src = address;
    else magnify(largeImage, overlay, CAPTION);
    const size = tile.item.width ? `${tile.item.width} × ${tile.item.height} px` : "";
    const hint = t("Click or Z to go back");
    setText(/** @type {Node} */ (overlay.querySelector("figcaption")), [tile.item.file_name, size, hint].filter(Boolean).join(" · "));
  }

  return function render() {
    stage.hidden = state.tiles.length === 0;
    drawTiles();
    drawClasses();
    drawHint();
    drawMagnifier();
    for (const name of ["select-all", "select-none", "invert"]) setAttribute($(name), "aria-disabled", String(state.tiles.length < 2));
  };
}
