"""Boxes and polygons: which ones make sense, and which fit an image. Pure functions of numbers.

A polygon is a list of parts, each a flat list x1, y1, x2, y2, … Parts combine by the even-odd rule: a
part within another is a hole, one within that hole is filled again.
"""

from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest
from math import isfinite
from typing import Any

import numpy as np
import shapely

from labeling.sentences import Sentence

TOLERANCE = 0.5  # pixels outside that a rounded or dragged corner may have
SMALLEST = 0.1  # square pixels that a shape, or a part of one, encloses at the least
MOST_PARTS = 200  # of a polygon: each may meet each
FAR = 1e9  # pixels from which on a coordinate is not said digit by digit
TOUCH = 1e-6  # pixels from an edge within which a point lies on it

Box = Sequence[float]
Parts = Sequence[Sequence[float]]
Shapes = Sequence[Mapping[str, Any]]  # {bbox or polygon}


def misshapen(box: Box | None, polygon: Parts | None) -> Sentence | None:
    """Return why numbers are no box [x, y, width, height] or no polygon, None when they are."""
    if polygon is not None and len(polygon) > MOST_PARTS:
        return Sentence("A polygon may have at most %(most)s parts.", most=MOST_PARTS)
    if not all(isfinite(number) for number in chain(box or (), *(polygon or ()))):
        return Sentence("Coordinates must be finite numbers.")
    if box is not None and (len(box) != 4 or box[2] <= 0 or box[3] <= 0):
        return Sentence("A box is x, y, width and height, with a width and height above 0.")
    if polygon is not None and any(len(part) < 6 or len(part) % 2 for part in polygon):
        return Sentence("Each part of a polygon needs at least three points, each an x and a y.")
    return None


def misfit(box: Box | None, polygon: Parts | None, width: float, height: float) -> Sentence | None:
    """Return why a shape that is not misshapen does not lie in an image of this size, None when it does."""
    points = np.concatenate([corners(box), *map(points_of, polygon or ())])
    outside = (points < -TOLERANCE) | (points > np.array([width, height]) + TOLERANCE)
    if not outside.any():
        return None
    first = points[outside.any(axis=1)][0]
    return Sentence(
        "A shape reaches outside its image of %(width)s × %(height)s pixels, at %(place)s.",
        width=round(width),
        height=round(height),
        place=said(first),
    )


def flaw(box: Box | None, polygon: Parts | None) -> Sentence | None:
    """Return what keeps a shape that is not misshapen from enclosing a clear area, None when nothing does.

    Rings may touch themselves and each other; they may not cross.
    """
    if box is not None and box[2] * box[3] < SMALLEST:
        return Sentence("The box at %(place)s is smaller than a fraction of a pixel.", place=said(box))
    if polygon is None:
        return None
    rings = [points_of(part) for part in polygon]
    for ring in rings:
        if len(np.unique(ring, axis=0)) < 3:
            return Sentence(
                "The polygon near %(place)s has fewer than three different points.", place=said(ring[0])
            )
    place = None if is_plain(rings) else crossing(rings)
    if place is not None:
        return Sentence("The polygon crosses itself near %(place)s.", place=said(place))
    for ring in rings:
        if abs(signed_area(ring)) < SMALLEST:
            return Sentence(
                "The polygon near %(place)s encloses less than a fraction of a pixel.", place=said(ring[0])
            )
    if len(rings) > 1 and combined(polygon).area < SMALLEST:
        return Sentence(
            "The parts of the polygon near %(place)s cancel each other out.", place=said(rings[0][0])
        )
    return None


def is_plain(rings: Sequence[np.ndarray]) -> bool:
    """Tell at little cost that no edges meet but neighbours, as is so of nearly all polygons."""
    areas = [shapely.Polygon(ring) for ring in rings]
    return all(area.is_valid for area in areas) and (
        len(areas) == 1 or not shapely.STRtree(areas).query(areas, predicate="overlaps").size
    )


def crossing(rings: Sequence[np.ndarray]) -> np.ndarray | None:
    """Return the first place where an edge crosses another, None when edges only touch."""
    edges = np.concatenate([np.stack([ring, np.roll(ring, -1, axis=0)], axis=1) for ring in rings])
    tree = shapely.STRtree(shapely.linestrings(edges))
    start, portion = 0, 8
    while start < len(edges):
        # In portions that grow: a scribble has millions of crossings, and the first one is enough.
        ours, others = tree.query(tree.geometries[start : start + portion])
        one, other = edges[ours + start], edges[others]
        crossed = are_apart(one, other) & are_apart(other, one)
        if crossed.any():
            first = np.flatnonzero(crossed)[ours[crossed].argmin()]
            return meeting(one[first], other[first])
        start, portion = start + portion, min(2 * portion, 512)
    return None


def are_apart(edges: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Tell for which pairs the line through an edge has the ends of the other clearly on both sides."""
    along = edges[:, 1] - edges[:, 0]
    length = np.maximum(np.hypot(*along.T), TOUCH)
    start, end = (cross(along, others[:, at] - edges[:, 0]) / length for at in (0, 1))
    return (start * end < 0) & (np.minimum(abs(start), abs(end)) > TOUCH)


def meeting(edge: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return where two edges that cross do so."""
    along, across = edge[1] - edge[0], other[1] - other[0]
    return edge[0] + along * cross(other[0] - edge[0], across) / cross(along, across)


def cross(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0]


def combined(polygon: Parts) -> shapely.Geometry:
    """Return the area of a polygon by the even-odd rule."""
    found = layers([area_of_ring(part) for part in polygon])
    # By halves: one after the other, each would be compared with all before it.
    while len(found) > 1:
        pairs = zip_longest(found[::2], found[1::2], fillvalue=shapely.Polygon())
        found = [shapely.symmetric_difference(*pair) for pair in pairs]
    return found[0]


def layers(areas: list[shapely.Geometry]) -> list[shapely.Geometry]:
    """Return areas in few groups, each of such whose bounds do not meet."""
    ones, others = shapely.STRtree(areas).query(areas)
    level = np.zeros(len(areas), int)
    for number in range(len(areas)):
        near = level[others[(ones == number) & (others < number)]]
        level[number] = np.setdiff1d(np.arange(len(near) + 1), near)[0]
    groups = [np.flatnonzero(level == each) for each in range(level.max() + 1)]
    return [shapely.multipolygons(shapely.get_parts([areas[at] for at in group])) for group in groups]


def has_holes(polygon: Parts) -> bool:
    """Tell whether a part lies within another."""
    if len(polygon) == 1:
        return False
    return sum(area_of_ring(part).area for part in polygon) - combined(polygon).area > SMALLEST


def area_of_ring(part: Sequence[float]) -> shapely.Geometry:
    """Return what one part encloses, also where its ring touches itself."""
    ring = shapely.Polygon(points_of(part))
    if ring.is_valid:
        return ring
    pieces = shapely.get_parts(shapely.make_valid(ring))
    return shapely.union_all(pieces[shapely.get_dimensions(pieces) == 2])


def bounds(polygon: Parts) -> list[float]:
    """Return [x, y, width, height] around all parts."""
    points = np.concatenate([points_of(part) for part in polygon])
    low, high = points.min(axis=0), points.max(axis=0)
    return [*low.tolist(), *(high - low).tolist()]


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the share of two boxes' common area in all that they cover, 0 to 1."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (one[2] * one[3] + other[2] * other[3] - width * height)


def overlaps(ones: Shapes, others: Shapes) -> np.ndarray:
    """Return the intersection over union of drawn shapes, {bbox or polygon}, (ones, others)."""
    found = np.zeros((len(ones), len(others)))
    if not found.size:
        return found
    if not any(each.get("polygon") for each in (*ones, *others)):
        boxes = [np.array([each["bbox"] for each in shapes], float) for shapes in (ones, others)]
        low = np.maximum(boxes[0][:, None, :2], boxes[1][None, :, :2])
        ends = [each[:, :2] + each[:, 2:] for each in boxes]
        shared = (np.minimum(ends[0][:, None], ends[1][None]) - low).clip(0).prod(2)
        areas = [each[:, 2:].prod(1) for each in boxes]
        return shared / (areas[0][:, None] + areas[1][None] - shared)
    areas_of = [[area(each) for each in shapes] for shapes in (ones, others)]
    tree = shapely.STRtree(areas_of[1])
    for at, to in zip(*tree.query(areas_of[0], predicate="intersects"), strict=True):
        one, other = areas_of[0][at], areas_of[1][to]
        shared_area = one.intersection(other).area
        found[at, to] = shared_area / max(one.area + other.area - shared_area, SMALLEST * TOUCH)
    return found


def area(shape: Mapping[str, Any]) -> shapely.Geometry:
    """Return what a box or polygon covers."""
    if shape.get("polygon"):
        return combined(shape["polygon"])
    x, y, width, height = shape["bbox"]
    return shapely.box(x, y, x + width, y + height)


def points_of(part: Sequence[float]) -> np.ndarray:
    return np.asarray(part, dtype=float).reshape(-1, 2)


def corners(box: Box | None) -> np.ndarray:
    """Return two opposite corners, none for no box."""
    if box is None:
        return np.empty((0, 2))
    x, y, width, height = box
    return np.array([[x, y], [x + width, y + height]])


def signed_area(points: np.ndarray) -> float:
    """Return the area that a ring winds around, less where it does so the other way (shoelace formula)."""
    x, y = (points - points[0]).T
    return float(np.dot(np.roll(x, 1), y) - np.dot(x, np.roll(y, 1))) / 2


def said(point: Sequence[float] | np.ndarray) -> str:
    return ", ".join(f"{each:.0f}" if abs(each) < FAR else f"{each:.3g}" for each in point[:2])
