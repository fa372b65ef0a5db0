"""Background work: rows of Job are the truth, queue messages only say that there is work.

The one door to django_q. A message never carries work: whichever worker gets one claims the best
queued job of its cluster, so order and retries are ours, and a lost or doubled message is harmless.
"""

import contextlib
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from types import FrameType
from typing import Any

from django.conf import settings
from django.db import OperationalError, close_old_connections, connection, connections, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django_q.models import OrmQ
from django_q.tasks import async_task

from labeling.models import Job, Project, User, WorkerHeartbeat
from labeling.running import Cancelled, Interrupted, JobFailed, RunningJob, Stopping

__all__ = [
    "CLUSTERS",
    "Cancelled",
    "Interrupted",
    "JobFailed",
    "RunningJob",
    "cancel",
    "enqueue",
    "handler",
    "is_stuck",
    "periodic",
    "restart_queue",
    "retry",
    "run",
    "sweep",
    "tick",
]

CLUSTERS = ("quick", "ml", "long")
MAX_ATTEMPTS = 3
NUDGE_GRACE = timedelta(seconds=5)
WATCHDOG_LOCK = 0x10C9E  # key of the advisory lock that one watchdog holds

log = logging.getLogger(__name__)

Work = Callable[[RunningJob], dict[str, Any] | None]
Ended = Callable[[Job], None]


@dataclass(frozen=True, slots=True)
class Handler:
    function: Work
    cluster: str
    priority: int
    ended: Ended | None = None


_handlers: dict[str, Handler] = {}


def handler(
    kind: str, *, cluster: str, priority: int = 0, ended: Ended | None = None
) -> Callable[[Work], Work]:
    """Register what does a kind of job; the dict it returns becomes the job's result.

    `ended` is called in the transaction in which one is done, failed or cancelled while it ran.
    """
    assert cluster in CLUSTERS, cluster

    def register(function: Work) -> Work:
        _handlers[kind] = Handler(function, cluster, priority, ended)
        return function

    return register


def enqueue(
    kind: str,
    project: Project | None = None,
    payload: dict[str, Any] | None = None,
    *,
    key: str | None = None,
    total: int = 0,
    created_by: User | None = None,
    priority: int | None = None,
) -> Job:
    """Add a job in the caller's transaction. A key that is known already returns its job."""
    how = _handlers[kind]
    fields = {
        "kind": kind,
        "cluster": how.cluster,
        "priority": how.priority if priority is None else priority,
        "project": project,
        "payload": payload or {},
        "total": total,
        "created_by": created_by,
    }
    with transaction.atomic():
        if key is None:
            job, is_new = Job.objects.create(**fields), True
        else:
            job, is_new = Job.objects.get_or_create(key=key, defaults=fields)
        if is_new:
            _nudge(job)
    return job


def cancel(job: Job) -> None:
    """Stop a job: at once while it waits, at its next sign of life while it runs."""
    waiting = Job.objects.filter(pk=job.pk, state=Job.State.QUEUED)
    if not waiting.update(state=Job.State.CANCELLED, finished_at=Now()):
        Job.objects.filter(pk=job.pk, state=Job.State.RUNNING).update(cancel_requested=True)
    job.refresh_from_db()


def retry(job: Job) -> None:
    """Queue a failed or cancelled job again, with all its attempts."""
    ended = Job.objects.filter(pk=job.pk, state__in=(Job.State.FAILED, Job.State.CANCELLED))
    with transaction.atomic():
        if ended.update(
            state=Job.State.QUEUED, attempts=0, cancel_requested=False, error="", message="", finished_at=None
        ):
            _nudge(job)
    job.refresh_from_db()


def _nudge(job: Job) -> None:
    # With the ORM broker the message is a row of the same transaction as the job.
    async_task("labeling.jobs.run", job.pk, cluster=job.cluster, task_name=f"{job.kind}-{job.pk}")
    Job.objects.filter(pk=job.pk).update(nudged_at=Now())


# What a worker does


def run(job_id: int) -> None:
    """Answer a nudge: do the best queued job of that job's cluster."""
    cluster = Job.objects.filter(pk=job_id).values_list("cluster", flat=True).first()
    if cluster is None:
        return
    row = _claim(cluster)
    if row is not None:
        _work(row)
    beat(cluster)


def beat(cluster: str) -> None:
    """Prove that messages reach the workers of a cluster."""
    WorkerHeartbeat.objects.update_or_create(cluster=cluster, defaults={"beat_at": Now()})


def _claim(cluster: str) -> Job | None:
    """Take the best queued job; the attempt is counted before the work can kill the worker."""
    with transaction.atomic():
        row = (
            Job.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(cluster=cluster, state=Job.State.QUEUED)
            .order_by("priority", "id")
            .first()
        )
        if row is None:
            return None
        lease = Now() + timedelta(seconds=settings.LOUPE_JOB_LEASE)
        Job.objects.filter(pk=row.pk).update(
            state=Job.State.RUNNING, attempts=row.attempts + 1, started_at=Now(), lease_until=lease
        )
        row.refresh_from_db()
    return row


def _work(row: Job) -> None:
    running = RunningJob(row)
    try:
        with _raising_on_stop(), running.alive():
            result = _handlers[row.kind].function(running)
    except Cancelled:
        _end(running, Job.State.CANCELLED)
    except JobFailed as failure:
        _end(running, Job.State.FAILED, error=str(failure))
    except Stopping:
        # The machine stops or updates: not the job's fault, so the attempt is not counted.
        connections.close_all()
        _give_back(row, attempts=row.attempts - 1)
        raise SystemExit(0) from None
    except Interrupted as interruption:
        log.warning("job %s (%s) was interrupted: %s", row.pk, row.kind, interruption)
        _give_back(row, attempts=row.attempts)
    except OperationalError:
        log.warning("job %s (%s) lost its database", row.pk, row.kind, exc_info=True)
        close_old_connections()
        _give_back(row, attempts=row.attempts)
    except Exception as error:
        log.exception("job %s (%s) failed", row.pk, row.kind)
        _end(running, Job.State.FAILED, error=f"{type(error).__name__}: {error}")
    else:
        _end(running, Job.State.DONE, result=result or {})


def _end(running: RunningJob, state: Job.State, **fields: Any) -> None:
    """Write a job's outcome and what follows from it together; the outcome stands whatever follows."""
    try:
        with transaction.atomic():
            if running.finish(state, **fields):
                _follow(running.row)
    except Exception:
        log.exception("what follows from job %s (%s) failed", running.row.pk, running.row.kind)
        running.finish(state, **fields)


def _follow(row: Job) -> None:
    ended = _handlers[row.kind].ended
    if ended is not None:
        ended(Job.objects.select_related("project", "created_by").get(pk=row.pk))


@contextlib.contextmanager
def _raising_on_stop() -> Iterator[None]:
    """Turn SIGTERM into an exception while a job runs, so that the job goes back to the queue."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Stopping

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is stop:
            signal.signal(signal.SIGTERM, before)


def _give_back(row: Job, *, attempts: int) -> None:
    """Queue a job again that stopped without an outcome, or bury it after too many attempts."""
    ours = Job.objects.filter(pk=row.pk, state=Job.State.RUNNING, attempts=row.attempts)
    if row.cancel_requested:
        ours.update(state=Job.State.CANCELLED, lease_until=None, finished_at=Now())
    elif attempts >= MAX_ATTEMPTS:
        log.error("job %s (%s) died %s times and is given up", row.pk, row.kind, attempts)
        _bury(ours, row, attempts)
    else:
        with transaction.atomic():
            if ours.update(state=Job.State.QUEUED, attempts=attempts, lease_until=None):
                _nudge(row)


def _bury(ours: QuerySet[Job], row: Job, attempts: int) -> None:
    error = (
        f"It stopped {attempts} times before it was finished, perhaps for lack of memory. "
        "You can try it again."
    )
    buried = ours.update(state=Job.State.FAILED, lease_until=None, finished_at=Now(), error=error)
    if not buried:
        return
    try:
        with transaction.atomic():
            _follow(row)
    except Exception:
        log.exception("what follows from job %s (%s) failed", row.pk, row.kind)


# What the watchdog does


Tick = Callable[[], None]


@dataclass(slots=True)
class Periodic:
    function: Tick
    seconds: float
    due: float = 0.0


_periodic: list[Periodic] = []


def periodic(seconds: float) -> Callable[[Tick], Tick]:
    """Have the watchdog call a function about every that many seconds. It must be quick."""

    def register(function: Tick) -> Tick:
        _periodic.append(Periodic(function, seconds))
        return function

    return register


def tick() -> None:
    """Call the periodic functions that are due; one that fails does not keep the others."""
    for each in _periodic:
        if time.monotonic() < each.due:
            continue
        try:
            each.function()
        except Exception:
            log.exception("%s.%s failed", each.function.__module__, each.function.__qualname__)
            close_old_connections()
        each.due = time.monotonic() + each.seconds


def is_watchdog() -> bool:
    """Become the one watchdog, for as long as this database connection lives."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [WATCHDOG_LOCK])
        return bool(cursor.fetchone()[0])


@periodic(settings.LOUPE_JOB_LEASE / 6)
def sweep() -> None:
    """Take up what a crash left: jobs whose lease ran out, and queued jobs whose nudge got lost."""
    with transaction.atomic():
        for row in Job.objects.select_for_update(skip_locked=True, of=("self",)).filter(
            state=Job.State.RUNNING, lease_until__lt=Now()
        ):
            _give_back(row, attempts=row.attempts)
    for cluster in CLUSTERS:
        # Any message will do for any job, so only their numbers are compared.
        messages = OrmQ.objects.filter(key=cluster, lock__lte=timezone.now()).count()
        waiting = Job.objects.filter(
            cluster=cluster, state=Job.State.QUEUED, nudged_at__lt=Now() - NUDGE_GRACE
        ).order_by("priority", "id")
        for job in waiting[messages : messages + 100]:
            _nudge(job)


@periodic(settings.LOUPE_CLUSTER_SILENCE / 4)
def ask_for_beats() -> None:
    """Send each cluster a message to answer, unless unread ones wait already."""
    for cluster in CLUSTERS:
        if not OrmQ.objects.filter(key=cluster, lock__lte=timezone.now()).exists():
            async_task("labeling.jobs.beat", cluster, cluster=cluster, task_name=f"beat-{cluster}")


def is_stuck(cluster: str) -> bool:
    """Tell whether messages wait that no worker reads: the workers' pipe lost its reader."""
    silence = timedelta(seconds=settings.LOUPE_CLUSTER_SILENCE)
    return (
        OrmQ.objects.filter(key=cluster, lock__lte=timezone.now()).exists()
        and not Job.objects.filter(cluster=cluster, state=Job.State.RUNNING, lease_until__gt=Now()).exists()
        and not WorkerHeartbeat.objects.filter(cluster=cluster, beat_at__gt=Now() - silence).exists()
    )


def restart_queue(cluster: str) -> None:
    """Replace the messages of a cluster that was killed: those it had taken would come back late."""
    with transaction.atomic():
        OrmQ.objects.filter(key=cluster).delete()
        for job in Job.objects.filter(cluster=cluster, state=Job.State.QUEUED).order_by("priority", "id"):
            _nudge(job)
