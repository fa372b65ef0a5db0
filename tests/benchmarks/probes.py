"""How well vectors serve, by one protocol for every backbone and every recipe. Not a benchmark itself.

A linear probe is L2-regularised logistic regression whose strength is chosen by cross-validation on the
labels it trains with. Purity is the share of the ten nearest neighbours that are of the same class.
"""

from typing import Any

import joblib
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, StratifiedShuffleSplit
from threadpoolctl import threadpool_limits

from mlassist import embedding

STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
FOLDS = 3
ENOUGH = 5_000  # labels from which one split chooses the strength as well as several
NEIGHBOURS = 10
SEEDS = 3
SPLITS = 10  # of small sets, whose halves differ by chance
STEPS = 200


def fit(vectors: np.ndarray, labels: np.ndarray, seed: int) -> GridSearchCV:
    """Train a probe with the strength that its own labels favour."""
    splits = (
        StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
        if len(labels) <= ENOUGH
        else StratifiedShuffleSplit(1, test_size=0.2, random_state=seed)
    )
    # Probes are many and small: one thread for each of several beats several threads for each.
    with threadpool_limits(1), joblib.parallel_config("threading", n_jobs=embedding.cores()):
        search = GridSearchCV(LogisticRegression(max_iter=STEPS), {"C": STRENGTHS}, cv=splits)
        return search.fit(vectors, labels)


def levelled(vectors: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Centre vectors and bring them to a length of about one, so that a strength means the same for all."""
    centred = vectors - vectors[train].mean(0)
    return (centred / np.sqrt((centred[train] ** 2).sum(1).mean())).astype(np.float32)


def accuracy(
    vectors: np.ndarray, labels: np.ndarray, train: np.ndarray, test: np.ndarray, seed: int = 0
) -> float:
    """Return the share of the test rows that a probe trained on the others gets right."""
    ready = levelled(vectors, train)
    return float(fit(ready[train], labels[train], seed).score(ready[test], labels[test]))


def learning(vectors: np.ndarray, labels: np.ndarray, count: int, seeds: int = SEEDS) -> float:
    """Return the mean accuracy with `count` labels, drawn anew for each seed, as many of every class.

    The last sixth of every class is for testing, whatever the count: 5,000 images of `cifar10.zip`.
    """
    rest = for_learning(labels)
    test = np.setdiff1d(np.arange(len(labels)), rest)
    found = []
    for seed in range(seeds):
        train = few_of_each(labels, rest, count, seed)
        found.append(accuracy(vectors, labels, train, test, seed))
    return float(np.mean(found))


def for_learning(labels: np.ndarray) -> np.ndarray:
    """Return all rows but the last sixth of every class, which are for testing."""
    by_class = [np.flatnonzero(labels == number) for number in np.unique(labels)]
    return np.concatenate([rows[: -(len(rows) // 6)] for rows in by_class])


def halves(group: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows to train with and rows to test with, images of one picture on the same side."""
    pictures = np.random.default_rng(seed).permutation(np.unique(group))
    is_training = np.isin(group, pictures[: len(pictures) // 2])
    return np.flatnonzero(is_training), np.flatnonzero(~is_training)


def split_accuracy(
    vectors: np.ndarray, labels: np.ndarray, group: np.ndarray, count: int | None = None, splits: int = SPLITS
) -> float:
    """Return the mean accuracy on one half with the other half's labels, or `count` of them."""
    found = []
    for seed in range(splits):
        train, test = halves(group, seed)
        if count is not None:
            train = few_of_each(labels, train, count, seed)
        found.append(accuracy(vectors, labels, train, test, seed))
    return float(np.mean(found))


def few_of_each(labels: np.ndarray, rows: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return `count` of the rows, as many of every class."""
    rng = np.random.default_rng(seed)
    classes = np.unique(labels)
    return np.concatenate(
        [rng.permutation(rows[labels[rows] == number])[: count // len(classes)] for number in classes]
    )


def presence(
    vectors: np.ndarray, truth: np.ndarray, classes: tuple[str, ...], group: np.ndarray, splits: int = SPLITS
) -> dict[str, Any]:
    """Return how well half of the images tell which classes occur in the other half.

    Of every class: its share of the images, and what is the mean over the splits in which both halves have
    images with and without it: average precision and accuracy, else null.
    """
    found: dict[str, Any] = {}
    for column, name in enumerate(classes):
        present, scores = truth[:, column], []
        for seed in range(splits):
            train, test = halves(group, seed)
            if min(np.bincount(present[train], minlength=2)) < FOLDS or len(set(present[test])) < 2:
                continue
            ready = levelled(vectors, train)
            probe = fit(ready[train], present[train], seed)
            certain = probe.decision_function(ready[test])
            precision = average_precision_score(present[test], certain)
            scores.append((precision, probe.score(ready[test], present[test])))
        means = np.mean(scores, 0).tolist() if scores else [None, None]
        found[name] = {"share": float(present.mean()), "average_precision": means[0], "accuracy": means[1]}
    measured = [each for each in found.values() if each["accuracy"] is not None]
    return {
        "mean_average_precision": float(np.mean([each["average_precision"] for each in measured])),
        "accuracy": float(np.mean([each["accuracy"] for each in measured])),
        "classes": found,
    }


def purity(vectors: np.ndarray, truth: np.ndarray, queries: int = 5_000) -> float:
    """Return the share of the nearest neighbours, among all, that are like the image itself.

    Where several classes may occur, how alike is the share of classes on which the two agree.
    """
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    asked = np.random.default_rng(0).permutation(len(unit))[:queries]
    found = []
    for start in range(0, len(asked), 500):
        rows = asked[start : start + 500]
        alike = unit[rows] @ unit.T
        alike[np.arange(len(rows)), rows] = -np.inf
        nearest = np.argpartition(-alike, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        found.append((truth[nearest] == truth[rows][:, None]).reshape(len(rows), -1).mean(1))
    return float(np.concatenate(found).mean())
