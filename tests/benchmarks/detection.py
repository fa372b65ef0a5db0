"""How well a detector finds objects after few images, taught as the product teaches, on a CPU.

    python -m tests.benchmarks.detection --data ../shared/data/bccd.zip

The archive holds `images/` and `voc/` (or a COCO file); a fixed random part of it, 72 of 364 images, tests.

ap50, ap, mean_iou    with all images to learn from (205 of 364); per class beside it
train_seconds         for that, the trial of the candidates on held-out halves included
train_processor_seconds   the same on all cores together, which other programs disturb less
ap50_50, ...          the same with 50 images, where the head alone is taught
look_seconds          for an image and its mirror image
held_out_ap50         what the product itself would say of the detector before it saw the test

The last line of output is one JSON object.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks import datasets
from tests.benchmarks.backbone import DATA, say

datasets.set_up()

from mlassist.backbones.loading import bundled_stages  # noqa: E402
from mlassist.detecting import TUNED_FROM  # noqa: E402
from mlassist.detectors import learning, metrics, teaching  # noqa: E402
from mlassist.detectors.looking import Look  # noqa: E402
from tests.benchmarks.pictures import Pictures, load  # noqa: E402

FEW = 50


def measured(learn: Pictures, test: Pictures, *, tuned: bool, seed: int) -> dict[str, Any]:
    """Teach a detector as the product does, and test it."""
    masks = any(each.polygons for each in learn.truth)
    lesson = teaching.Lesson(
        teaching.Labeled.of(learn.images, learn.truth),
        len(learn.classes),
        bundled_stages(),
        masks=masks,
        seed=seed,
        tuned=tuned,
    )
    began, worked = time.monotonic(), time.process_time()
    taught = teaching.teach(lesson, say, progress())
    seconds, processor = time.monotonic() - began, time.process_time() - worked
    assert not isinstance(taught.finder, teaching.Rival)  # nothing else competes here
    look = Look(taught.finder, taught.ruler)
    began = time.monotonic()
    found = [look.at(each).found for each in test.images]
    each_look = (time.monotonic() - began) / len(test)
    shown = np.array(taught.scoring.shown)
    quality = metrics.quality(found, test.truth, test.sizes, len(test.classes), shown)
    return {
        "images": len(learn),
        "kind": taught.kind,
        "ap50": round(quality.ap50, 4),
        "ap": round(quality.ap, 4),
        "mean_iou": round(quality.mean_iou, 4),
        "per_class": {
            name: None if value is None else round(value, 4)
            for name, value in zip(test.classes, quality.per_class, strict=True)
        },
        "held_out_ap50": taught.candidates,
        "train_seconds": round(seconds, 1),
        "train_processor_seconds": round(processor, 1),
        "look_seconds": round(each_look, 3),
    }


def progress() -> teaching.Progress:
    """Return a report of one line a minute."""
    said = [time.monotonic()]

    def report(done: int, total: int) -> None:
        if time.monotonic() - said[0] > 60:
            said[0] = time.monotonic()
            say(f"{done} of {total} steps")

    return report


def main(data: str = "bccd.zip") -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA / data)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--few", type=int, default=FEW, help="images of the second measurement; 0 for none")
    parser.add_argument("--all", type=int, help="images of the first measurement, if not all")
    parser.add_argument("--quick", action="store_true", help="a few steps: shows that it works, and no more")
    options = parser.parse_args()
    if options.quick:
        learning.FEWEST_VIEWS = learning.MOST_VIEWS = learning.FEWEST_TUNED = learning.MOST_TUNED = 160
    pictures = load(options.data)
    learn, _, test = pictures.parts()
    if options.all:
        learn = pictures.at(range(min(options.all, len(pictures) - len(test))))
    line: dict[str, Any] = {"data": options.data.stem}
    if options.few:
        few = measured(learn.at(range(options.few)), test, tuned=False, seed=options.seed)
        say(json.dumps(few))
        line |= {f"{name}_{options.few}": few[name] for name in ("ap50", "mean_iou", "train_seconds")}
    line |= measured(learn, test, tuned=len(learn) >= TUNED_FROM, seed=options.seed)
    print(json.dumps(line))


if __name__ == "__main__":
    main()
