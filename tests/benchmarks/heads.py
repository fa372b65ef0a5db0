"""What the choice of a head is worth: few and many labels, and labels that are lopsided.

    python -m tests.benchmarks.heads --data ../shared/data [--quick]

Labels are drawn from photos of CIFAR-10 and from scikit-learn's digits, as the bundled backbone sees them;
the rest of the images is the pool that heads are judged on. One JSON line per case, the last has all:

before        two strengths of logistic regression, the adapted discriminant, an equal blend; least loss wins
no graph      today's candidates without labels that spread over the neighbour graph
now           what `mlassist.heads.train` makes

Each with its share right, its loss on the pool and the seconds of processor time. `lopsided` draws from pools
or labels in which one class is thirty times as frequent as another; `alike` is the share right with every
class weighing the same, and `not levelled` the best candidate that keeps the labels' shares.
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks import datasets
from tests.benchmarks.backbone import DATA, rounded, say, vectors_of

LABELS = (10, 30, 100, 300, 1_000)
PHOTOS = 6_000
SEEDS = 5
RATIO = 30.0
LOPSIDED = ("tailed pool", "tailed labels", "tailed pool, even labels")
LOPSIDED_LABELS = 300


@dataclass(frozen=True, slots=True)
class Case:
    """A pool, and which rows of it are labeled."""

    vectors: np.ndarray
    truth: np.ndarray
    labeled: np.ndarray

    @property
    def rest(self) -> np.ndarray:
        return np.setdiff1d(np.arange(len(self.truth)), self.labeled)

    @property
    def labels(self) -> list[tuple[int, ...]]:
        return [(int(each),) for each in self.truth[self.labeled]]

    def figures(self, weights: np.ndarray, bias: np.ndarray, temperature: float) -> dict[str, float]:
        """Return what a head gets right of the rest of the pool, and its loss there."""
        from mlassist.heads import softmax

        known = np.unique(self.truth[self.labeled])
        rest = self.rest
        found = softmax((self.vectors[rest] @ weights + bias) / temperature)
        truth = self.truth[rest]
        right = known[found.argmax(1)] == truth
        there = np.isin(truth, known)
        own = found[there, np.searchsorted(known, truth[there])]
        return {
            "right": float(right.mean()),
            "alike": float(np.mean([right[truth == each].mean() for each in np.unique(truth)])),
            "loss": float(-np.log(np.maximum(own, 1e-9)).mean()),
        }


def before(case: Case) -> dict[str, float]:
    """Return what the candidates were worth that heads were chosen from at first."""
    from mlassist.heads import assign_folds, one_hot
    from mlassist.heads.choosing import Contest
    from mlassist.heads.gaussian import Statistics, adapted, nearest_mean
    from mlassist.heads.judging import CALIBRATABLE, Judge, best_temperature
    from mlassist.heads.logistic import softmax_regression

    started = time.process_time()
    features, truth = case.vectors[case.labeled], case.truth[case.labeled]
    targets = one_hot(case.labels, np.unique(truth))
    folds = assign_folds(targets, False, 0)
    if np.median(targets.sum(0)) < 2:
        folds[:] = 0
    judge = Judge(targets, np.ones(len(targets), bool), False, held_out=len(targets) >= CALIBRATABLE)
    contest = Contest(features, targets, np.ones(len(targets)), folds, judge, lambda line: None)

    def fitted(strength: float, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return softmax_regression(features[rows], targets[rows], strength)

    if folds.max():
        for strength in (3.0, 30.0):
            contest.enter(
                f"logistic C={strength:g}",
                partial(fitted, strength),
            )
    if judge.held_out:
        pool = Statistics.of(case.vectors)
        contest.enter(
            "adapted", lambda rows: adapted(features[rows], targets[rows], np.ones(len(rows)), pool)
        )
        halves = [each.scores / each.temperature for each in contest.tried[-2:]]
        fits = [(each.fit, each.temperature) for each in contest.tried[-2:]]

        def both() -> tuple[np.ndarray, np.ndarray]:
            maps = [(*fit(), temperature) for fit, temperature in fits]
            return np.sum([w / t for w, _, t in maps], 0), np.sum([b / t for _, b, t in maps], 0)

        temperature = best_temperature(halves[0] + halves[1], targets, False)
        contest.keep(judge.candidate("equal blend", both, halves[0] + halves[1], temperature))
    else:
        contest.enter("nearest mean", lambda rows: nearest_mean(features[rows], targets[rows]))
    best = min(contest.tried, key=lambda each: each.loss)
    weights, bias = best.fit()
    seconds = time.process_time() - started
    return case.figures(weights, bias, best.temperature) | {"seconds": seconds}


def now(case: Case, graph: Any, *, levelled: bool = True) -> tuple[str, dict[str, float]]:
    """Return the kind of head that is chosen today, and what it is worth."""
    from mlassist import heads
    from mlassist.heads.judging import Judge

    kept = Judge.levelled
    Judge.levelled = kept if levelled else lambda self, one: None  # type: ignore[method-assign]
    try:
        started = time.process_time()
        spread = None if graph is None else heads.Neighbours.of(graph.rows, graph.cosines, case.labeled)
        head = heads.train(case.vectors[case.labeled], case.labels, case.vectors, graph=spread).head
        seconds = time.process_time() - started
    finally:
        Judge.levelled = kept  # type: ignore[method-assign]
    return head.kind, case.figures(head.weights, head.bias, head.temperature) | {"seconds": seconds}


def even(vectors: np.ndarray, truth: np.ndarray, labels: int, seed: int) -> Case:
    return Case(vectors, truth, np.random.default_rng(seed).permutation(len(truth))[:labels])


def lopsided(vectors: np.ndarray, truth: np.ndarray, kind: str, labels: int, seed: int) -> Case:
    """Return a case in which classes are geometrically rarer in the pool, the labels, or the pool alone."""
    rng = np.random.default_rng(seed)
    by_class = [rng.permutation(np.flatnonzero(truth == each)) for each in np.unique(truth)]
    shares = rng.permutation(RATIO ** -np.linspace(0, 1, len(by_class)))
    if kind == "tailed labels":
        wanted = np.maximum(1, labels * shares / shares.sum()).astype(int)
        rows = np.concatenate([each[:count] for each, count in zip(by_class, wanted, strict=True)])
        return Case(vectors, truth, rows)
    least = min(map(len, by_class))
    by_class = [each[: max(8, int(least * share))] for each, share in zip(by_class, shares, strict=True)]
    rows = rng.permutation(np.concatenate(by_class))
    if kind == "tailed pool":
        labeled = np.arange(labels)
    else:
        each_class = labels // len(by_class)
        labeled = np.concatenate(
            [
                np.flatnonzero(truth[rows] == number)[: min(each_class, len(own) // 2)]
                for number, own in enumerate(by_class)
            ]
        )
    return Case(vectors[rows], truth[rows], labeled)


def cases(name: str, vectors: np.ndarray, truth: np.ndarray, quick: bool) -> Iterator[dict[str, Any]]:
    """Yield the figures of each case, means over draws."""
    from clustering import index

    graph = index.neighbours(vectors)
    seeds = range(1 if quick else SEEDS)
    for labels in LABELS[1:3] if quick else LABELS:
        found: dict[str, list[dict[str, float]]] = defaultdict(list)
        kinds: dict[str, int] = defaultdict(int)
        for seed in seeds:
            case = even(vectors, truth, labels, seed)
            found["before"].append(before(case))
            found["no graph"].append(now(case, None)[1])
            kind, figures = now(case, graph)
            found["now"].append(figures)
            kinds[kind] += 1
        yield {"images": name, "labels": labels, "chosen": kinds} | means(found)
    count = LOPSIDED_LABELS if len(truth) > 10 * LOPSIDED_LABELS else LOPSIDED_LABELS // 3
    for kind in LOPSIDED[:1] if quick else LOPSIDED:
        found = defaultdict(list)
        for seed in seeds:
            case = lopsided(vectors, truth, kind, count, seed)
            own = index.neighbours(case.vectors)
            found["before"].append(before(case))
            found["not levelled"].append(now(case, own, levelled=False)[1])
            found["now"].append(now(case, own)[1])
        yield {"images": name, "labels": count, "lopsided": kind} | means(found)


def means(found: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    return {
        name: {key: float(np.mean([each[key] for each in rows])) for key in rows[0]}
        for name, rows in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the archives")
    parser.add_argument("--quick", action="store_true", help="few cases: shows that it works, and no more")
    options = parser.parse_args()
    datasets.set_up()
    from mlassist.backbones import loading

    backbone = loading.load("bundled")
    photos = datasets.cifar10(options.data, (600 if options.quick else PHOTOS) // 10)
    results: list[dict[str, Any]] = []
    for name, images in (("cifar10", photos), ("digits", datasets.digits())):
        if images is None:
            continue
        say(name)
        vectors = vectors_of(backbone, images)[0].astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        for each in cases(name, vectors, images.truth, options.quick):
            results.append(rounded(each))
            print(json.dumps(results[-1]), flush=True)
    print(json.dumps({"quick": options.quick, "cases": results}))


if __name__ == "__main__":
    main()
