"""COCO run lengths: a mask as the lengths of its runs of 0 and 1, column by column, 0 first."""

from collections.abc import Sequence

import numpy as np

LONGEST = 60  # bits of a number: one without end would take the square of its length to add up


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


def unpacked(text: str) -> list[int]:
    """Return the run lengths that pycocotools packs into text, six bits a character, mostly as differences.

    Raises ValueError where it is no such text.
    """
    counts: list[int] = []
    value, shift = 0, 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > LONGEST:
            raise ValueError("These are no packed run lengths.")
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value, shift = 0, 0
    if shift or any(each < 0 for each in counts):
        raise ValueError("These are no packed run lengths.")
    return counts


def outlined(counts: Sequence[int], width: int, height: int) -> list[list[float]]:
    """Return the polygon along the edges of a mask's pixels: its runs are those of the mask, to the pixel.

    Edges are followed with the mask on one side; where four meet, the next one is any that is left, which
    is all the same to the even-odd rule.
    """
    mask = np.pad(pixels(counts, width, height), 1).astype(np.int8)
    across, along = np.diff(mask, axis=0)[:, 1:-1], np.diff(mask, axis=1)[1:-1]
    following: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for (y, x), step in zip(np.argwhere(across).tolist(), across[across != 0].tolist(), strict=True):
        begin, end = ((x, y), (x + 1, y)) if step > 0 else ((x + 1, y), (x, y))
        following.setdefault(begin, []).append(end)
    for (y, x), step in zip(np.argwhere(along).tolist(), along[along != 0].tolist(), strict=True):
        begin, end = ((x, y + 1), (x, y)) if step > 0 else ((x, y), (x, y + 1))
        following.setdefault(begin, []).append(end)
    parts = []
    while following:
        ring = [start := next(iter(following))]
        while (here := step_from(following, ring[-1])) != start:
            ring.append(here)
        parts.append([float(number) for corner in corners(ring) for number in corner])
    return parts


def step_from(
    following: dict[tuple[int, int], list[tuple[int, int]]], here: tuple[int, int]
) -> tuple[int, int]:
    there = following[here].pop()
    if not following[here]:
        del following[here]
    return there


def corners(ring: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Leave out the points of a ring at which it goes straight on."""
    return [
        point
        for before, point, after in zip([ring[-1], *ring], ring, [*ring[1:], ring[0]], strict=False)
        if not (before[0] == point[0] == after[0] or before[1] == point[1] == after[1])
    ]
