"""Images are labeled anew under other classes, with the old label as a hint, and that can be taken back."""

import uuid

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from labeling import answers, classes, queue, reverting, splitting, statistics, submission, validation
from labeling.models import Annotation, Item, LabelClass, Project, QueueEntry
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def labeled(project, labeler, items) -> list[Item]:
    """One image at least was drawn to be asked blind."""
    Item.objects.filter(pk=items[0].pk).update(draw=0)
    QueueEntry.objects.filter(item=items[0]).update(
        kind="validation", inclusion_probability=project.validation_rate
    )
    factories.answer_all(project, labeler)
    return list(Item.objects.filter(state="labeled"))


def named(project, name: str) -> LabelClass:
    return project.classes.get(name=name)


def split(project, name: str, into: list[str], **options):
    return splitting.split(named(project, name), into, project.created_by, **options)


def standing() -> set[int]:
    return set(Annotation.objects.filter(withdrawn_at=None).values_list("id", flat=True))


def state_of(project) -> list[tuple]:
    rows = Item.objects.filter(project=project).order_by("id")
    return list(rows.values_list("id", "state", "reason", "current_annotation", "entry"))


def test_images_of_a_class_that_is_split_go_back_and_no_others(project, labeled, circle) -> None:
    event = split(project, "circle", ["disc", "ring"])
    assert event.data["said"] == "“circle” is split into “disc”, “ring”. 4 images go back to people."
    waiting = QueueEntry.objects.filter(project=project)
    assert {each.item.path.split("/")[0] for each in waiting.select_related("item")} == {"circle"}
    assert set(Annotation.objects.exclude(withdrawn_at=None).values_list("withdrawal", flat=True)) == {
        "classes"
    }
    assert statistics.labels_by_origin(project)["person"] == 8
    assert [each.label_class.name for each in classes.tree(project)] == ["square", "triangle", "disc", "ring"]


def test_the_validation_draw_stays_uniform_and_is_asked_blind(project, labeled, api, labeler) -> None:
    drawn = {each.pk for each in labeled if validation.kind_for(project, each) == "validation"}
    assert drawn
    splitting.start_over(project, ["star"], project.created_by, hinted=True)
    blind = QueueEntry.objects.filter(kind="validation")
    assert set(blind.values_list("item_id", flat=True)) == drawn
    assert set(blind.values_list("hint", "inclusion_probability")) == {(None, project.validation_rate)}
    assert answers.blind_again(project) == len(drawn)
    with pytest.raises(IntegrityError), transaction.atomic():
        blind.update(hint=Annotation.objects.first())
    found = queue.candidates(project, labeler, "validation", 1)
    page = queue.lease(project, labeler, "validation", found, Annotation.objects.latest("id").created_at)
    assert page.claims.get().likely is None


def test_the_old_label_is_proposed_as_one_from_before(project, labeled, api, labeler, circle) -> None:
    Project.objects.update(validation_rate=0, assist_mode="off")
    Annotation.objects.update(kind="manual")
    project.refresh_from_db()
    split(project, "circle", ["disc"], keep=True)
    page = api(labeler).post(f"/api/projects/{project.pk}/pages/", {"size": 1}, format="json").json()
    item = page["items"][0]
    assert item["why"] == "as it was labeled before; the classes have changed"
    assert item["suggestion"] == {
        "regions": [{"class": circle}], "doubtful": None, "confidence": None, "model": None
    }  # fmt: skip
    answer = {"item": item["id"], "uuid": str(uuid.uuid4()), "regions": [{"class": circle}]}
    url = f"/api/projects/{project.pk}/pages/{page['page']}/submit/"
    assert (
        api(labeler).post(url, {"answers": [answer]}, format="json").json()["saved"][0]["status"] == "counted"
    )
    assert Annotation.objects.latest("id").origin == "confirmed"


def test_boxes_stay_drawn_and_ask_for_a_new_class(manager, labeler, api) -> None:
    project = factories.make_project(manager=manager, labeler=labeler, task_type="detection")
    factories.make_scenes(project, 1)
    QueueEntry.objects.update(kind="manual", inclusion_probability=None)
    Project.objects.update(validation_rate=0)
    project.refresh_from_db()
    page = queue.claim(project, labeler, 1)
    item = page.claims.get().item
    given = [submission.RegionInput(each["class"], each["bbox"]) for each in factories.true_regions(item)]
    submission.submit(page, labeler, [submission.Answer(item.pk, uuid.uuid4(), tuple(given))])
    gone = given[0].label_class
    split(project, LabelClass.objects.get(pk=gone).name, ["new"])
    shown = api(labeler).post(f"/api/projects/{project.pk}/pages/", {"size": 1}, format="json").json()
    proposed = shown["items"][0]["suggestion"]["regions"]
    assert [each["bbox"] for each in proposed] == [each.bbox for each in given]
    assert gone in [each["class"] for each in proposed]


def test_undone_all_stands_as_it_stood(project, labeled, labeler, reviewer) -> None:
    before, stood = state_of(project), standing()
    events = [split(project, "circle", ["disc", "ring"])]
    events.append(splitting.start_over(project, ["star"], project.created_by, hinted=False))
    assert standing() == set()
    for event in reversed(events):
        reverting.undo(event, project.created_by)
    assert (state_of(project), standing()) == (before, stood)
    assert [each.label_class.name for each in classes.tree(project)] == ["circle", "square", "triangle"]


def test_undone_what_was_answered_since_stays_answered(project, labeled, labeler) -> None:
    event = split(project, "circle", ["disc", "ring"])
    factories.answer(project, labeler, lambda _: "ring")
    undone = reverting.undo(event, project.created_by)
    assert undone.data["said"].endswith("The labels of 3 of 4 images count again; the others have new ones.")
    ring = named(project, "ring")
    assert ring.retired_at is not None
    assert statistics.images_by_class(project)[ring.pk] == 1
    assert Item.objects.filter(state="labeled").count() == 12


def test_half_asked_images_go_on_where_they_were(manager, labeler, reviewer) -> None:
    project = factories.make_project(manager=manager, labeler=labeler, reviewer=reviewer, labels_per_item=3)
    factories.make_items(project, 1)
    factories.answer(project, labeler)
    event = splitting.start_over(project, ["star"], manager, hinted=True)
    assert QueueEntry.objects.get().needed == 3
    reverting.undo(event, manager)
    assert QueueEntry.objects.get().needed == 2
    assert factories.answer(project, labeler) == 0
    assert factories.answer(project, reviewer) == 1


def test_whoever_has_an_image_on_screen_meanwhile_loses_no_answer(project, labeled, labeler) -> None:
    event = split(project, "circle", ["disc"])
    page = queue.claim(project, labeler, 1)
    reverting.undo(event, project.created_by)
    disc = named(project, "disc").pk
    answer = submission.Answer(page.claims.get().item_id, uuid.uuid4(), (submission.RegionInput(disc),))
    submission.submit(page, labeler, [answer])
    assert Annotation.objects.filter(regions__label_class=disc).count() == 1
    assert Item.objects.filter(state="labeled").count() == 12


def test_adding_classes_to_labels_asks_what_becomes_of_them(client, project, manager, labeled) -> None:
    client.force_login(manager)
    url = reverse("settings-classes", args=[project.pk])
    asked = client.post(url, {"classes": "star\nmoon: a crescent"}).content.decode()
    assert "12 images have answers from when these classes were no choice." in asked
    assert project.classes.count() == 3
    client.post(url, {"classes": "star\nmoon: a crescent", "policy": "keep"})
    assert named(project, "moon").description == "a crescent"
    assert Item.objects.filter(state="labeled").count() == 12
    client.post(url, {"classes": "comet", "policy": "hints"})
    assert QueueEntry.objects.filter(hint__isnull=False).exists()
    assert Item.objects.filter(state="unlabeled").count() == 12


def test_a_split_is_seen_before_it_happens(client, project, manager, labeled, circle) -> None:
    client.force_login(manager)
    url = reverse("class-split", args=[project.pk, circle])
    assert "4 images with “circle” in an answer go back to people" in client.get(url).content.decode()
    assert "is there already" in client.post(url, {"classes": "square"}).content.decode()
    done = client.post(url, {"classes": "disc\nring"}, follow=True).content.decode()
    assert "4 images go back to people." in done
    assert "Undo" in done
