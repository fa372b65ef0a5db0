"""Labels spread over the neighbour graph, for when they are few.

Learning with local and global consistency (Zhou et al. 2004) on the nearest-neighbour graph of the pool,
weighted by the third power of cosines as in Iscen et al. 2019. The graph itself says nothing of images
outside it and cannot be stored as a head. So what it says of the pool teaches a discriminant, which also
smooths away much of what the graph gets wrong: it is better than the graph alone on all that was measured.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from mlassist.heads import gaussian
from mlassist.heads.gaussian import Statistics
from mlassist.heads.linear import Linear

NEAREST = 20
REACH = 0.9  # alpha: share of what a row hears from its neighbours against its own label
STEPS = 20
FEW = 30  # labels per class: with more, the graph has nothing to add
CELLS = 1_000_000  # pool rows times classes: beyond, spreading takes longer than it is worth
ADAPTED = 1  # rounds of adapting to the pool afterwards


def pays(labels: int, classes: int, pool: int) -> bool:
    """Tell whether a neighbour graph is of use to a head."""
    return classes >= 2 and labels <= FEW * classes and pool * classes <= CELLS


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The graph of a pool as D^-1/2 W D^-1/2, and its rows that are labeled, in the labels' order."""

    spread: sparse.csr_matrix
    labeled: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray, cosines: np.ndarray, labeled: np.ndarray) -> "Neighbours":
        """Make it from nearest neighbours, (n, k) rows with -1 where there is none, and their cosines."""
        rows, near = rows[:, :NEAREST], np.asarray(cosines[:, :NEAREST], np.float32)
        weights = np.where(rows >= 0, np.maximum(near, 0) ** 3, 0)
        starts = np.arange(0, rows.size + 1, rows.shape[1])
        one_way = sparse.csr_matrix(
            (weights.ravel(), np.maximum(rows, 0).ravel(), starts), shape=(len(rows), len(rows))
        )
        both = (one_way + one_way.T) / 2
        norm = sparse.diags(1 / np.sqrt(np.maximum(np.asarray(both.sum(1)).ravel(), 1e-9)), dtype=np.float32)
        return cls((norm @ both @ norm).tocsr().astype(np.float32), labeled)

    def memberships(self, rows: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Return how likely each pool row is of each class, (pool, classes), told by some labels alone.

        `rows` are positions among the labels and `targets` theirs. Classes get the shares that they have
        among these labels, as each label reaches a different number of images.
        """
        given = np.zeros((self.spread.shape[0], targets.shape[1]), np.float32)
        given[self.labeled[rows]] = targets
        heard = given
        for _ in range(STEPS):
            heard = REACH * (self.spread @ heard) + (1 - REACH) * given
        shares = targets.sum(0) / targets.sum()
        heard *= shares / np.maximum(heard.sum(0), 1e-12)
        total = heard.sum(1, keepdims=True)
        return np.where(total > 1e-12, heard / np.maximum(total, 1e-12), shares).astype(np.float32)


def propagated(graph: Neighbours, rows: np.ndarray, targets: np.ndarray, pool: Statistics) -> Linear:
    """Return the discriminant that some of the labels teach by way of the graph."""
    members = graph.memberships(rows, targets)[:: pool.step]
    alike = np.ones(len(members), np.float32)
    weights, bias = gaussian.adapted_centred(pool.rows, members, alike, pool, ADAPTED)
    return weights, bias - pool.mean @ weights
