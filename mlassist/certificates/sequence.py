"""Fixed-sequence testing (Learn then Test, arXiv 2110.01052) on labels drawn from the whole pool.

Candidate thresholds are fixed by pool scores alone and tested from the surest region outwards; the first
failure ends the test.
"""

from dataclasses import dataclass, field

import numpy as np

from mlassist.certificates.bounds import alpha, fewest, loss_bound
from mlassist.certificates.guards import worse_classes

STEP = 0.025  # of the pool, between candidate thresholds


def needed(target: float, delta: float, attempt: int) -> int:
    """Return how many blind labels the attempt must have."""
    return 4 * fewest(target, alpha(delta, attempt))


@dataclass(frozen=True, slots=True)
class Ladder:
    """Nested regions in the order of their tests: falling thresholds, growing shares of the pool."""

    thresholds: np.ndarray
    coverages: np.ndarray


def coverages(n: int, shortest: int) -> np.ndarray:
    """Return the shares of the pool to test, from the surest outwards; empty when n is too small."""
    if n < 1.6 * shortest:
        return np.empty(0)
    first = min(max(n / 4, 1.6 * shortest), 4 * shortest) / n
    return np.append(np.arange(first, 1.0 - STEP / 2, STEP), 1.0)


def over_the_pool(pool_scores: np.ndarray, n: int, target: float, spent: float) -> Ladder:
    """Return the regions to test with `n` labels drawn from the whole pool; none when n is too small.

    The pool alone decides, so that the order does not depend on the labels.
    """
    shares = coverages(n, fewest(target, spent))
    falling = np.sort(pool_scores)[::-1]
    thresholds = falling[np.maximum(1, np.floor(shares * len(falling)).astype(int)) - 1]
    possible = np.isfinite(thresholds)
    return Ladder(thresholds[possible], shares[possible])


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
    """What an attempt found; without a threshold it certifies nothing.

    `whole_set`: the bound is of the wrong labels among all images, not among the accepted ones.
    `fractional`: losses are 1 - F1 of an image's classes, not right or wrong.
    """

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
    whole_set: bool = False
    fractional: bool = False

    @property
    def passed(self) -> bool:
        return self.threshold is not None

    def take_last_passed(self) -> None:
        passed = [step for step in self.steps if step.passed]
        if passed:
            last = passed[-1]
            self.threshold, self.n, self.errors, self.bound = last.threshold, last.n, last.errors, last.bound

    def prove_all(self, ladder: Ladder, losses: np.ndarray, bound: float) -> None:
        """Accept the largest region, which evidence of another kind has proved."""
        threshold, coverage = float(ladder.thresholds[-1]), float(ladder.coverages[-1])
        self.steps = [Step(round(coverage, 4), threshold, len(losses), int((losses > 0).sum()), bound, True)]
        self.take_last_passed()

    @property
    def sentence(self) -> str:
        right, sure = percent(1 - self.target), percent(1 - self.delta)
        what = "in agreement with people (F1)" if self.fractional else "correct"
        if not self.passed:
            part = "that any part may be left to the model" if self.whole_set else (
                f"that any sure enough part of the pool is at least {right} {what}"
            )  # fmt: skip
            return f"Not certified: {self.n_validation} blind labels do not show {part}."
        errors = f" with {self.errors} {'error' if self.errors == 1 else 'errors'}"
        if self.fractional:
            count = self.errors or "none"
            errors = f", of which {count} {'differ' if self.errors > 1 else 'differs'} at all"
        if self.whole_set:
            return (
                f"All labels together are at least {right} {what} with {sure} confidence,"
                f" from {self.n_validation} blind labels{errors} where the model labels."
            )
        return f"At least {right} {what} with {sure} confidence, from {self.n} blind labels{errors}."


def percent(share: float) -> str:
    return f"{100 * share:.4g} %"


def climb(scores: np.ndarray, losses: np.ndarray, ladder: Ladder, target: float, spent: float) -> list[Step]:
    """Return the tested regions up to the first that fails.

    `scores` and `losses` (0 to 1, in random order) belong to labels drawn evenly from the largest region.
    """
    steps = []
    for threshold, coverage in zip(ladder.thresholds.tolist(), ladder.coverages.tolist(), strict=True):
        within = losses[scores >= threshold]
        bound = loss_bound(within, spent)
        errors = int((within > 0).sum())
        steps.append(Step(round(coverage, 4), threshold, len(within), errors, bound, bound <= target))
        if bound > target:
            break
    return steps


def attempt(
    scores: np.ndarray,
    losses: np.ndarray,
    predicted: np.ndarray,
    ladder: Ladder,
    *,
    target: float,
    delta: float,
    number: int,
    blocked: dict[int, str] | None = None,
    share: float = 1.0,
) -> Outcome:
    """Test how far down the scores predictions can be accepted.

    `scores`, `losses`, `predicted` (class columns) belong to the blind labels. `blocked` classes (guarded
    from training data alone) have to be left out of labels and ladder by giving them a score of -inf.
    `share` is the part of the attempt's budget that this test may spend.
    """
    spent = share * alpha(delta, number)
    steps = climb(scores, losses, ladder, target, spent)
    outcome = Outcome(number, target, delta, spent, len(scores), steps, blocked=dict(blocked or {}))
    outcome.fractional = bool((losses % 1 > 0).any())
    outcome.take_last_passed()
    if outcome.passed and not outcome.fractional:
        inside = scores >= outcome.threshold
        outcome.blocked.update(worse_classes(losses[inside] > 0, predicted[inside], target))
    return outcome
