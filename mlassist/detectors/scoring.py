"""What scores mean: which objects are shown, how likely each is right, how likely a whole image is.

All of it is learned from images that the detector had not seen. Ranking is all that a certificate needs of
it, so a wrong guess here costs coverage, never a promise.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.optimize import nnls
from sklearn.isotonic import IsotonicRegression

from mlassist.detectors import matching
from mlassist.detectors.looking import Seen
from mlassist.detectors.shapes import Shapes

GREY = 0.3  # of the score from which objects are shown: below, they are hardly ever right
OWN_CURVE = 200  # objects of a class for a curve of its own
SURE = 0.98  # no object is surer than that
KNOTS = 24
FIRST_THRESHOLD = 0.35  # before anything was held out


@dataclass(frozen=True, slots=True)
class Curve:
    """How likely an object is right, by its score: a rising line through a few points."""

    scores: list[float]
    chances: list[float]

    @classmethod
    def of(cls, scores: np.ndarray, right: np.ndarray) -> "Curve":
        fit = IsotonicRegression(y_min=1 - SURE, y_max=SURE, out_of_bounds="clip").fit(scores, right)
        at = np.unique(np.quantile(scores, np.linspace(0, 1, KNOTS)).round(5))
        return cls(at.tolist(), fit.predict(at).round(4).tolist())

    def at(self, scores: np.ndarray) -> np.ndarray:
        return np.interp(scores, self.scores, self.chances)


@dataclass(frozen=True, slots=True)
class Scoring:
    """`shown` (classes,) are the scores from which objects are shown, `curves` one per class.

    `weights` say what an expected miss, a contradiction by the mirror image and nothing at all add to the
    expected loss of an image.
    """

    shown: list[float]
    curves: list[Curve]
    weights: list[float]

    @classmethod
    def untried(cls, classes: int) -> "Scoring":
        """Return the scoring of a detector of which nothing was held out."""
        straight = Curve([0.0, 1.0], [0.02, SURE])
        return cls([FIRST_THRESHOLD] * classes, [straight] * classes, [1.0, 0.5, 0.0])

    @classmethod
    def learned(cls, seen: Sequence[Seen], truth: Sequence[Shapes], classes: int) -> "Scoring":
        """Learn from images that the detector had not seen."""
        kinds = np.concatenate([each.found.classes for each in seen] or [np.zeros(0, int)])
        scores = np.concatenate([each.found.scores for each in seen] or [np.zeros(0)])
        right = np.concatenate(
            [matching.pairs(each.found, other) >= 0 for each, other in zip(seen, truth, strict=True)]
            or [np.zeros(0, bool)]
        )
        if not right.any():
            return cls.untried(classes)
        drawn = np.bincount(np.concatenate([each.classes for each in truth]), minlength=classes)
        everything = Curve.of(scores, right)
        best = best_threshold(scores, right, int(drawn.sum()))
        shown, curves = [], []
        for kind in range(classes):
            own = kinds == kind
            enough = own.sum() >= OWN_CURVE and right[own].any() and not right[own].all()
            curves.append(Curve.of(scores[own], right[own]) if enough else everything)
            shown.append(
                best_threshold(scores[own], right[own], int(drawn[kind])) if right[own].any() else best
            )
        made = cls(shown, curves, [1.0, 0.5, 0.0])
        losses = np.array(
            [matching.loss(made.kept(each.found), other) for each, other in zip(seen, truth, strict=True)]
        )
        rows = np.array([made.signs(each) for each in seen])
        weights, _ = nnls(rows, losses)
        return cls(shown, curves, [round(float(each), 4) for each in weights])

    def kept(self, found: Shapes) -> Shapes:
        """Return the objects that are shown."""
        return found.pick(found.scores >= np.asarray(self.shown)[found.classes])

    def chances(self, found: Shapes) -> np.ndarray:
        """Return how likely each object is right, (n,)."""
        chances = np.zeros(len(found))
        for kind, curve in enumerate(self.curves):
            own = found.classes == kind
            chances[own] = curve.at(found.scores[own])
        return chances

    def signs(self, seen: Seen) -> tuple[float, float, float]:
        """Return what speaks against an image: the expected 1 - F1, what the mirror image denies, and 1."""
        found = seen.found
        thresholds = np.asarray(self.shown)[found.classes]
        shown, chances = found.scores >= thresholds, self.chances(found)
        doubtful = ~shown & (found.scores >= GREY * thresholds)
        right, missed = float(chances[shown].sum()), float(chances[doubtful].sum())
        total = int(shown.sum()) + right + missed
        expected = 1 - 2 * right / total if shown.any() else 1 - math.exp(-missed)
        return expected, matching.loss(self.kept(found), self.kept(seen.mirrored)), 1.0

    def confidence(self, seen: Seen) -> float:
        """Return one minus the loss that is expected of what is shown on an image."""
        return float(np.clip(1 - np.dot(self.signs(seen), self.weights), 0.0, 1.0))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> "Scoring":
        return cls(kept["shown"], [Curve(**each) for each in kept["curves"]], kept["weights"])


def best_threshold(scores: np.ndarray, right: np.ndarray, drawn: int) -> float:
    """Return the score from which showing objects gives the best F1."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(right[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + drawn)
    return round(float(scores[order][int(f1.argmax())]), 4)
