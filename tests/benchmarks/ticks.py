"""What ticking sure labels beforehand saves where images have several labels.

    python -m tests.benchmarks.ticks --data ../shared/data

On the bundled backbone's features of blood smears (`bccd.zip`: platelets, red and white cells) and of
pairs of handwritten digits. Some images are labeled at random; the thresholds come from the out-of-fold
predictions of these, as in the product, and all other images show what they do:

ticks      per image
right      share of the ticks that are right
open       labels marked as open, per image
missed     share of the true labels that are neither ticked nor marked
presses    keys to press per image, a tick that is wrong counting as one; `without`: one for each true label

The last line of output is one JSON object.
"""

import argparse
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.benchmarks import datasets
from tests.benchmarks.backbone import DATA, say, vectors_of
from tests.benchmarks.datasets import Photos

LABELS = (100, 300, 1_000)
MOST = 0.85  # of the images
SEEDS = 5
PAIRS = 3_000


def pairs(digits: Photos, count: int) -> Photos:
    """Return images of two digits side by side, with a row of 0 and 1 for each."""
    rng = np.random.default_rng(0)
    chosen = rng.integers(len(digits), size=(count, 2))
    truth = np.zeros((count, len(digits.classes)), int)
    files = []
    for number, (left, right) in enumerate(chosen):
        both = [
            Image.open(io.BytesIO(digits.files[each])).convert("RGB").resize((32, 32))
            for each in (left, right)
        ]
        image = Image.new("RGB", (64, 32))
        image.paste(both[0], (0, 0))
        image.paste(both[1], (32, 0))
        stream = io.BytesIO()
        image.save(stream, "PNG")
        files.append(stream.getvalue())
        truth[number, digits.truth[[left, right]]] = 1
    return Photos(files, truth, digits.classes, np.arange(count))


def ticking(vectors: np.ndarray, truth: np.ndarray, count: int, seed: int) -> dict[str, float]:
    from mlassist import heads
    from mlassist.heads import labelwise

    order = np.random.default_rng(seed).permutation(len(vectors))
    known, others = order[:count], order[count:]
    labels = [tuple(np.flatnonzero(row).tolist()) for row in truth[known]]
    fit = heads.train(vectors[known], labels, vectors, multilabel=True, seed=seed)
    classes = fit.head.classes
    lower, upper = labelwise.thresholds(fit.out_of_fold, truth[known][:, classes].astype(bool))
    seen = fit.head.probabilities(vectors[others])
    applies = np.zeros((len(others), len(classes)), bool) | (truth[others][:, classes] > 0)
    ticked, marked = labelwise.split(seen, lower, upper)
    wrong, left = ticked & ~applies, applies & ~ticked
    return {
        "ticks": float(ticked.sum(1).mean()),
        "right": float(1 - wrong.sum() / max(ticked.sum(), 1)),
        "open": float(marked.sum(1).mean()),
        "missed": float((left & ~marked).sum() / applies.sum()),
        "presses": float((wrong | left).sum(1).mean()),
        "without": float(applies.sum(1).mean()),
    }


def measure(vectors: np.ndarray, truth: np.ndarray, seeds: int) -> dict[str, dict[str, float]]:
    found = {}
    for count in [each for each in LABELS if each <= MOST * len(vectors)]:
        runs = [ticking(vectors, truth, count, seed) for seed in range(seeds)]
        found[str(count)] = {key: round(float(np.mean([run[key] for run in runs])), 3) for key in runs[0]}
        say(f"{count} labels: {found[str(count)]}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--quick", action="store_true", help="few images: shows that it works, and no more")
    options = parser.parse_args()
    datasets.set_up()
    from mlassist.backbones import loading

    backbone = loading.load("bundled")
    sets: dict[str, Photos | None] = {
        "smears": datasets.blood(options.data),
        "digit pairs": pairs(datasets.digits(), 1_200 if options.quick else PAIRS),
    }
    result: dict[str, Any] = {}
    for name, photos in sets.items():
        if photos is None:
            say(f"{name}: not in {options.data}")
            continue
        say(f"{name}: {len(photos)} images")
        result[name] = measure(vectors_of(backbone, photos)[0], photos.truth, 1 if options.quick else SEEDS)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
