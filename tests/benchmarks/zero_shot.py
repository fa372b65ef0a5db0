"""How well images are labeled by a few examples, before anybody has labeled one. Needs no network.

    python -m tests.benchmarks.zero_shot [--data ../shared/data] [--quick]

Examples are drawn at random, several times over; each figure is the mean of the draws.

cifar10, digits    one, three and five example images of each class: `accuracy` of all others, and of the
                   surest fifth (`top_fifth`); `calibration` is how far confidences are from the truth (ECE);
                   `shown` and `shown_right` of what is above the usual threshold
bccd               one, three and five boxes of each class: `recall` of the boxes that people drew, at an
                   overlap of one half, and `precision`, at the usual threshold; `recall_at_floor` of all that
                   is told; `ap50`; `recall_by_class`; `seconds_per_image`

What is missing is named with a reason. The last line of output is one JSON object.
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

from clustering import index  # noqa: E402
from mlassist import embedding, heads  # noqa: E402
from mlassist.autolabel import boxes, prototypes, thresholds  # noqa: E402
from mlassist.backbones import loading  # noqa: E402
from mlassist.detectors import matching, metrics  # noqa: E402
from mlassist.detectors.shapes import Shapes  # noqa: E402
from mlassist.heads import propagation  # noqa: E402
from tests.benchmarks.pictures import Pictures, load  # noqa: E402

SHOTS = (1, 3, 5)
OTHERS = 8  # images that the search learns from what is usual, as the product has them


def of_images(photos: datasets.Photos, draws: int) -> dict[str, Any]:
    """Measure label by example on whole images."""
    backbone = loading.load("bundled")
    decode = datasets.decoder(backbone.side)
    features = np.concatenate([part for _, _, part in embedding.embed(backbone, photos.files, decode)])
    graph = index.neighbours(features)
    measured = {}
    for shots in SHOTS:
        rows = [images_once(features, graph, photos.truth, shots, seed) for seed in range(draws)]
        measured[str(shots)] = mean(rows)
    return measured


def images_once(
    features: np.ndarray, graph: index.Graph, truth: np.ndarray, shots: int, seed: int
) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    rows = np.concatenate(
        [rng.permutation(np.flatnonzero(truth == each))[:shots] for each in np.unique(truth)]
    )
    labels = [(int(truth[row]) + 1,) for row in rows]
    near = None
    if propagation.pays(len(rows), len(np.unique(truth)), len(features)):
        near = heads.Neighbours.of(graph.rows, graph.cosines, rows)
    head = prototypes.taught(features[rows], labels, features, near, multilabel=False, seed=seed)
    rest = np.setdiff1d(np.arange(len(features)), rows)
    chances = head.probabilities(features[rest])
    right = head.classes[chances.argmax(1)] == truth[rest] + 1
    sure = chances.max(1)
    order = np.argsort(-sure, kind="stable")
    shown = sure >= thresholds.USUAL
    bins = np.minimum((sure * 10).astype(int), 9)
    gaps = np.abs(np.bincount(bins, right - sure, minlength=10)).sum() / len(right)
    return {
        "accuracy": float(right.mean()),
        "top_fifth": float(right[order[: len(order) // 5]].mean()),
        "calibration": float(gaps),
        "shown": float(shown.mean()),
        "shown_right": float(right[shown].mean()) if shown.any() else 0.0,
    }


def of_boxes(pictures: Pictures, draws: int, tested: int) -> dict[str, Any]:
    """Measure label by example on boxes."""
    stages = loading.bundled_stages()
    learn, _, test = pictures.parts()
    test = test.at(range(min(tested, len(test))))
    return {
        str(shots): mean([boxes_once(stages, learn, test, shots, seed) for seed in range(draws)])
        for shots in SHOTS
    }


def boxes_once(stages: Any, learn: Pictures, test: Pictures, shots: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(learn))
    shown: list[boxes.Shown] = []
    for label in range(len(learn.classes)):
        for row in order:
            own = np.flatnonzero(learn.truth[row].classes == label)
            if len(own) and sum(each.label == label for each in shown) < shots:
                left, top, right, bottom = learn.truth[row].boxes[rng.choice(own)].tolist()
                box = [left, top, right - left, bottom - top]
                shown.append(boxes.Shown(label, learn.images[row], box))
    others = [learn.images[row] for row in order[-OTHERS:]]
    began = time.monotonic()
    finder = boxes.learn(stages, shown, others)
    learned = time.monotonic() - began
    began = time.monotonic()
    found = [Shapes.of_regions(each, range(len(learn.classes))) for each in map(finder.find, test.images)]
    seconds = (time.monotonic() - began) / len(test)
    quality = metrics.quality(
        found, test.truth, test.sizes, len(test.classes), np.full(len(test.classes), 0.5)
    )
    kept = [each.pick(each.scores >= thresholds.USUAL) for each in found]
    hits = np.zeros(len(test.classes))
    drawn = np.zeros(len(test.classes))
    for each, truth in zip(kept, test.truth, strict=True):
        matched = matching.pairs(each, truth)
        hits += np.bincount(each.classes[matched >= 0], minlength=len(hits))
        drawn += np.bincount(truth.classes, minlength=len(drawn))
    found_any = sum(
        int((matching.pairs(each, truth) >= 0).sum()) for each, truth in zip(found, test.truth, strict=True)
    )
    return {
        "recall": float(hits.sum() / drawn.sum()),
        "precision": float(hits.sum() / max(1, sum(map(len, kept)))),
        "recall_at_floor": float(found_any / drawn.sum()),
        "ap50": float(quality.ap50),
        "recall_by_class": dict(zip(test.classes, (hits / np.maximum(drawn, 1)).tolist(), strict=True)),
        "seconds_to_learn": learned,
        "seconds_per_image": seconds,
    }


def mean(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the mean of each figure over the draws."""
    return {
        name: mean([row[name] for row in rows])
        if isinstance(rows[0][name], dict)
        else round(float(np.mean([row[name] for row in rows])), 4)
        for name in rows[0]
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--only", choices=["cifar10", "digits", "bccd"])
    parser.add_argument("--quick", action="store_true", help="one draw, few images: shows that it works")
    options = parser.parse_args()
    draws = 1 if options.quick else options.draws
    line: dict[str, Any] = {"draws": draws}
    if options.only in (None, "cifar10"):
        photos = datasets.cifar10(options.data, 40 if options.quick else 1_000)
        line["cifar10"] = of_images(photos, draws) if photos else f"skipped: no cifar10.zip in {options.data}"
        say(json.dumps({"cifar10": line["cifar10"]}))
    if options.only in (None, "digits"):
        line["digits"] = of_images(datasets.digits(), draws)
        say(json.dumps({"digits": line["digits"]}))
    if options.only in (None, "bccd"):
        path = options.data / "bccd.zip"
        if path.exists():
            line["bccd"] = of_boxes(load(path), draws, 6 if options.quick else 72)
        else:
            line["bccd"] = f"skipped: no bccd.zip in {options.data}"
        say(json.dumps({"bccd": line["bccd"]}))
    print(json.dumps(line))


if __name__ == "__main__":
    main()
