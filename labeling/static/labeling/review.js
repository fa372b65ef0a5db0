// The review queue: one label after the other, by key.

import { letterOf, part, send, sentence, withId } from "./data/request.js";
import { toast } from "./toast.js";

const root = /** @type {HTMLElement} */ (document.querySelector("[data-review]"));
const body = /** @type {HTMLElement} */ (root.querySelector("[data-body]"));
const waiting = /** @type {HTMLElement} */ (root.querySelector("[data-waiting-count]"));
const reason = /** @type {HTMLInputElement} */ (root.querySelector("[data-reason]"));
/** @type {number[]} */
const skipped = [];
/** @type {{batch: number, item: number}[]} */
const given = [];
let busy = false;

const one = () => /** @type {HTMLElement} */ (body.querySelector("[data-one]"));
const item = () => Number(one().dataset.item) || null;

async function show(query = "") {
  body.innerHTML = await part(`${root.dataset.next}?skip=${skipped.join(",")}${query}`);
  waiting.textContent = Number(one().dataset.waiting).toLocaleString("en");
  hold();
}

async function hold() {
  const mine = item();
  if (mine) await send(root.dataset.locks ?? "", { items: [mine] }).catch(() => {});
}

/** @param {number|null} mine */
const letGo = (mine) => mine && send(root.dataset.locks ?? "", { items: [mine] }, "DELETE").catch(() => {});

/** Do something that must not be done twice at a time. @param {() => Promise<void>} work */
async function alone(work) {
  if (busy) return;
  busy = true;
  try {
    await work();
  } catch (error) {
    toast(`Nothing was changed: ${sentence(error)}`);
    await show().catch(() => {});
  } finally {
    busy = false;
  }
}

/** @param {"approve"|"reject"} verdict */
const judge = (verdict) =>
  alone(async () => {
    const mine = item();
    if (!mine) return;
    const comment = verdict === "reject" ? reason.value.trim() : "";
    const reply = await send(root.dataset.review ?? "", { item: mine, verdict, comment });
    given.push({ batch: reply.batch, item: mine });
    letGo(mine);
    await show();
    toast(verdict === "reject" ? "Rejected: back to people." : "Approved.", { label: "Undo", run: undo }, 12);
  });

const undo = () =>
  alone(async () => {
    const last = given.pop();
    if (!last) return;
    const reply = await send(withId(root.dataset.undo ?? "", last.batch), {});
    toast(reply.message || "Taken back.");
    await show(reply.refused.length ? "" : `&item=${last.item}`);
  });

const later = () =>
  alone(async () => {
    const mine = item();
    if (!mine) return;
    skipped.push(mine);
    letGo(mine);
    await show();
  });

const back = () =>
  alone(async () => {
    const last = skipped.pop();
    if (last) await show(`&item=${last}`);
  });

root.addEventListener("click", (event) => {
  const target = /** @type {Element} */ (event.target);
  const verdict = /** @type {HTMLElement|null} */ (target.closest("[data-verdict]"))?.dataset.verdict;
  if (verdict) judge(/** @type {"approve"|"reject"} */ (verdict));
  else if (target.closest("[data-skip]")) later();
});
root.addEventListener("change", async (event) => {
  const field = /** @type {HTMLSelectElement} */ (event.target);
  if (!field.dataset.rate) return;
  await alone(async () => {
    await send(root.dataset.sampling ?? "", { labeler: Number(field.dataset.rate), rate: Number(field.value) });
    await show();
  });
});
reason.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  if (event.key === "Enter") judge("reject");
  if (event.key === "Enter" || event.key === "Escape") reason.blur();
});
addEventListener("keydown", (event) => {
  const target = /** @type {Element} */ (event.target);
  if (event.repeat || event.isComposing || event.altKey || target.matches("input, select, textarea")) return;
  const letter = letterOf(event);
  if (event.ctrlKey || event.metaKey) {
    if (letter !== "z") return;
    undo();
  } else if (letter === "r" && event.shiftKey) reason.focus();
  else if (letter === "a") judge("approve");
  else if (letter === "r") judge("reject");
  else if (event.key === "ArrowRight") later();
  else if (event.key === "ArrowLeft") back();
  else return;
  event.preventDefault();
});
hold();
setInterval(hold, 50_000);
addEventListener("pagehide", () => letGo(item()));
