// The pages that were submitted last, to look at again and to correct.

import { t } from "./text.js";

/** @typedef {import("./types.js").Page} Page @typedef {import("./types.js").Answer} Answer */
/** @typedef {{page: number, submitted_at: string, items: {file_name: string, thumbnail: string, skipped: boolean, labels: string[]}[]}} Entry */

const MOST = 20;

/** A submitted page as it can be corrected: without proposals, with what was answered. @param {Page} page @param {Answer[]} answers @returns {Page} */
export function answered(page, answers, submittedAt = new Date().toISOString()) {
  const given = answers.filter((answer) => !answer.exception);
  const byItem = Object.fromEntries(given.map(({ item, regions, skipped, skip_reason }) => [item, { regions, skipped, skip_reason }]));
  return {
    ...page,
    kind: "manual",
    proposed_class: null,
    start_selected: false,
    submitted_at: submittedAt,
    items: page.items.filter((item) => item.id in byItem).map((item) => ({ ...item, suggestion: null })),
    answers: byItem,
  };
}

/** What the server keeps of a page, without what it proposed then. @param {Page} page @returns {Page} */
const asCorrectable = (page) => answered(page, Object.entries(page.answers ?? {}).map(([item, given]) => ({ ...given, item: Number(item), uuid: "" })), page.submitted_at);

export class Recent {
  /** @param {ReturnType<import("./api.js").projectApi>} api @param {import("./types.js").LabelClass[]} classes */
  constructor(api, classes) {
    this.api = api;
    this.names = new Map(classes.map(({ id, name }) => [id, name]));
    /** @type {Page[]} of this visit, the last first; known without the network */
    this.pages = [];
  }

  /** @param {Page} page @param {Answer[]} answers */
  add(page, answers) {
    const kept = answered(page, answers);
    if (!kept.items.length) return;
    this.pages = [kept, ...this.pages.filter((each) => each.page !== page.page)].slice(0, MOST);
  }

  /** @param {number} page that was taken back */
  drop(page) {
    this.pages = this.pages.filter((each) => each.page !== page);
  }

  /** @returns {Page|null} the last one, with its regions */
  get last() {
    return this.pages[0] ?? null;
  }

  /** Short entries, the last first: what this visit sent, then what the server knows. @returns {Promise<Entry[]>} */
  async list() {
    const own = this.pages.map((page) => ({
      page: page.page,
      submitted_at: page.submitted_at ?? "",
      items: page.items.map((item) => ({ file_name: item.file_name, thumbnail: item.thumbnail, ...this.said(page.answers?.[item.id]) })),
    }));
    const { pages } = await this.api.recent().catch(() => ({ pages: [] }));
    const known = new Set(own.map(({ page }) => page));
    return [...own, ...pages.filter((/** @type {{page: number}} */ { page }) => !known.has(page))].slice(0, MOST);
  }

  /** @param {import("./types.js").Given|undefined} given */
  said(given) {
    return { skipped: Boolean(given?.skipped), labels: given?.regions.map((region) => this.names.get(region.class ?? 0) ?? "") ?? [] };
  }

  /** @param {number} page @returns {Promise<Page>} */
  async get(page) {
    return this.pages.find((each) => each.page === page) ?? asCorrectable(await this.api.submitted(page));
  }

  /** The page before or after one in time; null at either end. @param {number|null} page now shown @param {1|-1} step 1: earlier */
  async beside(page, step) {
    const local = this.pages.map((each) => each.page);
    const at = page === null ? -1 : local.indexOf(page);
    const known = step < 0 ? at > 0 : (page === null || at >= 0) && at + 1 < local.length;
    const order = known ? local : (await this.list()).map((each) => each.page);
    const next = order[(page === null ? -1 : order.indexOf(page)) + step];
    return next === undefined ? null : this.get(next);
  }
}

/** @param {string} text an ISO time @param {string} language */
export function clock(text, language) {
  return new Intl.DateTimeFormat(language, { hour: "numeric", minute: "2-digit" }).format(new Date(text));
}

/** How often each class was given, the most frequent first. @param {Entry["items"]} items */
function summary(items) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const name of items.flatMap(({ labels }) => labels)) counts.set(name, (counts.get(name) ?? 0) + 1);
  const parts = [...counts].sort(([, one], [, other]) => other - one).map(([name, count]) => (count > 1 ? `${count} ${name}` : name));
  const skipped = items.filter((item) => item.skipped).length;
  if (skipped) parts.push(t("{count} skipped", { count: skipped }));
  return parts.join(", ") || t("empty");
}

/**
 * The list of submitted pages.
 * @param {HTMLDialogElement} dialog @param {Recent} recent @param {string} language @param {(page: number) => void} choose
 */
export function recentDialog(dialog, recent, language, choose) {
  const list = /** @type {HTMLElement} */ (dialog.querySelector("[data-part=recent-list]"));
  return async () => {
    list.textContent = t("Looking…");
    dialog.showModal();
    const entries = await recent.list();
    list.replaceChildren(...entries.map(row));
    if (!entries.length) list.textContent = t("Nothing yet: pages appear here once they are submitted.");
    /** @type {HTMLElement|null} */ (list.querySelector("button"))?.focus();
  };

  /** @param {Entry} entry */
  function row(entry) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "recent-page";
    const time = document.createElement("time");
    time.dateTime = entry.submitted_at;
    time.textContent = clock(entry.submitted_at, language);
    const strip = document.createElement("span");
    strip.className = "recent-strip";
    for (const item of entry.items) {
      const image = document.createElement("img");
      image.src = item.thumbnail;
      image.alt = item.file_name;
      image.classList.toggle("skipped", item.skipped);
      strip.append(image);
    }
    const text = document.createElement("span");
    text.className = "recent-text";
    text.textContent = entry.items.length === 1 ? `${entry.items[0].file_name} · ${summary(entry.items)}` : summary(entry.items);
    button.append(time, strip, text);
    button.addEventListener("click", () => {
      dialog.close();
      choose(entry.page);
    });
    return button;
  }
}
