"""How sure an untaught model may be, once people have labeled some images. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

from mlassist.heads import Head, one_hot, sigmoid
from mlassist.heads.judging import best_temperature

FEWEST = 20  # labels, or objects: before, nothing is known of how sure it may be
NEAR = 1e-4  # confidences are told no finer
STEEPEST = 5.0


def calibrated(head: Head, features: np.ndarray, labels: Sequence[tuple[int, ...]]) -> Head:
    """Return a head with the temperature that fits labels best, of which it has learned from none.

    Those of classes that it does not know are passed over. What it says first of an image stays the same.
    """
    known = set(head.classes.tolist())
    rows = [at for at, given in enumerate(labels) if given or head.multilabel]
    rows = [at for at in rows if known.issuperset(labels[at])]
    if len(rows) < FEWEST:
        return head
    order = np.argsort(head.classes)
    targets = np.empty((len(rows), len(order)), np.float32)
    targets[:, order] = one_hot([labels[at] for at in rows], head.classes[order])
    scores = np.asarray(features[rows], np.float32) @ head.weights + head.bias
    return replace(head, temperature=best_temperature(scores, targets, head.multilabel))


@dataclass(frozen=True, slots=True)
class Line:
    """The log odds that an object is right, by those that a model tells: the order stays the same."""

    slope: float = 1.0
    level: float = 0.0

    def at(self, confidence: np.ndarray) -> np.ndarray:
        return sigmoid(self.slope * log_odds(confidence) + self.level)

    @classmethod
    def of(cls, confidence: np.ndarray, right: np.ndarray) -> "Line":
        """Return the line that fits best what was found, right or not; few objects change little."""
        told = log_odds(confidence)
        signs = np.where(right, 1.0, -1.0)

        def loss(line: np.ndarray) -> float:
            misfit = np.logaddexp(0, -signs * (line[0] * told + line[1])).sum()
            return float(misfit + (line[0] - 1) ** 2 / 2 + line[1] ** 2 / 2)

        fit = minimize(loss, [1.0, 0.0], bounds=[(1 / STEEPEST, STEEPEST), (None, None)], method="L-BFGS-B")
        return cls(round(float(fit.x[0]), 4), round(float(fit.x[1]), 4))


UNCHANGED = Line()


def log_odds(confidence: np.ndarray) -> np.ndarray:
    kept = np.clip(confidence, NEAR, 1 - NEAR)
    return np.asarray(np.log(kept) - np.log1p(-kept))


def lines(
    classes: Sequence[int], confidence: np.ndarray, right: np.ndarray, all_classes: Sequence[int]
) -> Mapping[int, Line]:
    """Return a line for each class: its own where enough of it was found, else that of all together."""
    if len(classes) < FEWEST:
        return dict.fromkeys(all_classes, UNCHANGED)
    shared, kinds = Line.of(confidence, right), np.asarray(classes)
    found = {}
    for label in all_classes:
        own = kinds == label
        found[label] = Line.of(confidence[own], right[own]) if own.sum() >= FEWEST else shared
    return found
