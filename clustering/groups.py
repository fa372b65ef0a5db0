"""Groups of look-alikes: images so alike that one glance and one keystroke label them together.

Pure functions of arrays. A group is a seed with its mutual nearest neighbours that the model puts in the
same class, as far as labels have shown that such answers are right (MorphoCluster, Schröder et al. 2020,
grows its groups from seeds likewise). The same picture twice needs no model.
"""

from dataclasses import dataclass

import numpy as np

SMALLEST, LARGEST = 4, 25
PURITY = 0.9  # share of a group that must be right: below, looking for exceptions costs what grids save
REACH = 20  # nearest neighbours among which a group is looked for
WITNESSES = 10  # nearest neighbours whose predictions speak for a row's own
IN_A_BIN = 20
# Where copies that were compressed, scaled or trimmed lie, measured on photographs and scans: see RESULTS.md.
COPY = 0.97  # the least cosine
CLOSER = 0.25  # of the squared distance to what is around
AROUND = 10  # neighbours that may all be copies
SAME = 0.999  # a cosine that needs no comparison
PORTION = 50_000  # rows that are looked at together


@dataclass(frozen=True, slots=True)
class LookAlikes:
    """Rows of one group, the least alike first.

    `column` is the class proposed for all, `purity` the share predicted to be of that class; both are
    None for the same picture several times.
    """

    rows: np.ndarray
    column: int | None
    similarity: float
    purity: float | None


@dataclass(frozen=True, slots=True)
class Curve:
    """How often predictions of some support are right: measured on labels, never falling, flat outside."""

    support: np.ndarray
    rate: np.ndarray

    def __call__(self, support: np.ndarray) -> np.ndarray:
        return np.interp(support, self.support, self.rate)


def support(probabilities: np.ndarray, confidence: np.ndarray, neighbours: np.ndarray) -> np.ndarray:
    """Return (n,) the mean of each row's confidence and its neighbours' probability of the same class.

    `probabilities` (n, classes) must be out of fold for rows that the model was trained on.
    """
    near = neighbours[:, :WITNESSES]
    told = probabilities[near, probabilities.argmax(1)[:, None]]
    return (confidence + np.where(near >= 0, told, 0).mean(1)) / 2 if near.shape[1] else confidence


def measured(support: np.ndarray, right: np.ndarray) -> Curve | None:
    """Return how often predictions with that support were right; None where too few labels tell.

    Isotonic regression (pool adjacent violators) over bins of at least 20 labels. A level of n labels with
    k right ones counts as (k + 1) / (n + 3), so that a run of luck among few promises less.
    """
    if len(support) < IN_A_BIN:
        return None
    bins = np.array_split(np.argsort(support, kind="stable"), len(support) // IN_A_BIN)
    levels: list[tuple[float, int, int]] = []  # (right, labels, bins)
    for members in bins:
        level = (float(right[members].sum()), len(members), 1)
        while levels and levels[-1][0] * level[1] >= level[0] * levels[-1][1]:
            before = levels.pop()
            level = (before[0] + level[0], before[1] + level[1], before[2] + level[2])
        levels.append(level)
    rate = np.maximum.accumulate([(good + 1) / (labels + 3) for good, labels, _ in levels])
    centres = np.array([support[members].mean() for members in bins])
    return Curve(centres, np.repeat(rate, [count for _, _, count in levels]))


def form(
    neighbours: np.ndarray,
    cosines: np.ndarray,
    predicted: np.ndarray,
    purity: np.ndarray,
    eligible: np.ndarray,
) -> list[LookAlikes]:
    """Return disjoint groups of 4 to 25 eligible rows, the most promising first.

    `neighbours` and `cosines` (n, k) are the neighbour graph; per row: `predicted` is a class column,
    `purity` the measured chance that it is right. A group ends with the last of its seed's nearest
    look-alikes up to which nine in ten are expected to be right.
    """
    neighbours, cosines = neighbours[:, :REACH], cosines[:, :REACH]
    close = (
        (neighbours >= 0)
        & eligible[neighbours]
        & eligible[:, None]
        & (predicted[neighbours] == predicted[:, None])
    )
    close &= mutual(neighbours, close)
    seeds = np.flatnonzero((close.sum(1) >= SMALLEST - 1) & (purity >= PURITY))
    promise = np.where(close, purity[neighbours], 0).sum(1)
    free = eligible.copy()
    groups = []
    for seed in seeds[np.argsort(-promise[seeds], kind="stable")]:
        if not free[seed]:
            continue
        slots = np.flatnonzero(close[seed] & free[neighbours[seed]])[: LARGEST - 1]
        rows = np.append(seed, neighbours[seed, slots])
        expected = np.cumsum(purity[rows]) / np.arange(1, len(rows) + 1)
        size = int(np.flatnonzero(expected >= PURITY)[-1]) + 1
        if size < SMALLEST:
            continue
        rows, slots = rows[:size], slots[: size - 1]
        free[rows] = False
        likeness = float(cosines[seed, slots].mean())
        groups.append(LookAlikes(rows[::-1], int(predicted[seed]), likeness, float(expected[size - 1])))
    return groups


def copies(neighbours: np.ndarray, cosines: np.ndarray) -> np.ndarray:
    """Return (n, k) which neighbours show the same picture, as far as vectors can tell.

    Copies are mutual neighbours, and much nearer to each other than to what is around them: how near
    different pictures lie depends on the project.
    """
    if not neighbours.shape[1]:
        return np.zeros(neighbours.shape, bool)
    distances = 1 - cosines.astype(np.float32)
    around = distances[:, : AROUND + 1][:, -1]
    near = distances <= CLOSER * np.minimum(around[:, None], around[neighbours])
    return mutual(neighbours, (neighbours >= 0) & (cosines >= COPY) & (near | (cosines >= SAME)))


def copied_pairs(neighbours: np.ndarray, cosines: np.ndarray) -> np.ndarray:
    """Return (m, 2) the pairs of rows that are `copies` of each other.

    Found in portions, and without arrays of the graph's size: it may be larger than what memory is left.
    """
    count = len(neighbours)
    if not neighbours.shape[1]:
        return np.empty((0, 2), np.int64)
    around = 1 - cosines[:, : AROUND + 1][:, -1].astype(np.float32)
    found = []
    for start in range(0, count, PORTION):
        near, cosine = neighbours[start : start + PORTION], cosines[start : start + PORTION]
        row, slot = np.nonzero((near >= 0) & (cosine >= COPY))
        other, likeness = near[row, slot].astype(np.int64), cosine[row, slot].astype(np.float32)
        row = row + start
        is_copy = 1 - likeness <= CLOSER * np.minimum(around[row], around[other])
        found.append(np.stack([row, other], axis=1)[is_copy | (likeness >= SAME)])
    pairs = np.concatenate(found)
    forth, back = pairs[:, 0] * count + pairs[:, 1], pairs[:, 1] * count + pairs[:, 0]
    return pairs[np.isin(back, forth) & (pairs[:, 0] < pairs[:, 1])]


def same_pictures(
    neighbours: np.ndarray, cosines: np.ndarray, copied: np.ndarray, eligible: np.ndarray
) -> list[LookAlikes]:
    """Return disjoint groups of 2 to 25 eligible rows that are `copies` of a seed, the largest first."""
    close = copied & eligible[neighbours] & eligible[:, None]
    count = close.sum(1)
    seeds = np.flatnonzero(count)
    free = eligible.copy()
    groups = []
    for seed in seeds[np.argsort(-count[seeds], kind="stable")]:
        if not free[seed]:
            continue
        slots = np.flatnonzero(close[seed] & free[neighbours[seed]])[: LARGEST - 1]
        if not len(slots):
            continue
        rows = np.append(seed, neighbours[seed, slots])
        free[rows] = False
        groups.append(LookAlikes(rows[::-1], None, float(cosines[seed, slots].mean()), None))
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
