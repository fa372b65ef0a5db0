// The new project, one short step at a time; without JavaScript it is one long form.

const form = /** @type {HTMLFormElement} */ (document.querySelector("[data-wizard]"));
const steps = [.../** @type {NodeListOf<HTMLElement>} */ (form.querySelectorAll("[data-step]"))];
const buttons = [.../** @type {NodeListOf<HTMLButtonElement>} */ (form.querySelectorAll("[data-go]"))];
const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (form.querySelector(`[data-${name}]`));
const field = (/** @type {string} */ name) => /** @type {HTMLInputElement} */ (form.elements.namedItem(name));
const COLORS = 12;
const MOST_NAMED = 100;
const MOST_LINES = 5; // of the instructions in the summary
let at = 0;
let furthest = 0;
const label = /** @type {HTMLLabelElement} */ (field("target").labels?.[0]);
const classesLabel = label.textContent ?? "";
let asked = { name: "", problem: "" }; // the name that the server was asked about last
let typed = form.querySelector(".field-error") !== null; // what was sent is what somebody wants

const lines = () =>
  field("classes").value.split("\n").map((line) => line.split(":")[0].trim()).filter(Boolean);

/** The first thing that keeps a step from being done. @param {number} step */
function problem(step) {
  if (step === 0 && !field("name").value.trim()) return [field("name"), "Give it a name that tells it from others."];
  if (step === 0 && asked.problem && asked.name === field("name").value) return [field("name"), asked.problem];
  if (step === 1 && !lines().length) return [field("classes"), "Write at least one class."];
  const names = lines().map((name) => name.toLocaleLowerCase());
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (step === 1 && twice) return [field("classes"), `“${twice}” is there twice.`];
  if (step === 3) {
    for (const name of ["target", "confidence"]) {
      if (!field(name).checkValidity()) return [field(name), field(name).validationMessage];
    }
  }
  return null;
}

/** Whether the name can be had. Without an answer, the server says it at the end. */
async function askName() {
  const name = field("name").value;
  if (!name.trim() || name === asked.name) return;
  const address = `${form.dataset.nameUrl}?${new URLSearchParams({ name })}`;
  const reply = await fetch(address).then((response) => response.json()).catch(() => null);
  asked = { name, problem: reply?.problem ?? "" };
}

/** @param {number} step */
async function goOn(step) {
  if (at === 0) await askName();
  go(step);
}

/** @param {HTMLElement} input @param {string} text */
function complain(input, text) {
  const box = /** @type {HTMLElement} */ (input.closest(".field"));
  let line = /** @type {HTMLElement|null} */ (box.querySelector("[data-complaint]"));
  if (!line) {
    line = document.createElement("p");
    line.className = "field-error";
    line.dataset.complaint = "";
    line.id = `${input.id}_complaint`;
    line.setAttribute("role", "alert");
    box.append(line);
  }
  line.textContent = text;
  input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-describedby", line.id);
  input.focus();
  input.addEventListener("input", () => (line?.remove(), input.removeAttribute("aria-invalid")), { once: true });
}

/** @param {number} step @param {boolean} [focus] */
function go(step, focus = true) {
  for (let before = at; before < step; before++) {
    const found = problem(before);
    if (!found) continue;
    show(before);
    return complain(/** @type {HTMLElement} */ (found[0]), /** @type {string} */ (found[1]));
  }
  show(step);
  if (focus) /** @type {HTMLElement|null} */ (steps[step].querySelector("input:not([type=radio]), textarea, select, input:checked"))?.focus();
}

const drawsShapes = () => ["detection", "segmentation"].includes(field("task_type").value);

/** Boxes and polygons are promised in agreement, and begin lower until somebody has typed a target. */
function suitTask() {
  const target = field("target");
  const { classesStart, shapesStart, shapesLabel } = target.dataset;
  const [from, to] = drawsShapes() ? [classesStart, shapesStart] : [shapesStart, classesStart];
  if (!typed && Number(target.value) === Number(from)) target.value = String(to);
  label.textContent = drawsShapes() ? String(shapesLabel) : classesLabel;
  for (const each of form.querySelectorAll("[data-for]")) {
    /** @type {HTMLElement} */ (each).hidden = (/** @type {HTMLElement} */ (each).dataset.for === "shapes") !== drawsShapes();
  }
}

/** @param {number} step */
function show(step) {
  at = step;
  furthest = Math.max(furthest, step);
  const last = step === steps.length - 1;
  steps.forEach((section, index) => (section.hidden = index !== step));
  buttons.forEach((button, index) => {
    button.classList.toggle("done", index < furthest && index !== step);
    if (index === step) button.setAttribute("aria-current", "step");
    else button.removeAttribute("aria-current");
  });
  part("back").hidden = step === 0;
  part("next").hidden = last;
  part("create").hidden = !last;
  if (last) summarize();
}

function previewClasses() {
  part("class-preview").replaceChildren(
    ...lines().slice(0, 40).map((name, position) => {
      const chip = document.createElement("li");
      chip.className = "preview-chip";
      const key = document.createElement("span");
      key.className = "preview-key";
      key.textContent = position < 10 ? String((position + 1) % 10) : "";
      key.style.background = `var(--class-${(position % COLORS) + 1})`;
      chip.append(key, name);
      return chip;
    }),
  );
}

/** You, whoever was chosen with what role, and how many addresses are invited. */
function people() {
  const chosen = [.../** @type {NodeListOf<HTMLElement>} */ (form.querySelectorAll("[data-worker]"))].flatMap((row) => {
    const role = /** @type {HTMLSelectElement} */ (row.querySelector("select"));
    return role.value ? [`${row.querySelector("label")?.textContent}: ${role.selectedOptions[0].text.toLowerCase()}`] : [];
  });
  const addresses = field("people-email").value.split(/[\n,;]+/).filter((each) => each.trim()).length;
  const role = /** @type {HTMLSelectElement} */ (/** @type {unknown} */ (field("people-role"))).selectedOptions[0]?.text.toLowerCase();
  if (addresses) chosen.push(`${addresses} ${addresses === 1 ? "address" : "addresses"} to invite: ${role}`);
  return ["you: manager", ...chosen].join("; ");
}

/** Long texts by their first lines, so that the whole choice fits on a screen. @param {string} text */
function start(text) {
  const written = text.split("\n").filter((line) => line.trim());
  const more = written.length - MOST_LINES;
  return more > 1 ? `${written.slice(0, MOST_LINES).join("\n")}\n… and ${more} more lines` : text;
}

function summarize() {
  const chosen = (/** @type {string} */ name) =>
    form.querySelector(`[name=${name}]:checked`)?.closest("label")?.querySelector(".name")?.textContent ?? "";
  const names = lines();
  const rows = [
    ["Name", field("name").value.trim(), 0],
    ["Each image gets", chosen("task_type"), 0],
    [`${names.length} ${names.length === 1 ? "class" : "classes"}`, names.slice(0, MOST_NAMED).join(", ") + (names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : ""), 1],
    ["Instructions", start(field("instructions").value.trim()) || "none yet", 2],
    ["Help from a model", chosen("assist_mode"), 3],
    ["Promise", `at least ${field("target").value} % ${drawsShapes() ? "agreement with people" : "right"}, ${field("confidence").value} % sure, ${chosen("promise").toLowerCase()}`, 3],
  ];
  const images = /** @type {HTMLSelectElement|null} */ (form.elements.namedItem("data_set"));
  const faces = /** @type {HTMLSelectElement|null} */ (form.elements.namedItem("faces"));
  if (faces?.value) rows.splice(2, 0, ["Faces", `hidden by ${faces.selectedOptions[0].text}`, 0]);
  if (images) rows.splice(2, 0, ["Images", images.selectedOptions[0].text, 0]);
  rows.push(["People", people(), 4]);
  part("summary").replaceChildren(
    ...rows.flatMap(([name, value, step]) => {
      const term = document.createElement("dt");
      term.textContent = String(name);
      const said = document.createElement("dd");
      const text = document.createElement("span");
      text.textContent = String(value);
      const change = document.createElement("button");
      change.type = "button";
      change.className = "button button-quiet";
      change.textContent = "Change";
      change.setAttribute("aria-label", `Change: ${name}`);
      change.addEventListener("click", () => go(Number(step)));
      said.append(text, change);
      return [term, said];
    }),
  );
}

form.dataset.on = "";
buttons.forEach((button, index) => button.addEventListener("click", () => goOn(index)));
part("back").addEventListener("click", () => go(at - 1));
part("next").addEventListener("click", () => goOn(at + 1));
field("classes").addEventListener("input", previewClasses);
field("target").addEventListener("input", () => (typed = true));
form.addEventListener("change", suitTask);
form.addEventListener("keydown", (event) => {
  const target = /** @type {Element} */ (event.target);
  if (event.key !== "Enter" || event.isComposing || !target.matches("input") || at === steps.length - 1) return;
  event.preventDefault();
  goOn(at + 1);
});
previewClasses();
suitTask();
const broken = steps.findIndex((step) => step.querySelector(".field-error"));
furthest = broken >= 0 ? steps.length - 1 : 0;
show(Math.max(0, broken));
