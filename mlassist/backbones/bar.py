"""A line of progress for programs that run in a terminal for hours."""

import sys
import time


class Bar:
    """Rewritten in place in a terminal, printed once at the end elsewhere."""

    def __init__(self, title: str, total: int) -> None:
        self.title, self.total, self.shown = title, total, 0.0
        self.live = sys.stderr.isatty()

    def at(self, done: int, note: str = "") -> None:
        if self.live and time.monotonic() - self.shown > 0.2:
            self.shown = time.monotonic()
            full = 30 * done // self.total
            line = "#" * full + "." * (30 - full)
            sys.stderr.write(f"\r{self.title} [{line}] {done / self.total:4.0%} {note}\033[K")
            sys.stderr.flush()

    def end(self, note: str = "done") -> None:
        sys.stderr.write(f"\r{self.title}: {note}\033[K\n" if self.live else f"{self.title}: {note}\n")
        sys.stderr.flush()
