"""How good detections are: COCO's average precision by pycocotools, overlap, and what is taken for what."""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as runs
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mlassist.detectors.matching import mean_overlap, pairs
from mlassist.detectors.shapes import Shapes, raster, rectangle

MOST_DETECTIONS = 300


@dataclass(frozen=True, slots=True)
class Quality:
    """`ap` over overlaps .5 to .95, `ap50` at .5; `per_class` at .5; `curve` is (recall, precision) at .5.

    `confusion` (classes + 1, classes + 1) counts drawn objects by row, found ones by column at the display
    thresholds; the last row and column are the background.
    """

    ap: float
    ap50: float
    mean_iou: float
    per_class: list[float | None]
    curve: list[tuple[float, float]]
    confusion: list[list[int]]


def quality(
    found: Sequence[Shapes],
    truth: Sequence[Shapes],
    sizes: Sequence[tuple[int, int]],
    classes: int,
    shown: np.ndarray,
) -> Quality:
    """Compare images; `sizes` are (width, height), `shown` (classes,) the least scores that are shown."""
    precision = precisions(found, truth, sizes, classes)
    kept = [each.pick(each.scores >= shown[each.classes]) for each in found]
    if precision is None:
        ap = ap50 = 0.0
        per_class: list[float | None] = [None] * classes
        curve: list[tuple[float, float]] = []
    else:
        seen = precision[precision > -1]
        ap = float(seen.mean()) if len(seen) else 0.0
        at_half = precision[0]
        per_class = [float(at_half[:, k].mean()) if at_half[0, k] > -1 else None for k in range(classes)]
        known = [each for each in per_class if each is not None]
        ap50 = float(np.mean(known)) if known else 0.0
        drawn = at_half[:, [k for k in range(classes) if per_class[k] is not None]]
        steps = np.linspace(0, 1, drawn.shape[0])[::4]
        curve = list(zip(steps.round(3).tolist(), drawn.mean(1)[::4].round(4).tolist(), strict=True))
    return Quality(
        ap, ap50, mean_overlap(kept, list(truth)), per_class, curve, confusion(kept, truth, classes).tolist()
    )


def precisions(
    found: Sequence[Shapes], truth: Sequence[Shapes], sizes: Sequence[tuple[int, int]], classes: int
) -> np.ndarray | None:
    """Return COCO's precision (overlaps, recalls, classes), -1 for classes that nobody drew."""
    by_mask = any(each.polygons for each in truth)
    annotations = [
        {
            "id": 0,
            "image_id": at,
            "category_id": int(shapes.classes[place]),
            "iscrowd": 0,
            **geometry(shapes, place, sizes[at], by_mask),
        }
        for at, shapes in enumerate(truth)
        for place in range(len(shapes))
    ]
    for number, each in enumerate(annotations, 1):
        each["id"] = number
    results = [
        {
            "image_id": at,
            "category_id": int(shapes.classes[place]),
            "score": float(shapes.scores[place]),
            **geometry(shapes, place, sizes[at], by_mask),
        }
        for at, shapes in enumerate(found)
        for place in range(len(shapes))
    ]
    if not annotations or not results:
        return None
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO()
        known.dataset = {
            "images": [{"id": at, "width": w, "height": h} for at, (w, h) in enumerate(sizes)],
            "categories": [{"id": each, "name": str(each)} for each in range(classes)],
            "annotations": annotations,
        }
        known.createIndex()
        judge = COCOeval(known, known.loadRes(results), "segm" if by_mask else "bbox")
        judge.params.maxDets = [1, 10, MOST_DETECTIONS]
        judge.evaluate()
        judge.accumulate()
    return judge.eval["precision"][:, :, :, 0, -1]


def geometry(shapes: Shapes, place: int, size: tuple[int, int], by_mask: bool) -> dict:
    left, top, right, bottom = (float(each) for each in shapes.boxes[place])
    box = [left, top, right - left, bottom - top]
    if not by_mask:
        return {"bbox": box, "area": box[2] * box[3]}
    polygon = shapes.polygons[place] if shapes.polygons else rectangle((left, top, right, bottom))
    coded = runs.encode(np.asfortranarray(raster(polygon, size[1], size[0])))
    return {"segmentation": coded, "bbox": box, "area": float(runs.area(coded))}


def confusion(found: Sequence[Shapes], truth: Sequence[Shapes], classes: int) -> np.ndarray:
    """Count drawn objects (rows) by what was found there (columns); the last of both is the background."""
    counts = np.zeros((classes + 1, classes + 1), int)
    for one, other in zip(found, truth, strict=True):
        matched = pairs(one, other, any_class=True)
        for place, to in enumerate(matched):
            counts[other.classes[to] if to >= 0 else classes, one.classes[place]] += 1
        for to in np.setdiff1d(np.arange(len(other)), matched):
            counts[other.classes[to], classes] += 1
    return counts
