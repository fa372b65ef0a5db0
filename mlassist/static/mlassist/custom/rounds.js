// A round of choosing by eye: keys choose, one candidate at a time can be looked at in the large.

const form = /** @type {HTMLFormElement} */ (document.querySelector("[data-round]"));
const large = /** @type {HTMLDialogElement} */ (document.querySelector("[data-large]"));
const candidates = /** @type {HTMLElement[]} */ ([...form.querySelectorAll("[data-candidate]")]);
let at = 0;
let isSent = false;

/** Show a candidate in the large, the first after the last. @param {number} place */
function enlarge(place) {
  at = (place + candidates.length) % candidates.length;
  const picture = /** @type {HTMLElement} */ (candidates[at].querySelector(".custom-picture"));
  const said = /** @type {HTMLElement} */ (candidates[at].querySelector("figcaption"));
  part("[data-large-picture]").replaceChildren(...copies(picture));
  part("[data-large-said]").replaceChildren(...copies(said));
  if (!large.open) large.showModal();
}

const part = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (large.querySelector(selector));
const copies = (/** @type {HTMLElement} */ of) => [...of.cloneNode(true).childNodes];
const choice = (/** @type {string} */ value) => /** @type {HTMLButtonElement|null} */ (form.querySelector(`button[name="best"][value="${value}"]`));

form.addEventListener("submit", (event) => {
  if (isSent) event.preventDefault();
  isSent = true;
});
addEventListener("pageshow", () => (isSent = false));

for (const [place, each] of candidates.entries()) {
  each.querySelector("[data-enlarge]")?.addEventListener("click", () => enlarge(place));
  each.addEventListener("pointerenter", () => large.open || (at = place));
}
part("[data-shrink]").addEventListener("click", () => large.close());
large.addEventListener("click", (event) => event.target === large && large.close());

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (/^[0-9]$/.test(event.key)) {
    choice(event.key === "0" ? "none" : String(Number(event.key) - 1))?.click();
  } else if (event.key.toLowerCase() === "z") {
    if (large.open) large.close();
    else enlarge(at);
  } else if (large.open && event.key === "ArrowRight") enlarge(at + 1);
  else if (large.open && event.key === "ArrowLeft") enlarge(at - 1);
});
