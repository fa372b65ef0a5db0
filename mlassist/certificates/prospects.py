"""What the next attempt may bring, judged by training data alone."""

import math

import numpy as np
from scipy.special import bdtr

from mlassist.certificates.bounds import fewest, upper_bound
from mlassist.certificates.sequence import coverages

MOST_LABELS = 20_000
WORTH_TRYING = 0.5  # chance of success that an attempt is spent on


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
