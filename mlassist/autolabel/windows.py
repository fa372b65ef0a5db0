"""Finding objects like a few examples by comparing windows. Pure; what the windows look like is handed in.

A window is described by a grid of cells. Exemplars are told from what is usual by a linear discriminant whose
covariance comes from all windows (Hariharan, Malik and Ramanan 2012): it works from a single example.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

GRID = 5  # cells on each side of a window
CELL = 1  # places of the map in a cell, on the shorter side
LONGEST = 10  # and on the longer side: nothing is looked for by windows that are longer
OBJECT = 1.2  # times as wide as the object a window is: what is around it tells where it ends
STEP = 1.25  # between two sizes that are looked at
MOST_SIZES = 5
RIDGE = 6.0  # times the mean variance, added to each direction: a few examples fit anything
ALONE = 0.5  # of its own score, that other objects like a single example reach
COMMON = 0.2  # share of the best windows that show something else for certain
STEEPNESS, NARROWEST = 4.0, 0.1
SAME = 0.4  # overlap from which two windows are about one object


@dataclass(frozen=True, slots=True)
class Stencil:
    """How windows of a class lie on a map: places in a cell (high, wide), and at which scales of an image.

    Scales are powers of STEP, so that classes share what the network makes of an image.
    """

    cell: tuple[int, int]
    powers: list[int]

    @classmethod
    def of(cls, boxes: np.ndarray, stride: int) -> "Stencil":
        """Return how to look for objects like these boxes (n, 4) [x, y, width, height]."""
        aspect = float(np.exp(np.log(boxes[:, 2] / boxes[:, 3]).mean()))
        longer = min(LONGEST, max(CELL, round(CELL * max(aspect, 1 / aspect))))
        cell = (CELL, longer) if aspect >= 1 else (longer, CELL)
        powers = [power_of(cell, (width, height), stride) for width, height in boxes[:, 2:].tolist()]
        # A step further on both sides: no few examples show how much sizes vary.
        low, high = min(powers) - 1, max(powers) + 1
        middle = (low + high) // 2
        low, high = max(low, middle - MOST_SIZES // 2), min(high, middle + MOST_SIZES // 2)
        return cls(cell, list(range(low, high + 1)))

    @property
    def side(self) -> tuple[int, int]:
        """Places of the map that a window is high and wide."""
        return GRID * self.cell[0], GRID * self.cell[1]

    def size(self, scale: float, stride: int) -> tuple[float, float]:
        """Return (width, height) of the objects that fill windows of an image that is so much larger."""
        high, wide = self.side
        return wide * stride / OBJECT / scale, high * stride / OBJECT / scale


def power_of(cell: tuple[int, int], size: tuple[float, float], stride: int) -> int:
    """Return the power of STEP by which an image must be scaled for an object to fill a window."""
    high, wide = (GRID * places * stride / OBJECT for places in cell)
    return round(np.log(np.sqrt(wide / size[0] * high / size[1])) / np.log(STEP))


@dataclass(frozen=True, slots=True)
class Template:
    """What tells windows of a class from others: weights, and the log odds of a score."""

    weights: np.ndarray
    bias: float
    slope: float
    level: float

    def chances(self, scores: np.ndarray) -> np.ndarray:
        """Return how likely windows show the class, by their scores."""
        return 1 / (1 + np.exp(-np.clip(self.slope * scores + self.level, -60, 60)))


@dataclass(frozen=True, slots=True)
class Usual:
    """What windows look like all over the images: their mean, and their covariance with a ridge."""

    mean: np.ndarray
    covariance: np.ndarray

    @classmethod
    def of(cls, windows: np.ndarray) -> "Usual":
        """Measure windows (n, cells * channels)."""
        mean = windows.mean(0)
        centred = windows - mean
        covariance = centred.T @ centred / max(1, len(windows))
        ridge = RIDGE * np.trace(covariance) / len(covariance) + 1e-8
        covariance.flat[:: len(covariance) + 1] += ridge
        return cls(mean, covariance)

    def discriminant(self, examples: np.ndarray) -> tuple[np.ndarray, float]:
        """Return (weights, bias) by which examples (n, cells * channels) differ from the usual."""
        difference = examples.mean(0) - self.mean
        weights = np.linalg.solve(self.covariance, difference)
        weights /= max(float(np.sqrt(weights @ self.covariance @ weights)), 1e-9)
        return weights, -float(weights @ self.mean)


def template(usual: Usual, examples: Sequence[np.ndarray], peaks: np.ndarray) -> Template:
    """Return the template of a class; `peaks` are its best scores all over some images.

    Each example is several rows: the window first, then mirrored and shifted a little. What rather is one
    than not scores as examples do by a template of the others; a single example says too much good of itself.
    """
    weights, bias = usual.discriminant(np.concatenate(list(examples)))
    own = float(np.mean([each[0] @ weights + bias for each in examples]))
    new = held_out(usual, examples) if len(examples) > 1 else ALONE * own
    low = float(np.quantile(peaks, COMMON)) if len(peaks) else 0.0
    slope = STEEPNESS / max(own - low, NARROWEST)
    return Template(weights, bias, slope, -slope * new)


def held_out(usual: Usual, examples: Sequence[np.ndarray]) -> float:
    """Return the mean score of examples by a template of the others."""
    found = []
    for at, own in enumerate(examples):
        others = [each for number, each in enumerate(examples) if number != at]
        weights, bias = usual.discriminant(np.concatenate(others))
        found.append(float(own[0] @ weights + bias))
    return float(np.mean(found))


def apart(boxes: np.ndarray, scores: np.ndarray, overlap: float = SAME) -> np.ndarray:
    """Return the places of the best boxes (n, 4) [x, y, width, height] that hardly overlap, best first."""
    left, top = boxes[:, 0], boxes[:, 1]
    right, bottom = left + boxes[:, 2], top + boxes[:, 3]
    areas = boxes[:, 2] * boxes[:, 3]
    order = np.argsort(-scores, kind="stable")
    kept = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(int(best))
        wide = np.minimum(right[best], right[order]) - np.maximum(left[best], left[order])
        high = np.minimum(bottom[best], bottom[order]) - np.maximum(top[best], top[order])
        shared = np.maximum(wide, 0) * np.maximum(high, 0)
        order = order[shared <= overlap * (areas[best] + areas[order] - shared)]
    return np.array(kept, np.int64)


def within(box: np.ndarray, width: int, height: int) -> list[float]:
    """Return a box [x, y, width, height] cut off at the edges of its image."""
    left, top = min(max(0.0, float(box[0])), width - 1.0), min(max(0.0, float(box[1])), height - 1.0)
    right, bottom = min(float(width), float(box[0] + box[2])), min(float(height), float(box[1] + box[3]))
    return [round(each, 2) for each in (left, top, max(1.0, right - left), max(1.0, bottom - top))]
