"""Heads: the small part that is trained per project on frozen, L2-normalised features.

Several kinds compete on their out-of-fold loss; all end as one linear map, so that storing and
applying them is the same. Labels are lists of columns: one for multi-class, any number for multi-label.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from mlassist.gaussian import Statistics, adapted, discriminant, nearest_mean
from mlassist.logistic import one_vs_rest, softmax_regression

CHUNK = 50_000
CALIBRATABLE = 50  # out-of-fold predictions that a temperature needs
FEWEST_JUDGED = 10
UNCALIBRATED = 1.5  # temperature when there is too little to measure one
STRENGTHS = (3.0, 30.0)  # inverse regularisation of the logistic candidates

Linear = tuple[np.ndarray, np.ndarray]  # weights (dimension, classes), bias (classes)
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Head:
    """A linear map to class scores, and the temperature that makes probabilities of them."""

    kind: str
    classes: np.ndarray  # class ids, in column order
    weights: np.ndarray
    bias: np.ndarray
    temperature: float
    multilabel: bool

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Return (n, classes) float32: summing to one for multi-class, one by one for multi-label."""
        squash = sigmoid if self.multilabel else softmax
        found = np.empty((len(features), len(self.classes)), np.float32)
        for start in range(0, len(features), CHUNK):
            part = slice(start, start + CHUNK)
            scores = np.asarray(features[part], np.float32) @ self.weights + self.bias
            found[part] = squash(scores / self.temperature)
        return found

    def to_bytes(self) -> bytes:
        buffer = io.BytesIO()
        np.savez(
            buffer,
            kind=self.kind,
            classes=self.classes,
            weights=self.weights,
            bias=self.bias,
            temperature=self.temperature,
            multilabel=self.multilabel,
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Head":
        with np.load(io.BytesIO(data)) as stored:
            return cls(
                str(stored["kind"]),
                stored["classes"],
                stored["weights"],
                stored["bias"],
                float(stored["temperature"]),
                bool(stored["multilabel"]),
            )


@dataclass(slots=True)
class Fit:
    """A trained head and what its cross-validation found; all probabilities are calibrated.

    `out_of_fold` (n, classes) belongs to the training rows in their order.
    """

    head: Head
    out_of_fold: np.ndarray
    accuracy: float
    loss: float
    candidates: list[dict[str, float | str]] = field(default_factory=list)


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def sigmoid(scores: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(scores, -60, 60)))


def train(
    features: np.ndarray,
    labels: Sequence[tuple[int, ...]],
    pool: np.ndarray,
    *,
    multilabel: bool = False,
    judged: np.ndarray | None = None,
    seed: int = 0,
    report: Report = lambda line: None,
) -> Fit:
    """Fit the best head for class ids `labels` of `features` (n, d); `pool` are features without labels.

    Multi-class rows must have exactly one class. `judged` (n,) chooses the rows that candidates are
    compared and calibrated on: rows that a model picked because it was sure make any model look good.
    Raises ValueError when there is nothing to learn from.
    """
    classes = np.unique([label for row in labels for label in row]).astype(np.int64)
    if not len(classes):
        raise ValueError("No class has a label yet.")
    targets = one_hot(labels, classes)
    folds = assign_folds(targets, multilabel, seed)
    rows = np.ones(len(targets), bool) if judged is None else judged
    if rows.sum() < FEWEST_JUDGED:
        # Easy rows can still tell kinds of heads apart, but not how sure one may be.
        judge = Judge(targets, np.ones(len(targets), bool), multilabel, calibrates=False)
    else:
        judge = Judge(targets, rows, multilabel)
    makers = candidates_for(targets, pool, multilabel, cross_validated=folds.max() > 0)
    tried = [judge.candidate(name, fit, out_of_fold(features, targets, folds, fit)) for name, fit in makers]
    if len(tried) > 1 and not multilabel:
        tried.append(judge.blend(*tried[-2:]))
    for each in tried:
        report(
            f"{each.name}: out-of-fold loss {each.loss:.3f}, accuracy {each.accuracy:.3f},"
            f" temperature {each.temperature:.2f}"
        )
    best = min(tried, key=lambda each: each.loss)
    weights, bias = best.fit(features, targets)
    squash = sigmoid if multilabel else softmax
    return Fit(
        Head(
            best.name,
            classes,
            weights.astype(np.float32),
            bias.astype(np.float32),
            best.temperature,
            multilabel,
        ),
        squash(best.scores / best.temperature),
        best.accuracy,
        best.loss,
        [
            {"name": each.name, "loss": round(each.loss, 4), "accuracy": round(each.accuracy, 4)}
            for each in tried
        ],
    )


Fitter = Callable[[np.ndarray, np.ndarray], Linear]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A kind of head with its out-of-fold scores and how good they are."""

    name: str
    fit: Fitter
    scores: np.ndarray
    temperature: float
    loss: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Judge:
    """Compares candidates on the chosen rows."""

    targets: np.ndarray
    rows: np.ndarray
    multilabel: bool
    calibrates: bool = True

    def candidate(self, name: str, fit: Fitter, scores: np.ndarray) -> Candidate:
        own, targets = scores[self.rows], self.targets[self.rows]
        temperature = best_temperature(own, targets, self.multilabel) if self.calibrates else UNCALIBRATED
        loss = log_loss(own / temperature, targets, self.multilabel)
        return Candidate(name, fit, scores, temperature, loss, share_right(own, targets, self.multilabel))

    def blend(self, first: Candidate, second: Candidate) -> Candidate:
        """Return the candidate that adds the calibrated scores of two, which err differently."""

        def fit(features: np.ndarray, targets: np.ndarray) -> Linear:
            maps = [(each.fit(features, targets), each.temperature) for each in (first, second)]
            return (
                np.sum([weights / temperature for (weights, _), temperature in maps], axis=0),
                np.sum([bias / temperature for (_, bias), temperature in maps], axis=0),
            )

        scores = first.scores / first.temperature + second.scores / second.temperature
        return self.candidate(f"{first.name} + {second.name}", fit, scores)


def candidates_for(
    targets: np.ndarray, pool: np.ndarray, multilabel: bool, *, cross_validated: bool
) -> list[tuple[str, Fitter]]:
    """Return (name, fitter) of the heads worth trying."""
    if multilabel:
        strengths = STRENGTHS if cross_validated else (1.0,)
        return [(f"logistic C={each:g}", partial(one_vs_rest, strength=each)) for each in strengths]
    if not cross_validated or targets.shape[1] < 2:
        return [("nearest mean", nearest_mean)]
    logistic: list[tuple[str, Fitter]] = [
        (f"logistic C={each:g}", partial(softmax_regression, strength=each)) for each in STRENGTHS
    ]
    if len(targets) < CALIBRATABLE:
        return [*logistic, ("nearest mean", nearest_mean)]
    return [
        ("discriminant", discriminant),
        *logistic,
        ("adapted discriminant", partial(adapted, pool=Statistics.of(pool))),
    ]


def one_hot(labels: Sequence[tuple[int, ...]], classes: np.ndarray) -> np.ndarray:
    """Return (n, classes) float32 of 0 and 1; `classes` are sorted ids."""
    targets = np.zeros((len(labels), len(classes)), np.float32)
    for row, row_labels in enumerate(labels):
        targets[row, np.searchsorted(classes, row_labels)] = 1
    return targets


def assign_folds(targets: np.ndarray, multilabel: bool, seed: int) -> np.ndarray:
    """Return a fold number per row, classes spread evenly; all zeros where folds make no sense."""
    count = len(targets)
    rng = np.random.default_rng(seed)
    if multilabel:
        return rng.permutation(count) % 5 if count >= 20 else np.zeros(count, np.int64)
    sizes = targets.sum(0)
    typical = np.median(sizes)
    if len(sizes) < 2 or typical < 2:
        return np.zeros(count, np.int64)
    order = rng.permutation(count)
    order = order[np.argsort(targets[order].argmax(1), kind="stable")]
    folds = np.empty(count, np.int64)
    folds[order] = np.arange(count) % (5 if typical >= 5 else 3)
    return folds


def out_of_fold(features: np.ndarray, targets: np.ndarray, folds: np.ndarray, fit: Fitter) -> np.ndarray:
    """Return the scores that each row gets from a head that has not seen it (without folds: has seen it)."""
    scores = np.empty(targets.shape, np.float32)
    for fold in range(folds.max() + 1):
        held = folds == fold
        weights, bias = fit(
            features[~held] if folds.max() else features, targets[~held] if folds.max() else targets
        )
        scores[held] = features[held] @ weights + bias
    return scores


def share_right(scores: np.ndarray, targets: np.ndarray, multilabel: bool) -> float:
    """Return the share of rows whose whole answer is right."""
    if multilabel:
        return float(((scores >= 0) == (targets > 0)).all(1).mean())
    return float(targets[np.arange(len(targets)), scores.argmax(1)].mean())


def log_loss(scores: np.ndarray, targets: np.ndarray, multilabel: bool) -> float:
    """Return the mean negative log-likelihood of a row."""
    if multilabel:
        return float((np.logaddexp(0, scores) - targets * scores).sum(1).mean())
    top = scores.max(1, keepdims=True)
    return float((np.log(np.exp(scores - top).sum(1)) + top[:, 0] - (scores * targets).sum(1)).mean())


def best_temperature(scores: np.ndarray, targets: np.ndarray, multilabel: bool) -> float:
    """Return the temperature of least loss between 0.05 and 50, by golden section on its logarithm."""
    if len(scores) < CALIBRATABLE:
        return UNCALIBRATED
    low, high = np.log(0.05), np.log(50.0)
    ratio = (np.sqrt(5) - 1) / 2

    def loss(log_temperature: float) -> float:
        return log_loss(scores / np.exp(log_temperature), targets, multilabel)

    while high - low > 0.01:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if loss(left) < loss(right):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))
