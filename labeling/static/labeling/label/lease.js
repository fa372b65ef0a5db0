// Keeps pages leased while somebody works on them.

/** @typedef {import("./types.js").Page} Page */

const LOOK_EVERY = 20_000;
const ACTIVE_FOR = 3 * 60_000;
const EXTEND_BEFORE = 7 * 60_000;

/**
 * @param {ReturnType<import("./api.js").projectApi>} api
 * @param {() => Page[]} pages that are held now
 * @param {(page: Page, count: number) => void} onLost told how many of a page's images went to somebody else
 */
export function keepLease(api, pages, onLost) {
  let active = Date.now();
  for (const kind of ["keydown", "pointerdown", "pointermove"]) {
    addEventListener(kind, () => (active = Date.now()), { passive: true });
  }
  /** @param {Page} page */
  async function extend(page) {
    const { lease_expires_at, lost } = await api.extend(page.page);
    page.lease_expires_at = lease_expires_at;
    if (lost.length) onLost(page, lost.length);
  }
  const look = () => {
    if (document.hidden || Date.now() - active > ACTIVE_FOR) return;
    for (const page of pages()) {
      if (Date.parse(page.lease_expires_at) - Date.now() > EXTEND_BEFORE) continue;
      // A lease that cannot be extended costs nothing here: late answers are kept by the server.
      extend(page).catch(() => {});
    }
  };
  setInterval(look, LOOK_EVERY);
  document.addEventListener("visibilitychange", () => {
    active = Date.now();
    look();
  });
}
