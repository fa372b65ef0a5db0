// A message at the bottom of the window.

/** Show a message at the bottom for a while, with at most one action. @param {string} text @param {{label: string, run: () => void}} [action] */
export function toast(text, action, seconds = 6) {
  const box = /** @type {HTMLElement} */ (document.querySelector("[data-toasts]"));
  const card = document.createElement("div");
  card.className = "toast";
  const said = document.createElement("span");
  said.textContent = text;
  card.append(said);
  const timer = setTimeout(() => card.remove(), seconds * 1000);
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = action?.label ?? box.dataset.close ?? "";
  button.addEventListener("click", () => {
    clearTimeout(timer);
    card.remove();
    action?.run();
  });
  card.append(button);
  box.replaceChildren(card);
  return card;
}
