"""Few labels: the most typical image of each cluster that holds none yet, so that labels cover the pool.

TypiClust (Hacohen, Dekel, Weinshall 2022), with typicality from the neighbour graph.
"""

import numpy as np

from mlassist.strategies import clusters
from mlassist.strategies.situation import LIMIT, Situation, rank_within

CLUSTERS = 1_000  # at the most; in more of them "typical" means little


def pick(situation: Situation, count: int, seed: int) -> np.ndarray:
    """Return the rows to ask: from the clusters with the fewest labels, large clusters first.

    There are as many clusters as labels with this batch. Follows `situation.Strategy`.
    """
    if not min(count, len(situation.open)):
        return situation.open[:0]
    places = situation.sample(count, seed)
    labeled = situation.labeled[-LIMIT:]
    rows = np.concatenate([situation.open[places], labeled])
    wanted = min(len(labeled) + count, CLUSTERS, len(rows))
    member = clusters.spherical(situation.features[rows], wanted, seed)
    size = np.bincount(member, minlength=wanted)
    held = np.bincount(member[len(places) :], minlength=wanted)
    member = member[: len(places)]
    # The second most typical of a cluster comes when all others have as many labels as this one then has.
    turn = held[member] + rank_within(member, -situation.typicality[rows[: len(places)]])
    return rows[np.lexsort((-size[member], turn))[:count]]


def typicality(cosines: np.ndarray, nearest: int = 20) -> np.ndarray:
    """Return the inverse mean distance of each row to its nearest neighbours."""
    near = np.asarray(cosines[:, :nearest], np.float32)
    return (
        1 / np.maximum(np.sqrt(np.maximum(2 - 2 * near, 0)).mean(1), 1e-3)
        if near.shape[1]
        else np.zeros(len(near))
    )
