"""The promise for a whole data set: what people label counts as right, so more may be left to the model.

PAC labels (Candès, Ilyas and Zrnic 2025, arXiv 2506.10908).
"""

import numpy as np

from mlassist.certificates.bounds import loss_bound
from mlassist.certificates.sequence import STEP, Step


def climb(
    scores: np.ndarray, losses: np.ndarray, pool_scores: np.ndarray, target: float, spent: float
) -> list[Step]:
    """Return the tested thresholds up to the first that fails.

    `scores` and `losses` are of labels drawn from the whole pool. The wrong labels that a threshold lets in
    only grow with the region, so that no budget is lost by testing many.
    """
    ordered = np.sort(pool_scores)[::-1]
    steps = []
    for coverage in np.append(np.arange(STEP, 1.0, STEP), 1.0):
        threshold = float(ordered[max(1, int(coverage * len(ordered))) - 1])
        if not np.isfinite(threshold):
            break
        inside = scores >= threshold
        bound = loss_bound(np.where(inside, losses, 0.0), spent)
        n, errors = int(inside.sum()), int((losses[inside] > 0).sum())
        steps.append(Step(round(float(coverage), 4), threshold, n, errors, bound, bound <= target))
        if bound > target:
            break
    return steps
