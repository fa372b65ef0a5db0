"""Finding wrong labels: 5 % flipped labels, ranked as the product would rank them.

    python -m tests.benchmarks.label_errors --data ../shared/data/cifar10.zip [--quick]

Labels of photos are flipped to another class at random; without the archive, those of scikit-learn's digits.
Probabilities are those of the product's own head on the bundled backbone's embeddings, out of fold, trained
on the flipped labels. With `--pixels` digits are 64 shades of grey with noise, and no backbone is needed.
`ours` is `mlassist.label_errors`, `self confidence` the probability of the given label alone, `cleanlab` its
find_label_issues where that is installed. Precision among the first 100 and among as many as were flipped
(there it is the recall, too), average precision, and of the candidates that a method names their precision
and recall. The last line is one JSON object, means over seeds.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks import datasets
from tests.benchmarks.backbone import DATA, rounded, say, vectors_of

SHARE = 0.05
PHOTOS = 6_000
SEEDS = 3
FIRST = 100
NOISE = 0.25  # beside shades of grey from 0 to 1


def flipped(truth: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Return labels of which a share is wrong, each other class being as likely."""
    labels, classes = truth.copy(), int(truth.max()) + 1
    wrong = rng.permutation(len(truth))[: round(share * len(truth))]
    labels[wrong] = (truth[wrong] + rng.integers(1, classes, len(wrong))) % classes
    return labels


def held_out(vectors: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
    """Return what the product's head says of each image out of fold, (n, classes)."""
    from mlassist import heads

    return heads.train(vectors, [(int(each),) for each in labels], vectors, seed=seed).out_of_fold


def judged(order: np.ndarray, wrong: np.ndarray, named: np.ndarray | None = None) -> dict[str, float]:
    """Return how well an order finds what is wrong, and a set of candidates where a method names one."""
    hits = wrong[order]
    ranks = np.flatnonzero(hits) + 1
    found = {
        f"precision at {FIRST}": float(hits[:FIRST].mean()),
        "recall at the number of errors": float(hits[: int(wrong.sum())].mean()),
        "average precision": float((np.arange(1, len(ranks) + 1) / ranks).mean()),
    }
    if named is not None:
        found["candidates right"] = float(wrong[named].mean()) if named.any() else 0.0
        found["candidates of all errors"] = float(named[wrong].mean())
    return found


def by_cleanlab(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return cleanlab's order (candidates first) and its candidates; None where it is not installed."""
    try:
        from cleanlab.filter import find_label_issues
        from cleanlab.rank import (
            get_self_confidence_for_each_label,
        )
    except ImportError:
        return None
    first = find_label_issues(labels, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1)
    named = np.zeros(len(labels), bool)
    named[first] = True
    rest = np.argsort(get_self_confidence_for_each_label(labels, probabilities), kind="stable")
    return np.concatenate([first, rest[~named[rest]]]), named


def images_of(data: Path, photos: int, pixels: bool) -> tuple[str, np.ndarray, np.ndarray]:
    """Return a name, vectors of length one, and true classes: of photos, else of digits."""
    if pixels:
        from sklearn.datasets import load_digits

        digits = load_digits()
        noise = NOISE * np.random.default_rng(0).normal(size=digits.data.shape)
        vectors = digits.data / digits.data.max() + noise
        return "digits by their pixels", unit(vectors - vectors.mean(0)), digits.target
    from mlassist.backbones import loading

    found = datasets.cifar10(data.parent if data.suffix == ".zip" else data, photos // 10)
    name, images = ("digits", datasets.digits()) if found is None else ("cifar10", found)
    return name, unit(vectors_of(loading.load("bundled"), images)[0]), images.truth


def unit(vectors: np.ndarray) -> np.ndarray:
    vectors = vectors.astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="cifar10.zip, or its folder")
    parser.add_argument("--pixels", action="store_true", help="digits by their pixels, without a backbone")
    parser.add_argument("--quick", action="store_true", help="few images: shows that it works, and no more")
    options = parser.parse_args()
    datasets.set_up()
    from mlassist import label_errors

    name, vectors, truth = images_of(options.data, 1_000 if options.quick else PHOTOS, options.pixels)
    say(f"{len(truth)} images of {name}")
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    for seed in range(1 if options.quick else SEEDS):
        labels = flipped(truth, SHARE, np.random.default_rng(seed))
        wrong = labels != truth
        probabilities = held_out(vectors, labels, seed)
        ours = label_errors.of_classes(probabilities, labels)
        found["ours"].append(judged(ours.order, wrong, ours.is_candidate))
        own = probabilities[np.arange(len(labels)), labels]
        found["self confidence"].append(judged(np.argsort(own, kind="stable"), wrong))
        theirs = by_cleanlab(probabilities, labels)
        if theirs is not None:
            found["cleanlab"].append(judged(theirs[0], wrong, theirs[1]))
        accuracy = float((probabilities.argmax(1) == truth).mean())
        found["model"].append({"accuracy out of fold": accuracy})
        say(f"seed {seed}: {found['ours'][-1]}")
    print(json.dumps(report(name, len(truth), found, options.quick)))


def report(name: str, images: int, found: dict[str, list[dict[str, float]]], quick: bool) -> dict[str, Any]:
    means = {
        method: {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
        for method, rows in found.items()
    }
    return {"quick": quick, "images": name, "count": images, "flipped": SHARE, **rounded(means)}


if __name__ == "__main__":
    main()
