"""Which labels are likely wrong, by what a model says of them held out. Pure functions of arrays.

Confident learning (Northcutt et al. 2021, arXiv 1911.00068): a label is doubted where the model puts its
image in another class with more than the confidence that labels of that class usually have.
"""

import numpy as np


def scores(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return (n,) how well labels fit, the lower the likelier wrong: the margin over the best other class.

    `probabilities` (n, classes) are out of fold, `labels` (n,) columns. Both sides are measured by what is
    usual for their class, so that a class of which the model is never sure is not doubted as a whole.
    """
    count, classes = probabilities.shape
    own = probabilities[np.arange(count), labels]
    usual = np.array([
        own[labels == column].mean() if (labels == column).any() else 1.0 for column in range(classes)
    ])  # fmt: skip
    adjusted = probabilities - usual[None, :] + usual.max()
    mine = adjusted[np.arange(count), labels]
    others = adjusted.copy()
    others[np.arange(count), labels] = -np.inf
    return mine - others.max(1)


def scores_of_sets(probabilities: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return (n,) the same for several classes at once: the chance of each answer's least likely part."""
    return np.where(targets > 0, probabilities, 1 - probabilities).min(1)
