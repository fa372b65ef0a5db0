"""Once a model exists: the smallest margins, spread over the pool by clustering.

Margin sampling with k-means for diversity and a square-root balance over predicted classes
(ACTIVE_LEARNING 2.3); temperature-scaled margins keep the order meaningful.
"""

import numpy as np

from mlassist.strategies.typical import clusters

CANDIDATES = 10  # times the batch: how many small margins compete for a place
LIMIT = 50_000


def margins(probabilities: np.ndarray) -> np.ndarray:
    """Return the gap between the two best classes of each row; one where there is one class only."""
    if probabilities.shape[1] < 2:
        return np.ones(len(probabilities), np.float32)
    best = np.partition(probabilities, -2, axis=1)
    return best[:, -1] - best[:, -2]


def label_margins(probabilities: np.ndarray) -> np.ndarray:
    """Return the multi-label counterpart: how far the least sure label is from even odds."""
    return np.abs(2 * probabilities - 1).min(1)


def order(
    features: np.ndarray,
    margin: np.ndarray,
    predicted: np.ndarray,
    label_counts: np.ndarray,
    count: int,
    seed: int = 0,
) -> np.ndarray:
    """Return up to `count` rows to ask first.

    `label_counts` are the labels of each class so far: rare classes get a larger part.
    """
    count = min(int(count), len(features))
    if count == 0:
        return np.empty(0, np.int64)
    candidates = balanced(margin, predicted, label_counts, min(len(features), CANDIDATES * count))
    member = clusters(features[candidates], count, seed)
    smallest_first = np.lexsort((margin[candidates], member))
    _, first = np.unique(member[smallest_first], return_index=True)
    chosen = candidates[smallest_first[first]]
    return chosen[np.argsort(margin[chosen], kind="stable")]


def balanced(margin: np.ndarray, predicted: np.ndarray, label_counts: np.ndarray, count: int) -> np.ndarray:
    """Return the `count` rows of smallest margin, classes weighted by 1 / sqrt(labels + 1)."""
    rank = np.empty(len(margin), np.float64)
    for column in np.unique(predicted):
        of_class = np.flatnonzero(predicted == column)
        ranked = of_class[np.argsort(margin[of_class], kind="stable")]
        rank[ranked] = (np.arange(len(ranked)) + 0.5) * np.sqrt(label_counts[column] + 1)
    return np.argsort(rank, kind="stable")[:count]
