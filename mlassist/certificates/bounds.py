"""What a sample proves about an error rate or a mean loss, and what a project may spend on proving."""

import math

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
