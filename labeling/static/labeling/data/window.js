// A grid of any length of which only what is near the viewport is in the document.

const AHEAD = 1; // screens of cells kept above and below

export class Window {
  /** @param {HTMLElement} grid @param {(next: string, limit?: number) => Promise<string>} fetchPage HTML of the cells after a cursor @param {(cell: HTMLElement) => void} draw called for a cell that comes into the document */
  constructor(grid, fetchPage, draw) {
    this.grid = grid;
    this.fetchPage = fetchPage;
    this.draw = draw;
    /** @type {HTMLElement[]} */
    this.cells = [];
    /** @type {string|null} */
    this.next = null;
    this.shown = [0, 0];
    /** @type {Promise<void>|null} */
    this.loading = null;
    this.take(grid);
    this.render(true);
    addEventListener("scroll", () => this.soon(), { passive: true });
    new ResizeObserver(() => this.soon()).observe(grid.parentElement ?? grid);
    grid.addEventListener("click", (event) => {
      if (/** @type {Element} */ (event.target).closest(".cell-more")) this.more();
    });
  }

  /** Keep the cells in a piece of document, and the cursor behind them. @param {ParentNode} root */
  take(root) {
    this.cells.push(.../** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll(".cell")));
    const more = /** @type {HTMLElement|null} */ (root.querySelector(".cell-more"));
    this.next = more?.dataset.next ?? null;
    more?.remove();
  }

  soon() {
    if (this.asked) return;
    this.asked = requestAnimationFrame(() => {
      this.asked = 0;
      this.render();
    });
  }

  columns() {
    return getComputedStyle(this.grid).gridTemplateColumns.split(" ").length;
  }

  /** Height of a row with the gap below it. */
  rowHeight() {
    const cell = this.grid.querySelector(".cell");
    return cell ? cell.getBoundingClientRect().height + parseFloat(getComputedStyle(this.grid).rowGap) : this.height || 168;
  }

  render(force = false) {
    const columns = this.columns();
    const height = this.height = this.rowHeight();
    const top = this.grid.getBoundingClientRect().top + scrollY;
    const rows = Math.ceil(this.cells.length / columns);
    const screen = Math.ceil(innerHeight / height);
    const at = Math.max(0, Math.floor((scrollY - top) / height));
    const first = Math.max(0, Math.min(at - AHEAD * screen, rows - 1)) * columns;
    const last = Math.min(this.cells.length, (at + (AHEAD + 1) * screen + 1) * columns);
    if (force || first !== this.shown[0] || last !== this.shown[1]) {
      const focused = document.activeElement?.closest(".cell");
      this.shown = [first, last];
      this.grid.style.paddingTop = `${(first / columns) * height}px`;
      this.grid.style.paddingBottom = `${Math.max(0, rows - Math.ceil(last / columns)) * height}px`;
      const wanted = this.cells.slice(first, last);
      const kept = new Set(wanted);
      for (const cell of [...this.grid.children]) if (!kept.has(/** @type {HTMLElement} */ (cell))) cell.remove();
      wanted.forEach((cell, index) => {
        if (this.grid.children[index] === cell) return;
        this.grid.insertBefore(cell, this.grid.children[index] ?? null);
        this.draw(cell);
      });
      if (focused?.isConnected) /** @type {HTMLElement} */ (focused.querySelector(".cell-face")).focus({ preventScroll: true });
    }
    if (this.next && !this.loading && last >= this.cells.length - columns) this.more();
  }

  /** Load the next cells; whoever asks while some are under way waits for these. */
  more(limit = 0) {
    if (!this.next) return Promise.resolve();
    this.loading ??= this.load(this.next, limit).finally(() => {
      this.loading = null;
      this.render(true);
    });
    return this.loading;
  }

  /** @param {string} next @param {number} limit */
  async load(next, limit) {
    try {
      const piece = document.createElement("template");
      piece.innerHTML = await this.fetchPage(next, limit);
      this.take(piece.content);
    } catch {
      this.next = next; // asked for again with the next scroll
    }
  }

  /** Load until so many are there. @param {number} count */
  async reach(count) {
    while (this.next && this.cells.length < count) {
      const before = this.cells.length;
      await this.more(Math.min(600, count - this.cells.length));
      if (this.cells.length === before) return;
    }
  }

  /** Bring a cell into view. @param {HTMLElement} cell */
  show(cell) {
    const row = Math.floor(this.cells.indexOf(cell) / this.columns());
    const height = this.rowHeight();
    const top = this.grid.getBoundingClientRect().top + scrollY + row * height;
    const bar = 110;
    if (top - bar < scrollY) scrollTo({ top: Math.max(0, top - bar) });
    else if (top + height > scrollY + innerHeight) scrollTo({ top: top + height - innerHeight });
    this.render();
  }

  /** @param {HTMLElement[]} cells */
  remove(cells) {
    const gone = new Set(cells);
    this.cells = this.cells.filter((cell) => !gone.has(cell));
    for (const cell of cells) cell.remove();
    this.render(true);
  }

  /** Put cells back where they were. @param {{cell: HTMLElement, at: number}[]} places in the order of `at` */
  restore(places) {
    for (const { cell, at } of places) this.cells.splice(Math.min(at, this.cells.length), 0, cell);
    this.render(true);
  }
}
