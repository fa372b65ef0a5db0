"""What a detector learns from: images at their working size, and random views of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from mlassist.detectors.shapes import Polygon, Shapes, raster, rectangle

SCALES = (0.7, 1.4)
LIGHT = 0.25  # how far brightness, contrast and saturation move
LEAST_VISIBLE = 0.35  # of an object that a view cuts: less says too little of what it is
GREY = 114
OVERLAP = 1.15  # of the sides of pieces: what one cuts, the next shows


@dataclass(frozen=True, slots=True)
class Example:
    """An image as it is looked at, (h, w, 3) uint8, and the objects on it in its pixels."""

    pixels: np.ndarray
    shapes: Shapes

    def mirrored(self) -> "Example":
        return Example(
            np.ascontiguousarray(self.pixels[:, ::-1]), mirrored(self.shapes, self.pixels.shape[1])
        )


def pieces(example: Example, most: int) -> list[Example]:
    """Cut an image of more than `most` pixels into parts that overlap, of about so many."""
    height, width = example.pixels.shape[:2]
    if height * width <= most:
        return [example]
    rows, columns = math.ceil(height / math.sqrt(most)), math.ceil(width / math.sqrt(most))
    high = min(height, math.ceil(height / rows * OVERLAP))
    wide = min(width, math.ceil(width / columns * OVERLAP))
    cut = []
    for top in np.linspace(0, height - high, rows).round().astype(int):
        for left in np.linspace(0, width - wide, columns).round().astype(int):
            matrix = np.array([[1, 0, -left], [0, 1, -top]], np.float64)
            pixels = np.ascontiguousarray(example.pixels[top : top + high, left : left + wide])
            cut.append(Example(pixels, moved(example.shapes, matrix, (wide, high))))
    return cut


def mirrored(shapes: Shapes, width: float) -> Shapes:
    boxes = shapes.boxes.copy()
    boxes[:, [0, 2]] = width - boxes[:, [2, 0]]
    polygons = [
        [[value if at % 2 else width - value for at, value in enumerate(part)] for part in polygon]
        for polygon in shapes.polygons
    ]
    return Shapes(boxes, shapes.classes, shapes.scores, polygons)


def view(example: Example, side: int, rng: np.random.Generator) -> Example:
    """Return a square view: moved, scaled, maybe mirrored, in another light."""
    height, width = example.pixels.shape[:2]
    scale = math.exp(rng.uniform(*np.log(SCALES)))
    seen = side / scale
    left = corner(width, seen, rng)
    top = corner(height, seen, rng)
    flip = rng.random() < 0.5
    matrix = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]], np.float64)
    if flip:
        matrix[0] = [-scale, 0, side + left * scale]
    pixels = cv2.warpAffine(
        example.pixels,
        matrix,
        (side, side),
        flags=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(GREY, GREY, GREY),
    )
    return Example(relit(pixels, rng), moved(example.shapes, matrix, (side, side)))


def corner(length: int, seen: float, rng: np.random.Generator) -> float:
    """Return where a view begins: within the image, or around it where it is smaller."""
    room = length - seen
    return rng.uniform(min(room, 0), max(room, 0))


def moved(shapes: Shapes, matrix: np.ndarray, size: tuple[int, int]) -> Shapes:
    """Return the objects where an affine map without rotation puts them, cut at a view's edges (w, h)."""
    if not len(shapes):
        return shapes
    xs = shapes.boxes[:, [0, 2]] * matrix[0, 0] + matrix[0, 2]
    ys = shapes.boxes[:, [1, 3]] * matrix[1, 1] + matrix[1, 2]
    whole = np.stack([xs.min(1), ys.min(1), xs.max(1), ys.max(1)], 1).astype(np.float32)
    cut = whole.clip(0, np.array([*size, *size], np.float32))
    kept = np.flatnonzero((area(cut) >= LEAST_VISIBLE * area(whole)) & ((cut[:, 2:] - cut[:, :2]).min(1) > 2))
    polygons: list[Polygon] = (
        [transformed(shapes.polygons[at], matrix) for at in kept] if shapes.polygons else []
    )
    return Shapes(cut[kept], shapes.classes[kept], shapes.scores[kept], polygons)


def area(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def transformed(polygon: Polygon, matrix: np.ndarray) -> Polygon:
    parts = [np.array(part, np.float64).reshape(-1, 2) for part in polygon]
    return [(part * matrix[[0, 1], [0, 1]] + matrix[:, 2]).ravel().tolist() for part in parts]


def relit(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change brightness, contrast and saturation a little."""
    light, contrast, colour = 1 + rng.uniform(-LIGHT, LIGHT, 3)
    levels = np.arange(256, dtype=np.float32)
    table = ((levels - 128) * contrast + 128) * light
    changed = cv2.LUT(pixels, table.clip(0, 255).astype(np.uint8))
    grey = cv2.cvtColor(cv2.cvtColor(changed, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(changed, float(colour), grey, float(1 - colour), 0)


def targets(examples: Sequence[Example], *, masks: bool) -> list[dict[str, torch.Tensor]]:
    """Return what the loss compares with: masks at half of the size."""
    made = []
    for each in examples:
        target = {
            "boxes": torch.from_numpy(each.shapes.boxes),
            "labels": torch.from_numpy(each.shapes.classes),
        }
        if masks:
            height, width = (length // 2 for length in each.pixels.shape[:2])
            rows = [raster(polygon, height, width, 0.5) for polygon in outlines(each.shapes)]
            target["masks"] = torch.from_numpy(
                np.stack(rows) if rows else np.zeros((0, height, width), np.uint8)
            )
        made.append(target)
    return made


def outlines(shapes: Shapes) -> list[Polygon]:
    """Return each object's polygon; a box where it has none."""
    if shapes.polygons or not len(shapes):
        return shapes.polygons
    return [rectangle(box) for box in shapes.boxes.tolist()]
