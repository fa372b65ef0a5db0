"""Pictures of several shapes whose outlines are known."""

import io
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw

Point = tuple[float, float]
CORNERS = {"square": 4, "triangle": 3}  # all others are round
ROUND = 24
ACROSS, DOWN = 3, 2


@dataclass(frozen=True, slots=True)
class Shape:
    """One shape: the name of its class and its outline in pixels."""

    name: str
    outline: tuple[Point, ...]

    def box(self) -> list[float]:
        xs, ys = [x for x, _ in self.outline], [y for _, y in self.outline]
        return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]

    def polygon(self) -> list[list[float]]:
        return [[number for point in self.outline for number in point]]


def arrange(seed: int, names: Sequence[str], width: int, height: int) -> list[Shape]:
    """Return shapes that do not touch each other: the same ones for the same seed and size."""
    chance = random.Random(f"scene-{seed}")
    cells = chance.sample([(x, y) for x in range(ACROSS) for y in range(DOWN)], 3 + seed % 3)
    return [
        shape_in(cell, names[rank % len(names)], width, height, chance) for rank, cell in enumerate(cells)
    ]


def shape_in(cell: tuple[int, int], name: str, width: int, height: int, chance: random.Random) -> Shape:
    """Return a shape somewhere in one of the cells into which the picture is divided."""
    across, down = width / ACROSS, height / DOWN
    radius = min(across, down) * chance.uniform(0.25, 0.4)
    x = cell[0] * across + chance.uniform(radius + 2, across - radius - 2)
    y = cell[1] * down + chance.uniform(radius + 2, down - radius - 2)
    corners = CORNERS.get(name, ROUND)
    start = math.pi / 4 if corners == 4 else -math.pi / 2
    turns = [start + 2 * math.pi * number / corners for number in range(corners)]
    outline = ((x + radius * math.cos(turn), y + radius * math.sin(turn)) for turn in turns)
    return Shape(name, tuple((round(px, 1), round(py, 1)) for px, py in outline))


def draw(seed: int, shapes: Sequence[Shape], width: int, height: int) -> Image.Image:
    """Return a picture of the shapes, dark on a light and speckled ground."""
    chance = random.Random(f"colors-{seed}")
    ground = Image.effect_noise((width, height), 12).point(lambda value: min(255, value + 80))
    picture = Image.merge("RGB", [ground] * 3)
    canvas = ImageDraw.Draw(picture)
    for shape in shapes:
        canvas.polygon(shape.outline, fill=tuple(chance.randrange(20, 110) for _ in range(3)))
    return picture


def write(path: Path, seed: int, shapes: Sequence[Shape], width: int, height: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(drawn(seed, tuple(shapes), width, height))


@lru_cache(64)
def drawn(seed: int, shapes: tuple[Shape, ...], width: int, height: int) -> bytes:
    """Return the file of a picture: many tests show the same ones."""
    file = io.BytesIO()
    draw(seed, shapes, width, height).save(file, "PNG", compress_level=1)  # noise: six times as fast
    return file.getvalue()
