"""What follows when another backbone takes the place of the one in use."""

import pytest
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from clustering import index
from clustering.models import EmbeddingSet
from labeling import extensions, queue, suggestions
from labeling.models import Annotation, Job
from mlassist import loop, switching
from mlassist.attempts import region
from mlassist.certificates import bounds
from mlassist.models import Certificate, ModelVersion, Run
from mlassist.pool import Pool
from tests.mlassist.eyes import OTHER, offer
from tests.mlassist.playing import give, play


def swap(project, name, manager):
    """Choose a backbone that has seen everything already, and let the loop adopt it."""
    switching.choose(project, name, manager)
    switching.adopt_ready()
    project.refresh_from_db()
    assert project.backbone == name


def test_a_swap_starts_a_round_by_itself_once(project, pool, labeler, manager):
    give(project, labeler, 54, "manual")
    assert play(project) == "round"
    assert play(project) is None
    swap(project, OTHER, manager)
    assert play(project) == "round"
    assert play(project) is None
    assert list(ModelVersion.objects.order_by("number").values_list("backbone", "labels")) == [
        ("bundled", 54),
        (OTHER, 54),
    ]


def test_a_round_that_fails_after_a_swap_is_not_tried_again_and_again(project, pool, labeler, manager):
    give(project, labeler, 54, "manual")
    play(project)
    failed = {"kind": "round", "cluster": "ml", "state": "failed"}
    # From before the swap: it stands in nobody's way.
    Job.objects.create(project=project, finished_at=timezone.now(), **failed)
    swap(project, OTHER, manager)
    loop.advance(project)
    assert Job.objects.filter(kind="round", state="queued").update(finished_at=timezone.now(), **failed) == 1
    assert play(project) is None
    give(project, labeler, 54, "manual")
    assert play(project) == "round"


def test_the_queue_is_ordered_anew_when_there_is_no_model_yet(project, pool, manager):
    assert play(project) == "order"
    assert play(project) is None
    swap(project, OTHER, manager)
    assert play(project) == "order"


def test_each_backbone_has_a_graph_of_its_own(project, pool, manager):
    index.graph(project, Pool.of(project).features)
    swap(project, OTHER, manager)
    index.graph(project, Pool.of(project).features)
    names = list(EmbeddingSet.objects.order_by("id").values_list("graph", flat=True))
    assert len(set(names)) == 2
    assert all(default_storage.exists(name) for name in names)


def certify(project, labeler):
    give(project, labeler, 216, "validation")
    give(project, labeler, 90, "manual")
    play(project)
    return Certificate.objects.get(project=project, state="valid")


def test_a_swap_supersedes_the_certificate_and_the_new_model_earns_its_own(project, pool, labeler, manager):
    old = certify(project, labeler)
    swap(project, OTHER, manager)
    old.refresh_from_db()
    assert old.state == "superseded"
    told = extensions.facts(project)
    assert "earn one of its own" in told["certificate"]["reason"]
    assert "new backbone" in told["certificate_outlook"]["message"]
    # No label was added: that the backbone is another is reason enough to try, from the same budget.
    assert play(project) == "round"
    new = Certificate.objects.exclude(pk=old.pk).get()
    assert (new.state, new.attempt, new.model_version.backbone) == ("valid", 2, OTHER)
    assert new.alpha == bounds.alpha(1 - project.confidence, 2)
    # In mode suggest the old one has labeled nothing, so all blind labels speak for the new one.
    assert new.n_validation == 216


@pytest.mark.parametrize("pool", [2.2], indirect=True)
def test_auto_labels_outlive_a_swap_and_their_region_speaks_for_no_other(project, pool, labeler, manager):
    project.assist_mode = "accept"
    project.save()
    old = certify(project, labeler)
    auto = Annotation.objects.filter(source="auto", certificate=old.pk, withdrawn_at=None)
    labeled = auto.count()
    assert 100 < labeled < 600
    before = Pool.of(project)
    inside = set(before.ids[region(old, before.features)[0]].tolist())
    swap(project, OTHER, manager)
    play(project)
    assert auto.count() == labeled
    blind = set(
        Annotation.objects.filter(kind="validation", withdrawn_at=None).values_list("item_id", flat=True)
    )
    left = len(blind - inside)
    assert 0 < left < 216
    step = Run.objects.filter(kind="validation").order_by("-id").first()
    assert f"No certificate attempt: {left} of " in step.log  # too few outside of it yet
    assert not Annotation.objects.filter(source="auto", certificate=old.pk, model_version__gt=1).exists()


def test_a_change_that_nobody_asked_for_ends_no_certificate(project, pool, labeler):
    old = certify(project, labeler)
    switching.choose(project, OTHER, None)
    switching.adopt_ready()
    project.refresh_from_db()
    assert (project.backbone, project.next_backbone) == ("bundled", "")
    old.refresh_from_db()
    assert old.state == "valid"


def test_a_promise_for_the_whole_set_is_judged_through_each_models_own_backbone(
    project, pool, labeler, manager
):
    project.promise = "whole"
    project.save()
    old = certify(project, labeler)
    swap(project, OTHER, manager)
    play(project)
    new = Certificate.objects.exclude(pk=old.pk).get()
    assert new.state == "valid"
    assert new.errors == 0


def test_nothing_is_shown_as_certified_after_a_swap(project, pool, labeler, manager):
    old = certify(project, labeler)
    with transaction.atomic():
        found = queue.candidates(project, labeler, "prelabeled", 9)
        page = queue.lease(project, labeler, "prelabeled", found, timezone.now())
    swap(project, OTHER, manager)
    queue.release(page)
    loop.tick()
    assert not suggestions.is_shown(project, old.pk)


def test_attempts_are_few_for_each_backbone_but_share_one_budget(project, pool, labeler, manager):
    old = certify(project, labeler)
    for attempt in (2, 3, 4):
        Certificate.objects.create(
            project=project, model_version=old.model_version, attempt=attempt, state="refused",
            target_error=0.1, confidence=0.95, alpha=bounds.alpha(0.05, attempt), n_validation=180,
            sentence="Not certified.", evidence={"blind_labels": 180, "blocked": {}},
        )  # fmt: skip
    swap(project, OTHER, manager)
    play(project)
    log = Run.objects.filter(kind="validation").order_by("-id").first().log
    assert "all 4 are used" not in log
    spent = Certificate.objects.filter(attempt=5).values_list("alpha", flat=True).first()
    assert spent in (None, bounds.alpha(1 - project.confidence, 5))


def test_switching_back_is_instant(project, pool, labeler, manager):
    offer("bundled", title="Loupe's own")
    certify(project, labeler)
    swap(project, OTHER, manager)
    play(project)
    swap(project, "bundled", manager)
    assert not Job.objects.filter(kind="featurize").exists()
    assert play(project) == "round"
    assert ModelVersion.objects.order_by("-number").first().backbone == "bundled"
