"""Certificates: which predictions may be trusted, decided by a test that keeps its promise.

Fixed-sequence testing (Learn then Test) with exact Clopper-Pearson bounds: candidate thresholds are
fixed by pool scores alone, tested from the surest region outwards, and the first failure stops the
test. Each attempt k spends δ/(k(k+1)) of the error budget δ, so all attempts together keep to δ.
Scores are only compared: the promise holds however badly they are calibrated.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from scipy.special import bdtr, betaincinv

STEP = 0.025  # of the pool, between candidate thresholds
MOST_ATTEMPTS = 4
GROWTH = 1.5  # blind or training labels must have grown this much before another attempt
MOST_LABELS = 20_000
WORTH_TRYING = 0.5  # chance of success that an attempt is spent on
FEWEST_LABELS = 10  # a class with fewer training labels is not accepted
PRIOR_WEIGHT = 20  # pseudo-observations at the target error when a class's error is judged
GUARD_CONFIDENCE = 0.9


def alpha(delta: float, attempt: int) -> float:
    """Return what the attempt (1, 2, …) may spend of the error budget."""
    return delta / (attempt * (attempt + 1))


def fewest(target: float, spent: float) -> int:
    """Return how many labels without any error are needed to prove a target."""
    return math.ceil(math.log(spent) / math.log(1 - target))


def upper_bound(errors: int, n: int, spent: float) -> float:
    """Return the Clopper-Pearson upper bound of an error rate, right with probability 1 - spent."""
    return 1.0 if errors >= n else float(betaincinv(errors + 1, n - errors, 1 - spent))


def lower_bound(errors: int, n: int, spent: float) -> float:
    """Return the Clopper-Pearson lower bound of an error rate."""
    return 0.0 if errors == 0 else float(betaincinv(errors, n - errors + 1, spent))


def needed(target: float, delta: float, attempt: int) -> int:
    """Return how many blind labels the attempt must have."""
    return 4 * fewest(target, alpha(delta, attempt))


def coverages(n: int, shortest: int) -> np.ndarray:
    """Return the shares of the pool to test, from the surest outwards; empty when n is too small."""
    if n < 1.6 * shortest:
        return np.empty(0)
    first = min(max(n / 4, 1.6 * shortest), 4 * shortest) / n
    return np.append(np.arange(first, 1.0, STEP), 1.0)


@dataclass(frozen=True, slots=True)
class Step:
    coverage: float
    threshold: float
    n: int
    errors: int
    bound: float
    passed: bool


@dataclass(slots=True)
class Outcome:
    """What an attempt found; without a threshold it certifies nothing."""

    attempt: int
    target: float
    delta: float
    alpha: float
    n_validation: int
    steps: list[Step] = field(default_factory=list)
    threshold: float | None = None
    n: int = 0
    errors: int = 0
    bound: float | None = None
    blocked: dict[int, str] = field(default_factory=dict)  # class column -> why

    @property
    def passed(self) -> bool:
        return self.threshold is not None

    @property
    def sentence(self) -> str:
        right, sure = percent(1 - self.target), percent(1 - self.delta)
        if not self.passed:
            return (
                f"Not certified: {self.n_validation} blind labels do not show that any sure enough part"
                f" of the pool is at least {right} correct."
            )
        return (
            f"At least {right} correct with {sure} confidence,"
            f" from {self.n} blind labels with {self.errors} {'error' if self.errors == 1 else 'errors'}."
        )


def percent(share: float) -> str:
    return f"{100 * share:.4g} %"


def attempt(
    scores: np.ndarray,
    wrong: np.ndarray,
    predicted: np.ndarray,
    pool_scores: np.ndarray,
    *,
    target: float,
    delta: float,
    number: int,
    blocked: dict[int, str] | None = None,
) -> Outcome:
    """Test how far down the scores predictions can be accepted.

    `scores`, `wrong`, `predicted` (class columns) belong to the blind labels; `pool_scores` to the
    pool they were drawn from. `blocked` classes (guarded from training data alone) have to be left
    out of all of them by giving them a score of -inf.
    """
    spent = alpha(delta, number)
    outcome = Outcome(number, target, delta, spent, len(scores), blocked=dict(blocked or {}))
    ordered = np.sort(pool_scores)
    for coverage in coverages(len(scores), fewest(target, spent)):
        threshold = float(ordered[len(ordered) - max(1, math.floor(coverage * len(ordered)))])
        if not math.isfinite(threshold):
            break
        inside = scores >= threshold
        n, errors = int(inside.sum()), int(wrong[inside].sum())
        bound = upper_bound(errors, n, spent)
        outcome.steps.append(Step(round(float(coverage), 4), threshold, n, errors, bound, bound <= target))
        if bound > target:
            break
        outcome.threshold, outcome.n, outcome.errors, outcome.bound = threshold, n, errors, bound
    if outcome.passed:
        inside = scores >= outcome.threshold
        outcome.blocked.update(worse_classes(wrong[inside], predicted[inside], target))
    return outcome


def worse_classes(wrong: np.ndarray, predicted: np.ndarray, target: float) -> dict[int, str]:
    """Return accepted classes whose error is surely above the target; leaving them out helps the rest."""
    found = {}
    for column in np.unique(predicted):
        of_class = predicted == column
        n, errors = int(of_class.sum()), int(wrong[of_class].sum())
        if lower_bound(errors, n, 1 - GUARD_CONFIDENCE) > target:
            found[int(column)] = f"{errors} of {n} blind labels were wrong"
    return found


def guard(
    label_counts: np.ndarray, confident_n: np.ndarray, confident_errors: np.ndarray, target: float
) -> dict[int, str]:
    """Return the classes to leave out before the test, judged by training data alone, and why.

    All arrays have one value per class: training labels, confident out-of-fold predictions, and how
    many of those were wrong. Blind labels have no say here: whatever they choose, they cannot test.
    """
    found = {}
    for column, labels in enumerate(label_counts):
        guess = (confident_errors[column] + PRIOR_WEIGHT * target) / (confident_n[column] + PRIOR_WEIGHT)
        if labels < FEWEST_LABELS:
            found[column] = f"only {int(labels)} labels to learn from"
        elif guess > 2 * target:
            found[column] = "too often wrong on labels it was not trained on"
    return found


def chance_to_pass(
    wrong: np.ndarray, scores: np.ndarray, pool_scores: np.ndarray, n: int, target: float, spent: float
) -> float:
    """Return how likely an attempt with `n` blind labels certifies anything, judged by training data alone.

    `wrong` and `scores` are out-of-fold predictions; the error above the first threshold is theirs.
    """
    shares = coverages(n, fewest(target, spent))
    if not len(shares) or not len(scores):
        return 0.0
    threshold = np.quantile(pool_scores, 1 - shares[0], method="higher")
    if not np.isfinite(threshold):
        return 0.0
    sure = scores >= threshold
    rate = (float(wrong[sure].sum()) + 0.5) / (int(sure.sum()) + 1)
    inside = int(shares[0] * n)
    allowed = -1
    while upper_bound(allowed + 1, inside, spent) <= target:
        allowed += 1
    return float(bdtr(allowed, inside, rate)) if allowed >= 0 else 0.0


def labels_to_succeed(
    wrong: np.ndarray,
    scores: np.ndarray,
    pool_scores: np.ndarray,
    n: int,
    target: float,
    spent: float,
) -> int | None:
    """Return about how many blind labels in all would make an attempt worth trying with this model.

    None when the surest part is too often wrong for any sensible number to help.
    """
    while n < MOST_LABELS:
        if chance_to_pass(wrong, scores, pool_scores, n, target, spent) >= WORTH_TRYING:
            return n
        n = math.ceil(1.1 * n)
    return None
