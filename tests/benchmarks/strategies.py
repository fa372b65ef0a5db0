"""Which images to ask about: Loupe's query strategy beside the usual ones, on frozen vectors.

    python -m tests.benchmarks.strategies --data ../shared/data

Same vectors (bundled backbone), same head (logistic regression, its strength chosen by cross-validation on
the labels it trains with), several seeds. Each seed draws a pool anew and tests on images that are in none.
Batches grow as in the product, from 20 labels to 3,000 or two thirds of the pool.

loupe       the product's: typical images first, then half typical and half unsure, then unsure alone
random, margin, entropy, core-set, TypiClust, BADGE, DropQuery, ProbCover: see rivals.py

Of every data set and strategy the table and the last line, one JSON object, have:

test        accuracy on the test images at 100, 300, 1,000 and 3,000 labels (`error`: standard error of the
            difference to random with the same seed); a balanced test, also where the pool has a long tail
pool        share of the pool that the model alone gets right, labeled images included
to_random   labels that reach random's last accuracy, on the line between the measured points
seconds     of all queries of one seed, on one core

What is measured is kept below LOUPE_HOME and not measured again until the weights or the code change.
Needs scikit-activeml: pip install -r deploy/requirements-bench.txt
"""

import argparse
import hashlib
import inspect
import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from tests.benchmarks import datasets, probes
from tests.benchmarks.backbone import DATA, rounded, say, vectors_of
from tests.benchmarks.datasets import Photos

STEPS = (20, 50, 100, 200, 300, 450, 700, 1_000, 1_500, 2_200, 3_000)
SHOWN = (100, 300, 1_000, 3_000)
MOST = 2 / 3  # of the pool; beyond, all strategies have the same labels
POOL = 10_000
TAIL = 50  # how many times the rarest class of the long tail goes into the commonest
SEEDS = 5
STRENGTHS = (1.0, 10.0, 100.0)
OURS = "loupe"


@dataclass(frozen=True, slots=True)
class Trial:
    """One strategy on one data set with one seed."""

    data: str
    strategy: str
    seed: int


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a trial at each number of labels; `seconds` of the query that led there."""

    labels: list[int]
    test: list[float]
    pool: list[float]
    seconds: list[float]


def ours(vectors: np.ndarray) -> Callable[..., np.ndarray]:
    """Return the product's default for a pool whose neighbour graph it has already."""
    from clustering import index
    from mlassist.predictions import Predictions
    from mlassist.strategies import regimes, typical
    from mlassist.strategies.situation import Situation

    typicality = typical.typicality(index.neighbours(vectors, 20).cosines)

    def ask(question: Any, count: int) -> np.ndarray:
        targets = np.eye(question.truth.max() + 1, dtype=bool)[question.truth[question.labeled]]
        known = (vectors, typicality, question.open, question.labeled, targets)
        if question.head is None:
            return regimes.before_a_model(Situation.without_model(*known), count, question.seed).rows
        seen = Predictions.of(question.head, vectors[question.open])
        situation = Situation(*known, seen.margin, seen.top)
        return regimes.with_a_model(situation, count, question.seed + len(question.labeled)).rows

    return ask


def play(trial: Trial, path: Path) -> Result:
    """Label from nothing to the end, asking as the strategy says."""
    from tests.benchmarks.rivals import RIVALS, Question, Rival

    vectors, truth, pool, test = drawn(trial, path)
    rival = RIVALS.get(trial.strategy) or Rival(ours(vectors[pool]), needs_head=False)
    labeled, head = np.empty(0, np.int64), None
    result = Result([], [], [], [])
    last = min(MOST * len(pool), rival.until or np.inf)
    for labels in [each for each in STEPS if each <= last]:
        question = Question(vectors[pool], truth[pool], labeled, head, trial.seed)
        ask = RIVALS["random"].ask if head is None and rival.needs_head else rival.ask
        started = time.perf_counter()
        rows = ask(question, labels - len(labeled))
        seconds = time.perf_counter() - started
        labeled = np.concatenate([labeled, rows])
        assert len(np.unique(labeled)) == labels
        head = fitted(vectors[pool][labeled], truth[pool][labeled], int(truth.max()) + 1, trial.seed)
        right = [
            float((head.probabilities(vectors[at]).argmax(1) == truth[at]).mean()) for at in (test, pool)
        ]
        for row, figure in zip(asdict(result).keys(), (labels, *right, seconds), strict=True):
            getattr(result, row).append(figure)
    return result


def fitted(vectors: np.ndarray, truth: np.ndarray, classes: int, seed: int) -> Any:
    """Return logistic regression with the strength of least out-of-fold loss, calibrated likewise."""
    from mlassist import heads
    from mlassist.heads.folds import held_out_scores, parts
    from mlassist.heads.judging import best_temperature, log_losses
    from mlassist.heads.logistic import softmax_regression

    targets = np.eye(classes, dtype=np.float32)[truth]
    folds = np.random.default_rng(seed).permutation(len(truth)) % 3
    tried = []
    for strength in STRENGTHS:
        fit = partial(softmax_regression, strength=strength)
        maps = [fit(vectors[part], targets[part]) for part in parts(folds)]
        scores = held_out_scores(vectors, folds, maps)
        temperature = best_temperature(scores, targets, multilabel=False)
        loss = log_losses(scores / temperature, targets, multilabel=False).mean()
        tried.append((float(loss), temperature, fit))
    _, temperature, fit = min(tried, key=lambda each: each[0])
    weights, bias = fit(vectors, targets)
    return heads.Head("logistic", np.arange(classes), weights, bias, temperature, multilabel=False)


def drawn(trial: Trial, path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return vectors and truth of all images, the rows of this seed's pool, and the rows to test with."""
    vectors, truth = stored(path)
    may = probes.for_learning(truth)
    rng = np.random.default_rng(trial.seed)
    if trial.data.endswith("long tail"):
        classes = np.unique(truth)
        most = min(np.bincount(truth[may]))
        sizes = most * TAIL ** (-np.arange(len(classes)) / (len(classes) - 1))
        order = rng.permutation(classes)  # another class is the rarest with each seed
        pool = np.concatenate(
            [
                rng.permutation(may[truth[may] == number])[: max(1, round(size))]
                for number, size in zip(order, sizes, strict=True)
            ]
        )
    else:
        pool = rng.permutation(may)[:POOL]
    return vectors, truth, np.sort(pool), np.setdiff1d(np.arange(len(truth)), may)


@lru_cache(2)
def stored(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(path) as found:
        return found["vectors"], found["truth"]


def embedded(name: str, photos: Photos, folder: Path) -> Path:
    """Return where the vectors of the images are; they are computed once for each backbone."""
    from mlassist.backbones import catalog, loading

    weights = catalog.bundled().fingerprint + inspect.getsource(loading) + inspect.getsource(loading.Recipe)
    path = folder / f"{name}-{len(photos)}-{digest(weights)}.npz"
    if not path.exists():
        say(f"embedding {len(photos):,} images of {name}")
        vectors, _ = vectors_of(loading.load("bundled"), photos)
        with path.with_suffix(".part").open("wb") as opened:
            np.savez(opened, vectors=vectors, truth=photos.truth)
        path.with_suffix(".part").replace(path)
    return path


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def key(trial: Trial, path: Path) -> str:
    """Return what a trial's outcome depends on."""
    from mlassist import strategies
    from tests.benchmarks import rivals

    code = inspect.getsource(play) + inspect.getsource(fitted) + inspect.getsource(drawn) + repr(STEPS)
    if trial.strategy == OURS:
        own = sorted(Path(strategies.__path__[0]).glob("*.py"))
        code += inspect.getsource(ours) + "".join(each.read_text() for each in own)
    else:
        code += inspect.getsource(rivals)
    return f"{path.stem} {trial.data} {trial.strategy} {trial.seed} {digest(code)}"


def measured(
    trials: list[Trial], paths: dict[str, Path], folder: Path, processes: int
) -> dict[Trial, Result]:
    """Return the outcome of every trial, from earlier runs where nothing has changed."""
    kept = folder / "trials.jsonl"
    known = {}
    if kept.exists():
        for line in kept.read_text().splitlines():
            row = json.loads(line)
            known[row.pop("key")] = Result(**row)
    keys = {trial: key(trial, paths[trial.data]) for trial in trials}
    found = {trial: known[keys[trial]] for trial in trials if keys[trial] in known}
    left = [trial for trial in trials if trial not in found]
    say(f"{len(left)} trials, {len(found)} known from before")
    with (
        ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=start_worker) as workers,
        kept.open("a") as lines,
    ):
        waiting = {workers.submit(play, trial, paths[trial.data]): trial for trial in left}
        for number, future in enumerate(as_completed(waiting), 1):
            trial = waiting[future]
            found[trial] = future.result()
            lines.write(json.dumps({"key": keys[trial], **asdict(found[trial])}) + "\n")
            lines.flush()
            if number % 20 == 0:
                say(f"{number} of {len(left)} trials")
    return found


def start_worker() -> None:
    """One thread for each of as many processes as there are cores."""
    import faiss

    datasets.set_up()
    faiss.omp_set_num_threads(1)
    threadpool_limits(1)


def summary(found: dict[Trial, Result]) -> dict[str, dict[str, Any]]:
    """Return the figures of each data set and strategy, means over the seeds."""
    grouped: dict[str, dict[str, list[Result]]] = defaultdict(lambda: defaultdict(list))
    for trial in sorted(found, key=lambda each: each.seed):
        grouped[trial.data][trial.strategy].append(found[trial])
    return {
        data: {name: figures(results, by_strategy["random"]) for name, results in by_strategy.items()}
        for data, by_strategy in grouped.items()
    }


def figures(results: list[Result], chance: list[Result]) -> dict[str, Any]:
    labels = results[0].labels
    test = np.array([each.test for each in results])
    pool = np.array([each.pool for each in results])
    gains = test - np.array([each.test for each in chance])[:, : len(labels)]
    errors = gains.std(0, ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else np.zeros(len(labels))
    goal = float(np.mean([each.test[-1] for each in chance]))
    shown = [labels.index(each) for each in SHOWN if each in labels]
    return {
        "test": {str(labels[at]): float(test[:, at].mean()) for at in shown},
        "error": {str(labels[at]): float(errors[at]) for at in shown},
        "pool": {str(labels[at]): float(pool[:, at].mean()) for at in shown},
        "last": {"labels": labels[-1], "test": float(test[:, -1].mean()), "pool": float(pool[:, -1].mean())},
        "to_random": reached(labels, test.mean(0), goal),
        "seconds": float(np.mean([sum(each.seconds) for each in results])),
    }


def reached(labels: list[int], accuracy: np.ndarray, goal: float) -> int | None:
    """Return the number of labels at which a curve first reaches the goal."""
    above = np.flatnonzero(accuracy >= goal - 1e-9)
    if not len(above):
        return None
    at = int(above[0])
    if at == 0:
        return labels[0]
    return round(np.interp(goal, accuracy[at - 1 : at + 1], labels[at - 1 : at + 1]))


def table(data: str, strategies: dict[str, dict[str, Any]]) -> str:
    shown = list(strategies["random"]["test"])
    lines = [
        f"{data}: test accuracy (± of the difference to random) / pool accuracy",
        f"{'strategy':<10}" + "".join(f"{each + ' labels':>24}" for each in shown) + "  to random  seconds",
    ]
    for name, found in strategies.items():
        cells = [
            f"{found['test'][each]:.3f} ±{found['error'][each]:.3f} / {found['pool'][each]:.3f}"
            if each in found["test"]
            else "–"
            for each in shown
        ]
        to_random = found["to_random"] or "–"
        lines.append(
            f"{name:<10}"
            + "".join(f"{cell:>24}" for cell in cells)
            + f"{to_random:>11}{found['seconds']:>9.1f}"
        )
    return "\n".join(lines)


def data_sets(given: Path | None, quick: bool) -> Iterator[tuple[str, Photos]]:
    """Yield the images to measure with: those given, and scikit-learn's digits as a far domain."""
    of_each = 120 if quick else None
    archive = given / "cifar10.zip" if given and given.is_dir() else given
    if archive is not None:
        photos = datasets.class_folders(archive, "", ".jpg", of_each)
        if photos is None:
            raise SystemExit(f"There is no {archive}.")
        yield archive.stem, photos
    digits = datasets.digits()
    yield "digits", digits.some(600) if quick else digits


def main() -> None:
    from mlassist import embedding
    from tests.benchmarks.rivals import RIVALS

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=DATA if DATA.exists() else None,
        help="ZIP of class folders, or the folder of cifar10.zip",
    )
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--processes", type=int, default=embedding.cores(), help="default: one for each core")
    parser.add_argument("--strategies", nargs="+", choices=[OURS, *RIVALS], default=[OURS, *RIVALS])
    parser.add_argument("--quick", action="store_true", help="few images: shows that it works, and no more")
    options = parser.parse_args()
    datasets.set_up()
    folder = Path(os.environ.get("LOUPE_HOME", "var")) / "benchmarks" / "strategies"
    folder.mkdir(parents=True, exist_ok=True)
    paths: dict[str, Path] = {}
    for name, photos in data_sets(options.data, options.quick):
        paths[name] = embedded(name, photos, folder)
        if name != "digits":
            paths[f"{name} long tail"] = paths[name]
    chosen = dict.fromkeys(["random", *options.strategies])
    seeds = range(2 if options.quick else options.seeds)
    trials = [Trial(data, name, seed) for seed in seeds for data in paths for name in chosen]
    found = summary(measured(trials, paths, folder, options.processes))
    for data, strategies in found.items():
        say("\n" + table(data, strategies))
    line = {"quick": options.quick, "seeds": len(seeds), "pool": POOL, "data": found}
    print(json.dumps(rounded(line)))


if __name__ == "__main__":
    main()
