"""What a detector finds on an image and on its mirror image, in pixels of the image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from torch.nn import functional

from mlassist.backbones.loading import has_bfloat16
from mlassist.detectors.learning import Finder
from mlassist.detectors.network import padded
from mlassist.detectors.scaling import Ruler
from mlassist.detectors.shapes import Polygon, Shapes
from mlassist.detectors.views import GREY, mirrored

TOLERANCE = 0.35  # pixels of the working size that an outline may be off
LEAST_PART = 4.0  # square pixels: smaller specks of a mask are no part of the object


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found on an image, and on its mirror image (turned back)."""

    found: Shapes
    mirrored: Shapes

    def to_state(self) -> list[dict[str, Any]]:
        """Return tensors and lists, for a checkpoint."""
        return [
            {
                "boxes": torch.from_numpy(each.boxes),
                "classes": torch.from_numpy(each.classes),
                "scores": torch.from_numpy(each.scores),
                "polygons": each.polygons,
            }
            for each in (self.found, self.mirrored)
        ]

    @classmethod
    def from_state(cls, state: Sequence[Mapping[str, Any]]) -> "Seen":
        found, mirrored = (
            Shapes(each["boxes"].numpy(), each["classes"].numpy(), each["scores"].numpy(), each["polygons"])
            for each in state
        )
        return cls(found, mirrored)


class Looks(Protocol):
    """What finds objects on an image: a detector, or a model that nobody has taught."""

    @property
    def takes_all_cores(self) -> bool:
        """Tell whether one image takes all cores; else as many images are looked at as there are cores."""
        ...

    def at(self, pixels: np.ndarray) -> Seen:
        """Look at one upright image (h, w, 3) uint8 and at its mirror image."""
        ...


def at_working_size(pixels: np.ndarray, ruler: Ruler) -> tuple[np.ndarray, float]:
    """Return an image (h, w, 3) uint8 as the detector looks at it, and how many times as large that is."""
    height, width = pixels.shape[:2]
    scale = ruler.scale(width, height)
    size = max(8, round(width * scale)), max(8, round(height * scale))
    if size == (width, height):
        return pixels, 1.0
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(pixels, size, interpolation=how), size[0] / width


class Look:
    """A detector ready to look."""

    takes_all_cores = False

    def __init__(self, detector: Finder, ruler: Ruler) -> None:
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.half = has_bfloat16(self.device)
        self.detector = detector.to(memory_format=torch.channels_last).to(self.device).eval()
        self.ruler = ruler

    def at(self, pixels: np.ndarray) -> Seen:
        """Look at one upright image (h, w, 3) uint8 and at its mirror image."""
        small, scale = at_working_size(pixels, self.ruler)
        found = self.both_ways(small)
        return Seen(*(each.scaled(1 / scale) for each in found))

    @torch.inference_mode()
    def both_ways(self, pixels: np.ndarray) -> tuple[Shapes, Shapes]:
        height, width = pixels.shape[:2]
        full = padded((height, width))
        views = np.full((2, *full, 3), GREY, np.uint8)
        views[0, :height, :width] = pixels
        views[1, :height, :width] = pixels[:, ::-1]
        stack = torch.from_numpy(views).permute(0, 3, 1, 2).to(self.device)
        with torch.autocast(self.device, torch.bfloat16, self.half):
            detections = self.detector.find(stack, [(height, width)] * 2)
        plain, flipped = (shapes_of(each, height, width) for each in detections)
        return plain, mirrored(flipped, width)


def shapes_of(detection: dict[str, torch.Tensor], height: int, width: int) -> Shapes:
    boxes = detection["boxes"].float().cpu().numpy()
    classes, scores = detection["labels"].cpu().numpy(), detection["scores"].float().cpu().numpy()
    kept = np.flatnonzero((boxes[:, 2:] - boxes[:, :2]).min(1, initial=np.inf) > 1)
    polygons: list[Polygon] = []
    if "masks" in detection:
        masks = detection["masks"].float().cpu()
        polygons = [outline(masks[place, 0], boxes[place], height, width) for place in kept]
        has = np.array([bool(each) for each in polygons], bool)
        kept, polygons = kept[has], [each for each in polygons if each]
    return Shapes(boxes[kept], classes[kept], scores[kept], polygons)


def outline(mask: torch.Tensor, box: np.ndarray, height: int, width: int) -> Polygon:
    """Turn a mask of probabilities within a box into a polygon with holes; none where nothing is covered."""
    left, top = np.floor(box[:2]).astype(int)
    right, bottom = np.ceil(box[2:]).astype(int)
    size = (int(bottom - top), int(right - left))
    grown = functional.interpolate(mask[None, None], size, mode="bilinear", align_corners=False)[0, 0]
    # Twice the pixels, so that the edge of small objects is finer than a pixel.
    fine = cv2.resize(grown.numpy(), (2 * size[1], 2 * size[0]), interpolation=cv2.INTER_LINEAR)
    covered = np.pad((fine >= 0.5).astype(np.uint8), 1)
    contours, _ = cv2.findContours(covered, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    parts = []
    for contour in contours:
        smooth = cv2.approxPolyDP(contour, 2 * TOLERANCE, closed=True)
        if len(smooth) < 3 or cv2.contourArea(smooth) < 4 * LEAST_PART:
            continue
        points = (smooth.reshape(-1, 2) - 0.5) / 2 + (left, top)
        points = points.clip(0, (width, height))
        parts.append([round(float(value), 2) for value in points.ravel()])
    return parts
