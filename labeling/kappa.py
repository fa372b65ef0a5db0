"""How much people agree beyond chance: Cohen's kappa of two, Krippendorff's alpha of any number. Pure.

1 is full agreement, 0 what chance would give, below 0 less than that. None where nothing can be said: no
item with two answers, or only one class in all of them.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Units:
    """How many people said what of items: rows of (unit, value, count), sorted by unit."""

    unit: np.ndarray
    value: np.ndarray
    count: np.ndarray

    @classmethod
    def of(cls, answers: Sequence[Sequence[Hashable]]) -> "Units":
        """Return the answers to each item as counts; items with fewer than two are passed over."""
        numbers: dict[Hashable, int] = {}
        rows = [
            (unit, numbers.setdefault(value, len(numbers)))
            for unit, values in enumerate(answers)
            if len(values) > 1
            for value in values
        ]
        if not rows:
            empty = np.empty(0, np.int64)
            return cls(empty, empty, empty)
        cells, counts = np.unique(np.array(rows, np.int64), axis=0, return_counts=True)
        return cls(cells[:, 0], cells[:, 1], counts)

    def alpha(self) -> float | None:
        """Return Krippendorff's alpha for values without an order (Krippendorff 2011)."""
        if not len(self.unit):
            return None
        _, place = np.unique(self.unit, return_inverse=True)
        answers = np.bincount(place, self.count)
        alike = np.bincount(place, self.count.astype(float) ** 2)
        total = float(answers.sum())
        observed = float(((answers**2 - alike) / (answers - 1)).sum()) / total
        by_value = np.bincount(self.value, self.count)
        expected = float(total**2 - (by_value**2).sum()) / (total * (total - 1))
        return 1 - observed / expected if expected > 0 else None


def alpha(answers: Sequence[Sequence[Hashable]]) -> float | None:
    """Return Krippendorff's alpha of the answers to each item."""
    return Units.of(answers).alpha()


def binary_alpha(yes: np.ndarray, answers: np.ndarray) -> float | None:
    """Return Krippendorff's alpha of yes or no: how many of the answers to each item said yes, (n,) each.

    Items with fewer than two answers are passed over.
    """
    kept = answers > 1
    yes, answers = yes[kept].astype(float), answers[kept].astype(float)
    total, said = float(answers.sum()), float(yes.sum())
    if not total or said in (0, total):
        return None
    observed = float((2 * yes * (answers - yes) / (answers - 1)).sum()) / total
    return 1 - observed / (2 * said * (total - said) / (total * (total - 1)))


def kappa(pairs: Iterable[tuple[Hashable, Hashable]]) -> float | None:
    """Return Cohen's kappa of two people: what each said of the same items."""
    given = list(pairs)
    if not given:
        return None
    numbers: dict[Hashable, int] = {}
    cells = np.array([[numbers.setdefault(value, len(numbers)) for value in pair] for pair in given])
    same = float((cells[:, 0] == cells[:, 1]).mean())
    shares = [np.bincount(cells[:, side], minlength=len(numbers)) / len(cells) for side in (0, 1)]
    by_chance = float(shares[0] @ shares[1])
    return (same - by_chance) / (1 - by_chance) if by_chance < 1 else None
