"""The whole-set promise, withheld classes, looking ahead, and losses where an answer can be partly right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from labeling import extensions, projects
from labeling.models import Annotation, Item, QueueEntry
from mlassist import certifying, heads, loop, proving, steering
from mlassist.certificates import comparison, dataset, sequential
from mlassist.certificates.prospects import Prospects
from mlassist.models import Certificate
from mlassist.predictions import STRICT_UP_TO, Predictions, is_strict
from tests.mlassist.playing import give, play

answers = st.lists(st.integers(1, 9), max_size=9, unique=True)


def predictions(count, probabilities):
    head = heads.Head("", np.arange(1, count + 1), np.zeros((1, count)), np.zeros(count), 1.0, True)
    return Predictions.from_probabilities(head, probabilities)


@given(answers, answers)
def test_partly_right_answers_lose_one_less_their_f1(said, label):
    probabilities = np.full((1, 9), 0.1)
    probabilities[0, [each - 1 for each in said]] = 0.9
    seen = predictions(9, probabilities)
    assert not is_strict(seen)
    lost = seen.losses([tuple(label)])[0]
    assert 0 <= lost <= 1
    assert (lost == 0) == (set(said) == set(label))
    assert lost == pytest.approx(proving.loss(said, label, strict=False))
    assert proving.loss(said, label, strict=True) == float(set(said) != set(label))


def test_few_labels_must_be_right_altogether():
    seen = predictions(STRICT_UP_TO, np.full((1, STRICT_UP_TO), 0.9))
    assert is_strict(seen)
    assert seen.losses([(1, 2)]).tolist() == [1.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.floats(0.01, 0.3))
def test_evidence_that_may_be_watched_is_never_sure_of_more_than_was_seen(losses, target):
    grown = sequential.evidence(np.array(losses), target)
    assert (grown > 0).all()
    assert sequential.bound(np.array(losses), 0.05) >= np.mean(losses) - 1e-3


def test_watched_evidence_seldom_proves_what_is_false():
    rng = np.random.default_rng(0)
    trials = 400
    broken = sum(
        sequential.evidence((rng.random(600) < 0.1).astype(float), 0.1).max() >= 20 for _ in range(trials)
    )
    assert broken / trials <= binom.ppf(0.999, trials, 0.05) / trials


def test_usual_rule_takes_the_lowest_threshold_whose_errors_look_few_enough():
    scores = np.linspace(1, 0, 100)
    losses = np.zeros(100)
    losses[[20, 50, 51, 52, 53, 54, 55]] = 1
    found = comparison.naive(scores, losses, scores, 0.05)
    assert (found["n"], found["errors"]) == (52, 2) or found["errors"] / found["n"] <= 0.05
    assert found["bound"] > 0.05
    assert comparison.naive(scores, np.ones(100), scores, 0.05) is None
    shares = [point["coverage"] for point in comparison.curve(scores, losses, scores)]
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_a_second_certificate_for_the_whole_set_counts_what_the_first_has_let_in():
    scores = np.concatenate([np.full(200, np.inf), np.linspace(1, 0, 300)])
    losses = np.zeros(500)
    losses[:20] = 1  # wrong labels under the first certificate: 4 % of all
    alone = dataset.attempt(scores[200:], losses[200:], scores, target=0.05, delta=0.05, number=2)
    both = dataset.attempt(scores, losses, scores, target=0.05, delta=0.05, number=2)
    assert alone.passed
    assert not both.passed
    assert dataset.allowed_error(scores, losses, scores, 0.5, 0.05) < 0.05 / 0.3


def test_more_is_left_to_the_model_when_the_whole_set_is_promised():
    curve = [(0.2, 0.01), (0.5, 0.05), (1.0, 0.2)]
    assert steering.reach(curve, 0.05, whole_set=False) == 0.2
    assert steering.reach(curve, 0.05, whole_set=True) == 0.5
    assert steering.reach(curve, 0.001, whole_set=False) == 0.0


def certified(project, labeler, promise="each"):
    project.promise = promise
    project.save()
    give(project, labeler, 250, "validation")
    give(project, labeler, 120, "manual")
    play(project)
    return Certificate.objects.get(project=project, state="valid")


def test_whole_set_is_certified_from_the_uniform_blind_labels(project, pool, labeler):
    certificate = certified(project, labeler, "whole")
    assert certificate.promise == "whole"
    assert certificate.bound <= project.target_error
    assert certificate.allowed_error >= project.target_error
    assert certificate.sentence.startswith("All labels together are at least 90 % correct")
    shown = certificate.evidence
    assert sum(each["accepted"] for each in shown["classes"].values()) == pytest.approx(
        certificate.coverage * len(pool), abs=1
    )


def test_a_project_that_asks_for_each_label_does_not_keep_a_promise_for_the_set(
    project,
    pool,
    labeler,
    manager,
):
    certificate = certified(project, labeler, "whole")
    projects.change_settings(project, manager, promise="each")
    loop.check_promise(project)
    certificate.refresh_from_db()
    assert certificate.state == "withdrawn"


def test_a_withheld_class_is_never_labeled_by_the_model(project, pool, labeler, manager):
    certificate = certified(project, labeler)
    circle = project.classes.get(name="circle")
    steering.set_withheld(project, circle, manager, is_withheld=True)
    projects.change_settings(project, manager, assist_mode="accept")
    assert play(project) == "round"
    auto = Annotation.objects.filter(project=project, source="auto")
    assert auto.exists()
    assert not auto.filter(regions__label_class=circle).exists()
    assert QueueEntry.objects.filter(project=project).exists()
    certificate.refresh_from_db()
    assert certificate.state == "valid"
    assert certificate.evidence["blocked"][str(circle.pk)] == "left to people by a manager"
    assert certificate.bound <= certificate.target_error


def test_a_certificate_that_rests_on_a_withheld_class_labels_nothing_more(
    project,
    pool,
    labeler,
    manager,
):
    certificate = certified(project, labeler)
    for each in project.classes.order_by("position")[:2]:
        steering.set_withheld(project, each, manager, is_withheld=True)
    blind = Annotation.objects.filter(project=project, kind="validation")
    last = project.classes.order_by("position").last()
    for annotation in blind.filter(regions__label_class=last)[:30]:
        annotation.regions.update(label_class=project.classes.order_by("position").first())
    play(project)
    certificate.refresh_from_db()
    assert certificate.state == "superseded"
    assert "withheld" in certificate.reason


def test_a_manager_sees_what_a_promise_would_bring(client, project, pool, labeler, manager):
    client.force_login(manager)
    address = f"/projects/{project.pk}/certificate/preview/"
    given = {"assist_mode": "accept", "promise": "each", "target": "90", "confidence": "95"}
    assert "There is no model yet" in client.get(address, given).content.decode()
    certificate = certified(project, labeler)
    found = steering.preview(project, "each", 0.1, 0.95)
    assert found.coverage > 0.5
    assert found.images > 0
    told = client.get(address, given).content.decode()
    assert "of labeling by hand" in told
    assert "A certificate promises this already" in told
    assert found.certified == certificate.coverage
    assert "It has to be proved first" in client.get(address, given | {"target": "99"}).content.decode()
    assert client.get(address, given | {"target": "nonsense"}).status_code == 204


def test_nobody_is_promised_classes_that_are_left_to_people(project, pool, labeler, manager):
    certified(project, labeler)
    projects.change_settings(project, manager, assist_mode="accept")
    first, *others = project.classes.order_by("position")
    steering.set_withheld(project, first, manager, is_withheld=True)
    play(project)
    some = steering.preview(project, "each", 0.1, 0.95)
    assert 0.4 < some.coverage < 0.8
    for each in others:
        steering.set_withheld(project, each, manager, is_withheld=True)
    play(project)
    assert steering.preview(project, "each", 0.1, 0.95).images == 0
    Annotation.objects.update(seconds=2.0)
    assert extensions.facts(project)["forecast"]["taken_over"] == 0


def test_nobody_is_promised_the_images_of_the_blind_draw(project, pool, labeler, manager):
    certified(project, labeler)
    assert steering.preview(project, "each", 0.1, 0.95).images > 0
    projects.change_settings(project, manager, assist_mode="accept")
    play(project)
    Annotation.objects.update(seconds=2.0)
    waiting = Item.objects.filter(project=project, state="unlabeled")
    waiting.filter(draw__gte=project.validation_rate).update(state="removed")
    assert waiting.exists()
    assert extensions.facts(project)["forecast"]["labels_low"] == waiting.count()
    assert steering.preview(project, "each", 0.1, 0.95).images == 0


@pytest.mark.parametrize(("labels", "waits"), [(9, True), (10, False)])
def test_an_attempt_waits_while_most_images_look_like_classes_with_few_labels(labels, waits):
    sure = np.full((10, 3), 0.1)
    sure[:4, 0] = sure[4:, 1] = 0.9
    nothing = np.empty(0)
    promised = Prospects.of(nothing, nothing, nothing, 0.05)
    known = certifying.Evidence(
        {}, nothing, nothing, predictions(3, sure), nothing, np.array([50, labels, 0]), promised
    )
    assert bool(known.unlearned) == waits
    assert known.unlearned is None or known.unlearned.startswith("60%")
