"""Groups of look-alikes: images so alike that one glance and one keystroke label them together.

Pure functions of arrays. A group is a seed with its mutual nearest neighbours that the model puts in
the same class, at a cosine where labeled look-alikes have turned out to agree.
"""

from dataclasses import dataclass

import numpy as np

SMALLEST, LARGEST = 4, 9
AGREEMENT = 0.8  # share of labeled look-alikes that must agree: below, a grid saves no time
# Mean confidence that a group needs: less when labels have shown from which cosine look-alikes agree.
SURE, SURE_BY_LIKENESS = 0.8, 0.65
FEWEST_PAIRS = 20
LABELED_LIMIT = 3_000  # rows whose pairs are looked at


@dataclass(frozen=True, slots=True)
class LookAlikes:
    """Rows of one group, the least alike first, with the class column proposed for all."""

    rows: np.ndarray
    column: int
    similarity: float


def cosine_floor(
    features: np.ndarray, predicted: np.ndarray, labels: np.ndarray, wanted: float = AGREEMENT
) -> float:
    """Return the lowest cosine above which pairs predicted alike are labeled alike; inf if there is none.

    `predicted` must be out-of-fold: what the model says of labels that it was not trained on.
    """
    features, predicted, labels = features[:LABELED_LIMIT], predicted[:LABELED_LIMIT], labels[:LABELED_LIMIT]
    first, second = np.triu_indices(len(features), 1)
    alike = predicted[first] == predicted[second]
    first, second = first[alike], second[alike]
    cosines = (features @ features.T)[first, second]
    order = np.argsort(-cosines)
    right = (labels[first] == predicted[first]) & (labels[second] == predicted[second])
    rate = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    rate[: FEWEST_PAIRS - 1] = 0
    good = np.flatnonzero(rate >= wanted)
    return float(cosines[order][good[-1]]) if len(good) else float("inf")


def form(
    neighbours: np.ndarray,
    cosines: np.ndarray,
    predicted: np.ndarray,
    confidence: np.ndarray,
    eligible: np.ndarray,
    floor: float,
) -> list[LookAlikes]:
    """Return disjoint groups of 4 to 9 eligible rows, the most promising first.

    `neighbours` and `cosines` (n, k) are the neighbour graph; per row: `predicted` is a class column,
    `confidence` its calibrated probability. An infinite `floor` says that no cosine alone makes
    look-alikes agree: then the model has to be the surer.
    """
    sure = SURE_BY_LIKENESS if np.isfinite(floor) else SURE
    close = (
        (neighbours >= 0)
        & ((cosines >= floor) | np.isinf(floor))
        & eligible[neighbours]
        & eligible[:, None]
        & (predicted[neighbours] == predicted[:, None])
    )
    close &= mutual(neighbours, close)
    seeds = np.flatnonzero(close.sum(1) >= SMALLEST - 1)
    support = np.where(close, confidence[neighbours], 0).sum(1)
    seeds = seeds[np.argsort(-support[seeds], kind="stable")]
    free = eligible.copy()
    groups = []
    for seed in seeds:
        if not free[seed]:
            continue
        slots = np.flatnonzero(close[seed])
        slots = slots[free[neighbours[seed, slots]]][: LARGEST - 1]
        if len(slots) < SMALLEST - 1:
            continue
        rows = np.append(neighbours[seed, slots][::-1], seed)
        if confidence[rows].mean() < sure:
            continue
        free[rows] = False
        groups.append(LookAlikes(rows, int(predicted[seed]), float(cosines[seed, slots].mean())))
    return groups


def mutual(neighbours: np.ndarray, close: np.ndarray) -> np.ndarray:
    """Return where close neighbours have each other as close neighbours."""
    count = len(neighbours)
    row, slot = np.nonzero(close)
    other = neighbours[row, slot].astype(np.int64)
    forth, back = row * count + other, other * count + row
    found = np.zeros(close.shape, bool)
    found[row, slot] = np.isin(back, forth)
    return found
