// Parts that poll: nothing is redrawn unless it changed, and what the reader opened stays open.

/** @type {WeakMap<Element, string>} */
const last = new WeakMap();
/** @type {WeakMap<Element, {open: string[], focus: string|null, scroll: Map<string, number>}>} */
const kept = new WeakMap();

const polled = (/** @type {Event} */ event) => {
  const element = /** @type {Element} */ (/** @type {CustomEvent} */ (event).detail.elt);
  return element?.matches?.("[data-live]") ? element : null;
};

document.addEventListener("htmx:beforeRequest", (event) => {
  if (polled(event) && document.hidden) event.preventDefault();
});

document.addEventListener("htmx:beforeSwap", (event) => {
  const element = polled(event);
  if (!element) return;
  const detail = /** @type {CustomEvent} */ (event).detail;
  if (detail.xhr.responseURL.includes("/sign-in/")) return location.reload();
  const text = detail.serverResponse;
  // Times that pass are a change; where nothing else happened the page stays still.
  detail.shouldSwap = detail.xhr.status === 200 && last.get(element) !== text && !selecting(element);
  if (!detail.shouldSwap) return;
  last.set(element, text);
  const active = document.activeElement;
  kept.set(element, {
    open: [...element.querySelectorAll("details[open][id]")].map(({ id }) => id),
    focus: active && element.contains(active) ? path(active, element) : null,
    scroll: new Map([...element.querySelectorAll("details[open][id] .scroll")].map((box) => [box.closest("details")?.id ?? "", box.scrollTop])),
  });
});

document.addEventListener("htmx:afterSwap", (event) => {
  const element = polled(event);
  const before = element && kept.get(element);
  if (!element || !before) return;
  for (const id of before.open) document.getElementById(id)?.setAttribute("open", "");
  for (const [id, top] of before.scroll) document.getElementById(id)?.querySelector(".scroll")?.scrollTo({ top });
  if (before.focus) /** @type {HTMLElement|null} */ (element.querySelector(before.focus))?.focus({ preventScroll: true });
});


/** Whether the reader is selecting text there, which a swap would take away. @param {Element} element */
function selecting(element) {
  const selection = getSelection();
  return Boolean(selection && !selection.isCollapsed && selection.anchorNode && element.contains(selection.anchorNode));
}

/** A selector that finds the same place after a redraw. @param {Element} node @param {Element} root */
function path(node, root) {
  const steps = [];
  for (let at = node; at !== root && at.parentElement; at = at.parentElement) {
    steps.unshift(`:nth-child(${[...at.parentElement.children].indexOf(at) + 1})`);
  }
  return `:scope > ${steps.join(" > ")}`;
}
