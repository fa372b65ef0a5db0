// The Label page: picks what draws the project's task, and ties flow, keys and dialogs together.

import { instructionsDialog, modal, skipDialog } from "./dialogs.js";
import { createFlow } from "./flow.js";
import { helpDialog } from "./help.js";
import { Keymap, writeCaps } from "./keymap.js";
import { listen } from "./keys.js";
import { keyStore } from "./keystore.js";
import { drawNothing } from "./nothing.js";
import { drawPace } from "./pace.js";
import { recentDialog } from "./recent.js";
import { shellRenderer } from "./shell.js";
import { t } from "./text.js";

/** @typedef {import("./types.js").Shared} Shared @typedef {import("./types.js").Binding} Binding */

const root = /** @type {HTMLElement} */ (document.querySelector("[data-label-page]"));
/** @type {import("./types.js").Config} */
const config = JSON.parse(document.getElementById("label-config")?.textContent ?? "{}");
const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (root.querySelector(`[data-part="${name}"]`));
const draws = ["detection", "segmentation"].includes(config.task);
const { makeSurface } = await (draws ? import("./canvas/surface.js") : import("./grid/surface.js"));

/** @type {Shared} */
const shared = {
  page: null,
  correcting: false,
  previous: null,
  doneToday: config.doneToday,
  size: draws ? 1 : config.size,
  saving: "saved",
  notice: null,
  said: "",
  waiting: true,
  nothing: false,
};

const shell = shellRenderer(root, shared, config, (action) => {
  if (action === "sign-in") location.assign(config.signIn);
  if (action === "retry") flow.retry();
  if (action === "open") flow.openStuck();
  if (action === "discard") flow.discardStuck();
  shared.notice = null;
  draw();
});
const draw = () => shell(flow.surface);
const flow = createFlow(config, shared, (host) => makeSurface(root, config, shared, host), {
  draw,
  nothing: (facts, refusal) => drawNothing(part("nothing"), facts, refusal),
  askReason: skipDialog(part("skip-dialog"), draws),
});

const instructions = instructionsDialog(part("instructions"), config);
const recent = /** @type {HTMLDialogElement} */ (modal(part("recent")));
const openRecent = recentDialog(recent, flow.recent, config.language, flow.correct);

/** @type {Binding[]} */
const pageKeys = [
  { id: "submit", group: "page", text: t("Submit, and on to the next page"), keys: ["Enter", "Ctrl+Enter"], run: flow.submit },
  { id: "skip", group: "page", text: t("Skip, with a reason if you like"), keys: draws ? ["Shift+S"] : ["S", "Shift+S"], run: flow.skip },
  { id: "undo", group: "page", text: t("Take back the last step, then the last page"), keys: ["Ctrl+Z"], repeat: true, run: flow.undo },
  { id: "redo", group: "page", text: t("Do again what was taken back"), keys: ["Ctrl+Shift+Z", "Ctrl+Y"], repeat: true, run: flow.redo },
  { id: "back", group: "page", text: t("Look at the page before, to correct it"), keys: ["D"], run: flow.back },
  { id: "forward", group: "page", text: t("Forward again, up to the page you were on"), keys: ["F"], run: flow.forward },
  { id: "recent", group: "page", text: t("The pages that you submitted last"), keys: ["Ctrl+H", "Shift+D"], run: openRecent },
  { id: "instructions", group: "page", text: t("Show the instructions"), keys: ["I"], run: () => instructions.open() },
  { id: "help", group: "page", text: t("Show and change the shortcuts"), keys: ["?", "F1"], run: () => help.open() },
];
const table = [...flow.surface.bindings(), ...pageKeys];
const keys = keyStore(config.user, config.keysUrl, config);
const keymap = new Keymap(table, keys.load(), keys.save);
const caps = () => writeCaps(root, keymap);
const help = helpDialog(part("help"), keymap, caps);

const buttons = { submit: flow.submit, saving: flow.retry, skip: flow.skip, undo: flow.undo, redo: flow.redo, "show-help": () => help.open(),
  "show-instructions": () => instructions.open(), "show-recent": openRecent, "leave-correction": flow.leave };
for (const [name, run] of Object.entries(buttons)) part(name)?.addEventListener("click", () => run());
const pace = /** @type {HTMLDetailsElement} */ (part("pace"));
pace.addEventListener("toggle", () => pace.open && drawPace(part("pace-panel"), flow.pace, shared.doneToday, config.language));

caps();
listen(keymap, {
  stage: part("stage"),
  fired: (id) => document.dispatchEvent(new CustomEvent("loupe:key", { detail: id })),
});
flow.start();
