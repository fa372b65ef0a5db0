// The pages of imports and data sets: files are chosen or dropped, sent in parts, gone on with after a reload.

import { chosenIn, dropped } from "./upload/choosing.js";
import { Sender, Stopped } from "./upload/sender.js";

/** @typedef {import("./upload/sender.js").Chosen} Chosen */

const drop = /** @type {HTMLElement} */ (document.querySelector("[data-import]"));
const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (drop.querySelector(`[data-${name}]`));
const bar = /** @type {HTMLProgressElement} */ (part("upload-bar"));
const pages = /** @type {HTMLInputElement|null} */ (drop.querySelector("[name=every_page]"));
const dataSet = /** @type {HTMLInputElement|null} */ (drop.querySelector("[name=data_set]"));
const NAMED = 20; // files that are named of those left out, by reason
const WINDOW = 10_000; // ms over which the speed is measured
const KB = 2 ** 10;
/** @type {Sender|null} */
let sender = null;
/** @type {[number, number][]} */
let pace = [];
let drawn = 0;

const number = (/** @type {number} */ value) => value.toLocaleString("en");
const counted = (/** @type {number} */ count, word = "file") => `${number(count)} ${word}${count === 1 ? "" : "s"}`;
const isBusy = () => sender !== null && !["done", "stopped", "incomplete"].includes(sender.phase);

/** @param {number} bytes @param {number} [of] */
function megabytes(bytes, of = bytes) {
  const [unit, word] = of >= KB ** 3 ? [KB ** 3, "GB"] : of >= KB ** 2 ? [KB ** 2, "MB"] : [KB, "kB"];
  return [number(Number((bytes / unit).toFixed(of / unit >= 100 ? 0 : 1))), word];
}

/** Bytes in a second lately, 0 as long as nobody can say. @param {Sender} at */
function speed(at) {
  const now = performance.now();
  pace.push([now, at.received]);
  pace = pace.filter(([time]) => now - time <= WINDOW);
  const [began, bytes] = pace[0];
  return now - began > 1500 ? (at.received - bytes) / ((now - began) / 1000) : 0;
}

/** @param {number} seconds */
function left(seconds) {
  if (seconds < 60) return `about ${Math.max(5, Math.ceil(seconds / 5) * 5)} s left`;
  if (seconds < 5400) return `about ${Math.ceil(seconds / 60)} min left`;
  return `about ${Math.ceil(seconds / 3600)} h left`;
}

/** @param {Sender} at */
function arrived({ files }) {
  const are = files === 1 ? "is on the server. It is" : "are on the server. They are";
  return `✓ ${counted(files)} ${are} being ${dataSet ? "checked" : "read"} below.`;
}

/** What is going on, in a line. @param {Sender} at */
function said(at) {
  const here = `${number(at.filesHere)} of ${counted(at.files)}`;
  if (at.phase === "naming") return at.chosen > 1000 ? `Looking what is here already: ${number(at.named)} of ${counted(at.chosen)}` : "Looking what is here already…";
  const [some, unit] = megabytes(at.received, at.size);
  const bytesHere = `${some} of ${megabytes(at.size)[0]} ${unit}`;
  if (at.phase === "paused") return `Paused. ${here} are here, and stay: ${bytesHere}.`;
  if (at.phase === "waiting") {
    const seconds = Math.max(1, Math.ceil((at.waitsUntil - Date.now()) / 1000));
    return `The server cannot be reached. Trying again in ${seconds} s; it goes on by itself. ${here} are here.`;
  }
  if (at.phase === "finishing") return arrived(at);
  if (at.phase !== "sending") return "";
  const parts = [`Sending: ${here}`, bytesHere];
  const bytes = speed(at);
  if (bytes > 0) parts.push(`${megabytes(bytes).join(" ")}/s`, left((at.size - at.received) / bytes));
  return parts.join(" · ");
}

/** How it ended. @param {Sender} at */
function ended(at) {
  if (at.phase === "done" && dataSet) return "✓ The data set is complete.";
  if (at.phase === "done") {
    const taken = at.facts.imports.reduce((/** @type {number} */ sum, /** @type {{total: number}} */ each) => sum + each.total, 0);
    const isUnpacked = at.facts.imports.some((/** @type {{listed_at: string|null}} */ each) => !each.listed_at);
    if (!taken && !isUnpacked) return "! There is no image in what was sent. The list below says why.";
    return arrived(at);
  }
  if (at.phase === "incomplete") {
    return `${number(at.facts.files_here)} of ${counted(at.facts.files)} are here. ${counted(at.missing)} ${at.missing === 1 ? "is" : "are"} missing: choose the same files or folder again, or ${dataSet ? "make do with" : "import"} what is here.`;
  }
  return at.refused.size ? "None of these files can be taken." : "";
}

function draw() {
  if (!sender) return;
  const at = sender;
  drawn = performance.now();
  const { phase } = at;
  part("upload").hidden = false;
  const text = isBusy() ? said(at) : ended(at);
  if (part("upload-text").textContent !== text) part("upload-text").textContent = text;
  bar.hidden = phase === "stopped" || phase === "naming";
  bar.value = at.size ? at.received / at.size : 1;
  const isSending = phase === "sending" || phase === "waiting";
  part("pause").hidden = !isSending;
  part("resume").hidden = phase !== "paused";
  part("cancel").hidden = !isSending && phase !== "paused";
  part("leave-out").hidden = phase !== "incomplete" || !at.facts.files_here;
  part("leave-out").textContent = `${dataSet ? "Make do with" : "Import"} the ${counted(at.facts?.files_here ?? 0)} that ${at.facts?.files_here === 1 ? "is" : "are"} here`;
  drawLeftOut(at);
}

/** @param {Sender} at */
function drawLeftOut(at) {
  const reasons = new Map(at.refused);
  if (at.unreadable.length) reasons.set("It can no longer be read on this computer.", at.unreadable);
  const count = [...reasons.values()].reduce((sum, paths) => sum + paths.length, 0);
  const box = part("left-out");
  if (box.dataset.count === String(count)) return;
  box.dataset.count = String(count);
  box.hidden = !count;
  part("left-out-text").textContent = `${counted(count)} ${count === 1 ? "is" : "are"} left out`;
  const lines = [...reasons].map(([reason, paths]) => {
    const line = document.createElement("li");
    const why = document.createElement("strong");
    why.textContent = `${number(paths.length)} · ${reason}`;
    const more = paths.length > NAMED ? `, and ${number(paths.length - NAMED)} more` : "";
    const names = document.createElement("span");
    names.className = "muted";
    names.textContent = paths.slice(0, NAMED).join(", ") + more;
    line.append(why, document.createElement("br"), names);
    return line;
  });
  part("left-out-list").replaceChildren(...lines);
}

/** At most a few times a second, however many requests end. */
function changed() {
  if (performance.now() - drawn > 150 || sender?.phase !== "sending") draw();
}

/** Do a part of the work, and say how it ended. @param {() => Promise<void>} work */
async function follow(work) {
  part("upload-error").hidden = true;
  part("go-on").hidden = true;
  pace = [];
  const ticking = setInterval(draw, 500);
  try {
    await work();
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    if (!(error instanceof Stopped)) throw error;
    if (sender && message) sender.phase = "stopped";
    part("upload-error").hidden = !message;
    part("upload-error").textContent = message;
    part("go-on").hidden = !message || !sender?.files;
  } finally {
    clearInterval(ticking);
    draw();
    document.getElementById("imports")?.dispatchEvent(new Event("refresh"));
  }
}

/** The folder or the archive that was chosen, else the day. @param {Chosen[]} chosen */
function nameOf(chosen) {
  const [top] = chosen[0].path.split("/");
  if (chosen[0].path.includes("/")) return top;
  if (chosen.length === 1) return top.replace(/(\.tar)?\.[a-z0-9]+$/i, "");
  return `${counted(chosen.length)} of ${new Date().toLocaleDateString("en", { day: "numeric", month: "long" })}`;
}

/** @param {Chosen[]} chosen @param {number} [upload] to go on with */
async function begin(chosen, upload) {
  if (!chosen.length) return;
  if (isBusy()) {
    part("upload-error").hidden = false;
    part("upload-error").textContent = "Wait until these files are sent, or cancel them. Then choose the others.";
    return;
  }
  for (const entry of dataSet ? [] : document.querySelectorAll("[data-unfinished]")) {
    if (upload && entry.getAttribute("data-unfinished") === String(upload)) entry.remove();
  }
  const told = dataSet ? { name: dataSet.value.trim() || nameOf(chosen) } : { every_page: pages?.checked ?? false };
  const made = new Sender(drop.dataset.url ?? "", { told, upload, changed });
  sender = made;
  await follow(async () => {
    await made.send(chosen);
    if (dataSet) dataSet.value = "";
    else document.querySelector(`[data-unfinished="${made.facts?.id}"]`)?.remove();
    if (!document.querySelector(".uploads li")) document.querySelector(".uploads")?.remove();
  });
}

for (const node of document.querySelectorAll("[data-files]")) {
  const input = /** @type {HTMLInputElement} */ (node);
  const take = () => {
    const chosen = chosenIn(input);
    input.value = "";
    begin(chosen, Number(input.dataset.upload) || undefined);
  };
  input.addEventListener("change", take);
  if (input.files?.length) take(); // chosen before this script was here
}
for (const kind of ["dragenter", "dragover"]) {
  drop.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
drop.addEventListener("dragleave", (event) => {
  if (!drop.contains(/** @type {Node|null} */ (event.relatedTarget))) drop.classList.remove("over");
});
drop.addEventListener("drop", async (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  if (!event.dataTransfer) return;
  const told = (/** @type {number} */ files) => {
    if (isBusy()) return;
    part("upload").hidden = false;
    part("upload-text").textContent = `Looking into folders: ${counted(files)}`;
  };
  begin(await dropped(event.dataTransfer.items, told));
});
drop.addEventListener("submit", (event) => event.preventDefault()); // which is for browsers without scripts
part("pause").addEventListener("click", () => {
  sender?.pause();
  part("resume").focus();
});
part("resume").addEventListener("click", () => {
  pace = [];
  sender?.resume();
  part("pause").focus();
});
part("go-on").addEventListener("click", () => sender && follow(() => /** @type {Sender} */ (sender).goOn()));
part("leave-out").addEventListener("click", () => sender && follow(() => /** @type {Sender} */ (sender).complete(true)));
part("cancel").addEventListener("click", async () => {
  const going = sender;
  part("upload-text").textContent = "";
  try {
    await going?.cancel();
    part("upload").hidden = true;
  } catch (error) {
    if (!(error instanceof Stopped)) throw error;
    part("upload-error").hidden = false;
    part("upload-error").textContent = "It was too late to cancel: all of it has arrived.";
  }
});
addEventListener("beforeunload", (event) => isBusy() && sender?.phase !== "finishing" && event.preventDefault());
