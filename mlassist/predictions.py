"""What a head says of images, in the terms that the rest of the loop uses."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mlassist.heads import Head
from mlassist.strategies.uncertain import label_margins, margins

STRICT_UP_TO = 5  # classes of which a multi-label answer must have every one right


@dataclass(frozen=True, slots=True)
class Predictions:
    """Per row: class probabilities, the proposed answer as a 0/1 row, and the chance that all of it is right.

    `top` is the most probable class column.
    """

    classes: np.ndarray
    probabilities: np.ndarray
    answer: np.ndarray
    confidence: np.ndarray
    top: np.ndarray
    multilabel: bool

    @classmethod
    def of(cls, head: Head, features: np.ndarray) -> "Predictions":
        return cls.from_probabilities(head, head.probabilities(features))

    @classmethod
    def from_probabilities(cls, head: Head, probabilities: np.ndarray) -> "Predictions":
        top = probabilities.argmax(1)
        if head.multilabel:
            answer = probabilities >= 0.5
            confidence = np.exp(np.log(np.maximum(probabilities, 1 - probabilities)).sum(1))
        else:
            answer = np.arange(probabilities.shape[1]) == top[:, None]
            confidence = probabilities.max(1)
        return cls(head.classes, probabilities, answer, confidence, top, head.multilabel)

    @property
    def margin(self) -> np.ndarray:
        return label_margins(self.probabilities) if self.multilabel else margins(self.probabilities)

    @property
    def score(self) -> np.ndarray:
        """Return what answers are accepted by: the chance to be right, or the F1 to be expected."""
        if is_strict(self):
            return self.confidence
        chosen = np.where(self.answer, self.probabilities, 0).sum(1)
        return 2 * chosen / (self.answer.sum(1) + self.probabilities.sum(1))

    def wrong(self, labels: Sequence[tuple[int, ...]]) -> np.ndarray:
        """Return whether each row's answer differs from its label in any class."""
        return self.f1(labels) < 1

    def losses(self, labels: Sequence[tuple[int, ...]]) -> np.ndarray:
        """Return a loss from 0 to 1 per row: wrong or not, or 1 - F1 where that is too strict."""
        agreement = self.f1(labels)
        return (agreement < 1).astype(float) if is_strict(self) else 1 - agreement

    def f1(self, labels: Sequence[tuple[int, ...]]) -> np.ndarray:
        """Return the F1 of each row's classes; 1 only where answer and label are the same."""
        columns = {int(label): column for column, label in enumerate(self.classes)}
        truth = np.zeros(self.answer.shape, bool)
        sizes = np.array([len(classes) for classes in labels], int)
        for row, classes in enumerate(labels):
            truth[row, [columns[label] for label in classes if label in columns]] = True
        together = (truth & self.answer).sum(1)
        either = sizes + self.answer.sum(1)
        return np.divide(2 * together, either, out=np.ones(len(labels)), where=either > 0)

    def without(self, blocked: Collection[int]) -> np.ndarray:
        """Return the score with -inf where the answer has a blocked class column or no class at all."""
        out = ~self.answer.any(1)
        if len(blocked):
            out |= self.answer[:, list(blocked)].any(1)
        return np.where(out, -np.inf, self.score)


@dataclass(slots=True)
class Open:
    """The unlabeled items of a pool with what the newest model says of them."""

    items: np.ndarray
    rows: np.ndarray
    seen: Predictions


def chosen(seen: Predictions) -> Iterator[list[int]]:
    """Yield the class ids of each row's answer."""
    if not seen.multilabel:
        for label in seen.classes[seen.top].tolist():
            yield [label]
        return
    for row in seen.answer:
        yield seen.classes[row].tolist()


def is_strict(of: Head | Predictions) -> bool:
    """Tell whether an answer is right or wrong as a whole; with many classes it may be partly right."""
    return not of.multilabel or len(of.classes) <= STRICT_UP_TO
