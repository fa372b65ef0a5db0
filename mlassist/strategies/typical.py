"""Cold start: the most typical image of each k-means cluster, so that first labels cover the pool.

TypiClust (Hacohen, Dekel, Weinshall 2022), with typicality from the neighbour graph.
"""

import numpy as np

TRAIN_LIMIT = 100_000


def clusters(features: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Return the spherical k-means cluster of each L2-normalised row."""
    import faiss

    means = faiss.Kmeans(
        features.shape[1],
        count,
        niter=15,
        seed=seed + 1,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=max(1, TRAIN_LIMIT // count),
    )
    means.train(features)
    return means.index.search(features, 1)[1][:, 0]


def order(features: np.ndarray, typicality: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Return up to `count` rows to ask first: the most typical of each cluster, large clusters first."""
    count = min(int(count), len(features))
    if count == 0:
        return np.empty(0, np.int64)
    member = clusters(features, count, seed)
    sizes = np.bincount(member, minlength=count)
    best_first = np.lexsort((-typicality, -sizes[member], member))
    _, first = np.unique(member[best_first], return_index=True)
    chosen = best_first[first]
    return chosen[np.lexsort((chosen, -sizes[member[chosen]]))]


def typicality(cosines: np.ndarray, nearest: int = 20) -> np.ndarray:
    """Return the inverse mean distance of each row to its nearest neighbours."""
    near = np.asarray(cosines[:, :nearest], np.float32)
    return (
        1 / np.maximum(np.sqrt(np.maximum(2 - 2 * near, 0)).mean(1), 1e-3)
        if near.shape[1]
        else np.zeros(len(near))
    )
