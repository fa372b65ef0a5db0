"""What a head is worth on rows it has not learned from, and the temperature of its probabilities."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mlassist.heads.linear import Linear

CALIBRATABLE = 50  # out-of-fold predictions from which a confidence may be relied on
FEWEST_JUDGED = 10
UNCALIBRATED = 1.5  # temperature when there is too little to measure one
COOLEST, HOTTEST = 0.03, 80.0
CELLS = 1_000_000  # scores are plenty to measure a temperature
LOPSIDED = 1.5  # how much more labels than another a class has, for the difference to matter
WEIGHTS = (0.25, 0.5, 0.75)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A kind of head with its out-of-fold scores and how good they are.

    `loss` is the mean negative log-likelihood; `cost` is what candidates are compared by. `fit` learns
    from all rows.
    """

    name: str
    fit: Callable[[], Linear]
    scores: np.ndarray
    temperature: float
    loss: float
    cost: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Judge:
    """Compares candidates on the chosen rows.

    Active learning and people's habits give labels that are lopsided in other ways than the pool, and the
    blind labels, which would tell, must have no say before the test. So for several exclusive classes the
    cost is the mean of the loss as it is and of the loss with every class weighing the same: what is best
    by the first alone gives up rare classes, by the second alone common ones.
    """

    targets: np.ndarray
    rows: np.ndarray
    multilabel: bool
    held_out: bool = True
    caution: float = 1.0  # factor of measured temperatures

    @classmethod
    def of(cls, targets: np.ndarray, folds: np.ndarray, chosen: np.ndarray, multilabel: bool) -> "Judge":
        """Return a judge by the chosen rows, (n,) bool; with too few of them by all, but never sure."""
        if not folds.max():
            return cls(targets, np.ones(len(targets), bool), multilabel, held_out=False)
        # Held out, the only example of a class shows nothing of a head that will have learned from it.
        usable = np.ones(len(targets), bool) if multilabel else targets @ (targets.sum(0) >= 2) > 0
        if (chosen & usable).sum() < FEWEST_JUDGED:
            # Easy rows can still tell kinds of heads apart, but not how sure one may be.
            return cls(targets, usable, multilabel, caution=UNCALIBRATED)
        return cls(targets, chosen & usable, multilabel)

    def candidate(
        self, name: str, fit: Callable[[], Linear], scores: np.ndarray, temperature: float | None = None
    ) -> Candidate:
        own, targets = scores[self.rows], self.targets[self.rows]
        if temperature is None:
            temperature = UNCALIBRATED
            if self.held_out:
                temperature = self.caution * best_temperature(own, targets, self.multilabel)
        losses = log_losses(own / temperature, targets, self.multilabel)
        plain = float(losses.mean())
        cost = plain if self.multilabel else (plain + balanced_mean(losses, targets)) / 2
        return Candidate(
            name, fit, scores, temperature, plain, cost, share_right(own, targets, self.multilabel)
        )

    def blend(self, first: Candidate, second: Candidate) -> Candidate:
        """Return the best weighted sum of the calibrated scores of two, which err differently."""

        def mixed(share: float) -> Candidate:
            parts = ((share / first.temperature, first), ((1 - share) / second.temperature, second))

            def fit() -> Linear:
                maps = [(weight, each.fit()) for weight, each in parts]
                return (
                    np.sum([weight * weights for weight, (weights, _) in maps], axis=0),
                    np.sum([weight * bias for weight, (_, bias) in maps], axis=0),
                )

            scores = sum((weight * each.scores for weight, each in parts), np.zeros(1, np.float32))
            return self.candidate(f"{share:.0%} {first.name} + {1 - share:.0%} {second.name}", fit, scores)

        return min(map(mixed, WEIGHTS), key=lambda each: each.cost)

    def levelled(self, one: Candidate) -> Candidate | None:
        """Return a candidate as if all classes had equally many labels; None where they nearly have.

        Logit adjustment (Menon et al. 2021, arXiv 2007.07314): minus the log of the classes' shares.
        """
        sizes = self.targets.sum(0) + 1
        if self.multilabel or not self.held_out or sizes.max() < LOPSIDED * sizes.min():
            return None
        shift = (-one.temperature * np.log(sizes / sizes.mean())).astype(np.float32)

        def fit() -> Linear:
            weights, bias = one.fit()
            return weights, bias + shift

        return self.candidate(f"{one.name}, levelled", fit, one.scores + shift, one.temperature)


def share_right(scores: np.ndarray, targets: np.ndarray, multilabel: bool) -> float:
    """Return the share of rows whose whole answer is right."""
    if multilabel:
        return float(((scores >= 0) == (targets > 0)).all(1).mean())
    return float(targets[np.arange(len(targets)), scores.argmax(1)].mean())


def log_losses(scores: np.ndarray, targets: np.ndarray, multilabel: bool) -> np.ndarray:
    """Return the negative log-likelihood of each row, (n,)."""
    if multilabel:
        return (np.logaddexp(0, scores) - targets * scores).sum(1)
    top = scores.max(1, keepdims=True)
    return np.log(np.exp(scores - top).sum(1)) + top[:, 0] - np.einsum("nk,nk->n", scores, targets)


def balanced_mean(losses: np.ndarray, targets: np.ndarray) -> float:
    """Return the mean with every class weighing the same, or a little less with very few rows."""
    weights = targets @ (1 / (targets.sum(0) + 1))
    return float(losses @ weights / weights.sum())


def best_temperature(scores: np.ndarray, targets: np.ndarray, multilabel: bool) -> float:
    """Return the most likely temperature between 0.03 and 80, by golden section on its logarithm.

    Its logarithm is normal around that of 1.5 beforehand, with a deviation of one: that holds it where
    rows are few and is nothing beside hundreds.
    """
    step = -(-scores.size // CELLS)
    scores, targets, rows = scores[::step], targets[::step], len(scores)
    low, high = np.log(COOLEST), np.log(HOTTEST)
    ratio = (np.sqrt(5) - 1) / 2

    def cost(at: float) -> float:
        loss = log_losses(scores / np.float32(np.exp(at)), targets, multilabel).mean()
        return rows * float(loss) + 0.5 * (at - np.log(UNCALIBRATED)) ** 2

    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = cost(left), cost(right)
    while high - low > 0.01:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = cost(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = cost(right)
    return float(np.exp((low + high) / 2))
