"""What the next attempt may bring, judged by training data alone."""

import math
from dataclasses import dataclass

import numpy as np

from mlassist.certificates import regions
from mlassist.certificates.sequence import Ladder, over_the_pool

MOST_LABELS = 20_000
WORTH_TRYING = 0.5  # chance of success that an attempt is spent on


@dataclass(frozen=True, slots=True)
class Prospects:
    """What training labels promise: losses and scores of out-of-fold predictions, and the pool's scores.

    `expected` is the error that they predict among the surest 1, 2, … of the pool.
    """

    losses: np.ndarray
    scores: np.ndarray
    pool_scores: np.ndarray
    target: float
    expected: np.ndarray

    @classmethod
    def of(
        cls, losses: np.ndarray, scores: np.ndarray, pool_scores: np.ndarray, target: float
    ) -> "Prospects":
        expected = regions.expected_error(losses, scores, pool_scores, target)
        return cls(losses, scores, pool_scores, target, expected)

    def rate(self, threshold: float, share: float) -> float:
        """Return the error to expect above a threshold.

        That of the labels there, or what is predicted for the pool's images there: the labels were asked
        because the model was unsure, and the prediction is too coarse for the surest images.
        """
        sure = self.scores >= threshold
        among_labels = (float(self.losses[sure].sum()) + 0.5) / (int(sure.sum()) + 1)
        if not len(self.expected):
            return among_labels
        size = min(max(1, int(share * len(self.pool_scores))), len(self.expected))
        return min(among_labels, float(self.expected[size - 1]))

    def chances(self, ladder: Ladder, n: int, spent: float) -> np.ndarray:
        """Return how likely each region of a ladder passes with `n` labels drawn from the whole pool."""
        both = zip(ladder.thresholds.tolist(), ladder.coverages.tolist(), strict=True)
        return np.array(
            [
                regions.chance_to_pass(share, self.rate(threshold, share), n, self.target, spent)
                for threshold, share in both
            ]
        )

    def ladder(self, n: int, spent: float) -> tuple[Ladder, float]:
        """Return (the regions to test with `n` labels from the whole pool, the chance that any passes).

        The test begins with the region that is likeliest to pass: in the surest ones there may be too few
        labels to forgive a single error. Training labels alone choose it, so it is fixed before the test.
        """
        whole = over_the_pool(self.pool_scores, n, self.target, spent)
        if not len(whole.coverages) or not len(self.scores):
            return whole, 0.0
        found = self.chances(whole, n, spent)
        first = int(np.argmax(found))
        return Ladder(whole.thresholds[first:], whole.coverages[first:]), float(found[first])

    def labels_to_succeed(self, n: int, spent: float) -> int | None:
        """Return about how many blind labels in all would make an attempt worth trying with this model.

        None when the surest part is too often wrong for any sensible number to help.
        """
        while n < MOST_LABELS:
            if self.ladder(n, spent)[1] >= WORTH_TRYING:
                return n
            n = math.ceil(1.1 * n)
        return None
