"""Featurization: every readable image gets its embedding, in chunks that can be repeated harmlessly.

A tick pulls what has no embedding yet, so nothing has to be announced and a crash loses nothing. While a
project changes its backbone, the sets of both are completed: the old one is in use until the swap.
"""

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from clustering import embeddings
from labeling import answers, hiding, jobs
from labeling.models import Item, Job, Project
from mlassist import embedding, former
from mlassist.models import BackboneOffer, Run

if TYPE_CHECKING:
    from mlassist.backbones.loading import Backbone

FIRST_CHUNK = 256  # small, so that the first images are soon known
CHUNK = 4_000
SMALLEST_CHUNK = 128
CHUNK_SECONDS = 20  # a round must not wait longer than this for a slow network
WAITING = 4  # chunks queued ahead of the worker
SECONDS_AFTER_IMPORT = 15
SECONDS_IDLE = 30
SECONDS_BETWEEN_CHECKS = 1.0
BESIDE = 7  # the priority of chunks for a backbone that is not in use yet
AGAIN_AFTER = timedelta(hours=1)
MOST_TRIES = 5  # of a chunk that fails, unasked
_looked_at: dict[tuple[int, str], float] = {}  # by project and the backbone to come


@jobs.periodic(2)
def pull() -> None:
    """Queue chunks for projects that have images without an embedding."""
    close_abandoned()
    living = Project.objects.filter(deleted_at=None).exclude(hiding.HIDING)
    for project in living.exclude(assist_mode=Project.AssistMode.OFF):
        if project.task_type != Project.TaskType.SEMANTIC and is_due(project):
            for name in filter(None, (project.backbone, project.next_backbone)):
                try_again(project, name)
                queue_chunks(project, name)


def is_due(project: Project) -> bool:
    """Tell whether to look now: often while something runs or has just ended, rarely otherwise."""
    lately = timezone.now() - timedelta(seconds=SECONDS_AFTER_IMPORT)
    busy = Job.objects.filter(project=project).filter(Q(state__in=Job.UNFINISHED) | Q(finished_at__gt=lately))
    now, what = time.monotonic(), (project.pk, project.next_backbone)
    if not busy.exists() and now - _looked_at.get(what, -SECONDS_IDLE) < SECONDS_IDLE:
        return False
    _looked_at[what] = now
    return True


def is_wanted(project: Project, backbone: str) -> bool:
    """Tell whether a project needs a backbone's embeddings by now, whatever it did before.

    Those of images that show faces are wanted no more once faces are hidden.
    """
    living = Project.objects.filter(pk=project.pk, deleted_at=None, faces=project.faces).exclude(
        hiding.HIDING
    )
    learning = living.exclude(assist_mode=Project.AssistMode.OFF)
    return learning.filter(Q(backbone=backbone) | Q(next_backbone=backbone)).exists()


def chunks_of(project: Project, backbone: str) -> QuerySet[Job]:
    return Job.objects.filter(project=project, kind="featurize", payload__backbone=backbone)


def queue_chunks(project: Project, backbone: str | None = None) -> int:
    """Queue what is missing, at most a few chunks ahead; returns how many images are still to be done."""
    name = backbone or project.backbone
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        before = chunks_of(project, name)
        pending = list(before.filter(state__in=Job.UNFINISHED).values_list("payload", flat=True))
        given_up = before.filter(state__in=(Job.State.FAILED, Job.State.CANCELLED)).values_list(
            "payload", flat=True
        )
        taken = [item for payload in (*pending, *given_up) for item in payload["items"]]
        size = chunk_size(name)
        room = (WAITING - len(pending)) * size
        fresh = embeddings.missing(project, room, but=taken, backbone=name) if room > 0 else []
        if not fresh and not pending:
            close_run(project, name)
            return 0
        left = embeddings.count_missing(project, name)
        run, _ = Run.objects.get_or_create(
            project=project, kind=Run.Kind.FEATURIZATION, state=Run.State.RUNNING, backbone=name
        )
        Run.objects.filter(pk=run.pk).update(total=F("done") + left)
        first = min(size, FIRST_CHUNK) if not embeddings.count(project, name) and not pending else size
        for start in (0, *range(first, len(fresh), size)):
            chunk = fresh[start : start + size if start else first]
            if chunk:
                jobs.enqueue(
                    "featurize",
                    project,
                    {"items": chunk, "backbone": name},
                    total=len(chunk),
                    priority=None if name == project.backbone else BESIDE,
                )
        return left


def chunk_size(backbone: str) -> int:
    """Return how many images a chunk may have: fewer where this machine takes long over each."""
    speed = BackboneOffer.objects.filter(name=backbone).values_list("images_per_second", flat=True).first()
    return min(CHUNK, max(SMALLEST_CHUNK, round(CHUNK_SECONDS * speed))) if speed else CHUNK


def running(project: Project, backbone: str) -> QuerySet[Run]:
    return Run.objects.filter(
        project=project, kind=Run.Kind.FEATURIZATION, state=Run.State.RUNNING, backbone=backbone
    )


def close_run(project: Project, backbone: str) -> None:
    """End the run for a backbone's embeddings: nothing is left to embed."""
    for run in running(project, backbone):
        seconds = max((timezone.now() - run.started_at).total_seconds(), 1e-3)
        failed = chunks_of(project, backbone).filter(state=Job.State.FAILED).order_by("id").last()
        Run.objects.filter(pk=run.pk, state=Run.State.RUNNING).update(
            state=Run.State.FAILED if failed and not run.done else Run.State.DONE,
            finished_at=Now(),
            total=F("done"),
            metrics={**run.metrics, "images": run.done, "images_per_second": round(run.done / seconds, 1)},
            log=f"{run.log}{failed.error}\n" if failed else run.log,
        )


def close_abandoned() -> None:
    """Close runs whose embeddings nobody wants any more: another backbone, no model's help, or deleted."""
    wanted = Q(project__deleted_at=None) & ~Q(project__assist_mode=Project.AssistMode.OFF)
    wanted &= Q(backbone=F("project__backbone")) | Q(backbone=F("project__next_backbone"))
    Run.objects.filter(kind=Run.Kind.FEATURIZATION, state=Run.State.RUNNING).exclude(wanted).update(
        state=Run.State.CANCELLED, finished_at=Now()
    )


def try_again(project: Project, backbone: str) -> None:
    """Queue chunks again that failed a while ago, a few times: a disk that was full may no longer be.

    Where the backbone itself cannot be used, the survey sees when it can.
    """
    if BackboneOffer.objects.filter(name=backbone).exclude(problem="").exists():
        return
    failed = chunks_of(project, backbone).filter(state=Job.State.FAILED)
    for job in failed.filter(finished_at__lt=timezone.now() - AGAIN_AFTER):
        tries = job.payload.get("tries", 1)
        if tries < MOST_TRIES:
            Job.objects.filter(pk=job.pk).update(payload={**job.payload, "tries": tries + 1})
            jobs.retry(job)


def retry(backbone: str, project: Project | None = None) -> int:
    """Queue chunks again that were given up: what was in their way is gone. Returns how many.

    In one project those that somebody has cancelled too.
    """
    given_up = Job.objects.filter(kind="featurize", payload__backbone=backbone, project__deleted_at=None)
    if project is None:
        again = list(given_up.filter(state=Job.State.FAILED))
    else:
        ended = (Job.State.FAILED, Job.State.CANCELLED)
        again = list(given_up.filter(project=project, state__in=ended))
    for job in again:
        jobs.retry(job)
    return len(again)


@jobs.handler("featurize", cluster="ml", priority=5)
def featurize(job: jobs.RunningJob) -> dict[str, Any]:
    """Embed a chunk of images and register the shard."""
    project, name = job.project, job.payload["backbone"]
    assert project is not None
    if not is_wanted(project, name):
        return {"embedded": 0}
    known = embeddings.among(embeddings.set_of(project, name), job.payload["items"])
    items = list(
        Item.objects.filter(
            answers.assisted(project), pk__in=[item for item in job.payload["items"] if item not in known]
        )
        .exclude(state__in=(Item.State.BROKEN, Item.State.REMOVED))
        .prefetch_related("source")
        .order_by("id")
    )
    if not items:
        return {"embedded": 0}
    running(project, name).filter(done=0).update(started_at=Now())
    running(project, name).update(job=job.row)
    loaded = load(name)
    weights = loaded.fingerprint
    seen = embeddings.known_vectors(name, [item.sha256 for item in items], outside=project, weights=weights)
    copied = [item for item in items if item.sha256 in seen]
    fresh = [item for item in items if item.sha256 not in seen]
    started = time.monotonic()
    made = look_at(job, project, loaded, fresh, len(copied))
    if made is None or load(name).fingerprint != weights:  # what a network that is gone has seen is no use
        return {"embedded": 0}
    done, unreadable, vectors = made
    seconds = max(time.monotonic() - started, 1e-3)
    matrix = np.concatenate(
        [np.empty((0, loaded.dimension), np.float32), *vectors, *(seen[item.sha256][None] for item in copied)]
    )
    if not store(project, loaded, [*done, *(item.pk for item in copied)], matrix, unreadable):
        return {"embedded": 0}
    return {
        "embedded": len(done),
        "copied": len(copied),
        "unreadable": len(unreadable),
        "images_per_second": round(len(done) / seconds, 1),
    }


def load(name: str) -> "Backbone":
    """Load a backbone. Raises JobFailed when that cannot be done here."""
    # Loaded here and not at import: the web process must never load torch.
    from mlassist.backbones import loading

    try:
        return loading.load(name)
    except loading.CannotLoad as error:
        raise jobs.JobFailed(str(error)) from error


def look_at(
    job: jobs.RunningJob, project: Project, backbone: "Backbone", items: list[Item], done_before: int
) -> tuple[list[int], list[int], list[np.ndarray]] | None:
    """Return (embedded ids, unreadable ids, vectors in parts); None when nobody wants them any more.

    Raises JobFailed when the vectors are none.
    """
    done, unreadable, vectors = [], [], []
    checked = time.monotonic()
    for ids, broken, part in embedding.embed_items(backbone, items):
        if not np.isfinite(part).all():
            raise jobs.JobFailed(embedding.NOT_FINITE)
        done += ids
        unreadable += broken
        vectors.append(part)
        job.progress(done_before + len(done) + len(unreadable), done_before + len(items))
        if time.monotonic() - checked > SECONDS_BETWEEN_CHECKS:
            if not is_wanted(project, backbone.name):
                return None
            checked = time.monotonic()
    return done, unreadable, vectors


def store(
    project: Project, backbone: "Backbone", items: list[int], vectors: np.ndarray, unreadable: list[int]
) -> bool:
    """Add what a backbone has seen to its set, unless nobody wants it any more. Raises JobFailed."""
    name = backbone.name
    try:
        with transaction.atomic():
            locked = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
            if not is_wanted(project, name):
                return False
            if former.rename(locked, name, backbone.fingerprint):
                retry(name, locked)  # what the former network could not do
            own = embeddings.set_of(project, name)  # the one from before may have been deleted or renamed
            if embeddings.add(own, items, vectors, unreadable, weights=backbone.fingerprint):
                running(project, name).update(done=F("done") + len(items) + len(unreadable))
    except OSError as error:
        reason = error.strerror or str(error)
        raise jobs.JobFailed(
            f"The embeddings cannot be stored: {reason}. Loupe tries again later."
        ) from error
    return True
