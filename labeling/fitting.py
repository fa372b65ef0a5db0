"""Labels from elsewhere, made to fit an image and a task: what can be taken, and what is wrong with the rest.

Pure functions of records and numbers.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely

from labeling import geometry
from labeling.formats.records import Picture, Shape
from labeling.formats.runs import outlined

ENOUGH = 0.5  # of a shape's area must lie in the image, or its coordinates mean something else
ALIKE = 0.01  # by how much the sides of a scaled copy may differ from the image's proportions
NO_SHAPE = "This project asks for boxes or polygons, and this is a class of the whole image."
NO_CLASS = "This project asks for classes of whole images, and this is a {kind}."
OUTSIDE = "A {kind} of “{name}” lies outside of the image of {width} × {height} pixels, or mostly so."
OF_SIZE = "The labels are for an image of {width} × {height} pixels, and it has {own_width} × {own_height}."
SEVERAL = "It has several classes, and this project asks for one: {names}."


@dataclass(slots=True)
class Fitted:
    """Regions {class, bbox?, polygon?} that can be taken, `class` a number of the file's classes.

    `counts` says what was done to how many: clipped, outside, flawed, scaled, boxed, framed, traced,
    repeated, wrong_type, wrong_size, several. `problems` are what was refused: by which of these, and why.
    """

    regions: list[dict[str, Any]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[tuple[str, str]] = field(default_factory=list)

    def refuse(self, what: str, said: str) -> None:
        self.counts[what] += 1
        self.problems.append((what, said))


@dataclass(frozen=True, slots=True)
class Target:
    """The image that labels are for, in pixels, and what its project asks for."""

    width: int
    height: int
    is_classification: bool
    is_single: bool  # one class each
    has_boxes: bool  # and nothing else
    has_masks: bool = False


def fit(picture: Picture, target: Target, names: Sequence[str]) -> Fitted:
    """Fit the regions of a picture, whose categories are indexes of `names`, to an image."""
    found = Fitted()
    if target.is_classification:
        fit_classes(picture, target, names, found)
        return found
    scale = scale_of(picture, target)
    drawn = [each for each in picture.shapes if each.bbox or each.polygon or each.mask]
    for _ in range(len(picture.shapes) - len(drawn)):
        found.refuse("wrong_type", NO_SHAPE)
    if scale is None and drawn:
        said = OF_SIZE.format(
            width=picture.width, height=picture.height, own_width=target.width, own_height=target.height
        )
        found.refuse("wrong_size", said)
        return found
    for shape in drawn:
        region = fit_shape(shape, picture, target, scale or (1.0, 1.0), names[shape.category], found)
        if region is not None and region in found.regions:
            found.counts["repeated"] += 1
        elif region is not None:
            found.regions.append(region)
    return found


def fit_classes(picture: Picture, target: Target, names: Sequence[str], found: Fitted) -> None:
    chosen: dict[int, None] = {}
    for each in picture.shapes:
        if each.bbox or each.polygon or each.mask:
            found.refuse("wrong_type", NO_CLASS.format(kind=kind_of(each)))
        elif each.category in chosen:
            found.counts["repeated"] += 1
        else:
            chosen[each.category] = None
    if target.is_single and len(chosen) > 1:
        found.refuse("several", SEVERAL.format(names=", ".join(names[each] for each in chosen)))
        return
    found.regions = [{"class": each} for each in chosen]


def scale_of(picture: Picture, target: Target) -> tuple[float, float] | None:
    """Return by what to multiply x and y, None where the labels are for an image of another shape.

    A copy of another size has the same proportions.
    """
    if not (picture.width and picture.height):
        return 1.0, 1.0
    across, down = target.width / picture.width, target.height / picture.height
    if abs(across - down) > ALIKE * max(across, down):
        return None
    return across, down


def fit_shape(
    shape: Shape,
    picture: Picture,
    target: Target,
    scale: tuple[float, float],
    name: str,
    found: Fitted,
) -> dict[str, Any] | None:
    """Return a region in pixels of the image, None after saying what is wrong with it."""
    kind, polygon, box = kind_of(shape), shape.polygon, shape.bbox
    if shape.mask:
        # Unpacked only where it is as large as the image, whose size is known to be sound.
        if (picture.width, picture.height) != (target.width, target.height):
            found.refuse("wrong_size", "A mask has to be as large as its image.")
            return None
        polygon = outlined(shape.mask, picture.width, picture.height)
        if not polygon or len(polygon) > geometry.MOST_PARTS:
            found.refuse(
                "flawed", f"A mask of “{name}” is empty, or has more than {geometry.MOST_PARTS} parts."
            )
            return None
    if scale != (1.0, 1.0):
        found.counts["scaled"] += 1
        box = box and (np.array(box) * (*scale, *scale)).tolist()
        polygon = polygon and [(np.reshape(part, (-1, 2)) * scale).ravel().tolist() for part in polygon]
    flaw = geometry.flaw(box, polygon)
    if flaw is None and geometry.misfit(box, polygon, target.width, target.height) is not None:
        box, polygon = clipped(box, polygon, target)
        if box is None and polygon is None:
            said = OUTSIDE.format(kind=kind, name=name, width=target.width, height=target.height)
            found.refuse("outside", said)
            return None
        found.counts["clipped"] += 1
        flaw = geometry.flaw(box, polygon)
    if flaw is not None:
        found.refuse("flawed", f"“{name}”: {flaw}")
        return None
    return as_asked(shape, box, polygon, target, found)


def as_asked(
    shape: Shape,
    box: list[float] | None,
    polygon: list[list[float]] | None,
    target: Target,
    found: Fitted,
) -> dict[str, Any]:
    """Return a region as its project asks for it, counting what was of another kind."""
    if polygon and target.has_boxes:
        found.counts["boxed"] += 1
        box, polygon = geometry.bounds(polygon), None
    elif box and not target.has_boxes:
        found.counts["framed"] += 1
    elif shape.mask and not target.has_masks:
        found.counts["traced"] += 1
    return {"class": shape.category, "bbox": box} if box else {"class": shape.category, "polygon": polygon}


def clipped(
    box: list[float] | None, polygon: list[list[float]] | None, target: Target
) -> tuple[list[float] | None, list[list[float]] | None]:
    """Return the part of a shape within the image, nothing where that is less than half of it."""
    frame = shapely.box(0, 0, target.width, target.height)
    whole = geometry.combined(polygon) if polygon else geometry.area({"bbox": box})
    inside = whole.intersection(frame)
    if inside.area < ENOUGH * whole.area or inside.area < geometry.SMALLEST:
        return None, None
    if box:
        low_x, low_y, high_x, high_y = inside.bounds
        return [low_x, low_y, high_x - low_x, high_y - low_y], None
    pieces = shapely.get_parts(inside)
    areas = [each for each in pieces if each.geom_type == "Polygon"]
    rings = [ring for area in areas for ring in (area.exterior, *area.interiors)]
    return None, [np.asarray(ring.coords)[:-1, :2].ravel().tolist() for ring in rings]


def kind_of(shape: Shape) -> str:
    return "box" if shape.bbox else "polygon" if shape.polygon else "mask"
