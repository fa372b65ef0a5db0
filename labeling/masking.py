"""Parts of a picture made unrecognisable. Pure: pictures and boxes, no Django.

What is left of a part are at most 36 averages, whichever way it is hidden: a mosaic of blocks of a fixed size
says more of a large face than a small one, and can be undone by trying.
"""

import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PIL import Image

BLOCKS = 6  # averages across a part, and as many down
MARGIN = 0.15  # of a box's sides, hidden around it on each side: hair and chin
GREY = (128, 128, 128)

Box = tuple[float, float, float, float]  # x, y, width, height


@dataclass(frozen=True, slots=True)
class FoundFace:
    """A face as a detector finds it, in pixels of the upright image."""

    bbox: Box
    score: float


SAVED: dict[str, dict[str, object]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "PNG": {},
    "WEBP": {"quality": 95, "method": 2},
    "BMP": {},
    "TIFF": {"compression": "tiff_lzw"},
    "GIF": {},
    "HEIF": {"quality": 95},
}


def hide(image: Image.Image, boxes: Iterable[Box], style: str) -> Image.Image:
    """Return an RGB image with nothing but its pixels, in which parts are a mosaic, a blur or a box."""
    # Pasted into a fresh one: previews, positions and names that a file carries show what was there, too.
    hidden = Image.new("RGB", image.size)
    hidden.paste(image)
    for box in boxes:
        left, top, right, bottom = part = around(box, *image.size)
        across, down = right - left, bottom - top
        if style == "box":
            hidden.paste(GREY, part)
            continue
        averages = image.crop(part).resize((min(BLOCKS, across), min(BLOCKS, down)), Image.Resampling.BOX)
        spread = Image.Resampling.NEAREST if style == "mosaic" else Image.Resampling.BICUBIC
        hidden.paste(averages.resize((across, down), spread), part)
    return hidden


def around(box: Sequence[float], width: int, height: int) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of what is hidden for a box, in whole pixels of the image."""
    x, y, wide, high = box
    left = min(max(math.floor(x - MARGIN * wide), 0), width - 1)
    top = min(max(math.floor(y - MARGIN * high), 0), height - 1)
    right = min(max(math.ceil(x + (1 + MARGIN) * wide), left + 1), width)
    bottom = min(max(math.ceil(y + (1 + MARGIN) * high), top + 1), height)
    return left, top, right, bottom


def encode(image: Image.Image, kind: str) -> bytes:
    """Return a picture as a file of a format, the same bytes each time."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **SAVED[kind])
    return buffer.getvalue()
