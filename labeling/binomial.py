"""What a random sample of reviewed labels proves about their error rate: exact, by the binomial. Pure.

The bound is Clopper and Pearson's (1934): the largest rate at which so few errors would still be seen in one
of 1 / (1 - confidence) samples. Without SciPy: a page needs a handful of these, not a slow import.
"""

from math import exp, lgamma, log, log1p

MOST = 1_000_000  # reviews that anybody could be asked for


def tail(errors: int, n: int, rate: float) -> float:
    """Return the probability of at most so many errors among n."""
    if rate <= 0 or errors >= n:
        return 1.0
    if rate >= 1:
        return 0.0
    yes, no = log(rate), log1p(-rate)
    every = lgamma(n + 1)
    terms = (
        exp(every - lgamma(k + 1) - lgamma(n - k + 1) + k * yes + (n - k) * no) for k in range(errors + 1)
    )
    return min(1.0, sum(terms))


def upper_bound(errors: int, n: int, confidence: float = 0.95) -> float:
    """Return the error rate that is not exceeded, with that confidence."""
    if errors >= n:
        return 1.0
    low, high = errors / n, 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if tail(errors, n, middle) > 1 - confidence else (low, middle)
    return high


def more_needed(errors: int, n: int, target: float, confidence: float = 0.95) -> int:
    """Return how many more reviews prove a target if they find no error; 0 when it is proved."""

    def proves(more: int) -> bool:
        return n + more > errors and tail(errors, n + more, target) <= 1 - confidence

    if proves(0):
        return 0
    most = 1
    while not proves(most):
        most *= 2
        if most > MOST:
            return MOST
    least = most // 2
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (least, middle) if proves(middle) else (middle, most)
    return most
