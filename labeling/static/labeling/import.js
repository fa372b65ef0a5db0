// Uploads: many files go up in batches, one after the other, with one bar for all.

const drop = /** @type {HTMLElement} */ (document.querySelector("[data-import]"));
const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (drop.querySelector(`[data-${name}]`));
const bar = /** @type {HTMLProgressElement} */ (part("upload-bar"));
const BATCH_FILES = 500;
const BATCH_BYTES = 64 * 2 ** 20;
const MEGABYTE = 2 ** 20;
let busy = false;

/** The connection broke on the way, so that sending the same again helps. */
class Broken extends Error {}

/** @typedef {{file: File, path: string}} Upload */

/** @param {Upload[]} uploads @returns {Upload[][]} */
function batches(uploads) {
  /** @type {Upload[][]} */
  const found = [];
  let bytes = Infinity;
  for (const upload of uploads) {
    const batch = found[found.length - 1];
    if (!batch || batch.length >= BATCH_FILES || bytes + upload.file.size > BATCH_BYTES) {
      found.push([upload]);
      bytes = upload.file.size;
    } else {
      batch.push(upload);
      bytes += upload.file.size;
    }
  }
  return found;
}

/** @param {Upload[]} batch @param {(bytes: number) => void} progress @returns {Promise<any>} */
function send(batch, progress) {
  const body = new FormData();
  for (const { file, path } of batch) {
    body.append("files", file, path.split("/").pop());
    body.append("paths", path); // a file's name travels without its folders
  }
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", drop.dataset.url ?? "");
    request.setRequestHeader("X-CSRFToken", document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] ?? "");
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => progress(event.loaded));
    request.addEventListener("load", () => {
      if (request.status < 300) resolve(request.response);
      else reject(new Error(request.response?.error?.message ?? `The server answered ${request.status}.`));
    });
    request.addEventListener("error", () => reject(new Broken("The connection broke.")));
    request.send(body);
  });
}

/** What happened, what was kept, what to do. @param {Error} error @param {number} files that arrived @param {number} left */
function trouble(error, files, left) {
  const arrived = files ? `${files.toLocaleString("en")} ${files === 1 ? "file" : "files"} arrived, ` : "";
  if (error instanceof Broken) return `${error.message} ${arrived}${left} did not. Choose them again: what is there already is not taken twice.`;
  if (files) return `${error.message} ${arrived}the other ${left} did not.`;
  return left > 1 ? `${error.message} None of the ${left} files was taken.` : error.message;
}

/** @param {Upload[]} uploads */
async function upload(uploads) {
  const wanted = uploads.filter(({ path }) => !path.split("/").some((name) => name.startsWith(".")));
  if (busy || !wanted.length) return;
  busy = true;
  const total = wanted.reduce((sum, { file }) => sum + file.size, 0) || 1;
  const text = part("upload-text");
  part("upload").hidden = false;
  bar.hidden = false;
  part("upload-error").hidden = true;
  let before = 0;
  let files = 0;
  try {
    for (const batch of batches(wanted)) {
      await send(batch, (bytes) => {
        bar.value = Math.min(1, (before + bytes) / total);
        text.textContent = `Sending ${wanted.length.toLocaleString("en")} ${wanted.length === 1 ? "file" : "files"}: ${Math.round(Math.min(total, before + bytes) / MEGABYTE)} of ${Math.ceil(total / MEGABYTE)} MB`;
      });
      before += batch.reduce((sum, { file }) => sum + file.size, 0);
      files += batch.length;
      document.getElementById("imports")?.dispatchEvent(new Event("refresh"));
    }
    bar.value = 1;
    const arrived = files === 1 ? "1 file is on the server. It is" : `${files.toLocaleString("en")} files are on the server. They are`;
    text.textContent = `✓ ${arrived} being read below.`;
  } catch (error) {
    part("upload-error").hidden = false;
    part("upload-error").textContent = trouble(/** @type {Error} */ (error), files, wanted.length - files);
    text.textContent = "";
    bar.hidden = true;
  } finally {
    busy = false;
  }
}

/** All files of what was dropped, folders opened. @param {DataTransferItemList} items @returns {Promise<Upload[]>} */
async function dropped(items) {
  const entries = [...items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  /** @type {Upload[]} */
  const found = [];
  const walk = async (/** @type {any} */ entry) => {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      found.push({ file, path: entry.fullPath.replace(/^\//, "") });
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!some.length) break;
      for (const each of some) await walk(each);
    }
  };
  for (const entry of entries) await walk(entry);
  return found;
}

for (const node of drop.querySelectorAll("[data-files]")) {
  const input = /** @type {HTMLInputElement} */ (node);
  const take = async () => {
    await upload([...(input.files ?? [])].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
    input.value = "";
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
  if (event.dataTransfer) upload(await dropped(event.dataTransfer.items));
});
addEventListener("beforeunload", (event) => busy && event.preventDefault());
