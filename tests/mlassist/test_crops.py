"""Groups of proposed objects that look alike: which objects, how many, and in which order."""

import numpy as np
import pytest

from labeling import checks
from labeling.models import Item, ObjectCheck, QueueEntry, Suggestion
from mlassist import crops
from mlassist.models import ModelVersion, Run
from mlassist.runs import Step
from tests import factories


def around(centres: list[int], spread: float = 0.1) -> np.ndarray:
    """Return vectors about the axes named, one each."""
    noise = np.random.default_rng(1).normal(0, spread, (len(centres), 8))
    vectors = np.eye(8)[centres] + noise
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_groups_hold_four_to_nine_look_alikes_of_one_class_and_no_object_twice():
    centres = [0] * 12 + [1] * 12 + [2] * 3
    classes = np.array([5] * 18 + [6] * 9)
    vectors = around(centres)
    vectors[3] = 0  # its image could not be read
    found = crops.alike(vectors, classes)
    rows = np.concatenate(found)
    assert len(set(rows.tolist())) == len(rows) >= 18
    assert 3 not in rows
    for group in found:
        assert crops.SMALLEST <= len(group) <= crops.LARGEST
        assert len({(centres[row], classes[row]) for row in group.tolist()}) == 1


def test_the_odd_one_out_stands_first():
    vectors = around([0] * 7)
    (group,) = crops.alike(vectors, np.zeros(7, int))
    likeness = vectors[group] @ vectors[group].mean(0)
    assert likeness.tolist() == sorted(likeness.tolist())


@pytest.fixture
def world(manager, labeler):
    """A project with twenty images of an object each, and a model that proposes it."""
    project = factories.make_project(
        manager=manager, labeler=labeler, task_type="detection", validation_rate=0
    )
    items = factories.make_unread_items(project, 20)
    factories.open_queue(project, items)
    label = project.classes.first().pk
    factories.ask_about_objects(project, items, lambda item: [{"class": label, "bbox": [1, 1, 4, 4]}])
    return project


def ask(project) -> str:
    version, _ = ModelVersion.objects.get_or_create(
        project=project, number=1, backbone="bundled", head="none", classes=[], labels=100
    )
    step = Step(Run.objects.create(project=project, kind=Run.Kind.INFERENCE))
    crops.ask(project, version, lambda found: around([at // 9 for at in range(len(found))], 0.0), step)
    return step.text


@pytest.mark.django_db
def test_likely_objects_of_images_that_wait_singly_are_asked_about(world):
    first, second = Item.objects.filter(project=world).order_by("id")[:2]
    unlikely = Suggestion.objects.get(item=first)
    unlikely.regions[0]["confidence"] = 0.4
    unlikely.save()
    QueueEntry.objects.filter(item=second).update(kind="prelabeled", certificate=1)
    text = ask(world)
    asked = ObjectCheck.objects.filter(project=world)
    assert not asked.filter(item__in=[first, second]).exists()
    assert asked.count() == 18, text
    assert [asked.filter(group=each).count() for each in (0, 1)] == [9, 9]


@pytest.mark.django_db
def test_for_few_objects_nobody_is_asked_and_what_waited_is_gone(world):
    QueueEntry.objects.filter(item__in=list(world.items.values_list("id", flat=True)[:3])).delete()
    ask(world)
    assert not ObjectCheck.objects.filter(project=world).exists()


@pytest.mark.django_db
def test_another_round_of_the_same_model_asks_nothing_again(world, labeler):
    ask(world)
    page = checks.claim(world, labeler)
    checks.answer(page, page.checks[:1], 2.0)
    items = [each.item_id for each in checks.shown(page)]
    QueueEntry.objects.filter(project=world).update(priority=0)
    ask(world)
    waiting = ObjectCheck.objects.filter(project=world, state="waiting")
    assert not waiting.filter(item__in=items).exists()
