"""The counts that triggers keep are what counting the rows would give, whatever happens."""

import uuid
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.models import Count, Q, Sum
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labeling import classes as retiring
from labeling import merging, queue, review, splitting, statistics, submission, suggestions, tallies
from labeling.models import Annotation, Item, LabelClass, Project, QueueEntry, Tally, User
from labeling.review import ORIGINS, of_origin
from tests import factories

pytestmark = pytest.mark.django_db

ACTS = ("answer", "answer", "skip", "reject", "order", "add up", "merge", "split", "retire", "grow old")


def counted(project: Project) -> dict[str, object]:
    """Count all that the dashboard tells by looking at every row."""
    items = Item.objects.filter(project=project)
    labeled = items.filter(state="labeled")
    classes = {
        each.pk: labeled.filter(
            Q(current_annotation__regions__label_class=each)
            | Q(current_annotation__regions__label_class__means=each)
        )
        .distinct()
        .count()
        for each in project.classes.filter(means=None)
    }
    standing = Annotation.objects.filter(
        project=project, withdrawn_at=None, labeler__isnull=False, skipped=False
    )
    return {
        "states": dict(Counter(items.values_list("state", flat=True))),
        "queue": dict(Counter(QueueEntry.objects.filter(project=project).values_list("kind", flat=True))),
        "origins": {
            each: labeled.filter(of_origin(each, "current_annotation__")).count() for each in ORIGINS
        },
        "classes": {pk: count for pk, count in classes.items() if count},
        "labelers": dict(standing.values_list("labeler").annotate(Count("id"))),
        "seconds": standing.aggregate(all=Sum("seconds"))["all"] or 0,
    }


def told(project: Project) -> dict[str, object]:
    def only(counts: dict[Any, int]) -> dict[Any, int]:
        return {key: count for key, count in counts.items() if count}

    return {
        "states": only(statistics.items_by_state(project)),
        "queue": only(statistics.queue_by_kind(project)),
        "origins": statistics.labels_by_origin(project),
        "classes": only(statistics.images_by_class(project)),
        "labelers": only({row["id"]: row["count"] for row in statistics.labels_by_labeler(project)}),
        "seconds": pytest.approx(
            sum(each.amount for each in tallies.of(project, Tally.Figure.LABELER).values())
        ),
    }


@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(acts=st.lists(st.sampled_from(ACTS), min_size=3, max_size=8))
def test_kept_counts_are_those_of_the_rows(manager, labeler, acts) -> None:
    project = factories.make_project(manager=manager, labeler=labeler)
    factories.make_items(project, 12)
    for act in acts:
        do(act, project, manager, labeler)
        assert counted(project) == told(project), act


def do(act: str, project: Project, manager: User, labeler: User) -> None:
    labeled = Item.objects.filter(project=project, state="labeled").order_by("id")[:2]
    chosen = list(labeled.values_list("id", flat=True))
    classes = list(project.classes.filter(retired_at=None))
    if act == "answer":
        factories.answer(
            project, labeler, lambda item: classes[int(Path(item.path).stem) % len(classes)].name, size=4
        )
    elif act == "skip":
        page = queue.claim(project, labeler, 1)
        if page is not None:
            item = page.claims.get().item_id
            submission.submit(page, labeler, [submission.Answer(item, uuid.uuid4(), (), skipped=True)])
    elif act == "reject":
        review.reject(project, chosen, manager)
    elif act == "order":
        waiting = QueueEntry.objects.filter(project=project)[:5]
        places = [suggestions.Placement(each.pk, "clustered", 0.5, 1, None, "") for each in waiting]
        suggestions.order_queue(project, places)
    elif act == "add up":
        tallies.merge_one(project)
    elif act == "grow old":
        Annotation.objects.filter(project=project).update(created_at=timezone.now() - timedelta(days=3))
    elif len(classes) > 1:
        change(act, classes, manager)


def change(act: str, classes: list[LabelClass], manager: User) -> None:
    if act == "merge":
        merging.merge(classes[0], classes[1], manager)
    elif act == "split":
        splitting.split(classes[0], [{"name": uuid.uuid4().hex[:8]} for _ in "ab"], manager)
    elif act == "retire":
        retiring.retire(classes[0], manager)


def test_what_is_added_up_keeps_its_times_and_is_little(project, labeler, items) -> None:
    factories.answer_all(project, labeler)
    today = timezone.now() - timedelta(hours=1)
    before = tallies.of(project, Tally.Figure.LABELER, today)
    assert before[str(labeler.pk)].count == len(items)
    rows = Tally.objects.filter(project=project).count()
    tallies.merge_one(project)
    assert tallies.of(project, Tally.Figure.LABELER, today) == before
    assert Tally.objects.filter(project=project).count() < rows
