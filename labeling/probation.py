"""Is a labeler right often enough? A test after each known image, and what is known so far. Pure.

Wald's sequential test between a labeler who is right in 95 % of cases and one who is in 85 %: each miss adds
ln(.15/.05), each hit ln(.85/.95), and the sum ends at 3.8 (too often wrong, a false alarm in 2 % of good
ones) or at -2.3 (good; a bad one passes in 10 %), from where it begins anew.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

MISS, HIT = 1.10, -0.11
FLAG, CLEAR = 3.8, -2.3
GRID = 4_001  # points on which a posterior is summed


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where a labeler's test stands. `flagged`: they err too often; `cleared`: how often they passed."""

    hits: int
    misses: int
    score: float
    flagged: bool
    cleared: int


@dataclass(frozen=True, slots=True)
class Posterior:
    """The chance that a labeler is right, Beta(1 + hits, 1 + misses): its mean and its middle 95 %."""

    mean: float
    low: float
    high: float


def judge(answers: Iterable[bool]) -> Verdict:
    """Return where the test stands after some answers, in their order: was each right?"""
    hits = misses = cleared = 0
    score = 0.0
    for right in answers:
        hits, misses = hits + right, misses + (not right)
        score += HIT if right else MISS
        if score >= FLAG:
            return Verdict(hits, misses, score, True, cleared)
        if score <= CLEAR:
            score, cleared = 0.0, cleared + 1
    return Verdict(hits, misses, score, False, cleared)


def posterior(hits: int, misses: int) -> Posterior:
    """Return what some answers say of a labeler of whom nothing was known before."""
    at = (np.arange(GRID) + 0.5) / GRID
    logs = hits * np.log(at) + misses * np.log1p(-at)
    weights = np.exp(logs - logs.max()).cumsum()
    low, high = np.interp([0.025, 0.975], weights / weights[-1], at)
    return Posterior((1 + hits) / (2 + hits + misses), float(low), float(high))
