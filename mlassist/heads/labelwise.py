"""Which single labels of a multi-label model are sure enough to be ticked, or left out, beforehand.

Two thresholds per class: from the upper one on, the class is ticked; below the lower one it is not mentioned;
in between it is marked as open. They are measured on predictions for labels that the model had not seen. A
class that too few labels speak of is held to what all classes show together: positives of one class are
mostly too rare to prove anything, which is why people confirm every tick.
"""

import numpy as np

FEWEST = 40  # labels that a class's own threshold rests on
MARKED = 3  # open labels of an image: with more, one has to look at all classes anyway
ERROR = 0.05  # of the ticks that may be wrong, and of a class's labels that may go unmentioned


def thresholds(
    probabilities: np.ndarray, truth: np.ndarray, error: float = ERROR
) -> tuple[np.ndarray, np.ndarray]:
    """Return (lower, upper) per class from held-out probabilities and labels, both (n, classes).

    The upper one is at least 1/2 and the lower one at most; an upper one of infinity ticks nothing.
    """
    lower = np.full(truth.shape[1], missed_below(probabilities[truth], error))
    upper = np.full(truth.shape[1], ticked_from(probabilities.ravel(), truth.ravel(), error))
    for column in range(truth.shape[1]):
        own, right = probabilities[:, column], truth[:, column]
        if right.sum() >= FEWEST:
            lower[column] = missed_below(own[right], error)
        if (own >= 0.5).sum() >= FEWEST:
            upper[column] = ticked_from(own, right, error)
    return lower, upper


def split(probabilities: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which labels to tick and which to mark as open, both (n, classes): the likeliest of these."""
    ticked = probabilities >= upper
    between = (probabilities >= lower) & ~ticked
    among = np.where(between, probabilities, -1)
    least = -np.sort(-among, axis=1)[:, min(MARKED, among.shape[1]) - 1, None]
    return ticked, between & (among >= least)


def ticked_from(probabilities: np.ndarray, right: np.ndarray, error: float) -> float:
    """Return the lowest threshold from 1/2 on above which no more than a share `error` is wrong.

    Of n ticks with k right ones, (k + 1) / (n + 3) count as right, as for groups of look-alikes.
    """
    falling = np.argsort(-probabilities, kind="stable")
    sure, good = probabilities[falling], np.cumsum(right[falling])
    ticks = np.arange(1, len(sure) + 1)
    last_of_equals = np.append(sure[1:] < sure[:-1], True) if len(sure) else np.empty(0, bool)
    holds = last_of_equals & (sure >= 0.5) & ((good + 1) / (ticks + 3) >= 1 - error)
    return float(sure[np.flatnonzero(holds)[-1]]) if holds.any() else np.inf


def missed_below(present: np.ndarray, error: float) -> float:
    """Return the threshold, at most 1/2, below which a share `error` of the labels that apply lies."""
    return min(0.5, float(np.quantile(present, error, method="lower"))) if len(present) else 0.0
