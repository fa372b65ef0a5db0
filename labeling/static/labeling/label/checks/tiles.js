// Draws the crops of a page: a square each, with its number, and a frame around what is asked about.

import { make, paint, setAttribute, setText } from "../dom.js";
import { t } from "../text.js";

/** @typedef {import("../types.js").Crop} Crop @typedef {import("../types.js").LabelClass} LabelClass */

/** How sure the model is. @param {Crop} crop */
const sureOf = ({ confidence }) => `${Math.round(confidence * 100)} %`;

/** @param {HTMLElement} grid @param {(index: number) => void} toggle @param {(crop: Crop) => void} failed */
export function cropTiles(grid, toggle, failed) {
  /** @type {ReturnType<typeof makeTile>[]} */
  let tiles = [];

  /** @param {Crop} crop @param {number} index */
  function makeTile(crop, index) {
    const [left, top, width, height] = crop.within;
    const face = make("button", "crop");
    const picture = make("span", "crop-picture");
    // The crop's own sides are those of the object divided by its shares of them.
    picture.style.setProperty("--ratio", String((crop.bbox[2] / width) / (crop.bbox[3] / height)));
    const image = make("img");
    image.alt = "";
    image.draggable = false;
    image.addEventListener("error", () => {
      face.classList.add("failed");
      failed(crop);
    });
    image.src = crop.image;
    const frame = make("span", "crop-frame");
    Object.assign(frame.style, { left: share(left), top: share(top), width: share(width), height: share(height) });
    picture.append(image, frame);
    const number = make("span", "crop-number");
    number.textContent = String(index + 1);
    const sure = make("span", "crop-sure");
    sure.textContent = sureOf(crop);
    const sign = make("span", "crop-sign");
    face.dataset.failed = t("This image could not be loaded.");
    face.append(picture, number, sure, sign);
    face.addEventListener("click", () => toggle(index));
    return { face, sign, crop };
  }

  return {
    /** @param {Crop[]} crops @param {LabelClass|undefined} label */
    show(crops, label) {
      tiles = crops.map(makeTile);
      paint(grid, label);
      grid.dataset.count = String(crops.length);
      grid.replaceChildren(...tiles.map(({ face }) => face));
    },
    /** @param {Set<number>} out ids of the exceptions @param {string} name of the class */
    draw(out, name) {
      tiles.forEach(({ face, sign, crop }, index) => {
        const isOut = out.has(crop.id);
        const what = isOut ? t("not {name}", { name }) : t("{name}, {sure} sure", { name, sure: sureOf(crop) });
        face.classList.toggle("out", isOut);
        setAttribute(face, "aria-pressed", String(isOut));
        setAttribute(face, "aria-label", t("Object {number}: {what}", { number: index + 1, what }));
        setText(sign, isOut ? "✕" : "");
      });
    },
    /** @param {number} index */
    focus: (index) => tiles[index]?.face.focus(),
    focused: () => tiles.findIndex(({ face }) => face === document.activeElement),
  };
}

/** @param {number} part */
const share = (part) => `${100 * part}%`;
