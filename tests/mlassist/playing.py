"""A pool of three clouds, and how tests answer it, let the loop look at it and have it certified."""

import uuid

import numpy as np
import pytest
from django.db import transaction
from django.utils import timezone

from clustering import embeddings
from labeling import queue, submission
from labeling.models import Job, QueueEntry
from labeling.queue import GROUPED
from mlassist import loop, training
from mlassist.models import Certificate
from tests import factories

NAMES = ("circle", "square", "triangle")
COUNT = 900
NOISE = 0.6


def shuffled_items(project, rng):
    """Make items of the three classes in turn, whose draws say nothing of their class."""
    places = list(range(COUNT))
    rng.shuffle(places)
    paths = [""] * COUNT
    for number, place in enumerate(places):
        paths[place] = f"{NAMES[number % 3]}/{number}.png"
    made = factories.make_unread_items(project, COUNT, paths)
    return [made[place] for place in places]


@pytest.fixture
def pool(project):
    """900 items of three classes in turn, embedded as three clouds, a third of them drawn for validation."""
    project.target_error = 0.1
    project.validation_rate = 0.33
    project.save()
    rng = np.random.default_rng(0)
    items = shuffled_items(project, rng)
    vectors = np.eye(3, 24)[np.arange(COUNT) % 3] + NOISE / np.sqrt(24) * rng.normal(size=(COUNT, 24))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    embeddings.add(embeddings.set_of(project), [item.pk for item in items], vectors)
    factories.open_queue(project, items)
    return items


def give(project, labeler, wanted, kind=None):
    """Answer that many items rightly, in nines, of one kind of queue if asked."""
    classes = dict(project.classes.values_list("name", "id"))
    given = 0
    while given < wanted:
        entries = QueueEntry.objects.filter(project=project, open_slots__gt=0)
        if kind is None:
            page = queue.claim(project, labeler, 9)
        else:
            with transaction.atomic():
                # Nines on one page, where entries do not come in groups: that takes a tenth of the time.
                nines = 1 if kind in GROUPED else -(-(wanted - given) // 9)
                found = queue.candidates(project, labeler, kind, 9 * nines)
                page = queue.lease(project, labeler, kind, found, timezone.now()) if found else None
        assert page is not None, entries.count()
        chosen = [claim.item for claim in page.claims.select_related("item")]
        given += len(chosen)
        submission.submit(
            page,
            labeler,
            [
                submission.Answer(
                    item.pk,
                    uuid.uuid4(),
                    (submission.RegionInput(classes[factories.true_class(item)]),),
                )
                for item in chosen
            ],
        )
    return given


def play(project):
    """Let the loop look, and do in this process what it queues."""
    loop.advance(project)
    job = Job.objects.filter(project=project, state="queued").first()
    if job is not None:
        Job.objects.filter(pk=job.pk).update(state="done", finished_at=timezone.now())
        {"round": training.do_round, "order": training.order_first}[job.kind](job)
    project.refresh_from_db()
    return job and job.kind


def certified(project, labeler):
    """Label enough for a certificate, and return it."""
    give(project, labeler, 180, "validation")
    give(project, labeler, 90, "manual")
    play(project)
    return Certificate.objects.get(project=project, state="valid")


def open_proof(project, labeler):
    """Label until the surest part of the pool is worth labels of its own."""
    give(project, labeler, 30, "validation")
    give(project, labeler, 130, "manual")
    play(project)
    return Certificate.objects.get(project=project, state="open")


def fresh_draws(project, proof):
    """Return the items that were drawn for a proof alone."""
    drawn = proof.draws.filter(item__draw__gte=project.validation_rate)
    return set(drawn.values_list("item_id", flat=True))
