// The Auto-label page: a test is a job, which keeps all that the model says; sliding redraws without a request.

import { fillExamples, listClasses } from "./classes.js";
import { chipsOf, drawShapes, figureOf, placeOf } from "./pictures.js";
import { ask } from "./server.js";
import { above, counted, kept } from "./thresholds.js";

/** @typedef {import("./classes.js").LabelClass} LabelClass */

const read = (/** @type {string} */ id) => JSON.parse(document.getElementById(id)?.textContent ?? "{}");
const config = read("auto-config");
const texts = read("auto-texts");
const page = /** @type {HTMLElement|null} */ (document.querySelector("[data-auto]"));
const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (page?.querySelector(`[data-${name}]`));
const POLL = 400;

/** @type {Map<number, LabelClass>} */
const classes = new Map();
/** @type {Map<number, number>} */
const thresholds = new Map();
/** @type {Map<number, any>} */
const pictures = new Map();
/** @type {any} */
let trial = null;
let waiting = 0;
let skipped = 0;
/** @type {number|null} */
let active = null; // the class that examples are chosen for
/** @type {number|null} */
let opened = null;
/** @type {number[]} */
let tests = [];
/** @type {ReturnType<typeof setTimeout>|undefined} */
let timer;

const source = page?.dataset.source ?? "";
const form = /** @type {HTMLFormElement} */ (part("form"));
const chosen = () => /** @type {HTMLInputElement|null} */ (form.querySelector("input[name=model]:checked"));
const foundOn = (/** @type {number} */ item) => trial?.images.find((/** @type {any} */ each) => each.id === item);
const key = `auto-label ${config.setup}`;

async function start() {
  const setup = await ask(`${config.setup}?source=${source}`);
  for (const each of setup.classes) {
    classes.set(each.id, each);
    thresholds.set(each.id, each.threshold);
  }
  for (const [label, value] of Object.entries(JSON.parse(sessionStorage.getItem(key) ?? "{}"))) {
    const known = classes.get(Number(label));
    if (!known) continue;
    known.threshold = Number(value);
    thresholds.set(known.id, known.threshold);
  }
  listClasses(part("classes"), [...classes.values()], texts, on);
  part("all").hidden = classes.size < 3;
  part("all").addEventListener("input", slideAll);
  const used = new Set(thresholds.values());
  if (used.size === 1) showAll(Math.min(...used));
  waiting = setup.waiting;
  const all = setup.images;
  for (const each of all) pictures.set(each.id, each);
  if (setup.trial) choose(setup.trial.model);
  tests = all.slice(0, config.shown).map((/** @type {any} */ each) => each.id);
  strip(all.slice(config.shown));
  part("empty").hidden = all.length > 0;
  part("more").hidden = all.length <= config.shown;
  if (setup.trial) take(setup.trial);
  else layTests();
  asks();
}

/** Give all classes one threshold. @param {Event} event */
function slideAll(event) {
  const value = /** @type {HTMLInputElement} */ (event.target).value;
  for (const range of part("classes").querySelectorAll("input[type=range]")) {
    /** @type {HTMLInputElement} */ (range).value = value;
    range.dispatchEvent(new CustomEvent("set"));
  }
  showAll(Number(value));
  keep();
}

/** @param {number} value */
function showAll(value) {
  const range = /** @type {HTMLInputElement} */ (part("all").querySelector("input"));
  range.value = String(value);
  const said = part("all").querySelector("output");
  if (said) said.textContent = value.toFixed(2);
}

/** @param {string} model */
function choose(model) {
  const radio = /** @type {HTMLInputElement|null} */ (form.querySelector(`input[name=model][value="${CSS.escape(model)}"]`));
  if (!radio) return;
  radio.checked = true;
  radio.closest("details")?.setAttribute("open", "");
}

/** Show what the chosen model asks for. */
function asks() {
  const wanted = chosen()?.dataset.asks;
  for (const node of page?.querySelectorAll("[data-for]") ?? []) {
    /** @type {HTMLElement} */ (node).hidden = /** @type {HTMLElement} */ (node).dataset.for !== wanted;
  }
  if (wanted !== "examples") activate(null);
  count();
}

const on = {
  slide(/** @type {number} */ id, /** @type {number} */ value) {
    thresholds.set(id, value);
    keep();
  },
  set(/** @type {number} */ id, /** @type {number} */ value) {
    thresholds.set(id, value);
  },
  tell(/** @type {number} */ id, /** @type {string} */ prompt) {
    const known = classes.get(id);
    if (known) known.prompt = prompt;
    count();
  },
  choose(/** @type {number} */ id) {
    activate(active === id ? null : id);
  },
  async remove(/** @type {number} */ id, /** @type {number} */ example) {
    const known = classes.get(id);
    if (!known) return;
    try {
      await ask(`${config.examples}${example}/`, undefined, "DELETE");
    } catch (error) {
      return problem(/** @type {Error} */ (error).message);
    }
    known.examples = known.examples.filter((/** @type {any} */ each) => each.id !== example);
    refill(known);
  },
};

function keep() {
  sessionStorage.setItem(key, JSON.stringify(Object.fromEntries(thresholds)));
  redraw();
}

/** @param {LabelClass} known */
function refill(known) {
  const box = page?.querySelector(`[data-class="${known.id}"] .auto-examples`);
  if (box) fillExamples(/** @type {HTMLElement} */ (box), known, texts, on);
  mark();
  count();
}

/** @param {number|null} id */
function activate(id) {
  active = id;
  part("task").hidden = id === null;
  page?.classList.toggle("choosing", id !== null);
  if (id !== null) {
    part("task-text").textContent = (config.shapes ? texts.drawing : texts.adding).replace("%s", classes.get(id)?.name ?? "");
    part("task").scrollIntoView({ block: "nearest" });
  }
  mark();
}

function mark() {
  for (const node of page?.querySelectorAll("[data-class]") ?? []) {
    const is = Number(/** @type {HTMLElement} */ (node).dataset.class) === active;
    node.classList.toggle("active", is);
    node.querySelector("[data-add]")?.setAttribute("aria-pressed", String(is));
  }
}

// Images

function layTests() {
  const figures = tests.map((item) => figure(item, true));
  part("tests").replaceChildren(...figures);
  redraw();
}

/** @param {any[]} images */
function strip(images) {
  for (const each of images) pictures.set(each.id, each);
  part("strip").replaceChildren(...images.map(({ id }) => figure(id, false)));
  redraw();
}

/** @param {number} item @param {boolean} large */
function figure(item, large) {
  const picture = pictures.get(item);
  const made = figureOf(picture, large, texts.open.replace("%s", picture.file_name));
  made.querySelector("button")?.addEventListener("click", () => press(item));
  if (config.shapes) drawOn(made, item);
  return made;
}

/** @param {number} item */
function press(item) {
  if (active !== null && !config.shapes) return addExample(item, null);
  if (active === null) open(opened === item ? null : item);
  else if (!tests.includes(item)) open(item);
}

/** @param {number|null} item */
function open(item) {
  opened = item;
  const box = part("preview");
  box.hidden = item === null;
  if (item === null) return box.replaceChildren();
  const made = figure(item, true);
  box.replaceChildren(made);
  box.scrollIntoView({ block: "nearest" });
  if (trial && foundOn(item)?.found == null && !foundOn(item)?.problem) lookAt(item);
  redraw();
}

/** Let a box be drawn on a figure while examples are chosen. @param {HTMLElement} made @param {number} item */
function drawOn(made, item) {
  const face = /** @type {HTMLElement} */ (made.querySelector("button"));
  const overlay = /** @type {SVGElement} */ (made.querySelector("svg"));
  /** @type {[number, number]|null} */
  let from = null;
  const box = (/** @type {PointerEvent} */ event) => {
    const [x, y] = placeOf(made, event);
    const [left, top] = from ?? [x, y];
    return [Math.min(left, x), Math.min(top, y), Math.abs(x - left), Math.abs(y - top)];
  };
  face.addEventListener("pointerdown", (event) => {
    if (active === null || !made.closest(".auto-tests, .auto-preview")) return;
    event.preventDefault();
    face.setPointerCapture(event.pointerId);
    from = placeOf(made, event);
  });
  face.addEventListener("pointermove", (event) => {
    if (!from) return;
    const [x, y, width, height] = box(event);
    const rubber = overlay.querySelector(".rubber") ?? overlay.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "path"));
    rubber.setAttribute("class", "rubber");
    rubber.setAttribute("d", `M${x},${y}h${width}v${height}h${-width}Z`);
  });
  face.addEventListener("pointerup", (event) => {
    if (!from) return;
    const drawn = box(event);
    from = null;
    overlay.querySelector(".rubber")?.remove();
    if (drawn[2] >= 3 && drawn[3] >= 3) addExample(item, drawn.map((each) => Math.round(each * 100) / 100));
  });
  face.addEventListener("pointercancel", () => {
    from = null;
    overlay.querySelector(".rubber")?.remove();
  });
}

/** @param {number} item @param {number[]|null} bbox */
async function addExample(item, bbox) {
  const known = active === null ? undefined : classes.get(active);
  if (!known) return;
  try {
    const made = await ask(config.examples, { class: known.id, item, ...(bbox ? { bbox } : {}) });
    if (!known.examples.some((/** @type {any} */ each) => each.id === made.id)) known.examples.push(made);
    problem("");
    refill(known);
    if (known.examples.length >= config.most) activate(null);
  } catch (error) {
    problem(/** @type {Error} */ (error).message);
  }
}

// Tests

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  activate(null);
  problem("");
  tell(texts.waiting);
  const prompts = Object.fromEntries([...classes.values()].map(({ id, prompt }) => [id, prompt]));
  const shown = [...part("strip").querySelectorAll("figure")].map((node) => Number(/** @type {HTMLElement} */ (node).dataset.item));
  try {
    const body = { model: chosen()?.value ?? "", source: source ? Number(source) : null, prompts, items: tests };
    take(await ask(config.trials, body));
    if (chosen()?.dataset.asks === "examples" && !config.shapes && shown.length) {
      await ask(`${config.trials}${trial.id}/`, { items: shown });
    }
  } catch (error) {
    tell("");
    problem(/** @type {Error} */ (error).message);
  }
});

/** @param {number} item */
async function lookAt(item) {
  try {
    take(await ask(`${config.trials}${trial.id}/`, { items: [item] }));
  } catch (error) {
    problem(/** @type {Error} */ (error).message);
  }
}

/** Show how far a test is, and look again until it is over. @param {any} given */
function take(given) {
  const isNew = given.id !== trial?.id;
  trial = given;
  for (const each of given.images) pictures.set(each.id, each);
  if (isNew) {
    tests = given.images.slice(0, config.shown).map((/** @type {any} */ each) => each.id);
    for (const item of tests) part("strip").querySelector(`figure[data-item="${item}"]`)?.remove();
    layTests();
  }
  clearTimeout(timer);
  const isOpen = given.state === "queued" || given.state === "running";
  if (isOpen) {
    tell(given.state === "queued" ? texts.waiting : texts.working);
    timer = setTimeout(poll, POLL);
  } else {
    tell(given.seconds_per_image ? pace(given.seconds_per_image) : "");
    if (given.state === "cancelled") problem(texts.replaced);
    if (given.state === "failed") problem(texts.failed.replace("%s", given.error));
  }
  redraw();
}

/** @param {number} seconds that an image takes */
function pace(seconds) {
  if (seconds >= 0.5) return texts.slowPace.replace("%(seconds)s", seconds.toFixed(1));
  return texts.pace.replace("%(images)s", Number((1 / seconds).toPrecision(2)).toLocaleString());
}

async function poll() {
  try {
    take(await ask(`${config.trials}${trial.id}/`));
  } catch {
    problem(texts.broken);
    timer = setTimeout(poll, 5 * POLL);
  }
}

/** @param {string} words */
function tell(words) {
  part("status").textContent = words;
}

/** @param {string} words */
function problem(words) {
  part("problem").textContent = words;
  part("problem").hidden = !words;
}

// What is shown

function redraw() {
  for (const node of page?.querySelectorAll(".auto-picture") ?? []) {
    const item = Number(/** @type {HTMLElement} */ (node).dataset.item);
    const known = foundOn(item);
    const shown = known?.found ? kept(known.found, thresholds, config.exclusive) : [];
    drawShapes(node, shown.filter((each) => each.bbox || each.polygon), classes);
    const caption = /** @type {HTMLElement} */ (node.querySelector("figcaption"));
    const isLarge = Boolean(node.closest(".auto-tests, .auto-preview"));
    if (shown.length) caption.replaceChildren(...chipsOf(shown, classes));
    else caption.textContent = !isLarge || !known ? "" : known.problem || (known.found ? texts.none : texts.looking);
    node.classList.toggle("is-blank", Boolean(known?.found) && !shown.length);
  }
  count();
}

/** Say how many are shown of each class, and whether a run may follow. */
function count() {
  const there = tests.map(foundOn).filter((each) => each?.found);
  const counts = counted(there.map(({ found }) => found), thresholds, config.exclusive);
  let all = 0;
  let then = 0; // images that waited when it was tried: some have a label by now
  for (const [label, { shown, total }] of counts) {
    const output = page?.querySelector(`[data-class="${label}"] [data-count]`);
    if (!output) continue;
    const spread = trial?.spread[label];
    const sure = spread ? above(spread, thresholds.get(label) ?? 1) : 0;
    all += sure;
    then += spread ? above(spread, 0) : 0;
    output.textContent = there.length ? `${shown} / ${total}` : "";
    const wide = spread ? texts.all.replace("%(shown)s", sure.toLocaleString()).replace("%(total)s", above(spread, 0).toLocaleString()) : "";
    if (wide && there.length) output.append(document.createElement("br"), wide);
  }
  const hasSpread = trial && config.exclusive && Object.keys(trial.spread).length > 0;
  part("overall").textContent = hasSpread
    ? texts.overall.replace("%(shown)s", Math.round((all * waiting) / Math.max(then, 1)).toLocaleString()).replace("%(total)s", waiting.toLocaleString())
    : "";
  const next = /** @type {HTMLAnchorElement} */ (part("next"));
  const isStale = Boolean(trial) && stale();
  const isReady = trial?.state === "done" && !isStale;
  if (isReady) {
    const query = new URLSearchParams({ trial: String(trial.id) });
    for (const [label, value] of thresholds) query.set(`t${label}`, value.toFixed(2));
    next.href = `${config.summary}?${query}`;
    next.removeAttribute("aria-disabled");
  } else {
    next.removeAttribute("href");
    next.setAttribute("aria-disabled", "true");
  }
  if (isStale && trial.state === "done") part("overall").textContent = texts.stale;
}

async function shuffle() {
  skipped += config.others;
  let setup = await ask(`${config.setup}?source=${source}&skip=${skipped + config.shown}`);
  if (!setup.images.length) {
    skipped = 0;
    setup = await ask(`${config.setup}?source=${source}&skip=${config.shown}`);
  }
  strip(setup.images.slice(0, config.others).filter((/** @type {any} */ each) => !tests.includes(each.id)));
}

/** Whether the model would be told something else today than it was in the test. */
function stale() {
  if (chosen()?.value !== trial.model) return true;
  if ([...classes.keys()].sort().join() !== Object.keys(trial.prompts).sort().join()) return true;
  const wanted = chosen()?.dataset.asks;
  if (wanted === "prompts") return [...classes.values()].some(({ id, name, prompt }) => (prompt.trim() || name) !== trial.prompts[id]);
  if (wanted !== "examples") return false;
  const told = (/** @type {any[]} */ list) => list.map((each) => JSON.stringify([each.class, each.item, each.bbox ?? null])).sort().join();
  const now = [...classes.values()].flatMap(({ examples }) => examples.map((/** @type {any} */ each) => ({ class: each.class, item: each.image.id, bbox: each.bbox })));
  return told(now) !== told(trial.examples);
}

if (page) {
  form.addEventListener("change", (event) => {
    if (/** @type {Element} */ (event.target).matches("input[name=model]")) asks();
  });
  part("task-done").addEventListener("click", () => activate(null));
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") active === null ? open(null) : activate(null);
  });
  part("shuffle").addEventListener("click", () => shuffle().catch((error) => problem(error.message)));
  start().catch((error) => problem(error.message));
}
