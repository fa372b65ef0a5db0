"""Faces that need no network to be found: stripes of magenta. Those that are missed have stripes of blue."""

import io
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from labeling.masking import FoundFace

MAGENTA = (255, 0, 255)
FACE, MISSED = (40, 24, 100, 78), (140, 84, 160, 104)  # the second one is blue, which nobody finds
BLUE = (0, 0, 255)


class ByColour:
    """Finds what is magenta."""

    name = "by colour"
    trouble = ""

    def problem(self) -> str:
        return self.trouble

    def find(self, image: Image.Image) -> list[FoundFace]:
        rows, columns = np.nonzero((np.abs(np.asarray(image, int) - MAGENTA) < 60).all(axis=2))
        if not len(rows):
            return []
        left, top = float(columns.min()), float(rows.min())
        return [FoundFace((left, top, float(columns.max()) + 1 - left, float(rows.max()) + 1 - top), 0.9)]


def picture(number: int = 0, kind: str = "PNG", **save: Any) -> bytes:
    image = Image.new("RGB", (192, 128), (120, 200 - number, 90))
    draw = ImageDraw.Draw(image)
    for colour, (left, top, right, bottom) in ((MAGENTA, FACE), (BLUE, MISSED)):
        for x in range(left, right, 2):  # in stripes, of which no average has the colour
            draw.rectangle((x, top, x + 1, bottom - 1), fill=colour if x % 4 else (0, 0, 0))
    out = io.BytesIO()
    image.save(out, kind, **save)
    return out.getvalue()
