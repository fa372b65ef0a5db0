"""Which images to draw boxes on next: the product's order beside chance and doubt, by what detectors learn.

    python -m tests.benchmarks.detection_orders --data ../shared/data/bccd.zip

From the same 40 images on, each order picks 40 more. The backbone rests, and all are taught with as many
views as the product gives so few images: with half of them every order ends at the same AP50.

random       chance
stratified   one by chance from each cluster of embeddings: what the product does
doubtful     most doubt about objects, and most contradicted by the mirror image, one of each cluster

The last line of output is one JSON object: AP50 on the test images at each number of images, mean over seeds,
and the standard error of its difference to random.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.benchmarks import datasets
from tests.benchmarks.backbone import DATA, say

datasets.set_up()

from mlassist.asking import stratified  # noqa: E402
from mlassist.backbones.loading import bundled_stages, load  # noqa: E402
from mlassist.detectors import learning, metrics  # noqa: E402
from mlassist.detectors.looking import Look, Seen  # noqa: E402
from mlassist.detectors.scoring import Scoring  # noqa: E402
from mlassist.detectors.teaching import Labeled  # noqa: E402
from mlassist.strategies import clusters  # noqa: E402
from tests.benchmarks import pictures  # noqa: E402
from tests.benchmarks.pictures import Pictures  # noqa: E402

ORDERS = ("random", "stratified", "doubtful")
FIRST, STEP, STEPS = 40, 40, 1
CANDIDATES = 5  # times the step: how many doubtful images compete for a place
VIEWS = learning.FEWEST_VIEWS


def taught(some: Pictures, seed: int, views: int) -> Look:
    labeled = Labeled.of(some.images, some.truth)
    finder = learning.untaught(bundled_stages(), len(some.classes), masks=False, seed=seed)
    plan = learning.Plan(views // learning.BATCH, 0)
    return Look(learning.Training(finder, labeled.examples, plan, seed=seed).run(), labeled.ruler)


def ap50(look: Look, test: Pictures) -> float:
    found = [look.at(each).found for each in test.images]
    shown = np.array(Scoring.untried(len(test.classes)).shown)
    return metrics.quality(found, test.truth, test.sizes, len(test.classes), shown).ap50


def features(some: Pictures) -> np.ndarray:
    backbone = load("bundled")
    return backbone.embed(np.stack([backbone.prepare(Image.fromarray(each)) for each in some.images]))


def doubt(scoring: Scoring, seen: Seen) -> float:
    """Return how much an answer to an image may teach.

    Mean over the classes of the three most uncertain objects (1 - |2p - 1|), and what the mirror denies.
    """
    found = seen.found
    unsure = 1 - np.abs(2 * scoring.chances(found) - 1)
    per_class = [np.sort(unsure[found.classes == kind])[-3:].mean() for kind in np.unique(found.classes)]
    return float(np.mean(per_class) if per_class else 0.0) + scoring.signs(seen)[1]


def doubtful(features: np.ndarray, doubts: np.ndarray, seed: int) -> np.ndarray:
    """Return the most doubtful row of each of as many clusters of doubtful rows as a step has."""
    candidates = np.argsort(-doubts, kind="stable")[: CANDIDATES * STEP]
    member = clusters.spherical(features[candidates], STEP, seed)
    _, first = np.unique(member, return_index=True)  # candidates come most doubtful first
    others = np.setdiff1d(np.arange(len(candidates)), first)
    return candidates[np.concatenate([np.sort(first), others])[:STEP]]


def next_rows(
    order: str, look: Look, pool: Pictures, left: np.ndarray, seen: np.ndarray, seed: int
) -> np.ndarray:
    if order == "random":
        return np.random.default_rng([seed, len(left)]).permutation(left)[:STEP]
    if order == "stratified":
        return left[stratified(seen[left], STEP, seed + len(left))]
    scoring = Scoring.untried(len(pool.classes))
    doubts = np.array([doubt(scoring, look.at(pool.images[row])) for row in left])
    return left[doubtful(seen[left], doubts, seed)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA / "bccd.zip")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a few steps: shows that it works, and no more")
    options = parser.parse_args()
    views = 80 if options.quick else VIEWS
    whole = pictures.load(options.data)
    *_, test = whole.parts()
    pool = whole.at(range(len(whole) - len(test)))
    seen = features(pool)
    scores: dict[str, list[list[float]]] = {order: [] for order in ORDERS}
    for seed in range(options.seeds):
        first = np.random.default_rng(seed).permutation(len(pool))[:FIRST]
        begun = taught(pool.at(first), seed, views)
        start = ap50(begun, test)
        for order in ORDERS:
            rows, look, line = first, begun, [start]
            for _ in range(STEPS):
                left = np.setdiff1d(np.arange(len(pool)), rows)
                rows = np.concatenate([rows, next_rows(order, look, pool, left, seen, seed)])
                look = taught(pool.at(rows), seed, views)
                line.append(ap50(look, test))
            scores[order].append(line)
            say(f"seed {seed}, {order}: {[round(each, 3) for each in line]}")
    chance = np.array(scores["random"])
    found: dict[str, Any] = {"data": whole.name, "images": [FIRST + STEP * at for at in range(STEPS + 1)]}
    for order in ORDERS:
        own = np.array(scores[order])
        off = (own - chance).std(0, ddof=1) / np.sqrt(len(own)) if len(own) > 1 else np.zeros(own.shape[1])
        found[order] = {"ap50": own.mean(0).round(4).tolist(), "error": off.round(4).tolist()}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
