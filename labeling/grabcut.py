"""The outline of one object from clicks, a box or an earlier outline. Pure functions of arrays.

GrabCut (Rother, Kolmogorov and Blake 2004) on a small crop. Where there are only clicks, the first guess is
the region around them that has the clearest edge.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from labeling.hints import Hints, Point

FIRST = 320  # pixels on the longer side, for a first guess
SIDE = 224  # and for the cut: its time grows faster than the area
ROUNDS = 3
AROUND = 0.35  # of the object's size: how much beyond it is looked at
CORE = 0.6  # of a box's width and height: the ellipse that is certain to be the object
BAND = 0.2  # of the object's size: how far a first guess may be off
CLICK = 0.008  # of the crop's size: how far around a click everything is as it says
UNKNOWN = 0.2  # of the picture's size: what is looked at where no region stands out around a click
LARGEST = 0.5  # of the crop, that a region around a click may fill
LEVELS = 40
BIG_HOLE = 0.03  # of the object's area
FINER = 3  # times the crop's size: where outlines are drawn
LOOSE = 1.0  # pixels of the crop by which an outline with few points may be off

Failed = cv2.error  # what OpenCV makes of a picture that leaves it nothing to go by

cv2.setNumThreads(1)  # the other cores are for other people


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of a picture in another size; `scale` is how many of its pixels make one of the picture."""

    pixels: np.ndarray
    left: int
    top: int
    scale: float

    @property
    def size(self) -> int:
        return max(self.pixels.shape[:2])

    def inner(self, points: Sequence[Point] | np.ndarray) -> np.ndarray:
        """Return points of the picture as pixels of the crop, those beyond it at its border."""
        height, width = self.pixels.shape[:2]
        moved = (np.asarray(points, float).reshape(-1, 2) - (self.left, self.top)) * self.scale
        return np.clip(moved, 0, (width - 1, height - 1)).astype(np.int32)

    def outer(self, ring: np.ndarray) -> np.ndarray:
        """Return points of the crop as points of the picture."""
        return ring / self.scale + (self.left, self.top)


def outline(picture: np.ndarray, hints: Hints) -> list[np.ndarray]:
    """Return the rings of the object as points of an RGB picture; none where nothing stands out."""
    polygon = [np.reshape(part, (-1, 2)) for part in hints.polygon]
    if hints.box is None and not polygon:
        polygon = first_guess(picture, hints)
    crop = crop_around(picture, bounds_of(picture, hints, polygon), SIDE)
    if hints.box is not None:
        labels = labels_of_box(crop, hints.box, hints)
    else:
        labels = labels_of(crop, polygon, hints)
    click(labels, crop, hints)
    found = cut(crop.pixels, labels)
    return rings_of(chosen(found, crop, hints), crop)


def first_guess(picture: np.ndarray, hints: Hints) -> list[np.ndarray]:
    """Return the region around the first click as rings in the picture, a disc where none stands out.

    One click alone leaves no doubt which region is meant; what others add or take away comes later.
    """
    height, width = picture.shape[:2]
    whole = crop_around(picture, np.array([0, 0, width, height]), FIRST)
    region = grown(whole.pixels, whole.inner(hints.inside[:1]), whole.inner(()))
    if region is None:
        radius = UNKNOWN * max(width, height) / 2
        turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        return [np.array(hints.inside[0]) + radius * np.column_stack([np.cos(turns), np.sin(turns)])]
    outlines, _ = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return [whole.outer(each.reshape(-1, 2) + 0.5) for each in outlines]


def bounds_of(picture: np.ndarray, hints: Hints, polygon: Sequence[np.ndarray]) -> np.ndarray:
    """Return left, top, right and bottom of what is to be looked at."""
    points = [np.reshape(each, (-1, 2)) for each in (hints.inside, hints.outside) if each]
    if hints.box is not None:
        x, y, wide, high = hints.box
        points.append(np.array([[x, y], [x + wide, y + high]]))
    corners = np.concatenate([*points, *polygon])
    low, high_ = corners.min(axis=0), corners.max(axis=0)
    margin = AROUND * (high_ - low).max() + 4
    height, width = picture.shape[:2]
    low = np.clip(np.floor(low - margin), 0, (max(0, width - 2), max(0, height - 2)))
    return np.concatenate([low, np.clip(np.ceil(high_ + margin), low + 2, (width, height))])


def crop_around(picture: np.ndarray, bounds: np.ndarray, side: int) -> Crop:
    left, top, right, bottom = (int(edge) for edge in bounds)
    part = picture[top:bottom, left:right]
    scale = min(side / max(part.shape[:2]), 4.0)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    size = [max(1, round(scale * length)) for length in (right - left, bottom - top)]
    return Crop(np.ascontiguousarray(cv2.resize(part, size, interpolation=way)), left, top, scale)


def grown(pixels: np.ndarray, seeds: np.ndarray, others: np.ndarray) -> np.ndarray | None:
    """Return the mask of the region around seeds, without `others`, whose edge is the clearest."""
    seeded = spots(pixels, seeds, 0.006)
    blocked = spots(pixels, others, CLICK)
    far = distances(pixels, seeded)
    slope = np.hypot(cv2.Sobel(far, cv2.CV_32F, 1, 0), cv2.Sobel(far, cv2.CV_32F, 0, 1))
    lowest = float(np.percentile(far[seeded > 0], 90)) + 0.5
    best, region, before = -1.0, None, 0
    for level in np.linspace(lowest, max(np.percentile(far, 99), lowest + 1), LEVELS):
        filled = connected(far <= level, seeded, seeds, blocked)
        area = int(filled.sum())
        if area > LARGEST * filled.size or (filled & blocked).any():
            break
        if area == before or area < 12:
            continue
        before = area
        clear = clearness(filled, slope)
        if clear > best:
            best, region = clear, filled
    return region


def distances(pixels: np.ndarray, seeded: np.ndarray) -> np.ndarray:
    """Return how far each pixel's colour is from that of the seeds."""
    colors = cv2.cvtColor(cv2.GaussianBlur(pixels, (0, 0), 1.0), cv2.COLOR_RGB2LAB).astype(np.float32)
    own = np.median(colors[seeded > 0], axis=0)
    return np.asarray(np.sqrt(np.square(colors - own).sum(axis=2)), np.float32)


def connected(alike: np.ndarray, seeded: np.ndarray, seeds: np.ndarray, blocked: np.ndarray) -> np.ndarray:
    """Return what hangs together with the seeds, holes filled."""
    mask = cv2.morphologyEx(alike.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    mask[blocked > 0] = 0
    mask[seeded > 0] = 1
    _, parts = cv2.connectedComponents(mask, connectivity=4)
    kept = np.isin(parts, np.setdiff1d(parts[seeds[:, 1], seeds[:, 0]], [0])).astype(np.uint8)
    outlines, _ = cv2.findContours(kept, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(np.zeros_like(kept), outlines, -1, 1, -1))


def clearness(filled: np.ndarray, slope: np.ndarray) -> float:
    """Return how clear a region's edge is: steep all along, round rather than ragged, not at the border."""
    square = np.ones((3, 3), np.uint8)
    wide, rim = cv2.dilate(filled, square), filled - cv2.erode(filled, square)
    length = int(rim.sum()) + 1
    at_border = sum(int(edge.sum()) for edge in (filled[0], filled[-1], filled[:, 0], filled[:, -1]))
    points = cv2.findNonZero(rim)
    area = float(filled.sum())
    solid = area / (cv2.contourArea(cv2.convexHull(points)) + length / 2)
    steep = float(np.percentile(slope[(wide - filled + rim) > 0], 25))
    return steep * (1 - min(1.0, at_border / length)) * min(1.0, solid) ** 2 * area**0.2


def labels_of(crop: Crop, polygon: Sequence[np.ndarray], hints: Hints) -> np.ndarray:
    """Return what GrabCut is to begin with: sure deep inside a guess and far from it, open along its edge."""
    mask = np.zeros(crop.pixels.shape[:2], np.uint8)
    cv2.fillPoly(mask, [crop.inner(ring) for ring in polygon], 1)
    missing, wrong = contradicted(crop, mask, hints)
    mask = (mask | missing) & (1 - wrong)
    band = BAND * np.sqrt(max(1, int(mask.sum())))
    labels = np.full(mask.shape, cv2.GC_BGD, np.uint8)
    labels[cv2.dilate(mask, disc(1.5 * band)) > 0] = cv2.GC_PR_BGD
    labels[mask > 0] = cv2.GC_PR_FGD
    labels[cv2.erode(mask, disc(band)) > 0] = cv2.GC_FGD
    return labels


def labels_of_box(crop: Crop, box: Sequence[float], hints: Hints) -> np.ndarray:
    """Return the same for a box: nothing beyond it, its middle for sure, likely what an ellipse fills."""
    (left, top), (right, bottom) = crop.inner([(box[0], box[1]), (box[0] + box[2], box[1] + box[3])])
    labels = np.full(crop.pixels.shape[:2], cv2.GC_BGD, np.uint8)
    within = labels[top : bottom + 1, left : right + 1]
    within[:] = cv2.GC_PR_BGD
    middle, size = ((right - left) / 2, (bottom - top) / 2), (float(right - left), float(bottom - top))
    cv2.ellipse(within, (middle, size, 0), cv2.GC_PR_FGD, -1)
    cv2.ellipse(within, (middle, (CORE * size[0], CORE * size[1]), 0), cv2.GC_FGD, -1)
    missing, wrong = contradicted(crop, labels & 1, hints)  # the labels of what is likely inside are odd
    labels[missing > 0] = cv2.GC_PR_FGD
    labels[wrong > 0] = cv2.GC_PR_BGD
    return labels


def contradicted(crop: Crop, likely: np.ndarray, hints: Hints) -> tuple[np.ndarray, np.ndarray]:
    """Return the regions around clicks that a first guess leaves out, and that it has wrongly."""
    inside, outside = crop.inner(hints.inside), crop.inner(hints.outside)
    missing, wrong = np.zeros_like(likely), np.zeros_like(likely)
    for spots_there, others, regions, value in ((inside, outside, missing, 0), (outside, inside, wrong, 1)):
        for spot in spots_there:
            if likely[spot[1], spot[0]] == value:
                region = grown(crop.pixels, spot[None], others)
                regions |= 0 if region is None else region
    return missing, wrong


def click(labels: np.ndarray, crop: Crop, hints: Hints) -> None:
    labels[spots(labels, crop.inner(hints.inside), CLICK) > 0] = cv2.GC_FGD
    labels[spots(labels, crop.inner(hints.outside), CLICK) > 0] = cv2.GC_BGD


def spots(like: np.ndarray, places: np.ndarray, share: float) -> np.ndarray:
    """Return a mask of discs, their radius a share of the size."""
    mask = np.zeros(like.shape[:2], np.uint8)
    for x, y in places.tolist():
        cv2.circle(mask, (x, y), max(1, round(share * max(mask.shape))), 1, -1)
    return mask


def cut(pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the mask that GrabCut makes of its beginning."""
    likely = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))
    if likely.any() and not likely.all():
        cv2.setRNGSeed(0)
        ours, theirs = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(pixels, labels, (0, 0, 1, 1), ours, theirs, ROUNDS, cv2.GC_INIT_WITH_MASK)
    return np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)


def chosen(mask: np.ndarray, crop: Crop, hints: Hints) -> np.ndarray:
    """Return the parts of a mask that were clicked on, else the largest one, without threads."""
    _, parts, facts, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    places = crop.inner(hints.inside)
    wanted = np.setdiff1d(parts[places[:, 1], places[:, 0]], [0])
    if not len(wanted) and len(facts) > 1:
        wanted = np.array([1 + facts[1:, cv2.CC_STAT_AREA].argmax()])
    kept = np.isin(parts, wanted).astype(np.uint8)
    radius = 0.02 * np.sqrt(float(kept.sum()))
    smooth = cv2.morphologyEx(kept, cv2.MORPH_OPEN, disc(radius))
    return smooth if smooth.any() else kept


def rings_of(mask: np.ndarray, crop: Crop) -> list[np.ndarray]:
    """Return the outlines of a mask with few points, in pixels of the picture."""
    # Finer than the mask: an outline runs through the middle of the outermost pixels.
    finer = cv2.resize(mask.astype(np.float32), None, fx=FINER, fy=FINER, interpolation=cv2.INTER_LINEAR)
    whole = (finer > 0.5).astype(np.uint8)
    outlines, nesting = cv2.findContours(whole, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    smallest = BIG_HOLE * float(whole.sum())
    found = []
    for ring, (*_, parent) in zip(outlines, nesting[0] if outlines else (), strict=True):
        if parent >= 0 and cv2.contourArea(ring) < smallest:
            continue
        few = cv2.approxPolyDP(ring, LOOSE * FINER, closed=True).reshape(-1, 2)
        if len(few) >= 3:
            found.append(crop.outer((few + 0.5) / FINER))
    return found


def disc(radius: float) -> np.ndarray:
    wide = 2 * max(1, round(radius)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (wide, wide)))
