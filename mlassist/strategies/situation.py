"""What a query strategy may know, and the one shape that all of them have."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

LIMIT = 50_000  # open rows that a strategy clusters; of larger pools it sees a random sample
LARGE = 100_000


@dataclass(frozen=True, slots=True)
class Situation:
    """A pool of n images in d dimensions, l of them labeled with C classes, and m open to be asked.

    `features` (n, d) are L2-normalised float32 and `typicality` (n,) belongs to them. `open` (m,) and
    `labeled` (l,) are rows of theirs. `targets` (l, C) tells which classes each label has, with a column
    for every class of the project. `margin` (m,), from 0 to 1, and `predicted` (m,), columns of `targets`,
    are what a model says of the open rows.
    """

    features: np.ndarray
    typicality: np.ndarray
    open: np.ndarray
    labeled: np.ndarray
    targets: np.ndarray
    margin: np.ndarray
    predicted: np.ndarray

    @classmethod
    def without_model(
        cls,
        features: np.ndarray,
        typicality: np.ndarray,
        open: np.ndarray,  # noqa: A002
        labeled: np.ndarray,
        targets: np.ndarray,
    ) -> "Situation":
        """Return the situation where no row is known to be less sure than another."""
        margin, predicted = np.ones(len(open), np.float32), np.zeros(len(open), np.int64)
        return cls(features, typicality, open, labeled, targets, margin, predicted)

    @property
    def label_counts(self) -> np.ndarray:
        """How many labels each class has, (C,)."""
        return self.targets.sum(0)

    def after(self, rows: np.ndarray) -> "Situation":
        """Return what is left once `rows` are asked: no longer open, and labeled with no class yet."""
        left = ~np.isin(self.open, rows)
        unknown = np.zeros((len(rows), self.targets.shape[1]), self.targets.dtype)
        return replace(
            self,
            open=self.open[left],
            labeled=np.concatenate([self.labeled, rows]),
            targets=np.concatenate([self.targets, unknown]),
            margin=self.margin[left],
            predicted=self.predicted[left],
        )

    def sample(self, at_least: int, seed: int) -> np.ndarray:
        """Return places in `open` to look at: all of them, or a random part of a large pool."""
        if len(self.open) <= LARGE:
            return np.arange(len(self.open))
        wanted = min(len(self.open), max(LIMIT, at_least))
        return np.sort(np.random.default_rng(seed).choice(len(self.open), wanted, replace=False))


# A strategy returns `count` distinct open rows, or all of them where they are fewer, the first to be asked
# first. The same seed gives the same rows.
Strategy = Callable[[Situation, int, int], np.ndarray]


def rank_within(group: np.ndarray, key: np.ndarray) -> np.ndarray:
    """Return each entry's place, from 0, among those of its group, the smallest key first."""
    order = np.lexsort((key, group))
    changes = np.flatnonzero(np.diff(group[order])) + 1
    first = np.zeros(len(group), np.int64)
    first[changes] = changes
    rank = np.empty(len(group), np.int64)
    rank[order] = np.arange(len(group)) - np.maximum.accumulate(first)
    return rank
