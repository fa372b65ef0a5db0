"""Fixed-sequence testing (Learn then Test, arXiv 2110.01052) on labels drawn from the whole pool.

Candidate thresholds are fixed by pool scores alone and tested from the surest region outwards; the first
failure ends the test.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from mlassist.certificates.bounds import alpha, fewest, upper_bound
from mlassist.certificates.guards import worse_classes

STEP = 0.025  # of the pool, between candidate thresholds


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
