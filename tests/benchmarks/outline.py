"""How close the smart outline comes to outlines by hand, and how long a labeler waits for it.

    python -m tests.benchmarks.outline --data ../shared/data

On nuclei in microscope images (`nuclei.zip`), as many of each image; without it, on drawn shapes.

iou_box              mean overlap with the true mask, intersection over union, from the box around it
iou_click            from one click in its middle
iou_after_2_clicks   and one more in the middle of the largest mistake
good_box, good_click share of those with an overlap of 0.8 or more
points               of an outline, on average
seconds_p50, _p95    for the first click in a JPEG of 4,000 x 3,000 pixels, decoding included
again_p50            for the next one, when it is decoded already

The last line of output is one JSON object.
"""

import argparse
import io
import json
import time
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from labeling.hints import Hints, Point
from tests import scenes
from tests.benchmarks import datasets
from tests.benchmarks.backbone import DATA, say

SMALLEST = 80  # pixels of an object's mask: below, a pixel's width decides
GOOD = 0.8
CLASSES = ("circle", "square", "triangle")


@dataclass(frozen=True, slots=True)
class Truth:
    """An object in a picture, as a mask drawn by hand."""

    picture: np.ndarray
    mask: np.ndarray
    box: tuple[float, ...]


def nuclei(path: Path, count: int) -> Iterator[Truth]:
    """Yield about `count` objects, as many of each image."""
    with zipfile.ZipFile(path) as archive:
        notes = json.loads(archive.read("nuclei/coco.json"))
        objects = defaultdict(list)
        for each in notes["annotations"]:
            if each["area"] >= SMALLEST:
                objects[each["image_id"]].append(each)
        chance = np.random.default_rng(0)
        for image in notes["images"]:
            data = archive.read(f"nuclei/images/{Path(image['file_name']).name}")
            picture = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
            mine = objects[image["id"]]
            for row in chance.permutation(len(mine))[: max(1, count // len(notes["images"]))]:
                mask = drawn(mine[row]["segmentation"], picture.shape[:2])
                yield Truth(picture, mask, tuple(map(float, mine[row]["bbox"])))


def shapes(count: int) -> Iterator[Truth]:
    """Yield shapes of drawn scenes."""
    for seed in range(count // 4 + 1):
        found = scenes.arrange(seed, CLASSES, 640, 480)
        picture = np.asarray(scenes.draw(seed, found, 640, 480))
        for each in found:
            yield Truth(picture, drawn(each.polygon(), (480, 640)), tuple(each.box()))


def drawn(parts: list[list[float]], size: tuple[int, ...]) -> np.ndarray:
    """Return a polygon's mask by the even-odd rule."""
    mask = np.zeros(size, bool)
    for part in parts:
        image = Image.new("1", (size[1], size[0]))
        points = [(x, y) for x, y in np.reshape(part, (-1, 2)).tolist()]
        ImageDraw.Draw(image).polygon(points, fill=1)
        mask ^= np.asarray(image)
    return mask


def middle(mask: np.ndarray) -> Point:
    """Return the point of a mask that is farthest from its edge."""
    import cv2

    depth = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    row, column = np.unravel_index(depth.argmax(), mask.shape)
    return float(column) + 0.5, float(row) + 0.5


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / max(1, (one | other).sum()))


def measure(objects: Iterator[Truth]) -> dict[str, float]:
    from labeling import grabcut

    found = defaultdict(list)
    for each in objects:
        size = each.mask.shape
        boxed = grabcut.outline(each.picture, Hints(box=each.box))
        found["box"].append(overlap(drawn([r.ravel().tolist() for r in boxed], size), each.mask))
        first = middle(each.mask)
        rings = grabcut.outline(each.picture, Hints(inside=(first,)))
        clicked = drawn([ring.ravel().tolist() for ring in rings], size)
        found["click"].append(overlap(clicked, each.mask))
        found["points"].append(float(sum(map(len, rings))))
        mistake = clicked ^ each.mask
        spot = middle(mistake)
        missing = bool(each.mask[int(spot[1]), int(spot[0])])
        hints = Hints((first, spot), ()) if missing else Hints((first,), (spot,))
        better = grabcut.outline(each.picture, hints) if mistake.any() else rings
        found["two"].append(overlap(drawn([r.ravel().tolist() for r in better], size), each.mask))
    return {
        "objects": len(found["box"]),
        "iou_box": round(float(np.mean(found["box"])), 3),
        "iou_click": round(float(np.mean(found["click"])), 3),
        "iou_after_2_clicks": round(float(np.mean(found["two"])), 3),
        "good_box": round(float(np.mean(np.array(found["box"]) >= GOOD)), 3),
        "good_click": round(float(np.mean(np.array(found["click"]) >= GOOD)), 3),
        "points": round(float(np.mean(found["points"])), 1),
    }


def waiting(count: int) -> dict[str, float]:
    """Return how long an outline takes in large photos, the first time and after that."""
    from labeling import decoding, grabcut, outlining

    first: list[float] = []
    again: list[float] = []
    for seed in range(count):
        found = scenes.arrange(seed, CLASSES, 4_000, 3_000)
        file = io.BytesIO()
        scenes.draw(seed, found, 4_000, 3_000).save(file, "JPEG", quality=90)
        for number, each in enumerate(found):
            began = time.perf_counter()
            if number == 0:
                picture = outlining.reduced(decoding.decode(file.getvalue(), outlining.SHORTER_SIDE))
            scale = picture.shape[1] / 4_000
            x, y, wide, high = each.box()
            hints = Hints(inside=((x + wide / 2, y + high / 2),)).scaled(scale, scale)
            grabcut.outline(picture, hints)
            (again if number else first).append(time.perf_counter() - began)
    return {
        "seconds_p50": round(float(np.median(first)), 3),
        "seconds_p95": round(float(np.quantile(first, 0.95)), 3),
        "again_p50": round(float(np.median(again)), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--quick", action="store_true", help="few images: shows that it works, and no more")
    options = parser.parse_args()
    datasets.set_up()
    path = options.data / "nuclei.zip"
    if not path.exists():
        say(f"nuclei.zip: not in {options.data}")
    count = 96 if options.quick else 480
    objects = nuclei(path, count) if path.exists() else shapes(count // 4)
    result = {"data": "nuclei" if path.exists() else "shapes", **measure(objects)}
    print(json.dumps(result | waiting(4 if options.quick else 20)))


if __name__ == "__main__":
    main()
