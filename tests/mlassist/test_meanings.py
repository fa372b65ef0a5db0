"""What was learned or certified while labels meant something else labels nothing more."""

import pytest
from django.db import IntegrityError, transaction

from labeling import answers, classes, merging, reverting, suggestions
from labeling.models import Annotation, QueueEntry
from mlassist import meanings, training
from mlassist.models import Certificate, ModelVersion
from tests.mlassist.playing import certified, give, open_proof, play, pool  # noqa: F401

pytestmark = pytest.mark.django_db


def merge(project, one: str, other: str):
    named = {each.name: each for each in project.classes.all()}
    return merging.merge(named[one], named[other], project.created_by)


def labeled_by_model(project, labeler) -> Certificate:
    project.assist_mode = "accept"
    project.save()
    give(project, labeler, 180, "validation")
    give(project, labeler, 90, "manual")
    play(project)
    return Certificate.objects.get(project=project, state="valid")


def test_a_merge_ends_the_certificate_and_the_next_model_learns_one_class(project, pool, labeler):  # noqa: F811
    certificate = labeled_by_model(project, labeler)
    stands = Annotation.objects.filter(source="auto", withdrawn_at=None)
    count = stands.count()
    event = merge(project, "circle", "square")
    project.refresh_from_db()
    certificate.refresh_from_db()
    assert (certificate.state, certificate.reason) == (
        "superseded",
        f"{meanings.ENDED} “circle” counts as “square” now.",
    )
    assert stands.count() == count > 0
    label = suggestions.AutoLabel(
        QueueEntry.objects.first().item_id, [{"class": project.classes.first().pk}], 0.9
    )
    terms = {"model_version": 1, "certificate": certificate.pk, "threshold": 0.5}
    with pytest.raises(IntegrityError), transaction.atomic():
        suggestions.write_auto_labels(project, [label], **terms)
    assert play(project) == "round"
    known = {each.name: each.pk for each in project.classes.all()}
    newest = ModelVersion.objects.get(project=project, number=2)
    assert sorted(newest.classes) == sorted([known["square"], known["triangle"]])
    assert not meanings.is_outdated(newest)
    assert answers.objects_of(project).keys() == {known["square"], known["triangle"]}
    reverting.undo(event, project.created_by)
    project.refresh_from_db()
    assert meanings.is_outdated(newest)
    assert play(project) == "round"
    assert len(ModelVersion.objects.get(project=project, number=3).classes) == 3


def test_what_was_learned_before_a_merge_is_not_certified_after_it(project, pool, labeler, monkeypatch):  # noqa: F811
    judge = training.validation.judge

    def merged_meanwhile(*args):
        merge(project, "circle", "square")
        return judge(*args)

    monkeypatch.setattr(training.validation, "judge", merged_meanwhile)
    give(project, labeler, 180, "validation")
    give(project, labeler, 90, "manual")
    play(project)
    assert not Certificate.objects.filter(state="valid").exists()
    assert not QueueEntry.objects.filter(kind="prelabeled").exists()


def test_an_open_proof_is_given_up_and_gives_its_images_back(project, pool, labeler):  # noqa: F811
    proof = open_proof(project, labeler)
    merge(project, "circle", "square")
    proof.refresh_from_db()
    assert proof.state == "refused"
    asked = QueueEntry.objects.filter(kind="validation", item__draw__gte=project.validation_rate)
    assert not asked.exists()


def test_a_retired_class_is_left_to_people(project, pool, labeler, manager):  # noqa: F811
    certified(project, labeler)
    circle = project.classes.get(name="circle")
    proposed = QueueEntry.objects.filter(kind="prelabeled").values_list("proposed_class", flat=True)
    assert circle.pk in set(proposed)
    classes.retire(circle, manager)
    assert play(project) == "round"
    assert circle.pk not in set(proposed.all())
