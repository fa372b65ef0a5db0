// Which files people mean: chosen, dropped, or all in dropped folders.

/** @typedef {import("./sender.js").Chosen} Chosen */

/** @param {HTMLInputElement} input @returns {Chosen[]} */
export function chosenIn(input) {
  return [...(input.files ?? [])].map((file) => ({ file, path: file.webkitRelativePath || file.name })).filter(isVisible);
}

/**
 * All files of what was dropped, folders opened; `told` gets how many there are so far.
 * @param {DataTransferItemList} items @param {(files: number) => void} told @returns {Promise<Chosen[]>}
 */
export async function dropped(items, told) {
  const waiting = [...items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  /** @type {Chosen[]} */
  const found = [];
  for (let entry = /** @type {any} */ (waiting.shift()); entry; entry = waiting.shift()) {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject)).catch(() => null);
      if (file) found.push({ file, path: entry.fullPath.replace(/^\//, "") });
      if (found.length % 100 === 0) told(found.length);
      continue;
    }
    const reader = entry.createReader();
    /** @type {any[]} */
    const inside = [];
    for (;;) {
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!some.length) break;
      inside.push(...some);
    }
    waiting.unshift(...inside);
  }
  return found.filter(isVisible);
}

const isVisible = (/** @type {Chosen} */ { path }) => !path.split("/").some((name) => name.startsWith("."));
