import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binom

from mlassist import audits
from mlassist.certificates import bounds, guards, prospects, regions, sequence

TARGET, DELTA = 0.1, 0.05
counts = st.integers(1, 2_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
levels = st.floats(0.001, 0.2)


@given(counts, levels)
def test_upper_bound_is_the_exact_one(count, spent):
    errors, n = count
    exact = 1.0 if errors == n else beta.ppf(1 - spent, errors + 1, n - errors)
    assert bounds.upper_bound(errors, n, spent) == pytest.approx(exact, abs=1e-9)
    # Were the true error the bound, so few errors would have had a chance of `spent`.
    if errors < n:
        assert binom.cdf(errors, n, exact) == pytest.approx(spent, rel=1e-3)


@given(counts, levels)
def test_bound_shrinks_with_fewer_errors_and_more_labels(count, spent):
    errors, n = count
    bound = bounds.upper_bound(errors, n, spent)
    assert bound >= errors / n
    assert bounds.upper_bound(errors, n + 1, spent) <= bound + 1e-12
    if errors:
        assert bounds.upper_bound(errors - 1, n, spent) < bound
    assert bounds.lower_bound(errors, n, spent) <= errors / n


@given(st.floats(0.005, 0.4), levels)
def test_fewest_labels_are_just_enough(target, spent):
    n = bounds.fewest(target, spent)
    assert bounds.upper_bound(0, n, spent) <= target + 1e-9
    assert n == 1 or bounds.upper_bound(0, n - 1, spent) > target - 1e-9


def test_known_sample_sizes():
    assert [bounds.fewest(target, 0.05) for target in (0.1, 0.05, 0.02, 0.01)] == [29, 59, 149, 299]


def test_attempts_together_spend_the_budget():
    spent = [bounds.alpha(DELTA, attempt) for attempt in range(1, 100)]
    assert spent == sorted(spent, reverse=True)
    assert sum(spent) < DELTA


@given(st.integers(1, 3_000), st.integers(5, 300))
def test_coverages_grow_to_the_whole_pool(n, shortest):
    shares = sequence.coverages(n, shortest)
    if n < 1.6 * shortest:
        assert not len(shares)
    else:
        assert shares[-1] == 1
        assert (np.diff(shares) > 0).all()
        assert n * shares[0] >= 1.6 * shortest - 1e-6


def attempt_on(rng, error_at, n=400, pool=20_000, **options):
    """Attempt on a pool whose item of score s is wrong with probability error_at(s)."""
    scores = rng.random(pool)
    wrong = rng.random(pool) < error_at(scores)
    drawn = rng.choice(pool, n, replace=False)
    given = {"target": TARGET, "delta": DELTA, "number": 1} | options
    spent = bounds.alpha(given["delta"], given["number"])
    ladder = sequence.over_the_pool(scores, n, given["target"], spent)
    losses = wrong[drawn].astype(float)
    outcome = sequence.attempt(scores[drawn], losses, np.zeros(n, int), ladder, **given)
    true_error = wrong[scores >= outcome.threshold].mean() if outcome.passed else 0.0
    return outcome, float(true_error)


@pytest.mark.parametrize(
    "error_at",
    [
        lambda s: np.full(len(s), TARGET + 0.001),  # nothing may be certified
        lambda s: 2 * (TARGET + 0.001) * (1 - s),  # only the whole pool is just too wrong
        lambda s: np.where(s > 0.7, 0.0, 0.2),  # safe to begin with, far from it later
    ],
    ids=["flat", "sloping", "cliff"],
)
def test_promise_is_kept_at_the_boundary(error_at):
    rng = np.random.default_rng(7)
    trials = 600
    broken = sum(attempt_on(rng, error_at)[1] > TARGET for _ in range(trials))
    # Attempt 1 may spend DELTA / 2; the rest of the margin is for the luck of 600 trials.
    assert broken / trials <= binom.ppf(0.999, trials, DELTA / 2) / trials


def test_good_model_is_certified():
    outcome, error = attempt_on(np.random.default_rng(1), lambda s: 0.1 * (1 - s))
    assert outcome.passed
    assert error <= TARGET
    assert outcome.bound == bounds.upper_bound(outcome.errors, outcome.n, DELTA / 2)
    assert outcome.sentence.startswith("At least 90 % correct with 95 % confidence, from ")


def test_first_failure_ends_the_test():
    outcome, _ = attempt_on(np.random.default_rng(2), lambda s: np.where(s > 0.6, 0.0, 0.5))
    assert [step.passed for step in outcome.steps] == [True] * (len(outcome.steps) - 1) + [False]
    assert outcome.threshold == outcome.steps[-2].threshold


def test_blocked_classes_are_never_accepted():
    rng = np.random.default_rng(3)
    scores = np.where(np.arange(1_000) % 2, rng.random(1_000), -np.inf)
    drawn = rng.choice(1_000, 400, replace=False)
    ladder = sequence.over_the_pool(scores, 400, TARGET, bounds.alpha(DELTA, 1))
    outcome = sequence.attempt(
        scores[drawn], np.zeros(400), np.zeros(400, int), ladder, target=TARGET, delta=DELTA, number=1
    )
    assert outcome.passed
    assert np.isfinite(scores[scores >= outcome.threshold]).all()


def test_class_that_is_surely_worse_is_left_out():
    wrong = np.array([False] * 80 + [True] * 9 + [False])
    predicted = np.array([0] * 80 + [1] * 10)
    assert list(guards.worse_classes(wrong, predicted, TARGET)) == [1]


def test_guard_looks_at_labels_and_out_of_fold_errors():
    blocked = guards.guard(np.array([50, 4, 50]), np.array([100, 100, 100]), np.array([2, 0, 60]), TARGET)
    assert set(blocked) == {1, 2}


def test_outlook_tells_a_lack_of_labels_from_a_lack_of_accuracy():
    scores = np.random.default_rng(6).random(2_000)

    def more(error):
        wrong = np.random.default_rng(7).random(2_000) < error
        return prospects.Prospects.of(wrong, scores, scores, TARGET).labels_to_succeed(150, DELTA / 2)

    assert more(0.01) == 150
    assert 150 < more(0.06) < 2_000
    assert more(0.2) is None


def test_a_test_begins_where_an_error_is_forgiven():
    scores = np.random.default_rng(6).random(2_000)
    wrong = np.random.default_rng(7).random(2_000) < 0.015
    seen = prospects.Prospects.of(wrong.astype(float), scores, scores, 0.05)
    every = sequence.over_the_pool(scores, 300, 0.05, 0.025)
    ladder, chance = seen.ladder(300, 0.025)
    found = seen.chances(every, 300, 0.025)
    assert found[0] < 0.6 < 0.9 < chance == found.max()
    assert ladder.coverages[0] == every.coverages[found.argmax()] > 2 * every.coverages[0]
    assert ladder.thresholds[-1] == every.thresholds[-1]


@given(st.integers(0, 400), st.floats(0.01, 0.3), st.floats(0.001, 0.05))
def test_as_many_errors_are_forgiven_as_the_exact_bound_forgives(n, target, spent):
    allowed = regions.most_errors(n, target, spent)
    if allowed >= 0:
        assert bounds.upper_bound(allowed, n, spent) <= target + 1e-9
    if allowed + 1 < n:
        assert bounds.upper_bound(allowed + 1, n, spent) > target - 1e-9


def test_alarm_is_quiet_while_the_target_is_kept_and_loud_when_it_is_not():
    rng = np.random.default_rng(5)
    quiet = [audits.alarm(rng.random(1_000) < 0.05, 0.05) for _ in range(400)]
    assert np.mean(np.array(quiet) >= audits.ALARM) <= 0.08
    loud = [audits.alarm(rng.random(1_000) < 0.12, 0.05) for _ in range(50)]
    assert min(loud) >= audits.ALARM
