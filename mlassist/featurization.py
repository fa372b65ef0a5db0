"""Featurization: every readable image gets its embedding, in chunks that can be repeated harmlessly.

A tick pulls what has no embedding yet, so nothing has to be announced and a crash loses nothing.
"""

import logging
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from clustering import embeddings
from labeling import images, jobs
from labeling.models import Item, Job, Project
from mlassist.models import Run

if TYPE_CHECKING:
    from mlassist.backbones import Backbone

FIRST_CHUNK = 256  # small, so that the first images are soon known
CHUNK = 1_000
WAITING = 4  # chunks queued ahead of the worker
SECONDS_AFTER_IMPORT = 15
SECONDS_IDLE = 30

log = logging.getLogger(__name__)
_looked_at: dict[int, float] = {}


@jobs.periodic(2)
def pull() -> None:
    """Queue chunks for projects that have images without an embedding."""
    for project in Project.objects.filter(deleted_at=None).exclude(assist_mode=Project.AssistMode.OFF):
        if project.is_classification and is_due(project):
            queue_chunks(project)


def is_due(project: Project) -> bool:
    """Tell whether to look now: often while something runs or has just ended, rarely otherwise."""
    lately = timezone.now() - timedelta(seconds=SECONDS_AFTER_IMPORT)
    busy = Job.objects.filter(project=project).filter(
        Q(state__in=(Job.State.QUEUED, Job.State.RUNNING)) | Q(finished_at__gt=lately)
    )
    now = time.monotonic()
    if not busy.exists() and now - _looked_at.get(project.pk, -SECONDS_IDLE) < SECONDS_IDLE:
        return False
    _looked_at[project.pk] = now
    return True


def queue_chunks(project: Project) -> int:
    """Queue what is missing, at most a few chunks ahead; returns how many images are still to be done."""
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        jobs_before = Job.objects.filter(project=project, kind="featurize")
        pending = list(
            jobs_before.filter(state__in=(Job.State.QUEUED, Job.State.RUNNING)).values_list(
                "payload", flat=True
            )
        )
        given_up = jobs_before.filter(state__in=(Job.State.FAILED, Job.State.CANCELLED)).values_list(
            "payload", flat=True
        )
        taken = [item for payload in (*pending, *given_up) for item in payload["items"]]
        room = (WAITING - len(pending)) * CHUNK
        fresh = embeddings.missing(project, room, but=taken) if room > 0 else []
        if not fresh and not pending:
            close_run(project)
            return 0
        left = embeddings.count_missing(project)
        run, _ = Run.objects.get_or_create(
            project=project, kind=Run.Kind.FEATURIZATION, state=Run.State.RUNNING
        )
        Run.objects.filter(pk=run.pk).update(total=F("done") + left)
        first = FIRST_CHUNK if not embeddings.count(project) and not pending else CHUNK
        for start in (0, *range(first, len(fresh), CHUNK)):
            chunk = fresh[start : start + CHUNK if start else first]
            if chunk:
                jobs.enqueue("featurize", project, {"items": chunk}, total=len(chunk))
        return left


def close_run(project: Project) -> None:
    """End the project's featurization run: nothing is left to embed."""
    for run in Run.objects.filter(project=project, kind=Run.Kind.FEATURIZATION, state=Run.State.RUNNING):
        seconds = max((timezone.now() - run.started_at).total_seconds(), 1e-3)
        failed = Job.objects.filter(project=project, kind="featurize", state=Job.State.FAILED).last()
        Run.objects.filter(pk=run.pk, state=Run.State.RUNNING).update(
            state=Run.State.FAILED if failed and not run.done else Run.State.DONE,
            finished_at=Now(),
            total=F("done"),
            metrics={**run.metrics, "images": run.done, "images_per_second": round(run.done / seconds, 1)},
            log=f"{run.log}{failed.error}\n" if failed else run.log,
        )


@jobs.handler("featurize", cluster="ml", priority=5)
def featurize(job: jobs.RunningJob) -> dict[str, Any]:
    """Embed a chunk of images and register the shard."""
    project = job.project
    assert project is not None
    embedding_set = embeddings.set_of(project)
    known = embeddings.among(embedding_set, job.payload["items"])
    items = list(
        Item.objects.filter(pk__in=[item for item in job.payload["items"] if item not in known])
        .exclude(state__in=(Item.State.BROKEN, Item.State.REMOVED))
        .select_related("source")
        .order_by("id")
    )
    if not items:
        return {"embedded": 0}
    # Loaded here and not at import: the web process must never load torch.
    from mlassist import backbones

    backbone = backbones.load(project.backbone)
    started = time.monotonic()
    done, unreadable, vectors = [], [], []
    for ids, broken, part in embed(backbone, items, backbones.BATCH):
        done += ids
        unreadable += broken
        vectors.append(part)
        job.progress(len(done) + len(unreadable), len(items))
    seconds = time.monotonic() - started
    matrix = np.concatenate(vectors)
    with transaction.atomic():
        if embeddings.add(embedding_set, done, matrix, unreadable):
            Run.objects.filter(project=project, kind=Run.Kind.FEATURIZATION, state=Run.State.RUNNING).update(
                done=F("done") + len(items), job=job.row
            )
    return {
        "embedded": len(done),
        "unreadable": len(unreadable),
        "images_per_second": round(len(done) / seconds, 1),
    }


def embed(
    backbone: "Backbone", items: list[Item], size: int
) -> Iterator[tuple[list[int], list[int], np.ndarray]]:
    """Yield (embedded ids, unreadable ids, vectors) per batch, from as many lanes as there are cores.

    Each lane decodes a batch and runs it through the network with one thread. Lanes never wait for
    each other, where threads that share a batch spin at every layer until the slowest has its core.
    """
    batches = [items[start : start + size] for start in range(0, len(items), size)]
    with ThreadPoolExecutor(cores(), initializer=backbone.use_one_thread) as lanes:
        yield from lanes.map(partial(look_at, backbone), batches)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def look_at(backbone: "Backbone", batch: list[Item]) -> tuple[list[int], list[int], np.ndarray]:
    """Decode and embed one batch; returns (embedded ids, unreadable ids, vectors)."""
    ids, broken, arrays = [], [], []
    for item in batch:
        try:
            arrays.append(backbone.prepare(images.open_upright(item, at_least=backbone.side)))
            ids.append(item.pk)
        except images.BrokenImage as error:
            log.warning("Item %s cannot be embedded: %s", item.pk, error)
            broken.append(item.pk)
    if not arrays:
        return ids, broken, np.empty((0, backbone.dimension), np.float32)
    return ids, broken, backbone.embed(np.stack(arrays))
