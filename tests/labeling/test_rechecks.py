"""Grids: what is taken out is asked alone, and some of what is confirmed is asked again by somebody else."""

import uuid

import pytest

from labeling import queue, rechecks, review, statistics, submission, suggestions
from labeling.api.shapes import page_shape
from labeling.labeled import Labeled
from labeling.models import Annotation, Claim, Item, Page, Project, QueueEntry, Recheck
from tests import factories

pytestmark = pytest.mark.django_db

GROUP = 77


@pytest.fixture
def always(monkeypatch, project) -> None:
    """Ask everything again; there is somebody to do it."""
    monkeypatch.setattr(rechecks, "SHARE", 1.0)
    factories.add_member(project, factories.make_user())


def grid(project, count: int, proposed: int | None, kind: str = "clustered") -> list[Item]:
    items = factories.make_unread_items(project, count)
    factories.open_queue(project, items)
    order(project, items, proposed, kind)
    return items


def order(project, items, proposed: int | None, kind: str = "clustered") -> None:
    suggestions.order_queue(
        project,
        [
            suggestions.Placement(item.pk, kind, number, GROUP, proposed, "look alike")
            for number, item in enumerate(items)
        ],
    )


def answer(item: int, label: int | None, seconds: float = 0.5) -> submission.Answer:
    regions = () if label is None else (submission.RegionInput(label),)
    return submission.Answer(item, uuid.uuid4(), regions, seconds=seconds, exception=label is None)


def confirm(page: Page, label: int | None, out: int = 0) -> list[submission.Answer]:
    """Answer a page with one class, its first few images taken out."""
    shown = page.claims.filter(state="live").order_by("position").values_list("item_id", flat=True)
    given = [answer(item, None if place < out else label) for place, item in enumerate(shown)]
    submission.submit(page, page.labeler, given)
    return given


def asked_again(project: Project) -> list[int]:
    return list(QueueEntry.objects.filter(project=project, kind="audit").values_list("item_id", flat=True))


def test_a_large_group_comes_in_slices_of_about_the_same_size(project, labeler, circle) -> None:
    items = grid(project, 10, circle)
    pages = [queue.claim(project, labeler, 9), queue.claim(project, labeler, 9)]
    shown = [list(page.claims.order_by("position").values_list("item_id", flat=True)) for page in pages]
    assert shown == [[item.pk for item in items[:5]], [item.pk for item in items[5:]]]
    assert {page.group for page in pages} == {GROUP}


def test_what_is_taken_out_of_a_grid_is_asked_alone_and_without_a_proposal(project, labeler, circle) -> None:
    items = grid(project, 4, circle)
    page = queue.claim(project, labeler, 9)
    given = confirm(page, circle, out=1)
    entry = QueueEntry.objects.get()
    assert (entry.item_id, entry.kind, entry.group, entry.proposed_class) == (
        items[0].pk,
        "manual",
        None,
        None,
    )
    submission.submit(page, labeler, given)  # the network sends it twice
    assert Claim.objects.filter(state="returned").count() == 1
    alone = queue.claim(project, labeler, 9)  # also to who has taken it out
    shape = page_shape(alone)
    assert shape["proposed_class"] is None
    assert [(each["id"], each["why"]) for each in shape["items"]] == [(items[0].pk, submission.NOT_ALIKE)]


def test_a_repeated_exception_does_not_close_a_page_that_was_taken_back(project, labeler, circle) -> None:
    grid(project, 4, circle)
    page = queue.claim(project, labeler, 9)
    given = confirm(page, circle, out=1)
    submission.undo(project, labeler)
    statuses = {each["status"] for each in submission.submit(page, labeler, given)}
    assert statuses == {"withdrawn"}
    page.refresh_from_db()
    assert page.state == "open"
    assert page.claims.filter(state="live").count() == 4


def test_an_exception_that_comes_late_is_not_forgotten(project, labeler, circle) -> None:
    grid(project, 4, circle)
    page = queue.claim(project, labeler, 9)
    shown = list(page.claims.values_list("item_id", flat=True))
    queue.release(page)
    submission.submit(page, labeler, [answer(shown[0], None)])
    entry = QueueEntry.objects.get(pk=shown[0])
    assert (entry.kind, entry.open_slots, entry.needed) == ("manual", 1, 1)


def test_labels_given_in_bulk_say_so(project, labeler, circle, square) -> None:
    items = grid(project, 4, circle)
    page = queue.claim(project, labeler, 9)
    submission.submit(
        page, labeler, [answer(item.pk, square if item == items[0] else circle) for item in items]
    )
    alone, *bulk = [each.provenance for each in Labeled(project, review.Filters())]
    assert not alone["in_bulk"]
    for each in bulk:
        assert each["in_bulk"]
        assert each["suggestion_visible"]
        assert (each["group"], each["seconds"]) == (GROUP, 0.5)
    prelabeled = grid(project, 4, circle, "prelabeled")
    confirm(queue.claim(project, labeler, 4), circle)
    assert set(Annotation.objects.filter(item__in=prelabeled).values_list("source")) == {("bulk",)}


def test_copies_of_one_picture_are_labeled_together_without_a_proposal(project, labeler, circle) -> None:
    items = grid(project, 3, None)
    model = [
        suggestions.Proposal(each.pk, [{"class": circle, "confidence": 0.9}], circle, 0.9) for each in items
    ]
    suggestions.store(project, 1, model)
    page = queue.claim(project, labeler, 9)
    assert [each["suggestion"] for each in page_shape(page)["items"]] == [None] * 3
    confirm(page, circle)
    assert set(Annotation.objects.values_list("source", "suggestion_visible")) == {("bulk", False)}


def test_a_share_of_a_grid_is_asked_again_blind_by_somebody_else(
    project, labeler, reviewer, circle, always
) -> None:
    items = grid(project, 4, circle)
    confirm(queue.claim(project, labeler, 9), circle)
    assert sorted(asked_again(project)) == [item.pk for item in items]
    assert Item.objects.filter(state="labeled").count() == 4
    assert queue.claim(project, labeler, 9) is None  # never the same person
    page = queue.claim(project, reviewer, 9)
    shape = page_shape(page)
    assert (shape["kind"], shape["why"], shape["proposed_class"]) == ("manual", "", None)
    assert len(shape["items"]) == 1


def test_where_one_person_labels_nothing_is_asked_again(manager, always) -> None:
    alone = factories.make_project(manager=manager)
    label = alone.classes.get(name="circle").pk
    grid(alone, 4, label)
    confirm(queue.claim(alone, manager, 9), label)
    assert asked_again(alone) == []


def test_agreement_changes_nothing_and_disagreement_asks_a_reviewer(
    project, labeler, reviewer, circle, square, always
) -> None:
    grid(project, 2, circle)
    confirm(queue.claim(project, labeler, 9), circle)
    same, other = queue.claim(project, reviewer, 1), queue.claim(project, reviewer, 1)
    confirm(same, circle)
    confirm(other, square)
    kept, doubted = same.claims.get().item, other.claims.get().item
    assert kept.state == "labeled"
    assert kept.current_annotation.labeler == labeler
    assert (doubted.state, doubted.current_annotation) == ("needs_review", None)
    assert not QueueEntry.objects.exists()
    row = statistics.grids_by_labeler(project, labeler)[0]
    assert (row["asked_again"], row["agreed"]) == (2, 1)
    assert review.reject(project, [doubted.pk], reviewer) == [doubted.pk]
    assert QueueEntry.objects.get().kind == "manual"


def test_taking_back_a_grid_ends_what_was_asked_again(project, labeler, reviewer, circle, always) -> None:
    items = grid(project, 2, circle)
    confirm(queue.claim(project, labeler, 9), circle)
    held = queue.claim(project, reviewer, 1)
    page, _ = submission.undo(project, labeler)
    assert asked_again(project) == []
    assert not Recheck.objects.exists()
    item = held.claims.get().item_id
    assert submission.submit(held, reviewer, [answer(item, circle)])[0]["status"] == "kept"
    confirm(page, circle)
    assert Item.objects.filter(pk__in=[each.pk for each in items], state="labeled").count() == 2


def test_taking_back_a_second_answer_asks_again(project, labeler, reviewer, circle, square, always) -> None:
    grid(project, 2, circle)
    confirm(queue.claim(project, labeler, 9), circle)
    page = queue.claim(project, reviewer, 1)
    confirm(page, square)
    submission.undo(project, reviewer)
    item = page.claims.get().item
    assert (item.state, item.current_annotation.labeler) == ("labeled", labeler)
    confirm(page, circle)
    assert Recheck.objects.get(item=item).agreed
    assert Item.objects.get(pk=item.pk).state == "labeled"


def test_a_correction_does_not_end_what_is_asked_again(project, labeler, circle, square, always) -> None:
    items = grid(project, 2, circle)
    page = queue.claim(project, labeler, 9)
    confirm(page, circle)
    submission.submit(page, labeler, [answer(items[0].pk, square)])
    current = Item.objects.get(pk=items[0].pk).current_annotation
    assert current.regions.get().label_class_id == square
    assert Recheck.objects.get(item=items[0]).first == current
    assert items[0].pk in asked_again(project)


def test_figures_of_grids_are_counts_of_rows(project, labeler, reviewer, circle, square, monkeypatch) -> None:
    monkeypatch.setattr(rechecks, "SHARE", 0.0)
    grid(project, 8, circle)
    first, page = queue.claim(project, labeler, 4), queue.claim(project, reviewer, 4)
    confirm(first, circle, out=1)
    shown = page.claims.values_list("item_id", flat=True)
    submission.submit(
        page, reviewer, [answer(item, square if place == 0 else circle) for place, item in enumerate(shown)]
    )
    rows = {row["id"]: row for row in statistics.grids_by_labeler(project)}
    assert [(rows[each.pk]["images"], rows[each.pk]["taken_out"]) for each in (labeler, reviewer)] == [
        (4, 1),
        (4, 1),
    ]
    assert rows[labeler.pk]["seconds"] == 0.5
    assert [row["id"] for row in statistics.grids_by_labeler(project, labeler)] == [labeler.pk]


def test_a_correction_is_no_second_chance_to_be_asked_again(
    project, labeler, circle, square, always, monkeypatch
) -> None:
    grid(project, 4, circle)
    page = queue.claim(project, labeler, 9)
    with monkeypatch.context() as never:
        never.setattr(rechecks, "SHARE", 0.0)
        confirm(page, circle)
    items = list(page.claims.values_list("item_id", flat=True))
    submission.submit(page, labeler, [answer(item, circle) for item in items])
    assert asked_again(project) == []


def test_a_skip_and_back_is_no_way_around_being_asked_again(
    project, labeler, reviewer, circle, square, always
) -> None:
    grid(project, 1, circle)
    page = queue.claim(project, labeler, 9)
    item = page.claims.get().item
    rechecks.ask(project, [given_alone(page, circle)], probability=1.0)
    skipped = submission.Answer(item.pk, uuid.uuid4(), skipped=True)
    assert submission.submit(page, labeler, [skipped])[0]["status"] == "skipped"
    item.refresh_from_db()
    assert (item.state, asked_again(project)) == ("needs_review", [item.pk])
    submission.submit(page, labeler, [answer(item.pk, circle)])
    item.refresh_from_db()
    assert (item.state, asked_again(project)) == ("labeled", [item.pk])
    confirm(queue.claim(project, reviewer, 1), square)
    item.refresh_from_db()
    assert (item.state, item.reason) == ("needs_review", rechecks.DISAGREE)


def given_alone(page: Page, label: int) -> int:
    confirm(page, label)
    return Annotation.objects.get(page=page).pk
