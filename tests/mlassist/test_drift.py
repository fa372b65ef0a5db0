"""Imports after a certificate: those that look different earn it by themselves."""

import numpy as np
import pytest

from clustering import embeddings
from labeling.models import Annotation, Item, QueueEntry
from mlassist import batches, drift, loop, versions
from mlassist.models import ImportCheck
from tests import factories
from tests.mlassist.playing import NAMES, NOISE, certified, give, play, pool  # noqa: F401


def test_a_sample_of_the_same_kind_looks_alike_and_another_one_does_not():
    rng = np.random.default_rng(0)
    old = rng.normal(size=(1_000, 2))
    alarms = 0
    for _ in range(500):
        new = rng.normal(size=(300, 2))
        alarms += drift.compare(new[:, 0], new[:, 1], old[:, 0], old[:, 1]).is_different
    assert alarms <= 4
    moved = drift.compare(new[:, 0], new[:, 1] - 0.5, old[:, 0], old[:, 1])
    assert moved.is_different
    assert moved.why == "its images are less like those that the model has learned from"


def test_nearness_is_the_cosine_to_the_nearest():
    learned = np.eye(3)
    rows = np.array([[1, 0, 0], [0.6, 0.8, 0]], float)
    assert drift.nearness(rows, learned) == pytest.approx([1, 0.8])


def bring(project, count, shift=0.0, seed=9):
    """Import images of the three classes; `shift` moves all of them in a direction of their own."""
    items = factories.make_unread_items(project, count)
    rng = np.random.default_rng(seed)
    vectors = np.eye(3, 24)[np.arange(count) % 3] + NOISE / np.sqrt(24) * rng.normal(size=(count, 24))
    vectors[:, 23] += shift
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    draws = rng.permutation(count) / count
    for number, item in enumerate(items):
        item.path, item.draw = f"{NAMES[number % 3]}/{seed}-{number}.png", draws[number]
    Item.objects.bulk_update(items, ["path", "draw"])
    embeddings.add(embeddings.set_of(project), [item.pk for item in items], vectors)
    factories.open_queue(project, items)
    return items


def auto_labeled(items):
    return Annotation.objects.filter(item__in=items, source="auto", withdrawn_at=None).count()


@pytest.mark.django_db
def test_imports_that_look_alike_inherit_the_certificate(project, pool, labeler):  # noqa: F811
    project.assist_mode = "accept"
    project.save()
    certificate = certified(project, labeler)
    items = bring(project, 300)
    assert batches.excluded(certificate, np.array([items[0].pk])).all()  # until it has been compared
    assert play(project) == "round"
    assert ImportCheck.objects.get(certificate=certificate).state == "alike"
    assert auto_labeled(items) > 50
    few = bring(project, 20, seed=10)
    assert play(project) == "round"
    assert auto_labeled(few) == 0  # too few to tell
    # As if they had come to lie in the import that has passed.
    Item.objects.filter(pk__in=[each.pk for each in few]).update(source=items[0].source_id)
    assert batches.excluded(certificate, np.array([few[0].pk, items[0].pk])).tolist() == [True, False]


@pytest.mark.django_db
def test_imports_that_look_different_wait_for_labels_of_their_own(project, pool, labeler):  # noqa: F811
    project.assist_mode = "accept"
    project.save()
    certificate = certified(project, labeler)
    items = bring(project, 600, shift=0.25)
    assert play(project) == "round"
    check = ImportCheck.objects.get(certificate=certificate)
    assert check.state == "different"
    assert check.needed > 40
    assert auto_labeled(items) == 0
    assert not QueueEntry.objects.filter(item__in=items, kind="prelabeled").exists()
    (told,) = batches.told(project)
    assert f"of about {check.needed} blind labels until the certificate covers it" in told["sentence"]
    assert play(project) is None
    while not batches.are_answered(project):
        give(project, labeler, 1, "validation")
    assert loop.round_is_due(project, versions.newest(project))
    assert play(project) == "round"
    check.refresh_from_db()
    assert check.state == "proved"
    assert check.errors <= 3
    assert auto_labeled(items) > 0


@pytest.mark.django_db
def test_an_import_on_which_the_model_errs_is_left_to_people(project, pool, labeler):  # noqa: F811
    certificate = certified(project, labeler)
    items = bring(project, 600, shift=0.25)
    play(project)
    check = ImportCheck.objects.get(certificate=certificate)
    drawn = list(batches.drawn(check).values_list("item_id", flat=True))
    other = dict(zip(NAMES, NAMES[1:] + NAMES[:1], strict=True))
    for item in Item.objects.filter(pk__in=drawn):
        item.path = f"{other[factories.true_class(item)]}/{item.pk}.png"
        item.save(update_fields=["path"])
    while not batches.are_answered(project):
        give(project, labeler, 1, "validation")
    play(project)
    check.refresh_from_db()
    assert check.state == "failed"
    assert not QueueEntry.objects.filter(item__in=items, kind="prelabeled").exists()
