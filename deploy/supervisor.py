"""Keeps processes running on one machine: each in a group of its own, started again when it ends.

A process manager that ends everything when one part dies would turn a worker out of memory into an
outage. Here a part that dies is started again, after a growing pause, and a part that hangs is
killed with all it started. Nothing outlives the supervisor, not even when it is killed.
"""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from labeling.tether import adopt_orphans, tethered

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
STEADY_AFTER = 60.0  # seconds of life after which the next death counts as the first
STRIKES = 3  # checks in a row before a process counts as stuck

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Part:
    """One supervised process. `is_stuck` is asked every few seconds; `on_kill` runs before a restart.

    What it prints goes to `log`, or to the terminal.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    is_stuck: Callable[[], bool] | None = None
    on_kill: Callable[[], None] | None = None
    grace_after_start: float = 0.0
    log: Path | None = None
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    pause: float = FIRST_PAUSE
    strikes: int = 0

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        # A session of its own, so that Ctrl-C in the terminal reaches the supervisor alone.
        with self.log.open("ab") if self.log else contextlib.nullcontext() as output:
            self.process = subprocess.Popen(
                tethered(self.argv),
                env={**os.environ, **self.env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.started_at = time.monotonic()
        self.strikes = 0

    def signal_group(self, number: int) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    @property
    def group_is_alive(self) -> bool:
        if self.process is None:
            return False
        self.process.poll()  # takes the exit status, or its zombie would count as alive
        return _group_is_alive(self.process.pid)


class Supervisor:
    """Runs parts until `stop` is called or a signal to end arrives."""

    def __init__(
        self, parts: Sequence[Part], *, stop_grace: float = 10.0, check_seconds: float = 2.0
    ) -> None:
        self.parts = parts
        self.stop_grace = stop_grace
        self.check_seconds = check_seconds
        self.is_stopping = threading.Event()

    def run(
        self,
        on_start: Callable[[], None] | None = None,
        on_tick: Callable[[], None] | None = None,
        on_check: Callable[[], None] | None = None,
    ) -> None:
        """Start all parts and look after them; returns when every one of them has ended."""
        self._listen_to_signals()
        adopt_orphans()
        if on_start is not None:
            on_start()
        next_check = 0.0
        try:
            while not self.is_stopping.is_set():
                for part in self.parts:
                    self._keep_running(part)
                if time.monotonic() >= next_check:
                    next_check = time.monotonic() + self.check_seconds
                    if on_check is not None:
                        on_check()
                    for part in self.parts:
                        self._check(part)
                self._bury_orphans()
                if on_tick is not None:
                    on_tick()
                self.is_stopping.wait(0.2)
        finally:
            self._end_all()

    def stop(self) -> None:
        self.is_stopping.set()

    def _listen_to_signals(self) -> None:
        def stop(number: int, frame: FrameType | None) -> None:
            self.stop()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, stop)

    def _keep_running(self, part: Part) -> None:
        now = time.monotonic()
        if part.is_alive or now < part.start_at:
            return
        if part.process is not None:
            code = part.process.returncode
            if now - part.started_at > STEADY_AFTER:
                part.pause = FIRST_PAUSE
            log.warning("%s ended with code %s; it starts again in %.1f s", part.name, code, part.pause)
            part.signal_group(signal.SIGKILL)  # what it left behind
            part.process = None
            part.start_at = now + part.pause
            part.pause = min(LONGEST_PAUSE, part.pause * 2)
            return
        part.start()

    def _check(self, part: Part) -> None:
        if part.is_stuck is None or time.monotonic() - part.started_at < part.grace_after_start:
            return
        try:
            part.strikes = part.strikes + 1 if part.is_stuck() else 0
        except Exception as error:  # noqa: BLE001  whatever it asks may be down
            log.warning("whether %s works could not be checked: %s", part.name, error)
            return
        if part.strikes < STRIKES:
            return
        log.error("%s does not answer; it is killed and started again", part.name)
        part.signal_group(signal.SIGKILL)
        if part.process is not None:
            part.process.wait()
        if part.on_kill is not None:
            part.on_kill()
        part.process = None
        part.start()

    def _end_all(self) -> None:
        """End the parts in reverse order of start, together: politely, then for certain."""
        for part in reversed(self.parts):
            part.signal_group(signal.SIGTERM)
        deadline = time.monotonic() + self.stop_grace
        while any(part.group_is_alive for part in self.parts) and time.monotonic() < deadline:
            time.sleep(0.05)
        for part in self.parts:
            part.signal_group(signal.SIGKILL)
        for part in self.parts:
            if part.process is not None:
                part.process.wait()
        self._bury_orphans()

    def _bury_orphans(self) -> None:
        """Take the exit status of adopted processes, which would stay zombies until this one ends."""
        ours = {part.process.pid for part in self.parts if part.process is not None}
        for status in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                state, parent, _ = status.read_text().rsplit(")", 1)[1].split()[:3]
                pid = int(status.parent.name)
                if state == "Z" and int(parent) == os.getpid() and pid not in ours:
                    os.waitpid(pid, os.WNOHANG)


def _group_is_alive(group: int) -> bool:
    """Tell whether a process group has a member that is not a zombie waiting for its parent."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    if sys.platform != "linux":
        return True
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, process_group = status.read_text().rsplit(")", 1)[1].split()[:3]
            if int(process_group) == group and state not in "ZX":
                return True
    return False
