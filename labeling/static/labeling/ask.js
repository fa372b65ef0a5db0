// Asks once before a button does what takes effect at once and has no undo.

const dialog = /** @type {HTMLDialogElement} */ (document.querySelector("[data-ask-dialog]"));
const part = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (dialog.querySelector(selector));
/** @type {HTMLButtonElement|null} */
let asked = null;

document.addEventListener("submit", (event) => {
  const button = /** @type {HTMLButtonElement|null} */ (event.submitter);
  if (!button?.dataset.ask || button === asked) return;
  event.preventDefault();
  asked = button;
  part("h2").textContent = button.dataset.ask;
  part("p").textContent = button.dataset.askWhy ?? "";
  part("[data-ask-do]").textContent = button.dataset.askYes ?? "Yes";
  dialog.showModal();
});

part("[data-ask-do]").addEventListener("click", () => {
  asked?.form?.requestSubmit(asked);
  dialog.close();
});
part("[data-ask-cancel]").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
dialog.addEventListener("close", () => (asked = null)); // the focus goes back to the button by itself
