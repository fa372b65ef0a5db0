// Pictures in instructions: chosen, pasted or dropped, they go up at once and are shown where the caret was.

const box = /** @type {HTMLElement} */ (document.querySelector("[data-pictures]"));
const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (box.querySelector(`[data-${name}]`));
const text = /** @type {HTMLTextAreaElement} */ (document.querySelector("#instructions-text"));
const chosen = /** @type {HTMLInputElement} */ (part("files"));
const MOST = Number(box.dataset.most);
let adding = 0;
let touched = false; // else the caret is wherever the browser has put it

/** @param {File} file @returns {Promise<string>} the Markdown that shows it */
async function send(file) {
  if (file.size > MOST) {
    throw new Error(`The file is ${(file.size / 2 ** 20).toFixed(1)} MB; a picture may have ${MOST / 2 ** 20} MB.`);
  }
  const body = new FormData();
  body.append("file", file, file.name);
  const token = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] ?? "";
  let response;
  try {
    response = await fetch(box.dataset.url ?? "", { method: "POST", body, headers: { "X-CSRFToken": token } });
  } catch {
    throw new Error("The connection broke. Add it once more.");
  }
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new Error(answer?.error?.message ?? `The server answered ${response.status}.`);
  return answer.markdown;
}

/** Write at a place in the text, on a line of its own; returns what was written. @param {string} words @param {number} from @param {number} to */
function write(words, from, to) {
  const before = text.value.slice(0, from);
  const line = (before && !before.endsWith("\n") ? "\n" : "") + words;
  const end = text.value[to] === "\n" ? "" : "\n";
  text.setRangeText(line + end, from, to, "end");
}

/** @param {string} words @param {string} other */
function replace(words, other) {
  const from = text.value.indexOf(words);
  if (from < 0) return other && write(other, text.selectionEnd, text.selectionEnd);
  text.setRangeText(other, from, from + words.length, "preserve");
}

/** @param {File[]} files @param {number} [from] @param {number} [to] */
async function add(files, from = touched ? text.selectionStart : text.value.length, to = touched ? text.selectionEnd : from) {
  part("problem").textContent = "";
  const waiting = files.map((file) => ({ file, words: `![adding ${file.name.replace(/[[\]()]/g, " ")}, ${++adding}…]()` }));
  write(waiting.map(({ words }) => words).join("\n\n"), from, to);
  part("said").textContent = files.length === 1 ? "Adding the picture…" : `Adding ${files.length} pictures…`;
  let done = 0;
  for (const { file, words } of waiting) {
    try {
      replace(words, await send(file));
      done += 1;
    } catch (error) {
      replace(words, "");
      const sentence = document.createElement("span");
      sentence.textContent = `${file.name}: ${/** @type {Error} */ (error).message} `;
      part("problem").append(sentence);
    }
  }
  part("said").textContent = done === 0 ? "" : done === 1 ? "The picture is in the text. It shows once you save." : `${done} pictures are in the text. They show once you save.`;
  text.dispatchEvent(new Event("input", { bubbles: true }));
}

/** @param {DataTransfer|null} from @returns {File[]} */
const pictures = (from) => [...(from?.files ?? [])].filter((file) => file.type.startsWith("image/"));

text.addEventListener("focus", () => (touched = true));
text.addEventListener("paste", (event) => {
  const files = pictures(event.clipboardData);
  // A copied cell or page comes as a picture and as text: the text is meant.
  if (!files.length || event.clipboardData?.types.includes("text/plain")) return;
  event.preventDefault();
  add(files);
});

text.addEventListener("dragover", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "copy";
  text.classList.add("dropping");
});
text.addEventListener("dragleave", () => text.classList.remove("dropping"));
text.addEventListener("drop", (event) => {
  text.classList.remove("dropping");
  const files = [...(event.dataTransfer?.files ?? [])];
  if (!files.length) return;
  event.preventDefault();
  const place = /** @type {any} */ (document).caretPositionFromPoint?.(event.clientX, event.clientY);
  const at = place?.offsetNode === text ? place.offset : text.selectionEnd;
  add(files, at, at);
});

chosen.addEventListener("change", () => {
  const files = [...(chosen.files ?? [])];
  chosen.value = ""; // or it would be sent again with the text
  if (files.length) add(files);
});
part("choose").addEventListener("click", () => chosen.click());
box.dataset.on = "";
