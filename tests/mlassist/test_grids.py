"""Which images come on one page, and what is proposed for them."""

import uuid

import numpy as np
import pytest
from django.db import transaction
from django.utils import timezone

from clustering import embeddings, groups
from clustering.models import Group
from labeling import queue, submission
from labeling.models import Item, QueueEntry
from mlassist import grids, ordering
from mlassist.pool import Pool
from tests import factories
from tests.mlassist.playing import NAMES, NOISE, give, play

COUNT, COPIED = 300, 60

pytestmark = pytest.mark.django_db


@pytest.fixture
def pool(project) -> list[Item]:
    """300 items of three classes in turn, the first sixty of them in threes that show the same picture."""
    project.validation_rate = 0.33
    project.save()
    items = factories.make_unread_items(project, COUNT)
    rng = np.random.default_rng(0)
    rng.shuffle(items)
    classes = np.where(np.arange(COUNT) < COPIED, np.arange(COUNT) // 3, np.arange(COUNT)) % 3
    for item, number in zip(items, classes, strict=True):
        item.path = f"{NAMES[number]}/{item.path}"
    Item.objects.bulk_update(items, ["path"])
    vectors = np.eye(3, 24)[classes] + NOISE / np.sqrt(24) * rng.normal(size=(COUNT, 24))
    vectors[:COPIED] = np.repeat(vectors[:COPIED:3], 3, axis=0) + 1e-3 * rng.normal(size=(COPIED, 24))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    embeddings.add(embeddings.set_of(project), [item.pk for item in items], vectors)
    factories.open_queue(project, items)
    return items


def is_blind(project, item) -> bool:
    return item.draw < project.validation_rate


def copies_of(items, place) -> list[Item]:
    first = 3 * (place // 3)
    return items[first : first + 3]


def label(project, labeler, item, name) -> None:
    """Answer one item, wherever it waits."""
    entry = QueueEntry.objects.get(pk=item.pk)
    found = [queue.Candidate(item.pk, "", None, None, entry.inclusion_probability)]
    with transaction.atomic():
        page = queue.lease(project, labeler, entry.kind, found, timezone.now())
    region = submission.RegionInput(project.classes.get(name=name).pk)
    submission.submit(page, labeler, [submission.Answer(item.pk, uuid.uuid4(), (region,))])


def test_copies_of_one_picture_come_together_before_there_is_a_model(project, pool):
    assert play(project) == "order"
    together: dict[int, list[int]] = {}
    for entry in QueueEntry.objects.filter(project=project, kind="clustered").order_by("priority"):
        assert (entry.why, entry.proposed_class) == (grids.SAME_WHY, None)
        together.setdefault(entry.group, []).append(entry.item_id)
    wanted = [
        {item.pk for item in copies_of(pool, place) if not is_blind(project, item)}
        for place in range(0, COPIED, 3)
    ]
    assert sorted(map(sorted, together.values())) == sorted(sorted(each) for each in wanted if len(each) > 1)
    blind = Item.objects.filter(project=project, draw__lt=project.validation_rate)
    assert not QueueEntry.objects.filter(item__in=blind).exclude(kind="validation").exists()


def test_the_class_that_a_copy_has_is_proposed_unless_it_was_answered_blind(project, pool, labeler):
    places = range(0, COPIED, 3)
    seen = next(each for each in places if not any(is_blind(project, i) for i in copies_of(pool, each)))
    blind = next(
        each for each in places if sum(is_blind(project, item) for item in copies_of(pool, each)) == 1
    )
    label(project, labeler, pool[seen], "square")
    label(
        project, labeler, next(item for item in copies_of(pool, blind) if is_blind(project, item)), "square"
    )
    ordering.place_typical(project, Pool.of(project))
    proposed = dict(QueueEntry.objects.filter(kind="clustered").values_list("item", "proposed_class__name"))
    assert [proposed[item.pk] for item in copies_of(pool, seen)[1:]] == ["square", "square"]
    open_twins = [item for item in copies_of(pool, blind) if not is_blind(project, item)]
    assert [proposed[item.pk] for item in open_twins] == [None, None]


def test_what_was_taken_out_stays_out(project, pool, labeler):
    ordering.place_typical(project, Pool.of(project))
    with transaction.atomic():
        found = queue.candidates(project, labeler, "clustered", 9)
        page = queue.lease(project, labeler, "clustered", found, timezone.now())
    out = found[0].item
    submission.submit(page, labeler, [submission.Answer(out, uuid.uuid4(), exception=True)])
    ordering.place_typical(project, Pool.of(project))
    entry = QueueEntry.objects.get(pk=out)
    assert (entry.kind, entry.why) == ("manual", submission.NOT_ALIKE)
    assert Group.objects.filter(pk=page.group).exists()  # it says what that page was


def test_grids_hold_what_labels_have_shown_to_be_right(project, pool, labeler):
    give(project, labeler, 72, "manual")
    assert play(project) == "round"
    formed = Group.objects.filter(project=project, purity__isnull=False)
    assert formed.exists()
    assert all(each.purity >= groups.PURITY for each in formed)
    right = []
    for each in formed:
        waiting = Item.objects.filter(entry__group=each.pk, entry__kind="clustered")
        assert each.size == len(waiting)
        assert groups.SMALLEST <= each.size <= groups.LARGEST
        assert not any(is_blind(project, item) for item in waiting)
        right += [factories.true_class(item) == each.proposed_class.name for item in waiting]
    assert np.mean(right) >= 0.88
