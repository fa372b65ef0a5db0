// Small manners that every page has: menus close, links copy, lists filter as you type.

import { toast } from "./toast.js";

document.addEventListener("click", (event) => {
  const target = /** @type {Element} */ (event.target);
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(target)) menu.removeAttribute("open");
  }
  const copy = /** @type {HTMLElement|null} */ (target.closest("[data-copy]"));
  if (copy) copyText(/** @type {HTMLElement} */ (document.querySelector(copy.dataset.copy ?? "")));
  if (target.matches("[data-select]")) /** @type {HTMLInputElement} */ (target).select();
});

const said = /** @type {HTMLElement} */ (document.querySelector("[data-toasts]")).dataset;

/** @param {HTMLElement} source */
async function copyText(source) {
  const text = source instanceof HTMLInputElement ? source.value : source.textContent ?? "";
  try {
    await navigator.clipboard.writeText(text);
    toast(said.copied ?? "");
  } catch {
    // Plain http:// has no clipboard: select it, so that Ctrl+C does it.
    if (source instanceof HTMLInputElement) source.select();
    else getSelection()?.selectAllChildren(source);
    toast(said.copyYourself ?? "");
  }
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    menu.removeAttribute("open");
    menu.querySelector("summary")?.focus();
  }
});

document.addEventListener("change", (event) => {
  const field = /** @type {HTMLSelectElement} */ (event.target);
  if (field.matches("[data-submit]")) field.form?.requestSubmit();
});

for (const node of document.querySelectorAll("[data-filter]")) {
  const field = /** @type {HTMLInputElement} */ (node);
  const cards = [.../** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(field.dataset.filter ?? ""))];
  const none = /** @type {HTMLElement|null} */ (document.querySelector("[data-filter-empty]"));
  const apply = () => {
    const wanted = field.value.trim().toLocaleLowerCase();
    for (const card of cards) card.hidden = !card.dataset.name?.toLocaleLowerCase().includes(wanted);
    if (none) none.hidden = cards.some((card) => !card.hidden);
  };
  field.addEventListener("input", apply);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") cards.find((card) => !card.hidden)?.querySelector("a")?.click();
  });
  addEventListener("keydown", (event) => {
    const typing = /** @type {Element} */ (event.target).matches("input, textarea, select");
    if (!typing && /^[\p{L}\p{N}]$/u.test(event.key) && !event.ctrlKey && !event.metaKey && !event.altKey) field.focus();
  });
}

document.addEventListener("loupe:size", (event) => {
  const url = /** @type {HTMLElement} */ (document.querySelector("[data-size-url]")).dataset.sizeUrl ?? "";
  const body = new URLSearchParams({ size: String(/** @type {CustomEvent} */ (event).detail) });
  const token = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] ?? "";
  fetch(url, { method: "POST", body, headers: { "X-CSRFToken": token }, keepalive: true }).catch(() => {});
});
