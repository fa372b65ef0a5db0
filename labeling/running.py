"""A job while a worker does it: its lease, its progress and its subprocesses."""

import collections
import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import IO, Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models.functions import Now

from labeling.models import Job, Project
from labeling.tether import tethered

SECONDS_BETWEEN_WRITES = 0.5
STOP_GRACE = 10.0

log = logging.getLogger(__name__)


class Cancelled(Exception):
    """Somebody asked for the job to stop."""


class Interrupted(Exception):
    """The work ended without an outcome; the job goes back to the queue."""


class JobFailed(Exception):
    """The work cannot be done; says why in a sentence for people."""


class Stopping(BaseException):
    """The worker was told to end. No Exception, so that no handler takes it for a damaged image."""


class RunningJob:
    """What a handler gets: the job's row and payload, and its ways to report and to stop."""

    def __init__(self, row: Job) -> None:
        self.row = row
        self.payload: dict[str, Any] = row.payload
        self._unsaved: dict[str, Any] = {}
        self._saved_at = 0.0
        self._is_over = threading.Event()
        self._is_lost = False

    @property
    def project(self) -> Project | None:
        return self.row.project

    def progress(self, done: int, total: int | None = None, message: str | None = None) -> None:
        """Say how far the work is; raises Cancelled when it shall stop. Cheap to call often."""
        self._unsaved["done"] = done
        if total is not None:
            self._unsaved["total"] = total
        if message is not None:
            self._unsaved["message"] = message[:300]
        if time.monotonic() - self._saved_at >= SECONDS_BETWEEN_WRITES:
            self._extend(**self._unsaved)
            self._unsaved = {}
            self._saved_at = time.monotonic()
        self._check()

    def supervise(self, argv: Sequence[str]) -> None:
        """Run a program that ends with this job, however the job ends."""
        process = subprocess.Popen(
            tethered(argv),
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        last_lines: collections.deque[str] = collections.deque(maxlen=20)
        reader = threading.Thread(target=_pass_on, args=(process.stderr, last_lines), daemon=True)
        reader.start()
        try:
            while process.poll() is None:
                self._check()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=0.5)
        finally:
            _stop_group(process)
            reader.join(timeout=5)
        if process.returncode < 0:
            raise Interrupted(f"{argv[0]} was ended by {signal.Signals(-process.returncode).name}")
        if process.returncode > 0:
            raise JobFailed("".join(last_lines).strip() or f"{argv[0]} ended with code {process.returncode}")

    @contextlib.contextmanager
    def alive(self) -> Iterator[None]:
        """Extend the lease from a thread, so that no handler has to think of it."""
        heart = threading.Thread(target=self._keep_beating, name=f"lease-{self.row.pk}", daemon=True)
        heart.start()
        try:
            yield
        finally:
            self._is_over.set()
            heart.join()

    def finish(self, state: Job.State, **fields: Any) -> bool:
        """Write the outcome, unless somebody else has the job by now; returns whether it was ours."""
        fields = self._unsaved | fields
        if state == Job.State.DONE:
            fields["message"] = ""  # what it was doing; what became of it is its result
        changed: int = self._ours().update(state=state, lease_until=None, finished_at=Now(), **fields)
        return bool(changed)

    def _ours(self) -> Any:
        return Job.objects.filter(pk=self.row.pk, state=Job.State.RUNNING, attempts=self.row.attempts)

    def _extend(self, **fields: Any) -> None:
        lease = Now() + timedelta(seconds=settings.LOUPE_JOB_LEASE)
        if not self._ours().update(lease_until=lease, **fields):
            self._is_lost = True
        self.row.cancel_requested = self._ours().filter(cancel_requested=True).exists()

    def _check(self) -> None:
        if self._is_lost:
            raise Interrupted("the lease ran out and the job went to another worker")
        if self.row.cancel_requested:
            raise Cancelled

    def _keep_beating(self) -> None:
        seconds = min(5.0, settings.LOUPE_JOB_LEASE / 4)
        try:
            while not self._is_over.wait(seconds):
                try:
                    self._extend()
                except DatabaseError:
                    log.warning("the lease of job %s could not be extended", self.row.pk, exc_info=True)
                    connection.close()
        finally:
            connection.close()  # this thread's own


def _pass_on(stream: IO[str], last_lines: collections.deque[str]) -> None:
    for line in stream:
        last_lines.append(line)
        sys.stderr.write(line)


def _stop_group(process: subprocess.Popen[str]) -> None:
    """End a program and whatever it started: politely, then for certain."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=STOP_GRACE)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
