"""Logistic regression by L-BFGS: small dense problems, solved in tens of milliseconds."""

from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.optimize import minimize
from threadpoolctl import ThreadpoolController

from mlassist.heads.linear import Linear

STEPS = 100


@cache
def libraries() -> ThreadpoolController:
    """Return what NumPy and SciPy compute with. To look for it at each fit takes as long as a small one."""
    return ThreadpoolController()


def softmax_regression(
    features: np.ndarray,
    targets: np.ndarray,
    strength: float,
    *,
    counts: np.ndarray | None = None,
    start: Linear | None = None,
    steps: int = STEPS,
) -> Linear:
    """Return (weights, bias) of multinomial logistic regression; `strength` is C, `targets` one-hot.

    `counts` (n,) is how much each row counts. A `start` near the solution saves steps and changes nothing
    else: there is one optimum.
    """

    def losses_and_slope(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        top = scores.max(1, keepdims=True)
        powers = np.exp(scores - top)
        total = powers.sum(1, keepdims=True)
        losses = (np.log(total) + top)[:, 0] - (scores * targets).sum(1)
        return losses, powers / total - targets

    return _fit(features, targets, strength, losses_and_slope, counts, start, steps)


def one_vs_rest(
    features: np.ndarray,
    targets: np.ndarray,
    strength: float,
    *,
    counts: np.ndarray | None = None,
    start: Linear | None = None,
    steps: int = STEPS,
) -> Linear:
    """Return (weights, bias) of one logistic regression per column of `targets` (0 or 1)."""

    def losses_and_slope(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        losses = (np.logaddexp(0, scores) - targets * scores).sum(1)
        return losses, 1 / (1 + np.exp(-np.clip(scores, -60, 60))) - targets

    return _fit(features, targets, strength, losses_and_slope, counts, start, steps)


def _fit(
    features: np.ndarray,
    targets: np.ndarray,
    strength: float,
    losses_and_slope: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    counts: np.ndarray | None,
    start: Linear | None,
    steps: int,
) -> Linear:
    # Centred features of length about one make the problem well conditioned, and `strength` mean the
    # same for any images; the bias takes the centre back in.
    counted = np.ones(len(features), np.float32) if counts is None else counts
    centre = np.average(features, 0, counted)
    centred = np.ascontiguousarray(features - centre, np.float32)
    scale = float(1 / np.sqrt(max(np.average((centred**2).sum(1), weights=counted), 1e-12)))
    centred *= scale
    dimension, classes = features.shape[1], targets.shape[1]

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        both = flat.reshape(dimension + 1, classes).astype(np.float32)
        weights = both[:-1]
        losses, slope = losses_and_slope(centred @ weights + both[-1])
        slope *= counted[:, None]
        gradient = np.empty((dimension + 1, classes))
        gradient[:-1] = strength * (centred.T @ slope) + weights
        # A weak pull on the bias keeps classes that are always or never present finite.
        gradient[-1] = strength * slope.sum(0) + 0.01 * both[-1]
        penalty = 0.5 * float((weights**2).sum()) + 0.005 * float((both[-1] ** 2).sum())
        return strength * float(losses @ counted) + penalty, gradient.ravel()

    first = np.zeros((dimension + 1, classes))
    if start is not None:
        first[:-1], first[-1] = start[0] / scale, start[1] + centre @ start[0]
    # NumPy's and SciPy's thread pools fight over the cores between the many small steps: one thread is
    # ten times faster here than two.
    with libraries().limit(limits=1, user_api="blas"):
        found = minimize(objective, first.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": steps}).x
    both = found.reshape(dimension + 1, classes)
    weights = both[:-1] * scale
    return weights, both[-1] - centre @ weights
