"""The objects on one image as arrays: what people drew, or what a detector found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from pycocotools import mask as runs

Polygon = list[list[float]]  # [[x1, y1, x2, y2, …], …]: parts combine by the even-odd rule


@dataclass(frozen=True, slots=True)
class Shapes:
    """`boxes` (n, 4) float32 [left, top, right, bottom] in pixels, `classes` (n,) places among the classes.

    `scores` (n,) are ones for what people drew. `polygons` holds one outline each, or is empty.
    """

    boxes: np.ndarray
    classes: np.ndarray
    scores: np.ndarray
    polygons: list[Polygon] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def none(cls) -> "Shapes":
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.float32))

    @classmethod
    def of_regions(cls, regions: Sequence[Mapping], classes: Sequence[int]) -> "Shapes":
        """Read regions as they are stored; those of unknown classes and without area are left out.

        `regions` are {class, bbox? | polygon?, confidence?}. Beside polygons, a box counts as one, so that
        a single box does not take the outlines from all others.
        """
        place = {each: at for at, each in enumerate(classes)}
        known = [each for each in regions if each["class"] in place]
        pairs = [(each, box) for each in known if (box := box_of(each)) is not None]
        if not pairs:
            return cls.none()
        return cls(
            np.array([box for _, box in pairs], np.float32),
            np.array([place[each["class"]] for each, _ in pairs], np.int64),
            np.array([each.get("confidence", 1.0) for each, _ in pairs], np.float32),
            [each.get("polygon") or rectangle(box) for each, box in pairs]
            if any(each.get("polygon") for each, _ in pairs)
            else [],
        )

    @property
    def sides(self) -> np.ndarray:
        """The roots of the boxes' areas, (n,)."""
        return np.sqrt((self.boxes[:, 2:] - self.boxes[:, :2]).prod(1))

    def pick(self, kept: np.ndarray) -> "Shapes":
        """Return some of the objects, by mask or by places."""
        places = np.arange(len(self))[kept]
        polygons = [self.polygons[place] for place in places] if self.polygons else []
        return Shapes(self.boxes[places], self.classes[places], self.scores[places], polygons)

    def scaled(self, factor: float) -> "Shapes":
        """Return the same on an image that is `factor` times as large."""
        polygons = [[[value * factor for value in part] for part in polygon] for polygon in self.polygons]
        return replace(self, boxes=self.boxes * np.float32(factor), polygons=polygons)


def box_of(region: Mapping) -> tuple[float, float, float, float] | None:
    """Return [left, top, right, bottom] of a region; None where it has no area."""
    if region.get("bbox"):
        x, y, width, height = region["bbox"]
        box = (x, y, x + width, y + height)
    elif region.get("polygon"):
        xs = [value for part in region["polygon"] for value in part[::2]]
        ys = [value for part in region["polygon"] for value in part[1::2]]
        box = (min(xs), min(ys), max(xs), max(ys))
    else:
        return None
    return box if box[2] - box[0] > 0 and box[3] - box[1] > 0 else None


def rectangle(box: Sequence[float]) -> Polygon:
    """Return the outline of a box [left, top, right, bottom]."""
    left, top, right, bottom = box
    return [[left, top, right, top, right, bottom, left, bottom]]


def raster(polygon: Polygon, height: int, width: int, scale: float = 1.0) -> np.ndarray:
    """Return what a polygon covers, (h, w) uint8; a part within another is a hole."""
    mask = np.zeros((height, width), np.uint8)
    for part in polygon:
        mask ^= runs.decode(runs.frPyObjects([[value * scale for value in part]], height, width))[..., 0]
    return mask
