// One item beside the gallery: its lock, its comments and points, its look-alikes.

import { toast } from "../toast.js";
import { part, send, sentence, withId } from "./request.js";

const EXTEND_EVERY = 50; // seconds; a lock lasts 120

/** @param {HTMLElement} panel @param {string} locks address */
export function makePanel(panel, locks) {
  /** @type {number|null} */
  let item = null;
  let timer = 0;
  let address = "";
  /** @type {{x: number, y: number}|null} */
  let point = null;
  /** @type {number|null} */
  let parent = null;

  const find = (/** @type {string} */ selector) => /** @type {HTMLElement|null} */ (panel.querySelector(selector));

  async function hold() {
    if (item === null) return;
    const mine = item;
    const reply = await send(locks, { items: [mine] }).catch(() => null);
    const held = find("[data-held]");
    if (!held || item !== mine || !reply) return;
    held.hidden = !reply.looked_at.length;
    if (reply.looked_at.length) held.textContent = `Being looked at by ${reply.looked_at[0].by}. Your verdict on it would be left out.`;
  }

  function letGo() {
    clearInterval(timer);
    if (item !== null) send(locks, { items: [item] }, "DELETE").catch(() => {});
    item = null;
  }

  /** @param {string} where */
  async function open(where) {
    const html = await part(where);
    letGo();
    address = where;
    panel.innerHTML = html;
    panel.hidden = false;
    panel.scrollTop = 0;
    point = parent = null;
    item = Number(find("[data-of]")?.dataset.of);
    placePins();
    hold();
    timer = window.setInterval(hold, EXTEND_EVERY * 1000);
  }

  function close() {
    letGo();
    panel.hidden = true;
  }

  // Points: circles of one size on the screen, whatever the size of the image.
  function placePins() {
    const stage = find("[data-stage]");
    if (!stage) return;
    const size = Math.max(Number(stage.dataset.width), 1) / Math.max(stage.clientWidth, 1);
    for (const pin of stage.querySelectorAll(".pin")) {
      pin.querySelector("circle")?.setAttribute("r", String(9 * size));
      const text = pin.querySelector("text");
      text?.setAttribute("font-size", String(11 * size));
      text?.setAttribute("dy", String(4 * size));
    }
  }

  function write(about = "") {
    const form = /** @type {HTMLFormElement|null} */ (find("[data-comment-form]"));
    if (!form) return;
    form.hidden = false;
    const line = /** @type {HTMLElement} */ (form.querySelector("[data-about]"));
    line.hidden = !about;
    line.textContent = about;
    form.scrollIntoView({ block: "nearest" });
    /** @type {HTMLElement} */ (form.querySelector("textarea")).focus();
  }

  function pinMode(on = true) {
    const stage = find("[data-stage]");
    if (!stage?.querySelector(".pins")) return;
    stage.classList.toggle("pinning", on);
    find("[data-pin-mode]")?.setAttribute("aria-pressed", String(on));
    if (!on) return;
    toast("Click the point, or move the cross with the arrow keys and press Enter.");
    point = { x: Number(stage.dataset.width) / 2, y: Number(stage.dataset.height) / 2 };
    drawDraft();
  }

  function drawDraft() {
    const pins = panel.querySelector(".pins");
    if (!pins || !point) return;
    let draft = pins.querySelector(".draft");
    if (!draft) {
      draft = document.createElementNS("http://www.w3.org/2000/svg", "g");
      draft.setAttribute("class", "pin draft");
      draft.append(document.createElementNS("http://www.w3.org/2000/svg", "circle"));
      pins.append(draft);
      placePins();
    }
    draft.setAttribute("transform", `translate(${point.x} ${point.y})`);
  }

  function placed() {
    find("[data-stage]")?.classList.remove("pinning");
    find("[data-pin-mode]")?.setAttribute("aria-pressed", "false");
    parent = null;
    if (point) write(`At ${Math.round(point.x)}, ${Math.round(point.y)} px.`);
  }

  /** Take a click on the picture as a point, in pixels of the image. @param {MouseEvent} event */
  function clicked(event) {
    const pins = /** @type {SVGSVGElement|null} */ (panel.querySelector(".pins"));
    const matrix = pins?.getScreenCTM();
    const stage = find("[data-stage]");
    if (!matrix || !stage) return;
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
    const [width, height] = [Number(stage.dataset.width), Number(stage.dataset.height)];
    point = { x: Math.min(width, Math.max(0, at.x)), y: Math.min(height, Math.max(0, at.y)) };
    drawDraft();
    placed();
  }

  async function alike() {
    const button = find("[data-alike]");
    const shown = find("[data-alike-shown]");
    if (!button || !shown) return;
    shown.innerHTML = await part(button.dataset.alike ?? "").catch(() => "");
    shown.scrollIntoView({ block: "nearest" });
    /** @type {HTMLElement|null} */ (shown.querySelector("h3"))?.focus();
  }

  panel.addEventListener("click", async (event) => {
    const target = /** @type {Element} */ (event.target);
    if (target.closest(".pinning")) {
      event.preventDefault();
      return clicked(event);
    }
    const thread = /** @type {HTMLElement|null} */ (target.closest("[data-thread]"));
    if (target.closest("[data-comment]")) {
      point = parent = null;
      write();
    } else if (target.closest("[data-pin-mode]")) pinMode();
    else if (target.closest("[data-alike]")) alike();
    else if (thread && target.closest("[data-reply]")) {
      parent = Number(thread.dataset.thread);
      point = null;
      write("In answer.");
    } else if (thread && target.closest("[data-resolve]")) {
      const form = /** @type {HTMLElement} */ (find("[data-comment-form]"));
      const resolved = /** @type {HTMLElement} */ (target.closest("[data-resolve]")).dataset.resolve === "true";
      try {
        await send(withId(form.dataset.change ?? "", Number(thread.dataset.thread)), { resolved }, "PATCH");
        await open(address);
      } catch (error) {
        toast(`Nothing was changed: ${sentence(error)}`);
      }
    }
  });

  panel.addEventListener("submit", async (event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    if (!form.matches("[data-comment-form]")) return;
    event.preventDefault();
    const text = String(new FormData(form).get("text") ?? "");
    try {
      await send(form.getAttribute("action") ?? "", { text, parent, ...(parent ? {} : point ?? {}) });
      await open(address);
      toast("Sent.");
    } catch (error) {
      toast(`Nothing was sent: ${sentence(error)}`);
    }
  });

  panel.addEventListener("keydown", (event) => {
    const target = /** @type {Element} */ (event.target);
    if (target.matches("textarea") && event.key === "Enter" && (event.ctrlKey || event.metaKey)) /** @type {HTMLTextAreaElement} */ (target).form?.requestSubmit();
  });

  /** Keys of an open panel; returns whether it took the key. @param {string} letter @param {KeyboardEvent} event */
  function key(letter, event) {
    if (panel.hidden) return false;
    const stage = find(".pinning");
    if (stage && point) {
      const step = (event.shiftKey ? 0.1 : 0.02) * Number(stage.dataset.width);
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (way) {
        point.x = Math.min(Number(stage.dataset.width), Math.max(0, point.x + way[0] * step));
        point.y = Math.min(Number(stage.dataset.height), Math.max(0, point.y + way[1] * step));
        drawDraft();
      } else if (event.key === "Enter") placed();
      else if (event.key === "Escape") {
        pinMode(false);
        panel.querySelector(".draft")?.remove();
        point = null;
      } else return false;
      return true;
    }
    if (letter === "c") {
      point = parent = null;
      write();
    } else if (letter === "p") pinMode();
    else if (letter === "l") alike();
    else return false;
    return true;
  }

  addEventListener("resize", placePins);
  addEventListener("pagehide", letGo);
  return { open, close, key, reload: () => open(address), placePins };
}
