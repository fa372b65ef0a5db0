"""Spherical k-means by FAISS, from seeds that are far apart (k-means++)."""

import numpy as np

POINTS = 256  # a cluster, from which its mean is learned
STEPS = 15


def spherical(
    features: np.ndarray, count: int, seed: int, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return (cluster, cosine to its mean) of each L2-normalised row; `count` is from 1 to their number."""
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
    means.train(features, None if weights is None else np.ascontiguousarray(weights, np.float32))
    cosines, member = means.index.search(features, 1)
    return member[:, 0], cosines[:, 0]
