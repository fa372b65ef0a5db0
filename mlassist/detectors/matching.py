"""Comparing what was found on an image with what people drew: pairs, losses, overlap. Plain arrays.

Objects are compared by their boxes, or by what their outlines cover where both sides have outlines.
"""

import numpy as np

from mlassist.detectors.shapes import Polygon, Shapes, raster

OVERLAP = 0.5  # (intersection over union) from which an object counts as found


def overlaps(found: Shapes, truth: Shapes) -> np.ndarray:
    """Return intersection over union, (found, truth) float32."""
    if not len(found) or not len(truth):
        return np.zeros((len(found), len(truth)), np.float32)
    boxes = box_overlaps(found.boxes, truth.boxes)
    if not (found.polygons and truth.polygons):
        return boxes
    by_mask = np.zeros_like(boxes)
    for at, to in zip(*np.nonzero(boxes), strict=True):
        by_mask[at, to] = mask_overlap(found.polygons[at], truth.polygons[to])
    return by_mask


def box_overlaps(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return intersection over union of boxes (n, 4) and (m, 4): (n, m) float32."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = (high - low).clip(0).prod(2)
    areas = ((each[:, 2:] - each[:, :2]).prod(1) for each in (one, other))
    total = next(areas)[:, None] + next(areas)[None] - shared
    return (shared / np.maximum(total, 1e-9)).astype(np.float32)


def mask_overlap(one: Polygon, other: Polygon) -> float:
    """Return intersection over union of what two polygons cover, by pixels of at least a 64th of them."""
    values = np.array([value for polygon in (one, other) for part in polygon for value in part])
    left, top = values[::2].min(), values[1::2].min()
    width, height = values[::2].max() - left, values[1::2].max() - top
    scale = 64 / max(width, height, 1e-6)
    size = int(height * scale) + 2, int(width * scale) + 2
    covered = [
        raster(
            [[v - (top if at % 2 else left) for at, v in enumerate(part)] for part in polygon], *size, scale
        )
        for polygon in (one, other)
    ]
    shared, total = (covered[0] & covered[1]).sum(), (covered[0] | covered[1]).sum()
    return float(shared) / max(float(total), 1.0)


def pairs(found: Shapes, truth: Shapes, least: float = OVERLAP, *, any_class: bool = False) -> np.ndarray:
    """Match each found object, surest first, with the drawn one of its class that it covers best.

    Returns (found,) places among the drawn ones, -1 without a match.
    """
    shared = overlaps(found, truth)
    if not any_class:
        shared = np.where(found.classes[:, None] == truth.classes[None], shared, 0)
    matched = np.full(len(found), -1)
    free = np.ones(len(truth), bool)
    for place in np.argsort(-found.scores, kind="stable"):
        candidates = np.where(free, shared[place], 0)
        if len(truth) and candidates.max() >= least:
            matched[place] = int(candidates.argmax())
            free[matched[place]] = False
    return matched


def loss(found: Shapes, truth: Shapes, *, strict: bool = False) -> float:
    """Return 1 - F1 of an image: 0 where both are empty, 1 where one is. `strict`: 1 for any difference."""
    if not len(found) and not len(truth):
        return 0.0
    right = int((pairs(found, truth) >= 0).sum())
    if strict:
        return float(right < max(len(found), len(truth)))
    return 1 - 2 * right / (len(found) + len(truth))


def mean_overlap(found: list[Shapes], truth: list[Shapes]) -> float:
    """Return the mean intersection over union of drawn and found objects, 0 for what is missed or made up.

    Mean over the objects of a class, then over the classes: what SageMaker Ground Truth reports for boxes.
    """
    sums: dict[int, list[float]] = {}
    for one, other in zip(found, truth, strict=True):
        matched, shared = pairs(one, other, 1e-6), overlaps(one, other)
        for place, to in enumerate(matched):
            sums.setdefault(int(one.classes[place]), []).append(float(shared[place, to]) if to >= 0 else 0.0)
        for to in np.setdiff1d(np.arange(len(other)), matched):
            sums.setdefault(int(other.classes[to]), []).append(0.0)
    return float(np.mean([np.mean(each) for each in sums.values()])) if sums else 0.0
