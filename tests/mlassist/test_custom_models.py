"""Several candidates, one of them chosen by eye, and a project whose models are made like it from then on."""

import numpy as np
import pytest
from django.core import mail
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling import answers, extensions, mailing, merging
from labeling.models import Event, Job, Project, QueueEntry, Suggestion
from mlassist import heads, loop, switching, training, versions
from mlassist.autolabel import proposing
from mlassist.custom import (
    candidates,
    choice,
    differing,
    held_out,
    making,
    recipes,
    starting,
    voting,
    work,
    workplaces,
)
from mlassist.custom.making import CustomModelRefused
from mlassist.detectors import catalog
from mlassist.models import Candidate, CustomModel, ModelVersion, Run
from mlassist.pool import Pool
from mlassist.predictions import Predictions
from tests import factories
from tests.mlassist.eyes import OTHER, offer
from tests.mlassist.playing import NAMES, give, play

RIGHT = st.dictionaries(st.integers(0, 40).map(str), st.sampled_from([0.0, 1.0]), max_size=40)


@given(RIGHT)
def test_the_share_that_is_right_lies_in_its_interval(right) -> None:
    told = held_out.figures(right)
    assert told["n"] == len(right)
    if len(right) >= held_out.FEWEST:
        assert told["low"] <= told["right"] <= told["high"]
    else:
        assert "right" not in told


@given(RIGHT, RIGHT)
def test_candidates_are_compared_on_what_both_have_not_seen_and_the_same_both_ways(one, other) -> None:
    there, back = held_out.difference(one, other), held_out.difference(other, one)
    assert there.n == len(one.keys() & other.keys())
    assert there.gain == pytest.approx(-back.gain)
    assert there.is_clear == back.is_clear


def test_images_on_which_candidates_take_different_sides_come_first_and_each_quarrel_once() -> None:
    def says(*classes):
        return {at: [{"class": each, "confidence": 0.9}] for at, each in enumerate(classes)}

    said = {1: says(1, 1), 2: says(1, 2), 3: says(1, 2), 4: says(2, 1), 5: says(2, 2)}
    assert differing.most_different(said, 3) == [2, 4, 1]
    assert sorted(differing.most_different(said, 9)) == [1, 2, 3, 4, 5]
    said[6] = {0: [{"class": 7, "confidence": 0.9}], 1: [{"class": 7, "confidence": 0.5}]}
    assert differing.most_different(said, 3) == [2, 4, 6]  # where all agree, less surely comes first
    box = {"class": 1, "confidence": 0.9, "bbox": [0, 0, 10, 10]}
    assert differing.difference([box], [{**box, "bbox": [40, 40, 10, 10]}]) == 1
    assert differing.difference([box], [box]) == 0


@settings(max_examples=10)
@given(st.integers(0, 200))
def test_a_head_that_may_say_nothing_leaves_the_chance_of_other_classes_out(seed) -> None:
    rng = np.random.default_rng(seed)
    centres = np.eye(3, 8)
    rows = (centres[np.arange(90) % 3] + 0.1 * rng.normal(size=(90, 8))).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels = [(5,) if at % 3 == 0 else (9,) if at % 3 == 1 else (heads.NO_CLASS,) for at in range(90)]
    fit = heads.train(rows, labels, rows)
    assert fit.head.classes.tolist() == [5, 9]
    again = heads.Head.from_bytes(fit.head.to_bytes())
    seen = Predictions.of(again, rows)
    assert seen.sizes.tolist() == [1, 1, 0] * 30
    assert (seen.wrong([() if each == (heads.NO_CLASS,) else each for each in labels]) == False).all()  # noqa: E712


def test_detectors_from_coco_are_looked_for_under_the_names_of_torchvision() -> None:
    models = pytest.importorskip("torchvision.models")
    for kind in catalog.KINDS:
        assert models.get_model_weights(kind.name).DEFAULT.url.endswith(f"/{kind.file}")


@pytest.fixture
def taught(project, pool, labeler) -> Project:
    """A project of three clouds with labels of all classes, and a model."""
    give(project, labeler, 60, kind="manual")
    play(project)
    project.refresh_from_db()
    return project


def make(project, manager, names=("usual", "other head"), classes=None) -> CustomModel:
    """Make a custom model in this process."""
    known = classes or list(project.classes.values_list("pk", flat=True))
    made = making.start(project, manager, known, names)
    do(made)
    return made


def do(made) -> None:
    Job.objects.filter(pk=made.job_id).update(state="running", lease_until="2100-01-01T00:00Z")
    work.do(Job.objects.select_related("project").get(pk=made.job_id))
    Job.objects.filter(pk=made.job_id).update(state="done")
    made.refresh_from_db()


def test_a_class_takes_part_from_ten_labels_on_and_what_is_missing_is_told(project, pool, labeler, manager):
    assert "at least 2 classes need 10 labels" in making.obstacle(project, making.learnable(project)).lower()
    give(project, labeler, 60, kind="manual")
    first = project.classes.get(name=NAMES[0])
    lone = project.classes.create(name="lone", color="#333333", position=9)
    counts = {each.row.pk: each for each in making.learnable(project)}
    assert counts[lone.pk].missing == 10
    assert counts[first.pk].missing == 0
    assert sum(each.labels for each in counts.values()) == making.labels_of(project) >= 60
    with pytest.raises(CustomModelRefused, match="Too few: lone"):
        making.start(project, manager, [first.pk, lone.pk], ["usual"])
    with pytest.raises(CustomModelRefused, match="at least 100 labels"):
        making.start(project, manager, [first.pk], ["tuned"])
    assert not CustomModel.objects.exists()


def test_candidates_are_compared_chosen_and_kept_to_until_that_is_changed(taught, labeler, manager) -> None:
    made = make(taught, manager)
    usual, other = made.candidates.all()
    assert heads.family_of(usual.metrics["head"]) != heads.family_of(other.metrics["head"]) == other.kind
    assert set(usual.right) == set(other.right)
    assert len(usual.right) >= 60
    rounds = list(voting.rounds_of(made))
    assert [each.number for each in rounds] == [1, 2, 3, 4, 5]
    assert all(sorted(each.order) == [usual.pk, other.pk] for each in rounds)
    blind = taught.items.filter(draw__lt=taught.validation_rate, pk__in=[each.item_id for each in rounds])
    assert not blind.exists()

    choice.choose(other, manager)
    job = loop.unfinished(taught, *loop.ROUNDS)
    assert job is not None
    training.do_round(job)
    version = versions.newest(taught)
    assert heads.family_of(version.metrics["head"]) == other.kind
    assert version.metrics["chosen"] == other.title
    Job.objects.filter(pk=job.pk).update(state="done", finished_at=version.created_at)
    assert not loop.round_is_due(taught, version)
    # It goes on learning, in the same way.
    give(taught, labeler, 90, kind="manual")
    play(taught)
    newer = versions.newest(taught)
    assert newer.number > version.number
    assert heads.family_of(newer.metrics["head"]) == other.kind

    choice.end(taught, manager)
    assert loop.round_is_due(taught, newer)
    play(taught)
    assert "chosen" not in versions.newest(taught).metrics
    assert list(
        Event.objects.filter(verb__startswith="model_").values_list("verb", flat=True).order_by("id")
    ) == [
        "model_chosen",
        "model_choice_ended",
    ]


def test_a_model_of_some_classes_says_nothing_of_the_others(taught, labeler, manager) -> None:
    wanted = list(taught.classes.filter(name__in=NAMES[:2]).values_list("pk", flat=True))
    made = make(taught, manager, ["usual"], wanted)
    (only,) = made.candidates.all()
    assert not made.rounds.exists()  # there is nothing to choose between
    choice.choose(only, manager)
    training.do_round(loop.unfinished(taught, *loop.ROUNDS))
    version = versions.newest(taught)
    assert version.classes == sorted(wanted)
    assert version.metrics["accuracy"] > 0.8 if version.metrics["validation_n"] else True
    silent = taught.items.filter(
        state="unlabeled", draw__gte=taught.validation_rate, path__startswith=NAMES[2]
    )
    spoken = taught.items.filter(state="unlabeled", draw__gte=taught.validation_rate).exclude(
        path__startswith=NAMES[2]
    )
    about = Suggestion.objects.filter(project=taught)
    assert about.filter(item__in=silent).count() < 0.1 * silent.count()
    assert about.filter(item__in=spoken).count() > 0.9 * spoken.count()
    assert set(about.values_list("top_class", flat=True)) == set(wanted)


def test_a_candidate_with_another_backbone_takes_over_once_that_has_seen_all(taught, manager, monkeypatch):
    eyes = Pool.of(taught, OTHER)
    monkeypatch.setattr(candidates, "looked_at", lambda project, backbone, items, step=None: eyes)
    made = make(taught, manager, ["usual", f"backbone/{OTHER}"])
    other = made.candidates.get(backbone=OTHER)
    choice.choose(other, manager)
    chosen = recipes.chosen_model(taught)
    taught.refresh_from_db()
    assert taught.next_backbone == OTHER
    assert not recipes.is_followed(chosen)
    assert loop.unfinished(taught, *loop.ROUNDS) is None  # the model in use stays as it is meanwhile
    assert not loop.round_is_due(taught, versions.newest(taught))
    assert switching.adopt(taught)
    taught.refresh_from_db()
    assert recipes.in_use(taught).title == other.title
    play(taught)
    assert versions.newest(taught).backbone == OTHER
    # Whoever goes back to another backbone has changed the choice.
    offer("bundled")
    switching.choose(taught, "bundled", manager)
    assert recipes.chosen_model(taught) is None


def test_a_killed_making_goes_on_with_the_next_candidate_and_one_that_fails_stops_nobody(
    taught, manager, monkeypatch
) -> None:
    known = list(taught.classes.values_list("pk", flat=True))
    made = making.start(taught, manager, known, ["usual", "other head"])
    trained = []
    real = candidates.make

    def dies(candidate, step):
        trained.append(candidate.way)
        if candidate.way == "other head":
            raise KeyboardInterrupt
        real(candidate, step)

    monkeypatch.setattr(candidates, "make", dies)
    with pytest.raises(KeyboardInterrupt):
        do(made)
    with pytest.raises(CustomModelRefused, match="already"):
        making.start(taught, manager, known, ["usual"])

    def fails(candidate, step):
        trained.append(candidate.way)
        raise ValueError("It has no memory left.")

    monkeypatch.setattr(candidates, "make", fails)
    do(made)
    assert trained == ["usual", "other head", "other head"]
    found = voting.outcome(made)
    assert [each.row.way for each in found.results] == ["usual"]
    assert [each.problem for each in found.failed] == ["It has no memory left."]
    states = Run.objects.filter(kind="candidate").order_by("id").values_list("state", flat=True)
    assert list(states) == ["done", "running", "failed"]


def test_fine_tuning_that_was_killed_goes_on_with_the_labels_it_began_with(taught, labeler, manager) -> None:
    made = making.start(taught, manager, list(taught.classes.values_list("pk", flat=True)), ["usual"])
    candidate = made.candidates.get()
    began = candidates.as_begun(candidate, answers.training(taught), recipes.ANY, 1000)
    give(taught, labeler, 90, kind="manual")
    again = candidates.as_begun(candidate, answers.training(taught), recipes.ANY, 1000)
    assert len(began[0]) == len(began[1]) == len(began[2]) >= 60
    for one, other in zip(began, again, strict=True):
        np.testing.assert_array_equal(one, other)
    items, _, _ = candidates.to_learn(taught, answers.training(taught), recipes.ANY, 1000)
    assert len(items) > len(began[0])


def test_what_failed_is_tried_again_and_two_never_go_on_at_once(taught, manager, monkeypatch) -> None:
    known = list(taught.classes.values_list("pk", flat=True))
    real = candidates.make

    def full(candidate, step):
        raise OSError("No space left on device.")

    monkeypatch.setattr(candidates, "make", full)
    stopped = []
    for _ in range(2):
        made = making.start(taught, manager, known, ["usual"])
        with pytest.raises(work.NoCandidate, match="No space left"):
            do(made)
        Job.objects.filter(pk=made.job_id).update(state="failed")
        stopped.append(made)
    for each in stopped:
        each.refresh_from_db()
    monkeypatch.setattr(candidates, "make", real)
    making.resume(stopped[0], manager)
    with pytest.raises(CustomModelRefused, match="already"):
        making.resume(stopped[1], manager)
    do(stopped[0])
    assert stopped[0].candidates.get().problem == ""
    assert stopped[0].candidates.get().model


def test_candidates_learn_from_no_picture_in_which_faces_were_not_hidden_yet(taught, manager) -> None:
    made = making.start(taught, manager, list(taught.classes.values_list("pk", flat=True)), ["usual"])
    plain = workplaces.of(made.candidates.get())
    (plain / "pictures.npy").write_bytes(b"faces")
    with transaction.atomic():
        taught.faces, taught.faces_hidden_at = "mosaic", None
        taught.save()
        extensions.repainted(taught)
    workplaces.forget_plain(taught)  # as its end does, once it is committed
    assert not plain.exists()
    made.job.refresh_from_db()
    assert made.job.state == "cancelled"
    with pytest.raises(CustomModelRefused, match="Faces are being hidden"):
        making.resume(made, manager)
    with pytest.raises(CustomModelRefused, match="Faces are being hidden"):
        choice.choose(made.candidates.get(), manager)
    assert workplaces.of(made.candidates.select_related("custom_model__project").get()) != plain


def test_a_chosen_model_learns_what_its_classes_count_as_by_now(taught, manager) -> None:
    first, second, third = taught.classes.order_by("position")
    made = make(taught, manager, ["usual"], [first.pk, second.pk])
    choice.choose(made.candidates.get(), manager)
    merging.merge(first, third, manager)
    assert recipes.in_use(taught).classes == {second.pk, third.pk}
    for each in (second, third):
        each.retired_at = timezone.now()
        each.save()
    chosen = recipes.chosen_model(taught)
    assert recipes.is_left_alone(chosen)
    assert recipes.in_use(taught) == recipes.ANY


def test_the_same_may_win_each_time_and_figures_that_disagree_are_told(taught, manager, reviewer) -> None:
    made = make(taught, manager)
    usual, other = made.candidates.all()
    Candidate.objects.filter(pk=usual.pk).update(
        right={str(at): 1.0 for at in range(60)}, metrics=usual.metrics | {"right": 1.0}
    )
    Candidate.objects.filter(pk=other.pk).update(
        right={str(at): float(at % 3 > 0) for at in range(60)}, metrics=other.metrics | {"right": 2 / 3}
    )
    for _ in range(5):
        at = voting.next_round(made, manager)
        voting.vote(at, manager, at.order.index(other.pk))
    assert voting.next_round(made, manager) is None
    found = voting.outcome(made)
    assert [(each.row.pk, each.votes) for each in found.results] == [(other.pk, 5), (usual.pk, 0)]
    assert found.favourite.row == other
    assert found.disagreement.n == 60
    assert found.disagreement.gain == pytest.approx(-1 / 3)
    assert found.disagreement.is_clear
    # A vote can be changed, none is an answer too, and each person has a say.
    voting.vote(made.rounds.first(), manager, None)
    assert voting.outcome(made).favourite.votes == 4
    assert voting.next_round(made, reviewer).number == 1
    with pytest.raises(CustomModelRefused):
        voting.vote(made.rounds.first(), manager, 2)
    voting.again(made, manager)
    assert voting.outcome(made).favourite is None
    assert voting.outcome(made).proposed == usual


def test_start_and_end_are_told_once_in_the_app_and_by_mail(taught, manager) -> None:
    second = factories.make_user("second@example.com")
    factories.add_member(taught, second, "manager")
    known = list(taught.classes.values_list("pk", flat=True))
    made = making.start(taught, manager, known, ["usual", "other head"])
    do(made)
    for _ in range(2):
        making.announce_end(Job.objects.get(pk=made.job_id))
    mail.outbox.clear()
    mailing.look()
    factories.run_jobs("quick")
    ready = "Your custom model is ready: choose the best of 2 candidates by eye."
    started = "Training of the candidates for a custom model has started."
    told = [(each.to[0], ready in each.body, started in each.body) for each in mail.outbox]
    assert sorted(told) == sorted(
        [(manager.email, True, False), (second.email, True, False), (second.email, False, True)]
    )


def test_an_own_model_is_let_at_many_images_without_a_test(taught, manager) -> None:
    version = versions.newest(taught)
    trial = starting.begin(taught, manager, f"version/{version.number}", None)
    assert trial.seconds is not None
    wanted = dict.fromkeys(taught.classes.values_list("pk", flat=True), 0.5)
    made = proposing.start(trial, manager, wanted, 40)
    factories.run_jobs("ml")
    made.refresh_from_db()
    assert (made.done, made.model_version_id) == (40, version.pk)
    waiting = QueueEntry.objects.filter(project=taught, kind="prelabeled")
    assert waiting.count() == made.proposed > 30
    assert ModelVersion.objects.filter(project=taught).count() == 1


def test_pages_say_what_is_wrong_and_lose_nothing(client, taught, manager) -> None:
    client.force_login(manager)
    at = reverse("custom-models", args=[taught.pk])
    for said in ({}, {"class": ["0", "x"], "way": ["usual"]}, {"class": ["1"], "way": ["no such way"]}):
        answer = client.post(at, said, follow=True)
        assert "Choose" in " ".join(str(each) for each in answer.context["messages"])
    known = list(taught.classes.values_list("pk", flat=True))
    client.post(at, {"class": known, "way": ["usual", "other head"]})
    client.post(at, {"class": known, "way": ["usual", "other head"]})  # a double click
    (made,) = CustomModel.objects.all()
    here = reverse("custom-model", args=[taught.pk, made.pk])
    assert "waits" in client.get(here).content.decode()
    change = reverse("custom-model-change", args=[taught.pk, made.pk])
    client.post(change, {"do": "stop"})
    assert Job.objects.get(pk=made.job_id).state == "cancelled"
    client.post(change, {"do": "resume"})
    do(made)
    vote = reverse("custom-model-vote", args=[taught.pk, made.pk, 1])
    for said in ("2", "-1", "x", ""):
        client.post(vote, {"best": said})
    assert voting.next_round(made, manager).number == 1
    client.post(vote, {"best": "1"})
    assert "Round 2 of 5" in client.get(here).content.decode()
    assert client.post(change, {"do": "choose", "candidate": "999999"}).status_code == 404
    start = reverse("auto-label-start", args=[taught.pk])
    assert client.post(start, {"kind": "untaught"}).url == reverse("auto-label", args=[taught.pk])
    assert client.post(start, {"model": "version/77"}).url == start
    answer = client.post(start, {"model": "version/1", "count": "5", "sure": "70"}, follow=True)
    assert "0.70" in answer.content.decode()
    assert 'value="5"' in answer.content.decode()
