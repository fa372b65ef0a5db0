"""A class that was merged into another counts as that one everywhere, and no longer once that is undone."""

import json
import uuid
from typing import Any

import pytest
from django.db import transaction
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labeling import (
    answers,
    classes,
    exporting,
    merging,
    queue,
    rechecks,
    reverting,
    review,
    statistics,
    submission,
    suggestions,
    uses,
)
from labeling.models import Annotation, Item, LabelClass, Project, QueueEntry, Recheck
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def labeled(project, labeler, items) -> list[Item]:
    factories.answer_all(project, labeler)
    return list(Item.objects.filter(state="labeled"))


def named(project, name: str) -> LabelClass:
    return project.classes.get(name=name)


def merge(project, one: str, other: str):
    return merging.merge(named(project, one), named(project, other), project.created_by)


def figures(project) -> dict[str, Any]:
    """Return what is told of a project's labels in all places that tell of them."""
    given = [answers.training(project), answers.validation(project)]
    ids = project.classes.values_list("id", flat=True)
    return {
        "labeled": project.items.filter(state="labeled").count(),
        "dashboard": statistics.labels_by_class(project),
        "learned from": [each.labels for each in given],
        "objects": answers.objects_of(project),
        "gallery": {pk: review.select(project, review.Filters(classes=(pk,))).count() for pk in ids},
        "before a change": {each.pk: uses.of(each) for each in project.classes.all()},
        "list": [
            (each.label_class.name, each.label_class.hotkey, each.depth) for each in classes.tree(project)
        ],
    }


STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.integers(0, 4)), max_size=12)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, order=st.randoms(use_true_random=False))
def test_merging_and_undoing_in_any_order_leaves_every_count_as_it_was(
    project, labeled, steps, order
) -> None:
    with transaction.atomic():
        try:
            merge_and_undo(project, steps, order)
        finally:
            transaction.set_rollback(True)


def merge_and_undo(project, steps, order) -> None:
    classes.add_classes(project, [{"name": "oval", "parent": "circle"}, {"name": "egg", "parent": "oval"}])
    before, everyone, made = figures(project), list(project.classes.all()), []
    for is_merge, one, other in steps:
        try:
            if is_merge:
                made.append(merging.merge(everyone[one], everyone[other], project.created_by))
            elif made:
                event = order.choice(made)
                reverting.undo(event, project.created_by)
                made.remove(event)
        except classes.ProjectRefused:
            continue
        counted = statistics.images_by_class(project)
        assert sum(counted.values()) == before["labeled"]
        assert set(counted) <= {each.label_class.pk for each in classes.tree(project)}
    order.shuffle(made)
    while made:
        left = [event for event in made if not is_undone(project, event)]
        assert len(left) < len(made), "the latest change can always be undone"
        made = left
    assert figures(project) == before


def is_undone(project, event) -> bool:
    try:
        reverting.undo(event, project.created_by)
    except classes.ProjectRefused:
        return False
    return True


def test_all_that_reads_labels_reads_the_other_class(project, labeled, circle, square) -> None:
    merge(project, "circle", "square")
    counted = {each["name"]: each["count"] for each in statistics.labels_by_class(project)}
    assert counted == {"square": 8, "triangle": 4}
    learned = {label for each in answers.training(project).labels for label in each}
    assert circle not in learned
    assert square in learned
    for asked in (circle, square):
        assert review.select(project, review.Filters(classes=(asked,))).count() == 8
    assert set(Annotation.objects.values_list("regions__label_class__name", flat=True)) >= {"circle"}


def test_an_export_has_the_other_class_and_says_what_was_chosen(project, labeled, circle, tmp_path) -> None:
    merge(project, "circle", "square")
    exporting.write(project, review.Filters(), tmp_path / "coco.json")
    written = json.loads((tmp_path / "coco.json").read_text())
    assert [each["name"] for each in written["categories"]] == ["square", "triangle"]
    assert len(written["annotations"]) == 12
    chosen = [each["provenance"].get("labeled_as") for each in written["annotations"]]
    assert chosen.count("circle") == 4


def test_two_labels_of_one_image_that_become_the_same_count_once(manager, labeler, tmp_path) -> None:
    project = factories.make_project(manager=manager, labeler=labeler, task_type="multilabel")
    item = factories.make_items(project, 1)[0]
    page = queue.claim(project, labeler, 1)
    ids = dict(project.classes.values_list("name", "id"))
    regions = (submission.RegionInput(ids["circle"]), submission.RegionInput(ids["square"]))
    submission.submit(page, labeler, [submission.Answer(item.pk, uuid.uuid4(), regions)])
    merge(project, "circle", "square")
    item.refresh_from_db()
    assert answers.classes_of([item.current_annotation_id]) == {item.current_annotation_id: (ids["square"],)}
    assert exporting.write(project, review.Filters(), tmp_path / "coco.json")["annotations"] == 1


def test_people_agree_where_their_classes_have_become_one(manager, labeler, reviewer) -> None:
    project = factories.make_project(manager=manager, labeler=labeler, reviewer=reviewer, labels_per_item=2)
    item = factories.make_items(project, 1)[0]
    factories.answer(project, labeler, lambda _: "circle")
    merge(project, "circle", "square")
    factories.answer(project, reviewer, lambda _: "square")
    item.refresh_from_db()
    assert item.state == "labeled"


def test_a_recheck_reads_both_answers_as_they_count(project, labeler, reviewer, labeled, monkeypatch) -> None:
    first = Annotation.objects.filter(regions__label_class__name="circle").first()
    rechecks.ask(project, [first.pk], probability=1.0)
    merge(project, "circle", "square")
    factories.answer(project, reviewer, lambda _: "square")
    assert Recheck.objects.get().agreed is True


def test_what_is_proposed_is_shown_as_the_other_class(project, labeler, items, api, circle, square) -> None:
    Project.objects.update(validation_rate=0)
    QueueEntry.objects.update(kind="manual")
    proposals = [
        suggestions.Proposal(each.pk, [{"class": circle, "confidence": 0.9}], circle, 0.9) for each in items
    ]
    suggestions.store(project, 1, proposals)
    suggestions.order_queue(
        project, [suggestions.Placement(each.pk, "prelabeled", 0, 1, circle, "") for each in items]
    )
    before = api(labeler).post(f"/api/projects/{project.pk}/pages/", {"size": 4}, format="json").json()
    merge(project, "circle", "square")
    page = api(labeler).post(f"/api/projects/{project.pk}/pages/", {"size": 4}, format="json").json()
    assert page["proposed_class"] == square
    assert page["items"][0]["suggestion"]["regions"] == [{"class": square, "confidence": 0.9}]
    for shown, said in ((before, circle), (page, square)):  # a screen from before still says what it showed
        given = [
            {"item": each["id"], "uuid": str(uuid.uuid4()), "regions": [{"class": said}]}
            for each in shown["items"]
        ]
        url = f"/api/projects/{project.pk}/pages/{shown['page']}/submit/"
        assert api(labeler).post(url, {"answers": given}, format="json").status_code == 200
    assert set(Annotation.objects.values_list("agreed", flat=True)) == {True}
    assert statistics.images_by_class(project) == {square: 8}


def test_a_tab_that_knows_nothing_of_the_merge_goes_on_working(
    project, manager, labeler, items, circle
) -> None:
    merge(project, "circle", "square")
    page = queue.claim(project, labeler, 1)
    answer = submission.Answer(page.claims.get().item_id, uuid.uuid4(), (submission.RegionInput(circle),))
    assert submission.submit(page, labeler, [answer])[0]["status"] == "counted"


def test_what_belonged_to_the_class_belongs_to_the_other_one(project, manager) -> None:
    classes.add_classes(project, [{"name": "oval", "parent": "circle"}, {"name": "egg", "parent": "oval"}])
    event = merge(project, "circle", "oval")
    assert [(each.label_class.name, each.depth) for each in classes.tree(project)][-2:] == [
        ("oval", 0),
        ("egg", 1),
    ]
    reverting.undo(event, manager)
    assert [each.depth for each in classes.tree(project)] == [0, 1, 2, 0, 0]


def test_a_merge_is_seen_before_it_happens_and_in_the_history_after(
    client, project, manager, labeled, circle, square
) -> None:
    client.force_login(manager)
    url = reverse("class-merge", args=[project.pk, circle])
    shown = client.get(f"{url}?into={square}").content.decode()
    assert "The 4 images labeled “circle” count as “square” from now on, which then has 8 images." in shown
    client.post(url, {"into": square})
    item = Item.objects.filter(current_annotation__regions__label_class=circle).first()
    panel = client.get(reverse("item-panel", args=[project.pk, item.pk]), headers={"HX-Request": "true"})
    assert "<strong>circle</strong>, now square" in panel.content.decode()


def test_programs_merge_classes_and_take_that_back(api, project, manager, labeled, circle, square) -> None:
    url = f"/api/projects/{project.pk}/classes/{circle}/"
    merged = api(manager).post(f"{url}merge/", {"into": square}, format="json").json()
    assert (merged["merged_into"], merged["labels"]["people"]) == (square, 8)
    again = api(manager).post(f"{url}merge/", {"into": square}, format="json")
    assert again.json()["error"]["message"] == "“circle” counts as “square” already. Merge that one."
    restored = api(manager).post(f"{url}restore/").json()
    assert (restored["merged_into"], restored["labels"]["people"]) == (None, 4)
