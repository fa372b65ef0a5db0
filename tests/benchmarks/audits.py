"""How soon an audit tells, how seldom it errs, and which imports the drift test takes for different.

    python -m tests.benchmarks.audits --data ../shared/data/cifar10.zip

Alarm: labels to audit until it sounds, at two and three times the allowed error, and how often it sounds
within 6,000 audits at just the allowed error. Proof: labels until the audit alone proves the target, at a
fifth and at three fifths of the allowed error.

Drift: a head on the bundled backbone learns from 500 images of a pool, which is half of all; imports of some
sizes out of the other half are compared with up to 1,000 other images of the pool. An import is of the same
kind, or all of it is blurred, or of two classes, or a third of it is blurred. Without --data the images are
scikit-learn's digits. The last line of output is JSON.
"""

import argparse
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from tests.benchmarks import datasets
from tests.benchmarks.backbone import rounded, say

TARGETS = (0.10, 0.05, 0.02)
LONG = 6_000
LEARNED, REFERENCE = 500, 1_000
SIZES = (50, 200, 800)
BLUR = 1.0  # pixels, of 32
PARTLY = 1 / 3


def first_at(bet: np.ndarray, limit: float) -> np.ndarray:
    """Return after how many labels each row's bet reaches a limit, infinity where it never does."""
    reached = bet >= np.log(limit)
    return np.where(reached.any(1), reached.argmax(1) + 1, np.inf)


def stream(rate: float, target: float, stake: float, runs: int, seed: int) -> np.ndarray:
    """Return the logarithm of a bet on labels that are wrong at a rate, (runs, LONG)."""
    wrong = np.random.default_rng(seed).random((runs, LONG)) < rate
    return np.cumsum(np.where(wrong, np.log1p(stake * (1 - target)), np.log1p(-stake * target)), axis=1)


def bets(runs: int) -> dict[str, dict[str, float]]:
    """Return the medians and false alarms of the audit's bets at each target."""
    from mlassist import audits

    found = {}
    for target in TARGETS:
        alarm, proof = audits.STAKE, -audits.CAREFUL
        delays = {
            times: first_at(stream(times * target, target, alarm, runs, times), audits.ALARM)
            for times in (2, 3)
        }
        proofs = {
            share: first_at(stream(share * target, target, proof, runs, 7), 20.0) for share in (0.2, 0.6)
        }
        found[f"{target:g}"] = {
            "alarm_at_twice": float(np.median(delays[2])),
            "alarm_at_three_times": float(np.median(delays[3])),
            "false_alarms": float(
                np.isfinite(first_at(stream(target, target, alarm, runs, 5), audits.ALARM)).mean()
            ),
            "proof_at_a_fifth": float(np.median(proofs[0.2])),
            "proof_at_three_fifths": float(np.median(proofs[0.6])),
            "false_proofs": float(np.isfinite(first_at(stream(target, target, proof, runs, 6), 20.0)).mean()),
        }
    return found


def blurred(photos: datasets.Photos) -> datasets.Photos:
    """Return the images out of focus."""
    files = []
    for file in photos.files:
        buffer = io.BytesIO()
        soft = Image.open(io.BytesIO(file)).filter(ImageFilter.GaussianBlur(BLUR))
        soft.save(buffer, "PNG")
        files.append(buffer.getvalue())
    return datasets.Photos(files, photos.truth, photos.classes, photos.group)


def imports(
    truth: np.ndarray, free: np.ndarray, size: int, rng: np.random.Generator
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield (name, rows, whether each is blurred) of imports out of the free rows of a pool."""
    same = rng.choice(free, size, replace=False)
    none = np.zeros(size, bool)
    yield "same", same, none
    yield "blurred", same, ~none
    yield "a third blurred", same, rng.random(size) < PARTLY
    two = np.flatnonzero(np.isin(truth[free], rng.choice(np.unique(truth), 2, replace=False)))
    few = min(size, len(two))
    yield "two classes", rng.choice(free[two], few, replace=False), none[:few]


def drifting(
    vectors: np.ndarray, soft: np.ndarray, truth: np.ndarray, heads: int, runs: int
) -> dict[str, dict[str, float]]:
    """Return how often imports of each kind and size are taken for different."""
    from mlassist import drift
    from mlassist.heads import train
    from mlassist.predictions import Predictions

    found: dict[str, dict[str, float]] = {}
    for seed in range(heads):
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(truth))
        # A head adapts to the pool that it is trained in, the reference included, but to no import.
        pool, free = np.array_split(order, 2)
        learned, old = pool[:LEARNED], pool[LEARNED : LEARNED + REFERENCE]
        fit = train(vectors[learned], [(int(each),) for each in truth[learned]], vectors[pool], seed=seed)

        def seen(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return Predictions.of(fit.head, rows).confidence, drift.nearness(rows, vectors[learned])  # noqa: B023

        reference = seen(vectors[old])
        for size in SIZES:
            for _ in range(runs // heads):
                for name, rows, is_soft in imports(truth, free, size, rng):
                    features = np.where(is_soft[:, None], soft[rows], vectors[rows])
                    different = drift.compare(*seen(features), *reference).is_different
                    row = found.setdefault(name, {})
                    row[str(size)] = row.get(str(size), 0.0) + different / (runs // heads * heads)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="ZIP of class folders")
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--quick", action="store_true", help="few runs: shows that it works, and no more")
    options = parser.parse_args()
    runs, of_each = (200, 200) if options.quick else (options.runs, 1_000)
    datasets.set_up()
    from mlassist.backbones import loading
    from tests.benchmarks.backbone import vectors_of

    watched = bets(runs)
    say(f"bets {watched}")
    photos = datasets.digits()
    if options.data is not None:
        given = datasets.class_folders(options.data, "", ".jpg", of_each)
        if given is None:
            raise SystemExit(f"There is no {options.data}.")
        photos = given
    say(f"embedding {len(photos):,} images twice")
    backbone = loading.load("bundled")
    embed: Callable[[datasets.Photos], np.ndarray] = lambda some: vectors_of(backbone, some)[0]  # noqa: E731
    moved = drifting(embed(photos), embed(blurred(photos)), photos.truth, 2 if options.quick else 10, runs)
    line: dict[str, Any] = {
        "data": options.data.stem if options.data else "digits",
        "runs": runs,
        "bets": rounded(watched),
        "taken_for_different": rounded(moved),
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
