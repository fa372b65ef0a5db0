"""Proof that may stop at any time: evidence that grows with each label and never has to be paid back.

An e-process (Ramdas et al. 2023, arXiv 2210.01948): while the mean loss is the target or more, the chance
that the evidence ever reaches 1 / spent is at most spent, however often one looks.
"""

import math

import numpy as np

STAKES = (0.45, 0.75)  # bold bets win sooner when there are no errors, careful ones when there are some


def evidence(losses: np.ndarray, target: float) -> np.ndarray:
    """Return the evidence after each loss (0 to 1) that their mean is below the target."""
    growth = [np.cumsum(np.log1p(-stake * (losses - target))) for stake in STAKES]
    return np.exp(np.logaddexp(*growth) - math.log(len(STAKES)))


def bound(losses: np.ndarray, spent: float) -> float:
    """Return an upper bound of the mean loss that holds at all times together with probability 1 - spent."""
    low, high = 0.0, 1.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        proved = len(losses) > 0 and float(evidence(losses, middle).max()) >= 1 / spent
        low, high = (low, middle) if proved else (middle, high)
    return high
