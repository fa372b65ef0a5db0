"""Who said what of which item, and what was made of it."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Votes:
    """One row for each answer: the place of its item, its labeler and its class, each counted from 0.

    A labeler answers an item once at the most; every item has an answer.
    """

    item: np.ndarray
    labeler: np.ndarray
    label: np.ndarray
    items: int
    labelers: int
    classes: int

    @classmethod
    def of(
        cls, item: np.ndarray, labeler: np.ndarray, label: np.ndarray, items: int, labelers: int, classes: int
    ) -> "Votes":
        rows = [np.asarray(each, np.int64) for each in (item, labeler, label)]
        return cls(rows[0], rows[1], rows[2], items, labelers, classes)

    def __len__(self) -> int:
        return len(self.item)

    @property
    def counts(self) -> np.ndarray:
        """How many answered each item, (items,)."""
        return np.bincount(self.item, minlength=self.items)

    @property
    def given(self) -> np.ndarray:
        """How many answers each labeler gave, (labelers,)."""
        return np.bincount(self.labeler, minlength=self.labelers)

    def tally(self, weights: np.ndarray | None = None) -> np.ndarray:
        """Return how many said each class of each item, (items, classes); each answer with its weight."""
        cells = np.bincount(
            self.item * self.classes + self.label, weights, minlength=self.items * self.classes
        )
        return cells.reshape(self.items, self.classes)

    def by_labeler(self, values: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """Return each labeler's mean of a value per answer, NaN without one; of the marked answers only."""
        chosen = np.ones(len(self), bool) if rows is None else rows
        count = np.bincount(self.labeler[chosen], minlength=self.labelers)
        total = np.bincount(self.labeler[chosen], values[chosen], minlength=self.labelers)
        return np.divide(total, count, out=np.full(self.labelers, np.nan), where=count > 0)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a method makes of votes: how likely each item has each class, and each labeler is right."""

    chances: np.ndarray
    quality: np.ndarray

    @property
    def consensus(self) -> np.ndarray:
        """The most likely class of each item."""
        return np.asarray(self.chances.argmax(1))


def majority(votes: Votes, probabilities: np.ndarray | None = None) -> Finding:
    """Return what most people say; among as many by what a model says, else by the more frequent class."""
    tally = votes.tally()
    tie = tally.sum(0) / max(len(votes), 1) if probabilities is None else probabilities
    chances = tally + 1e-6 * tie
    chances = chances / chances.sum(1, keepdims=True)
    agreed = (chances.argmax(1)[votes.item] == votes.label).astype(float)
    several = votes.counts[votes.item] > 1
    quality = votes.by_labeler(agreed, several)
    return Finding(
        chances, np.where(np.isnan(quality), agreed[several].mean() if several.any() else 1, quality)
    )
