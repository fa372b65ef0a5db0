"""The audit's bets: how seldom they err, how soon they tell, and how many labels they are made on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlassist import audits

TARGET = 0.05
LONG = 3_000
losses = st.lists(st.floats(0, 1), max_size=200)
targets = st.floats(0.01, 0.3)


def draws(rng, kind, mean, count=LONG):
    """Return losses of that mean: all or nothing, or fractions as F1 gives them."""
    if kind == "all or nothing":
        return (rng.random(count) < mean).astype(float)
    return np.where(rng.random(count) < 2 * mean, rng.uniform(0, 1, count), 0.0)


@pytest.mark.parametrize("kind", ["all or nothing", "fractions"])
def test_bets_seldom_win_against_what_is_true_however_long_one_looks(kind):
    rng = np.random.default_rng(5)
    streams = [draws(rng, kind, TARGET).tolist() for _ in range(400)]
    limit = 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)
    assert np.mean([audits.alarm(each, TARGET) >= audits.ALARM for each in streams]) <= limit
    assert np.mean([audits.proof(each, TARGET) >= 20 for each in streams]) <= limit


def test_the_alarm_is_loud_when_labels_are_twice_as_wrong_as_allowed():
    rng = np.random.default_rng(6)
    loud = [audits.alarm(draws(rng, "all or nothing", 2 * TARGET, 600).tolist(), TARGET) for _ in range(100)]
    assert np.mean(np.array(loud) >= audits.ALARM) >= 0.95


def test_good_labels_prove_the_target_by_themselves():
    rng = np.random.default_rng(7)
    good = [audits.proof(draws(rng, "all or nothing", TARGET / 5, 400).tolist(), TARGET) for _ in range(100)]
    assert np.mean(np.array(good) >= 20) >= 0.95


def test_the_rates_that_are_excluded_hold_the_true_one_at_every_moment():
    rng = np.random.default_rng(8)
    broken = 0
    for _ in range(150):
        stream = draws(rng, "all or nothing", 0.1, 400).tolist()
        looks = [audits.excluded_above(stream[:count], 0.95) for count in (10, 30, 60, 120, 250, 400)]
        assert looks == sorted(looks, reverse=True)
        broken += min(looks) < 0.1
    assert broken / 150 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 150)


@given(losses, targets, st.floats(0.8, 0.99))
def test_what_is_still_needed_completes_the_proof_and_one_less_does_not(given_losses, target, confidence):
    left = audits.still_needed(given_losses, target, confidence)
    wanted = (1 - 1e-9) / (1 - confidence)
    assert audits.proof(given_losses + [0.0] * left, target) >= wanted
    if left > 1:
        assert audits.proof(given_losses + [0.0] * (left - 2), target) < wanted


@given(losses, targets)
def test_an_error_more_never_speaks_for_the_labels(given_losses, target):
    worse = [*given_losses, 1.0]
    assert audits.alarm(worse, target) >= audits.alarm(given_losses, target)
    assert audits.still_needed(worse, target, 0.95) >= audits.still_needed(given_losses, target, 0.95)


@given(st.integers(0, 100_000), st.integers(0, 3_000), st.integers(0, 100), st.booleans())
def test_draws_follow_what_is_made_and_go_on_every_day(made, asked, waiting, rested):
    asked = min(asked, made)
    more = audits.due(made, asked, min(waiting, asked), rested=rested)
    assert 0 <= more <= made - asked
    if made >= 100:
        assert asked + more >= min(20, made)
        assert asked + more >= 0.02 * made
    if rested and made - asked >= 20:
        assert more + min(waiting, asked) >= 20
    if not rested and asked >= 0.02 * made + 20:
        assert more == 0
