"""What the next attempt may bring, judged by training data alone."""

import math

import numpy as np

from mlassist.certificates.regions import chance_to_pass
from mlassist.certificates.sequence import Ladder, over_the_pool

MOST_LABELS = 20_000
WORTH_TRYING = 0.5  # chance of success that an attempt is spent on


def chances(
    ladder: Ladder, expected: np.ndarray, pool: int, n: int, target: float, spent: float
) -> np.ndarray:
    """Return how likely each region of a ladder over the pool passes with `n` labels drawn from all of it.

    `expected` is the error that training labels predict among the surest 1, 2, … of `pool` images.
    """
    if not len(expected):
        return np.zeros(len(ladder.coverages))
    sizes = np.clip((ladder.coverages * pool).astype(int), 1, len(expected))
    return np.array(
        [
            chance_to_pass(share, rate, n, target, spent)
            for share, rate in zip(ladder.coverages.tolist(), expected[sizes - 1].tolist(), strict=True)
        ]
    )


def ladder(
    pool_scores: np.ndarray, expected: np.ndarray, n: int, target: float, spent: float
) -> tuple[Ladder, float]:
    """Return (the regions to test with `n` labels drawn from the whole pool, the chance that any passes).

    The test begins with the region that is likeliest to pass: in the surest ones there may be too few labels
    to forgive a single error. Training labels alone choose it, so it is fixed before the test.
    """
    whole = over_the_pool(pool_scores, n, target, spent)
    if not len(whole.coverages):
        return whole, 0.0
    found = chances(whole, expected, len(pool_scores), n, target, spent)
    first = int(np.argmax(found))
    return Ladder(whole.thresholds[first:], whole.coverages[first:]), float(found[first])


def labels_to_succeed(
    pool_scores: np.ndarray, expected: np.ndarray, n: int, target: float, spent: float
) -> int | None:
    """Return about how many blind labels in all would make an attempt worth trying with this model.

    None when the surest part is too often wrong for any sensible number to help.
    """
    while n < MOST_LABELS:
        if ladder(pool_scores, expected, n, target, spent)[1] >= WORTH_TRYING:
            return n
        n = math.ceil(1.1 * n)
    return None
