"""What blind labels say at every threshold, and what the usual rule would have made of them.

Shown beside a certificate, and never used to choose one.
"""

from typing import Any

import numpy as np

from mlassist.certificates.bounds import loss_bound, lower_bound, upper_bound

POINTS = 20
DOUBT = 0.05


def curve(scores: np.ndarray, losses: np.ndarray, pool_scores: np.ndarray) -> list[dict[str, float]]:
    """Return {coverage, n, errors, precision, low, high} at growing shares of the pool.

    `low` and `high` hold with 95 % at each point by itself, not at all of them together.
    """
    falling = np.sort(pool_scores)[::-1]
    points = []
    for share in np.arange(1, POINTS + 1) / POINTS:
        threshold = falling[max(1, int(share * len(falling))) - 1]
        within = losses[scores >= threshold]
        if not np.isfinite(threshold) or not len(within):
            continue
        errors, n = int((within > 0).sum()), len(within)
        fractional = bool((within % 1 > 0).any())
        worst = loss_bound(within, DOUBT / 2) if fractional else upper_bound(errors, n, DOUBT / 2)
        best = 0.0 if fractional else lower_bound(errors, n, DOUBT / 2)
        points.append(
            {
                "coverage": round(float(share), 4),
                "n": n,
                "errors": errors,
                "precision": round(1 - float(within.mean()), 5),
                "low": round(1 - worst, 5),
                "high": round(1 - best, 5),
            }
        )
    return points


def naive(
    scores: np.ndarray, losses: np.ndarray, pool_scores: np.ndarray, target: float
) -> dict[str, Any] | None:
    """Return what the lowest threshold whose sample error is within the target would accept.

    Ground Truth and Azure document this rule; it breaks its promise about every other time. `bound` is what
    the labels above that threshold prove with 95 %, had it been the only one looked at.
    """
    order = np.argsort(-scores, kind="stable")
    rates = np.cumsum(losses[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero((rates <= target) & np.isfinite(scores[order]))
    if not len(good):
        return None
    threshold = float(scores[order][good[-1]])
    within = losses[scores >= threshold]
    return {
        "threshold": threshold,
        "coverage": round(float((pool_scores >= threshold).mean()), 5),
        "n": len(within),
        "errors": int((within > 0).sum()),
        "bound": round(loss_bound(within, DOUBT), 5),
    }
