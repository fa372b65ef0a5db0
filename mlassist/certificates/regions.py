"""Regions: where a certificate would hold, predicted from training labels, and proved on labels from there.

Labels drawn from the whole pool mostly fall outside of what a model is sure of. Drawn from the region alone,
each of them counts: a region of 15 % of the pool costs a seventh of the labels. No blind label has a say in
which region it is, so that blind labels that fall into it may be counted as well.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr, bdtrik

from mlassist.certificates.bounds import fewest
from mlassist.certificates.sequence import Ladder

RUNGS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)  # shares of the region, tested from the surest outwards
PROMISING = 0.8  # times the target: the predicted error up to which a region is worth its labels
BIN = 50  # labels that predict the error at one score
PRIOR_WEIGHT = 5  # labels that each bin's error is held back by, towards the target
CHANCE = 0.85  # of proving a part of the region, that the number of labels is chosen for
WORTH = 2.0  # images that must be gained for each label
MOST_LABELS = 3_000


@dataclass(frozen=True, slots=True)
class Region:
    """The ladder of regions within one, and the error that training labels predict within each."""

    ladder: Ladder
    expected: np.ndarray


def expected_error(
    losses: np.ndarray, scores: np.ndarray, pool_scores: np.ndarray, target: float
) -> np.ndarray:
    """Return the error that training labels predict among the surest 1, 2, … of the pool's finite scores."""
    falling = np.sort(pool_scores[np.isfinite(pool_scores)])[::-1]
    usable = np.isfinite(scores)
    if not len(falling) or not usable.any():
        return np.empty(0)
    error = predicted_error(losses[usable], scores[usable], falling, target)
    return np.cumsum(error) / np.arange(1, len(error) + 1)


def candidate(
    losses: np.ndarray, scores: np.ndarray, pool_scores: np.ndarray, target: float
) -> Region | None:
    """Return the largest region that is likely to keep the target; None without one.

    `losses` and `scores` are out-of-fold predictions on training labels. Labels that were asked because the
    model was unsure crowd at low scores, so the error is predicted per score and averaged over the pool's.
    """
    mean = expected_error(losses, scores, pool_scores, target)
    good = np.flatnonzero(mean <= PROMISING * target)
    if not len(good):
        return None
    falling = np.sort(pool_scores)[::-1]
    sizes = np.maximum(1, np.floor(np.array(RUNGS) * (good[-1] + 1))).astype(int)
    return Region(Ladder(falling[sizes - 1], sizes / len(pool_scores)), mean[sizes - 1])


def predicted_error(losses: np.ndarray, scores: np.ndarray, falling: np.ndarray, target: float) -> np.ndarray:
    """Return the expected loss at each of some falling scores: it never falls along with them."""
    order = np.argsort(-scores, kind="stable")
    bins = np.array_split(order, max(1, len(order) // BIN))
    means = np.array(
        [(losses[each].sum() + PRIOR_WEIGHT * target) / (len(each) + PRIOR_WEIGHT) for each in bins]
    )
    sizes = np.array([len(each) for each in bins], float)
    return np.interp(-falling, [-scores[each].mean() for each in bins], rising(means, sizes))


def rising(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the nearest sequence that never falls, by pooling neighbours that do."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        mean, total, count = value, weight, 1
        while blocks and blocks[-1][0] > mean:
            before, theirs, more = blocks.pop()
            mean = (mean * total + before * theirs) / (total + theirs)
            total, count = total + theirs, count + more
        blocks.append((mean, total, count))
    return np.concatenate([np.full(count, mean) for mean, _, count in blocks])


@dataclass(frozen=True, slots=True)
class Planned:
    """The rungs of a region to test, and how many labels to draw from all of it."""

    region: Region
    labels: int


def plan(region: Region, images: int, target: float, spent: float) -> Planned | None:
    """Return which rungs to test with how many labels from the region, which has so many unlabeled images.

    As many as are likely to prove that part of it which gains most images for its labels. The test begins
    with the rung that is likeliest to pass on them: within it there may be too few. None when the region is
    so near to the target, or so small, that no number pays.
    """
    best, gain = None, 0.0
    rungs = list(zip(RUNGS, region.expected.tolist(), strict=True))
    for rung, (share, rate) in enumerate(rungs):
        count = likely_to_pass(share, rate, target, spent)
        gained = CHANCE * share * images - WORTH * count if count is not None else 0.0
        if count is not None and gained > gain:
            chances = [chance_to_pass(*each, count, target, spent) for each in rungs[: rung + 1]]
            first = int(np.argmax(chances))
            ladder = Ladder(region.ladder.thresholds[first:], region.ladder.coverages[first:])
            best, gain = Planned(Region(ladder, region.expected[first:]), count), gained
    return best


def likely_to_pass(share: float, rate: float, target: float, spent: float) -> int | None:
    """Return how many labels drawn from a region prove a share of it that is wrong at this rate."""
    count = math.ceil(fewest(target, spent) / share)
    while count <= MOST_LABELS:
        if chance_to_pass(share, rate, count, target, spent) >= CHANCE:
            return count
        count = math.ceil(1.1 * count)
    return None


def chance_to_pass(share: float, rate: float, count: int, target: float, spent: float) -> float:
    """Return how likely so many labels drawn from a region prove a share of it that is wrong at this rate."""
    inside = int(share * count)
    allowed = most_errors(inside, target, spent)
    return float(bdtr(allowed, inside, rate)) if allowed >= 0 else 0.0


def most_errors(n: int, target: float, spent: float) -> int:
    """Return with how many errors among n labels the target is still proved; -1 if with none."""
    if n <= 0:
        return -1
    # The exact bound keeps the target as long as so few errors are this unlikely at it.
    allowed = min(int(np.nan_to_num(bdtrik(spent, n, target), nan=-1.0)) + 1, n - 1)
    while allowed >= 0 and bdtr(allowed, n, target) > spent:
        allowed -= 1
    return allowed
