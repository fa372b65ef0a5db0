"""Dividing images into train, val and test: what looks alike stays together. Pure functions of arrays."""

from collections.abc import Sequence

import numpy as np

SPLITS = ("train", "val", "test")
MIXERS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


def draw(items: np.ndarray, pairs: np.ndarray, seed: int, shares: Sequence[float]) -> np.ndarray:
    """Return (n,) the column of the share that each of `items` falls to.

    `pairs` (m, 2) of items stay together, over as many steps as it takes. Groups are put in an order that
    hangs on the seed and their first item alone, and the row of images is cut where the shares end: a share
    is met but for half a group, and when images are added most others stay where they were.
    """
    group = connected(len(items), places(items, pairs))
    first, size = np.unique(group, return_counts=True)
    order = np.argsort(mixed(items[first], seed), kind="stable")
    middle = np.cumsum(size[order]) - size[order] / 2
    ends = np.cumsum(shares) / np.sum(shares) * len(items)
    # Where a share is nothing two ends are the same; what lies on the last one belongs before it.
    column = np.searchsorted(ends, middle, side="left").clip(0, len(shares) - 1)
    by_group = np.empty(len(first), np.uint8)
    by_group[order] = column
    return by_group[np.searchsorted(first, group)]


def places(items: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Return pairs as places in the sorted `items`, without those of which one is not there."""
    if not len(items) or not len(pairs):
        return np.empty((0, 2), np.int64)
    at = np.searchsorted(items, pairs).clip(0, len(items) - 1)
    return at[(items[at] == pairs).all(axis=1)]


def connected(count: int, edges: np.ndarray) -> np.ndarray:
    """Return (count,) the smallest place that each is connected with."""
    label = np.arange(count)
    one, other = edges.T
    while True:
        low = np.minimum(label[one], label[other])
        if (label[one] == low).all() and (label[other] == low).all():
            return label
        # The labels of labels, too: so that chains shrink by halves.
        for ends in (label[one], label[other], one, other):
            np.minimum.at(label, ends, low)
        label = label[label]


def mixed(numbers: np.ndarray, seed: int) -> np.ndarray:
    """Return numbers as random as they come (splitmix64), the same for the same seed."""
    value = numbers.astype(np.uint64) + np.uint64((seed + 1) * 0x9E3779B97F4A7C15 % 2**64)
    for shift, factor in zip((30, 27), MIXERS, strict=True):
        value = (value ^ (value >> np.uint64(shift))) * np.uint64(factor)
    return value ^ (value >> np.uint64(31))
