"""What is kept of what a model says of an image. Pure; the page's script does the same while one slides.

A region is {class, confidence, bbox? | polygon?}. With exclusive classes an image has the likeliest one, and
that alone is kept or not.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

FLOOR = 0.05  # confidence below which nothing is told of
USUAL = 0.5  # where a slider begins
STEPS = 100

Found = Sequence[Mapping[str, Any]]
Thresholds = Mapping[int, float]


def likeliest(found: Found) -> list[Mapping[str, Any]]:
    """Return the region of the class that is surest, if there is one; of equally sure ones the first."""
    return [max(found, key=lambda each: float(each["confidence"]))] if found else []


def kept(found: Found, thresholds: Thresholds, *, exclusive: bool) -> list[Mapping[str, Any]]:
    """Return what is proposed of an image: classes without a threshold are not asked for."""
    known = [each for each in found if each["class"] in thresholds]
    candidates = likeliest(known) if exclusive else known
    return [each for each in candidates if each["confidence"] >= thresholds[each["class"]]]


def counted(
    images: Iterable[Found], thresholds: Thresholds, *, exclusive: bool
) -> dict[int, tuple[int, int]]:
    """Return (shown, found in all) of each class over some images."""
    shown, total = dict.fromkeys(thresholds, 0), dict.fromkeys(thresholds, 0)
    for found in images:
        known = [each for each in found if each["class"] in thresholds]
        for each in likeliest(known) if exclusive else known:
            total[each["class"]] += 1
        for each in kept(found, thresholds, exclusive=exclusive):
            shown[each["class"]] += 1
    return {label: (shown[label], total[label]) for label in thresholds}


def spread(probabilities: np.ndarray, classes: Sequence[int], *, exclusive: bool) -> dict[int, list[int]]:
    """Return per class how many rows have it with each confidence, in hundredths from 0 to 1.

    The sum from a threshold on is how many images would get the class, whatever the others' thresholds.
    """
    steps = np.clip((probabilities * STEPS + 1e-6).astype(int), 0, STEPS)
    told = probabilities >= FLOOR
    if exclusive and len(probabilities):
        told = np.zeros_like(told)
        told[np.arange(len(told)), probabilities.argmax(1)] = True
    return {
        label: np.bincount(steps[told[:, column], column], minlength=STEPS + 1).tolist()
        for column, label in enumerate(classes)
    }
