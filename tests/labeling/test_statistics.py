"""Every figure of the dashboard equals a count of rows."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from labeling import effort, review, statistics, submission
from labeling.models import Annotation, Item, Page
from tests import factories

pytestmark = pytest.mark.django_db


def test_figures_add_up_to_the_rows(project, labeler, reviewer, items) -> None:
    factories.answer(project, labeler, size=9)
    factories.answer(project, reviewer)
    labeled = Item.objects.filter(project=project, state="labeled").count()
    states = statistics.items_by_state(project)
    assert sum(states.values()) == len(items)
    assert states["labeled"] == labeled
    assert sum(statistics.queue_by_kind(project).values()) == len(items) - labeled
    assert sum(row["count"] for row in statistics.labels_by_class(project)) == labeled
    assert sum(statistics.labels_by_origin(project).values()) == labeled
    assert sum(row["count"] for row in statistics.labels_by_labeler(project)) == labeled
    assert statistics.done_today(project, labeler) + statistics.done_today(project, reviewer) == labeled


def test_a_correction_of_an_older_page_is_no_work_of_today(project, labeler, items) -> None:
    factories.answer(project, labeler)
    page = Page.objects.get()
    Annotation.objects.update(created_at=timezone.now() - timedelta(days=2))
    label = project.classes.get(name="square").pk
    item = page.claims.get().item_id
    again = submission.Answer(item, uuid.uuid4(), (submission.RegionInput(label),))
    assert submission.submit(page, labeler, [again])[0]["status"] == "counted"
    assert statistics.done_today(project, labeler) == 0


def test_every_figure_opens_just_the_items_that_it_counts(project, labeler, items) -> None:
    factories.answer(project, labeler, size=9)
    for row in statistics.labels_by_class(project):
        assert review.select(project, review.Filters(classes=(row["id"],))).count() == row["count"]
    for origin, count in statistics.labels_by_origin(project).items():
        assert review.select(project, review.Filters(source=origin)).count() == count
    for state, count in statistics.items_by_state(project).items():
        assert review.select(project, review.Filters(state=state)).count() == count


def test_progress_over_time_ends_at_today(project, labeler, items) -> None:
    assert statistics.progress_over_time(project) == []
    factories.answer(project, labeler, size=9)
    series = statistics.progress_over_time(project)
    now = {key: value for key, value in series[-1].items() if key != "at"}
    assert now == statistics.labels_by_origin(project)


def test_hours_count_every_answer_also_where_several_people_are_asked(project, labeler, reviewer) -> None:
    project.labels_per_item = 2
    project.save()
    factories.make_items(project, 1)
    for person in (labeler, reviewer):
        factories.answer(project, person)
    Annotation.objects.filter(labeler=labeler).update(seconds=6)
    Annotation.objects.filter(labeler=reviewer).update(seconds=2, suggestion_visible=True, agreed=True)
    found = effort.effort(project)
    assert (found.hours * 3600, found.by_hand, found.saved * 3600) == pytest.approx((8, 6, 4))
    rows = {
        row["id"]: (row["seconds"], row["confirmed_seconds"]) for row in statistics.labels_by_labeler(project)
    }
    for person in (labeler, reviewer):
        assert review.select(project, review.Filters(answered=person.pk)).count() == 1
    assert rows == {labeler.pk: (6, None), reviewer.pk: (None, 2)}


def test_rejected_labels_leave_the_figures(project, labeler, reviewer, items) -> None:
    factories.answer_all(project, labeler)
    review.reject(project, [items[0].pk], reviewer)
    assert statistics.items_by_state(project)["labeled"] == len(items) - 1
    assert statistics.labels_by_labeler(project)[0]["count"] == len(items) - 1
