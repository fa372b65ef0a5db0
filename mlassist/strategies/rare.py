"""Imbalance: what looks most like the few labels of the rarest classes."""

import numpy as np

from mlassist.strategies import exploring
from mlassist.strategies.situation import Situation, rank_within

SHARE = 1 / 3  # of an even part of the labels, below which a class is rare
QUERIES = 200  # labels that are searched from, those of the rarest classes first
CHUNK = 50_000


def classes(label_counts: np.ndarray) -> np.ndarray:
    """Return the columns of the classes that have labels, but far fewer than an even part."""
    return np.flatnonzero((label_counts > 0) & (label_counts < SHARE * label_counts.mean()))


def pick(situation: Situation, count: int, seed: int) -> np.ndarray:
    """Return the rows nearest to labels of rare classes, by turns over these classes.

    Where no class is rare, those with the fewest labels count as such. Follows `situation.Strategy`.
    """
    counts = situation.label_counts
    if not counts.any():
        return exploring.pick(situation, count, seed)
    columns = classes(counts)
    if not len(columns):
        columns = np.flatnonzero(counts == counts[counts > 0].min())
    holder, column = np.nonzero(situation.targets[:, columns])
    rarest_first = np.argsort(counts[columns][column], kind="stable")[:QUERIES]
    holder, column = holder[rarest_first], column[rarest_first]
    queries = situation.features[situation.labeled[holder]].T
    likeness, nearest = np.empty(len(situation.open), np.float32), np.empty(len(situation.open), np.int64)
    for start in range(0, len(situation.open), CHUNK):
        part = slice(start, start + CHUNK)
        cosines = situation.features[situation.open[part]] @ queries
        likeness[part], nearest[part] = cosines.max(1), column[cosines.argmax(1)]
    return situation.open[np.lexsort((-likeness, rank_within(nearest, -likeness)))[:count]]
