"""The promise for a whole data set: what people label counts as right, so more may be left to the model.

PAC labels (Candès, Ilyas and Zrnic 2025, arXiv 2506.10908).
"""

import numpy as np

from mlassist.certificates.bounds import alpha, loss_bound
from mlassist.certificates.sequence import Outcome, Step

STEP = 0.005  # of the pool, between thresholds


def climb(
    scores: np.ndarray, losses: np.ndarray, pool_scores: np.ndarray, target: float, spent: float
) -> list[Step]:
    """Return the tested thresholds up to the first that fails.

    `scores` and `losses` are of labels drawn from the whole pool. The wrong labels that a threshold lets in
    only grow with the region, so that no budget is lost by testing many. What earlier certificates have
    labeled has a score of inf everywhere, and the losses of their labels: it is in already.
    """
    ordered = np.sort(pool_scores)[::-1]
    steps = []
    for coverage in np.append(np.arange(STEP, 1.0, STEP), 1.0):
        threshold = float(ordered[max(1, int(coverage * len(ordered))) - 1])
        if threshold == np.inf:
            continue
        if threshold == -np.inf:
            break
        inside = scores >= threshold
        bound = loss_bound(np.where(inside, losses, 0.0), spent)
        n, errors = int(inside.sum()), int((losses[inside] > 0).sum())
        steps.append(Step(round(float(coverage), 4), threshold, n, errors, bound, bound <= target))
        if bound > target:
            break
    return steps


def attempt(
    scores: np.ndarray,
    losses: np.ndarray,
    pool_scores: np.ndarray,
    *,
    target: float,
    delta: float,
    number: int,
    blocked: dict[int, str] | None = None,
) -> Outcome:
    """Test how much of the pool may be left to the model; `blocked` classes have a score of -inf."""
    spent = alpha(delta, number)
    steps = climb(scores, losses, pool_scores, target, spent)
    outcome = Outcome(
        number, target, delta, spent, len(scores), steps, blocked=dict(blocked or {}), whole_set=True
    )
    outcome.take_last_passed()
    return outcome


def allowed_error(
    scores: np.ndarray, losses: np.ndarray, pool_scores: np.ndarray, threshold: float, target: float
) -> float:
    """Return how often the labels that a threshold adds may be wrong, given what earlier ones use up."""
    earlier = float(np.where(scores == np.inf, losses, 0.0).mean())
    added = float(((pool_scores >= threshold) & (pool_scores < np.inf)).mean())
    return min(0.5, max(target - earlier, 0.0) / added) if added else target
