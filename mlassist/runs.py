"""Runs: each step of the loop made visible while it happens, and closed whatever happens to it."""

import logging
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.db.models import Value
from django.db.models.functions import Concat, Now

from labeling import announcing
from labeling.models import Job, Project
from mlassist.models import ModelVersion, Run

SECONDS_BETWEEN_WRITES = 0.5
INTERRUPTED = "The process doing it was stopped."

log = logging.getLogger(__name__)


def workplace(project: Project) -> Path:
    """Return where the teaching of a detector keeps its state until it is over."""
    return Path(settings.LOUPE_HOME) / "work" / f"detector-{project.pk}"


class Told(SystemExit):
    """The process was asked to end."""


class Step:
    """A run while it is being done."""

    def __init__(self, row: Run) -> None:
        self.row = row
        self.metrics: dict[str, Any] = {}
        self._lines: list[str] = []
        self._started = time.monotonic()
        self._saved_at = 0.0

    def say(self, line: str) -> None:
        """Add a line to the run's log."""
        self._lines.append(f"{time.monotonic() - self._started:6.1f} s  {line}\n")
        log.info("%s of project %s: %s", self.row.kind, self.row.project_id, line)

    def progress(self, done: int, total: int | None = None) -> None:
        self.row.done = done
        self.row.total = self.row.total if total is None else total
        if time.monotonic() - self._saved_at >= SECONDS_BETWEEN_WRITES:
            Run.objects.filter(pk=self.row.pk).update(done=self.row.done, total=self.row.total, log=self.text)
            self._saved_at = time.monotonic()

    @property
    def text(self) -> str:
        return "".join(self._lines)

    def close(self, state: Run.State) -> None:
        Run.objects.filter(pk=self.row.pk).update(
            state=state,
            done=self.row.done,
            total=self.row.total,
            log=self.text,
            metrics=self.metrics,
            model_version=self.row.model_version,
            finished_at=Now(),
        )


@contextmanager
def recorded(
    project: Project, job: Job, kind: Run.Kind, total: int, version: ModelVersion | None = None
) -> Iterator[Step]:
    """Do a step as a visible run: done, failed with the reason, cancelled, or interrupted by a restart."""
    step = Step(Run.objects.create(project=project, job=job, kind=kind, total=total, model_version=version))
    Job.objects.filter(pk=job.pk).update(message=f"{kind.label}…")
    if kind == Run.Kind.TRAINING:
        announcing.announce("training_started", project, job.created_by, key=f"training:{job.pk}", job=job.pk)
    try:
        yield step
    except Told:
        step.say("Stopped before it was done.")
        is_cancelled = Job.objects.filter(pk=job.pk, cancel_requested=True).exists()
        step.close(Run.State.CANCELLED if is_cancelled else Run.State.INTERRUPTED)
        raise
    except Exception as error:
        step.say(f"Failed: {error}")
        step.close(Run.State.FAILED)
        raise
    step.row.done = step.row.total
    step.close(Run.State.DONE)


def announce_training(job: Job) -> None:
    """Tell the managers how a training ended: also who asked for it, because it took a while."""
    trained = Run.objects.filter(job=job, kind=Run.Kind.TRAINING).select_related("model_version")
    run = trained.order_by("-id").first()
    if run is None or job.project is None or job.state == Job.State.CANCELLED:
        return  # a round without a training, or somebody stopped it and knows
    announcing.announce(
        "training_finished",
        job.project,
        key=f"trained:{job.pk}:{job.state}",
        run=run.pk,
        model=run.model_version.number if run.model_version else None,
        error=sentence_of(job.error) if job.state == Job.State.FAILED else "",
    )


def sentence_of(error: str) -> str:
    """Return the last line of what a process said before it failed, without the exception's name."""
    last = error.strip().rpartition("\n")[2]
    name, _, sentence = last.partition(": ")
    return sentence if sentence and " " not in name else last


def close_dangling(job: Job) -> int:
    """Close the runs of a job that nobody does any more; returns how many there were.

    They are interrupted, unless the job has ended with them.
    """
    ended = {Job.State.FAILED: Run.State.FAILED, Job.State.CANCELLED: Run.State.CANCELLED}
    state = ended.get(Job.State(job.state), Run.State.INTERRUPTED)
    return Run.objects.filter(job=job, state=Run.State.RUNNING).update(
        state=state, finished_at=Now(), log=Concat("log", Value(f"{INTERRUPTED}\n"))
    )


def end_when_told() -> None:
    """Turn SIGTERM into an exception, so that a cancelled run is recorded as such."""

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Told(1)

    signal.signal(signal.SIGTERM, stop)
