"""What a head says of images, in the terms that the rest of the loop uses."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mlassist.heads import Head
from mlassist.strategies.uncertain import label_margins, margins

STRICT_UP_TO = 5  # classes of which a multi-label answer must have every one right
CELLS = 5_000_000  # probabilities in memory at a time


@dataclass(frozen=True, slots=True)
class Predictions:
    """Per row: the proposed answer, the chance that all of it is right, and how far the next answer is.

    `top` is the most probable class column. The answer of row i is columns[starts[i]:starts[i + 1]], with
    the probability of each in `sure`; `mass` sums those of all classes. No other probability is kept: half
    a million images with a thousand classes would have two gigabytes of them.
    """

    classes: np.ndarray
    top: np.ndarray
    confidence: np.ndarray
    margin: np.ndarray
    columns: np.ndarray
    sure: np.ndarray
    starts: np.ndarray
    mass: np.ndarray
    multilabel: bool

    @classmethod
    def of(cls, head: Head, features: np.ndarray) -> "Predictions":
        rows = max(1, CELLS // len(head.classes))
        chunks = range(0, max(len(features), 1), rows)
        return joined([cls._of(head, head.probabilities(features[at : at + rows])) for at in chunks])

    @classmethod
    def from_probabilities(cls, head: Head, probabilities: np.ndarray) -> "Predictions":
        rows = max(1, CELLS // len(head.classes))
        chunks = range(0, max(len(probabilities), 1), rows)
        return joined([cls._of(head, probabilities[at : at + rows]) for at in chunks])

    @classmethod
    def _of(cls, head: Head, probabilities: np.ndarray) -> "Predictions":
        count = len(probabilities)
        top = probabilities.argmax(1)
        if head.multilabel:
            rows, columns = np.nonzero(probabilities >= 0.5)
            confidence = np.exp(np.log(np.maximum(probabilities, 1 - probabilities)).sum(1))
            margin = label_margins(probabilities)
            sure = probabilities[rows, columns]
            starts = np.searchsorted(rows, np.arange(count + 1))
        else:
            confidence, margin = probabilities.max(1), margins(probabilities)
            # Less than one in all: the rest is the chance that it is none of these.
            said = confidence >= 1 - probabilities.sum(1)
            columns, sure = top[said], confidence[said]
            starts = np.concatenate([[0], np.cumsum(said)])
        return cls(
            head.classes,
            top,
            confidence,
            margin,
            columns,
            sure,
            starts,
            probabilities.sum(1),
            head.multilabel,
        )

    def only(self, kept: np.ndarray) -> "Predictions":
        """Return the rows that a mask marks."""
        cells = np.repeat(kept, self.sizes)
        return Predictions(
            self.classes,
            self.top[kept],
            self.confidence[kept],
            self.margin[kept],
            self.columns[cells],
            self.sure[cells],
            np.concatenate([[0], np.cumsum(self.sizes[kept])]),
            self.mass[kept],
            self.multilabel,
        )

    @property
    def sizes(self) -> np.ndarray:
        """How many classes each row's answer has."""
        return np.diff(self.starts)

    @property
    def score(self) -> np.ndarray:
        """Return what answers are accepted by: the chance to be right, or the F1 to be expected."""
        if is_strict(self):
            return self.confidence
        sums = np.concatenate([[0], np.cumsum(self.sure)])
        expected = sums[self.starts[1:]] - sums[self.starts[:-1]]
        return 2 * expected / (self.sizes + self.mass)

    def wrong(self, labels: Sequence[tuple[int, ...]]) -> np.ndarray:
        """Return whether each row's answer differs from its label in any class."""
        return self.f1(labels) < 1

    def losses(self, labels: Sequence[tuple[int, ...]]) -> np.ndarray:
        """Return a loss from 0 to 1 per row: wrong or not, or 1 - F1 where that is too strict."""
        agreement = self.f1(labels)
        return (agreement < 1).astype(float) if is_strict(self) else 1 - agreement

    def f1(self, labels: Sequence[tuple[int, ...]]) -> np.ndarray:
        """Return the F1 of each row's classes; 1 only where answer and label are the same."""
        together = np.array(
            [len(set(said).intersection(label)) for said, label in zip(chosen(self), labels, strict=True)],
            int,
        )
        either = self.sizes + np.array([len(label) for label in labels], int)
        return np.divide(2 * together, either, out=np.ones(len(labels)), where=either > 0)

    def without(self, blocked: Collection[int]) -> np.ndarray:
        """Return the score with -inf where the answer has a blocked class column or no class at all."""
        hits = np.concatenate([[0], np.cumsum(np.isin(self.columns, list(blocked)))])
        out = (self.sizes == 0) | (hits[self.starts[1:]] > hits[self.starts[:-1]])
        return np.where(out, -np.inf, self.score)


def joined(parts: Sequence[Predictions]) -> Predictions:
    """Put predictions of one head for consecutive rows together."""
    first = parts[0]
    return Predictions(
        first.classes,
        np.concatenate([each.top for each in parts]),
        np.concatenate([each.confidence for each in parts]),
        np.concatenate([each.margin for each in parts]),
        np.concatenate([each.columns for each in parts]),
        np.concatenate([each.sure for each in parts]),
        np.concatenate([[0], np.cumsum(np.concatenate([each.sizes for each in parts]))]),
        np.concatenate([each.mass for each in parts]),
        first.multilabel,
    )


@dataclass(slots=True)
class Open:
    """The unlabeled items of a pool with what the newest model says of them."""

    items: np.ndarray
    rows: np.ndarray
    seen: Predictions

    def only(self, kept: np.ndarray) -> "Open":
        """Return those that a mask marks."""
        return Open(self.items[kept], self.rows[kept], self.seen.only(kept))


def chosen(seen: Predictions) -> Iterator[list[int]]:
    """Yield the class ids of each row's answer."""
    labels, starts = seen.classes[seen.columns].tolist(), seen.starts.tolist()
    for start, end in pairwise(starts):
        yield labels[start:end]


def is_strict(of: Head | Predictions) -> bool:
    """Tell whether an answer is right or wrong as a whole; with many classes it may be partly right."""
    return not of.multilabel or len(of.classes) <= STRICT_UP_TO
