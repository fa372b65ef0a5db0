"""COCO run lengths: a mask as the lengths of its runs of 0 and 1, column by column, 0 first."""

from collections.abc import Sequence

import numpy as np


def run_lengths(polygon: Sequence[Sequence[float]], width: int, height: int) -> list[int]:
    """Return the runs of the pixels whose centre a polygon's parts enclose by the even-odd rule."""
    crossings = np.concatenate([crossings_of(np.reshape(part, (-1, 2)), width, height) for part in polygon])
    places, times = np.unique(crossings, return_counts=True)
    changes = places[times % 2 == 1]
    # What begins with the last pixel's end has no run.
    changes = changes[changes < width * height]
    return np.diff(changes, prepend=0, append=width * height).tolist()


def crossings_of(ring: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return the pixels, counted down the columns, at which a ring's inside begins or ends."""
    start, end = ring, np.roll(ring, -1, axis=0)
    low, high = np.minimum(start[:, 0], end[:, 0]), np.maximum(start[:, 0], end[:, 0])
    first = np.clip(np.ceil(low - 0.5), 0, width).astype(np.int64)
    after = np.clip(np.ceil(high - 0.5), 0, width).astype(np.int64)
    counts = after - first
    edge = np.repeat(np.arange(len(ring)), counts)
    columns = first[edge] + np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
    along = (columns + 0.5 - start[edge, 0]) / (end[edge, 0] - start[edge, 0])
    rows = start[edge, 1] + along * (end[edge, 1] - start[edge, 1])
    return columns * height + np.clip(np.ceil(rows - 0.5), 0, height).astype(np.int64)


def pixels(counts: Sequence[int], width: int, height: int) -> np.ndarray:
    """Return run lengths as a mask of booleans."""
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(width, height).T
