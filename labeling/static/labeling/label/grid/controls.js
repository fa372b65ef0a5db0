// The size picker and the box that finds a class by its name.

/** @param {HTMLElement} root @param {number} size @param {(size: number) => void} onChange */
export function sizePicker(root, size, onChange) {
  for (const radio of root.querySelectorAll("input[name=size]")) {
    const input = /** @type {HTMLInputElement} */ (radio);
    input.checked = Number(input.value) === size;
    input.addEventListener("change", () => {
      onChange(Number(input.value));
      input.blur(); // the arrow keys belong to the images again
    });
  }
}

/**
 * The box is only there where there are many classes.
 * @param {HTMLElement|null} element @param {HTMLElement} classes
 * @param {{type: (text: string) => void, choose: (id: number) => void}} on
 */
export function findBox(element, classes, on) {
  const box = /** @type {HTMLInputElement|null} */ (element);
  const clear = () => {
    if (!box?.value) return;
    box.value = "";
    on.type("");
  };
  box?.addEventListener("input", () => on.type(box.value));
  box?.addEventListener("keydown", (event) => {
    if (event.isComposing || !["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault();
    const first = /** @type {HTMLElement|null} */ (classes.querySelector("[data-class]:not([hidden])"));
    if (event.key === "Enter" && box.value.trim() && first) on.choose(Number(first.dataset.class));
    clear();
    box.blur();
  });
  return { focus: () => box?.focus(), clear };
}
