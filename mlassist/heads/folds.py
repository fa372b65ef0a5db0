"""Labels as 0/1 rows, and the folds in which heads are compared."""

from collections.abc import Sequence

import numpy as np

from mlassist.heads.linear import Linear

FEWEST, FEWEST_MULTILABEL = 10, 20  # rows that can be judged by
MANY = 5  # labels of a typical class from which there are five folds, else three


def one_hot(labels: Sequence[tuple[int, ...]], classes: np.ndarray) -> np.ndarray:
    """Return (n, classes) float32 of 0 and 1; `classes` are sorted ids."""
    targets = np.zeros((len(labels), len(classes)), np.float32)
    for row, row_labels in enumerate(labels):
        targets[row, np.searchsorted(classes, row_labels)] = 1
    return targets


def assign_folds(targets: np.ndarray, multilabel: bool, seed: int) -> np.ndarray:
    """Return a fold number per row, classes spread evenly; all zeros where folds make no sense.

    A multi-label row counts for the rarest of its classes.
    """
    count = len(targets)
    sizes = targets.sum(0)
    repeated = sizes[sizes >= 2]
    if count < FEWEST_MULTILABEL if multilabel else len(repeated) < 2 or repeated.sum() < FEWEST:
        return np.zeros(count, np.int64)
    shuffled = np.random.default_rng(seed).permutation(count)
    rarest = np.where(targets > 0, sizes, np.inf).argmin(1)
    order = shuffled[np.argsort(rarest[shuffled], kind="stable")]
    folds = np.empty(count, np.int64)
    typical = np.median(repeated) if len(repeated) else 1
    folds[order] = np.arange(count) % (5 if typical >= MANY else 3)
    return folds


def parts(folds: np.ndarray) -> list[np.ndarray]:
    """Return the rows to learn from for each fold; all rows where there are no folds."""
    if not folds.max():
        return [np.arange(len(folds))]
    return [np.flatnonzero(folds != fold) for fold in range(folds.max() + 1)]


def held_out_scores(features: np.ndarray, folds: np.ndarray, maps: list[Linear]) -> np.ndarray:
    """Return the scores that each row gets from the map of its own fold, (n, classes)."""
    scores = np.empty((len(features), maps[0][0].shape[1]), np.float32)
    for fold, (weights, bias) in enumerate(maps):
        held = folds == fold
        scores[held] = features[held] @ weights + bias
    return scores
