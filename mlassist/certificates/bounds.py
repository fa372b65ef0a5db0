"""What a sample proves about an error rate or a mean loss, and what a project may spend on proving."""

import math

import numpy as np
from scipy.special import betaincinv

MOST_ATTEMPTS = 4
GROWTH = 1.5  # blind or training labels must have grown this much before another attempt


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


def loss_bound(losses: np.ndarray, spent: float) -> float:
    """Return an upper bound of the mean of losses in 0 to 1, right with probability 1 - spent.

    Exact for losses that are 0 or 1. Others are bet on in their order, which must be left to chance.
    """
    if not len(losses):
        return 1.0
    if np.isin(losses, (0, 1)).all():
        return upper_bound(int(losses.sum()), len(losses), spent)
    low, high = float(losses.mean()), 1.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if fortune(losses, middle, spent) >= 1 / spent else (middle, high)
    return high


def fortune(losses: np.ndarray, target: float, spent: float) -> float:
    """Return the most that betting against "the mean loss is target or more" has come to.

    While that claim is true, the chance that it ever reaches 1 / spent is at most spent (Waudby-Smith and
    Ramdas, arXiv 2010.09686). Each stake depends on the losses before it alone.
    """
    count = np.arange(1, len(losses) + 1)
    means = (0.5 + np.cumsum(losses)) / (count + 1)
    variances = (0.25 + np.cumsum((losses - means) ** 2)) / (count + 1)
    before = np.concatenate([[0.25], variances[:-1]])
    stakes = np.minimum(np.sqrt(2 * math.log(1 / spent) / (len(losses) * before)), 0.75 / (1 - target))
    return float(np.exp(np.cumsum(np.log1p(-stakes * (losses - target))).max()))
