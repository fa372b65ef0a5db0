// The list of classes: what the model is told of each, and from which confidence it is shown.

/** @typedef {{id: number, name: string, color: string, prompt: string, threshold: number, examples: any[]}} LabelClass */

import { chip } from "./pictures.js";

/**
 * @param {HTMLElement} list @param {LabelClass[]} classes @param {Record<string, string>} texts
 * @param {{slide: (id: number, value: number) => void, set: (id: number, value: number) => void, tell: (id: number, prompt: string) => void,
 *   choose: (id: number) => void, remove: (id: number, example: number) => void}} on
 */
export function listClasses(list, classes, texts, on) {
  list.replaceChildren(...classes.map((each) => row(each, texts, on)));
}

/** @param {LabelClass} each @param {Record<string, string>} texts @param {any} on */
function row(each, texts, on) {
  const item = document.createElement("li");
  item.className = "auto-class";
  item.dataset.class = String(each.id);
  const head = document.createElement("div");
  head.className = "auto-class-head";
  const count = document.createElement("output");
  count.dataset.count = "";
  head.append(chip(each, each.name), count);

  const prompt = document.createElement("input");
  prompt.type = "text";
  prompt.value = each.prompt;
  prompt.maxLength = 2000;
  prompt.dataset.for = "prompts";
  prompt.setAttribute("aria-label", texts.prompt.replace("%s", each.name));
  prompt.addEventListener("input", () => on.tell(each.id, prompt.value));

  const examples = document.createElement("div");
  examples.className = "auto-examples";
  examples.dataset.for = "examples";
  fillExamples(examples, each, texts, on);

  const slider = document.createElement("div");
  slider.className = "auto-slider";
  const range = document.createElement("input");
  Object.assign(range, { type: "range", min: "0.05", max: "1", step: "0.01", value: String(each.threshold) });
  range.setAttribute("aria-label", texts.threshold.replace("%s", each.name));
  const value = document.createElement("output");
  value.textContent = each.threshold.toFixed(2);
  range.addEventListener("input", () => {
    value.textContent = Number(range.value).toFixed(2);
    on.slide(each.id, Number(range.value));
  });
  range.addEventListener("set", () => {
    value.textContent = Number(range.value).toFixed(2);
    on.set(each.id, Number(range.value));
  });
  slider.append(range, value);
  item.append(head, prompt, examples, slider);
  return item;
}

/** @param {HTMLElement} box @param {LabelClass} each @param {Record<string, string>} texts @param {any} on */
export function fillExamples(box, each, texts, on) {
  const shown = each.examples.map((/** @type {any} */ example) => {
    const one = document.createElement("button");
    one.type = "button";
    one.className = "auto-example";
    one.setAttribute("aria-label", texts.remove.replace("%s", each.name));
    one.title = texts.remove.replace("%s", each.name);
    one.append(pictureOf(example));
    one.addEventListener("click", () => on.remove(each.id, example.id));
    return one;
  });
  const add = document.createElement("button");
  add.type = "button";
  add.className = "auto-example auto-example-add";
  add.textContent = "+";
  add.setAttribute("aria-label", texts.add.replace("%s", each.name));
  add.title = texts.add.replace("%s", each.name);
  add.dataset.add = "";
  add.addEventListener("click", () => on.choose(each.id));
  box.replaceChildren(...shown, add);
}

/** What an example shows: the image, or the part within its box. @param {any} example */
function pictureOf(example) {
  const { image, bbox } = example;
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const [x, y, width, height] = bbox ?? [0, 0, image.width || 1, image.height || 1];
  svg.setAttribute("viewBox", `${x} ${y} ${width} ${height}`);
  svg.setAttribute("preserveAspectRatio", bbox ? "xMidYMid meet" : "xMidYMid slice");
  svg.setAttribute("aria-hidden", "true");
  const picture = document.createElementNS("http://www.w3.org/2000/svg", "image");
  picture.setAttribute("href", bbox ? image.image : image.thumbnail);
  picture.setAttribute("width", String(image.width || 1));
  picture.setAttribute("height", String(image.height || 1));
  svg.append(picture);
  return svg;
}
