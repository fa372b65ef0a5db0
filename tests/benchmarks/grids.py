"""What grids of look-alikes promise and keep: predicted beside true purity, and the share of a pool in them.

    python -m tests.benchmarks.grids --data ../shared/data

On the bundled backbone's features of real images. A fifth of each pool is kept blind, as in a project; of the
rest some are labeled, at random or as margins would choose, and all others may be put into groups.

groups       how many were formed
predicted    share of the grouped images that measured agreement expects to be right, mean over groups' images
true         share that is right
coverage     share of the images that wait for a label and are in a group
keeps        share of the groups of predicted purity .9 or more that are at least .8 pure

Copies of one picture: `found` of those that were recompressed, scaled, brightened or trimmed, and how many of
the groups that a pool holds by itself are of one class. The last line of output is one JSON object.
"""

import argparse
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance

from tests.benchmarks import datasets
from tests.benchmarks.backbone import DATA, rounded, say, vectors_of
from tests.benchmarks.datasets import Photos

LABELS = (100, 300, 1_000)
BLIND = 0.2
FIRST = 50  # labels before margins choose
COPIED = 100
PURE = 0.8


def labeled(features: np.ndarray, truth: np.ndarray, rows: np.ndarray, count: int, how: str) -> np.ndarray:
    """Return which of the shuffled rows are labeled: at random, or half of them by least margin."""
    from mlassist.strategies.uncertain import margins

    if how == "random":
        return rows[:count]
    chosen = rows[:FIRST]
    while len(chosen) < count:
        head = fit(features, truth, chosen).head
        others = np.setdiff1d(rows, chosen, assume_unique=True)
        step = min(count - len(chosen), len(chosen))
        by_margin = np.argsort(margins(head.probabilities(features[others])))
        picks = np.concatenate([by_margin[: step // 2], by_margin[step // 2 :: 7][: step - step // 2]])
        chosen = np.concatenate([chosen, others[picks]])
    return chosen


def fit(features: np.ndarray, truth: np.ndarray, rows: np.ndarray) -> Any:
    from mlassist import heads

    return heads.train(features[rows], [(int(label),) for label in truth[rows]], features)


def replay(features: np.ndarray, truth: np.ndarray, graph: Any, count: int, how: str, seed: int) -> Any:
    """Form groups as a round does; returns (predicted, right, labels still open) with arrays per group."""
    from clustering import groups
    from mlassist import grids
    from mlassist.pool import Pool
    from mlassist.trained import Trained

    shuffled = np.random.default_rng(seed).permutation(len(features))
    rest = shuffled[int(BLIND * len(shuffled)) :]
    rows = labeled(features, truth, rest, count, how)
    found = fit(features, truth, rows)
    labels: list[tuple[int, ...]] = [(int(label),) for label in truth[rows]]
    version: Any = None  # of a model that nobody keeps
    trained = Trained(version, found.head, found.out_of_fold, rows, labels, np.ones(len(rows), bool))
    ids = np.arange(len(features))
    waiting = np.setdiff1d(rest, rows)
    purity, told = grids.rightness(Pool(ids, features, ids), trained, graph)
    formed = groups.form(graph.rows, graph.cosines, told.top, purity, np.isin(ids, waiting))
    right = [truth[each.rows] == told.classes[each.column] for each in formed]
    return [each.purity for each in formed], right, len(waiting)


def promises(features: np.ndarray, truth: np.ndarray, counts: tuple[int, ...], seeds: int) -> dict[str, Any]:
    from clustering import index

    graph = index.neighbours(features)
    figures: dict[str, Any] = {}
    for how in ("random", "chosen"):
        for count in counts:
            say(f"{count} labels, {how}")
            replays = [replay(features, truth, graph, count, how, seed) for seed in range(seeds)]
            purities = [purity for each, _, _ in replays for purity in each]
            right = [group for _, each, _ in replays for group in each]
            sizes = [len(group) for group in right]
            grouped = sum(sizes)
            figures[f"{how}_{count}"] = {
                "groups": len(right) / seeds,
                "images": grouped / max(len(right), 1),
                "predicted": float(np.average(purities, weights=sizes)) if grouped else None,
                "true": float(np.concatenate(right).mean()) if grouped else None,
                "coverage": grouped / sum(waiting for _, _, waiting in replays),
                "keeps": float(np.mean([group.mean() >= PURE for group in right])) if grouped else None,
            }
            say(json.dumps(rounded(figures[f"{how}_{count}"])))
    return figures


def changed(image: Image.Image) -> Iterator[tuple[str, Image.Image]]:
    """Yield what happens to pictures on their way from hand to hand."""
    width, height = image.size
    for quality in (85, 50):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        yield f"jpeg {quality}", Image.open(buffer).convert("RGB")
    yield "scaled", image.resize((max(8, width * 3 // 4), max(8, height * 3 // 4)), Image.Resampling.LANCZOS)
    yield "brighter", ImageEnhance.Brightness(image).enhance(1.1)
    edge = max(1, round(0.03 * width))
    yield "trimmed", image.crop((edge, edge, width - edge, height - edge))


def copies(backbone: Any, photos: Photos, features: np.ndarray) -> dict[str, Any]:
    """Return which changed copies of some images are found among all, one kind of change at a time."""
    from mlassist import embedding

    originals = np.random.default_rng(1).permutation(len(photos))[:COPIED]
    made: dict[str, list[Image.Image]] = {}
    for row in originals:
        for name, image in changed(datasets.open_any(photos.files[row])):
            made.setdefault(name, []).append(image)
    found = {}
    for name, images in made.items():
        pool = np.concatenate([features, unit(embedding.embed_images(backbone, images))])
        pairs = [set(group.tolist()) for group in pictures(pool)]
        wanted = [{int(row), len(features) + place} for place, row in enumerate(originals)]
        found[name] = float(np.mean([any(pair <= group for group in pairs) for pair in wanted]))
    natural = pictures(features)
    pure = [len(set(photos.truth[rows])) == 1 for rows in natural]
    return {"found": found, "natural": len(natural), "of_one_class": float(np.mean(pure)) if pure else None}


def pictures(features: np.ndarray) -> list[np.ndarray]:
    from clustering import groups, index

    graph = index.neighbours(features)
    copied = groups.copies(graph.rows, graph.cosines)
    everything = np.ones(len(features), bool)
    return [each.rows for each in groups.same_pictures(graph.rows, graph.cosines, copied, everything)]


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of cifar10.zip")
    parser.add_argument("--each", type=int, default=600, help="images of each class of CIFAR-10")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--quick", action="store_true", help="few images: shows that it works, and no more")
    options = parser.parse_args()
    datasets.set_up()
    from mlassist.backbones import loading

    backbone = loading.load("bundled")
    pools = {"digits": datasets.digits(), "cifar10": datasets.cifar10(options.data, options.each)}
    if options.quick:
        pools = {"digits": datasets.digits().some(600)}
    figures: dict[str, Any] = {"quick": options.quick}
    for name, photos in pools.items():
        if photos is None:
            figures[name] = None
            continue
        say(name)
        features = unit(vectors_of(backbone, photos)[0])
        counts, seeds = (LABELS[:1], 1) if options.quick else (LABELS, options.seeds)
        figures[name] = promises(features, photos.truth, counts, seeds)
        figures[name]["copies"] = copies(backbone, photos, features)
    print(json.dumps(rounded(figures)))


if __name__ == "__main__":
    main()
