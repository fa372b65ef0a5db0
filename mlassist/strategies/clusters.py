"""Spherical k-means by FAISS, from seeds that are far apart (k-means++)."""

import numpy as np

POINTS = 256  # a cluster, from which its mean is learned
STEPS = 15


def spherical(features: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return the cluster of each L2-normalised row; `count` is from 1 to their number."""
    import faiss

    means = faiss.Kmeans(
        features.shape[1],
        count,
        niter=STEPS,
        seed=seed % (2**31 - 1) + 1,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=POINTS,
        init_method=faiss.ClusteringInitMethod_KMEANS_PLUS_PLUS,
    )
    features = np.ascontiguousarray(features, np.float32)
    means.train(features)
    return means.index.search(features, 1)[1][:, 0]
