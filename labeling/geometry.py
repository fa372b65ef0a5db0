"""Boxes and polygons: which ones make sense, and which fit an image. Pure functions of numbers."""

from collections.abc import Sequence
from itertools import chain
from math import isfinite

TOLERANCE = 0.5  # pixels outside that a rounded or dragged corner may have


def misshapen(box: Sequence[float] | None, polygon: Sequence[Sequence[float]] | None) -> str | None:
    """Return why a box [x, y, width, height] or a polygon's parts enclose nothing, None when they do.

    A part is a flat list x1, y1, x2, y2, …
    """
    if not all(isfinite(number) for number in chain(box or (), *(polygon or ()))):
        return "Coordinates must be finite numbers."
    if box is not None and (len(box) != 4 or box[2] <= 0 or box[3] <= 0):
        return "A box is x, y, width and height, with a width and height above 0."
    if polygon is not None and any(len(part) < 6 or len(part) % 2 for part in polygon):
        return "Each part of a polygon needs at least three points, each an x and a y."
    return None


def misfit(
    box: Sequence[float] | None,
    polygon: Sequence[Sequence[float]] | None,
    width: float,
    height: float,
) -> str | None:
    """Return why a shape that is not misshapen does not lie in an image of this size, None when it does."""
    xs = [x for part in polygon or () for x in part[0::2]]
    ys = [y for part in polygon or () for y in part[1::2]]
    if box is not None:
        xs += [box[0], box[0] + box[2]]
        ys += [box[1], box[1] + box[3]]
    inside = all(-TOLERANCE <= x <= width + TOLERANCE for x in xs) and all(
        -TOLERANCE <= y <= height + TOLERANCE for y in ys
    )
    return None if inside else f"A shape reaches outside its image of {width:.0f} × {height:.0f} pixels."
