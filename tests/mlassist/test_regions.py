"""Regions predicted from training labels and proved on labels of their own; the promise for the whole set."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from mlassist.certificates import bounds, dataset, regions, sequence

TARGET, DELTA = 0.1, 0.05
POOL = 20_000


def pool(rng, error_at):
    """Return (scores, wrong) of a pool whose item of score s is wrong with probability error_at(s)."""
    scores = rng.random(POOL)
    return scores, rng.random(POOL) < error_at(scores)


def half_sure(scores):
    return np.clip(0.8 * (1 - scores) ** 2, 0, 1)


def seldom_sure(scores):
    return 0.8 * (1 - scores) ** 1.6


def predicted(rng, scores, wrong, count=600):
    """Return the region that labels predict which were mostly asked because the model was unsure."""
    asked = rng.choice(POOL, count, replace=False, p=(1.2 - scores) / (1.2 - scores).sum())
    return regions.candidate(wrong[asked].astype(float), scores[asked], scores, TARGET)


def proved(rng, region, scores, wrong, count):
    drawn = rng.permutation(np.flatnonzero(scores >= region.ladder.thresholds[-1]))[:count]
    nothing = np.zeros(count, int)
    return sequence.attempt(
        scores[drawn],
        wrong[drawn].astype(float),
        nothing,
        region.ladder,
        target=TARGET,
        delta=DELTA,
        number=1,
    )


def test_a_region_keeps_the_target_and_costs_a_fraction_of_the_labels():
    rng = np.random.default_rng(0)
    coverage, whole = [], []
    for _ in range(30):
        scores, wrong = pool(rng, seldom_sure)
        region = predicted(rng, scores, wrong)
        planned = region and regions.plan(region, 3_000, TARGET, bounds.alpha(DELTA, 1))
        if not planned:  # the labels have misled: rare, and nothing is lost by it
            coverage.append(0.0)
            continue
        region, count = planned.region, planned.labels
        assert wrong[scores >= region.ladder.thresholds[-1]].mean() < 1.3 * TARGET
        outcome = proved(rng, region, scores, wrong, count)
        coverage.append((scores >= outcome.threshold).mean() if outcome.passed else 0.0)
        drawn = rng.choice(POOL, count, replace=False)
        ladder = sequence.over_the_pool(scores, count, TARGET, bounds.alpha(DELTA, 1))
        uniform = sequence.attempt(
            scores[drawn], wrong[drawn].astype(float), np.zeros(count, int), ladder,
            target=TARGET, delta=DELTA, number=1,
        )  # fmt: skip
        whole.append((scores >= uniform.threshold).mean() if uniform.passed else 0.0)
    assert np.mean(coverage) > 1.2 * np.mean(whole), (np.mean(coverage), np.mean(whole))


@pytest.mark.parametrize("error", [TARGET + 0.001, 0.2])
def test_what_training_labels_promise_in_vain_is_not_certified(error):
    rng = np.random.default_rng(1)
    trials, broken = 400, 0
    for _ in range(trials):
        scores, wrong = pool(rng, lambda s: np.full(len(s), error))
        region = regions.candidate(np.zeros(600), rng.random(600), scores, TARGET)
        broken += proved(rng, region, scores, wrong, 120).passed
    assert broken / trials <= binom.ppf(0.999, trials, DELTA / 2) / trials


def test_as_many_labels_as_are_planned_mostly_suffice_where_the_model_is_as_good_as_predicted():
    rng = np.random.default_rng(4)
    passed = []
    for _ in range(100):
        scores, wrong = pool(rng, lambda s: np.full(len(s), TARGET / 10))
        region = regions.candidate(wrong[:600].astype(float), scores[:600], scores, TARGET)
        planned = regions.plan(region, 3_000, TARGET, bounds.alpha(DELTA, 1))
        passed.append(proved(rng, planned.region, scores, wrong, planned.labels).passed)
    assert np.mean(passed) > 0.6  # 0.7 is planned for


def test_without_a_sure_part_there_is_no_region():
    rng = np.random.default_rng(2)
    scores = rng.random(POOL)
    assert regions.candidate(np.ones(300), rng.random(300), scores, TARGET) is None
    assert regions.candidate(np.zeros(300), rng.random(300), np.full(POOL, -np.inf), TARGET) is None


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 10)), min_size=1, max_size=40))
def test_pooled_neighbours_never_fall_and_keep_the_mean(pairs):
    values, weights = (np.array(each) for each in zip(*pairs, strict=True))
    found = regions.rising(values, weights)
    assert (np.diff(found) >= -1e-12).all()
    assert found @ weights == pytest.approx(values @ weights)


def fractional(rng, mean, n):
    """Return losses of which most are nothing and the rest anything up to one."""
    return np.where(rng.random(n) < 2 * mean, rng.random(n), 0.0)


def test_bound_of_fractional_losses_holds_and_beats_hoeffding():
    rng = np.random.default_rng(3)
    found = [bounds.loss_bound(fractional(rng, 0.03, 200), 0.05) for _ in range(400)]
    assert np.mean(np.array(found) < 0.03) <= binom.ppf(0.999, 400, 0.05) / 400
    assert np.mean(found) < 0.6 * (0.03 + np.sqrt(np.log(20) / 400))


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_bound_of_right_and_wrong_is_the_exact_one(wrong):
    losses = np.array(wrong, float)
    assert bounds.loss_bound(losses, 0.05) == bounds.upper_bound(sum(wrong), len(wrong), 0.05)


def test_the_promise_for_the_whole_set_is_kept_and_leaves_more_to_the_model():
    rng = np.random.default_rng(4)
    trials, broken, whole, each = 300, 0, [], []
    for _ in range(trials):
        scores, wrong = pool(rng, half_sure)
        drawn = rng.choice(POOL, 500, replace=False)
        losses = wrong[drawn].astype(float)
        passed = [step for step in dataset.climb(scores[drawn], losses, scores, TARGET, 0.05) if step.passed]
        threshold = passed[-1].threshold if passed else np.inf
        broken += (wrong & (scores >= threshold)).mean() > TARGET
        whole.append((scores >= threshold).mean())
        ladder = sequence.over_the_pool(scores, 500, TARGET, 0.05)
        outcome = sequence.attempt(
            scores[drawn], losses, np.zeros(500, int), ladder, target=TARGET, delta=0.1, number=1
        )
        each.append((scores >= outcome.threshold).mean() if outcome.passed else 0.0)
    assert broken / trials <= binom.ppf(0.999, trials, 0.05) / trials
    assert np.mean(whole) > np.mean(each)
