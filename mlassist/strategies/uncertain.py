"""Once a model exists: the smallest margins, spread over the pool by clustering.

Margin sampling with k-means for diversity (Zhdanov 2019) and, in the spirit of GALAXY (Zhang, Katz-Samuels,
Nowak 2022), a balance over predicted classes. Margins are of temperature-scaled probabilities. The smallest
margin stands for each cluster: the image nearest to its mean, as Zhdanov has it, taught the models less.
"""

import numpy as np

from mlassist.strategies import clusters
from mlassist.strategies.situation import Situation, rank_within

CANDIDATES = 10  # times the batch: how many small margins compete for a place
SMALL = 0.25  # of the open rows: no more than these have a small margin


def margins(probabilities: np.ndarray) -> np.ndarray:
    """Return the gap between the two best classes of each row; one where there is one class only."""
    if probabilities.shape[1] < 2:
        return np.ones(len(probabilities), np.float32)
    best = np.partition(probabilities, -2, axis=1)
    return best[:, -1] - best[:, -2]


def label_margins(probabilities: np.ndarray) -> np.ndarray:
    """Return the multi-label counterpart: how far the least sure label is from even odds."""
    return np.abs(2 * probabilities - 1).min(1)


def pick(situation: Situation, count: int, seed: int) -> np.ndarray:
    """Return the rows to ask: the smallest margin of each cluster of small margins.

    Follows `situation.Strategy`.
    """
    if not min(count, len(situation.open)):
        return situation.open[:0]
    places = situation.sample(CANDIDATES * count, seed)
    wanted = min(CANDIDATES * count, max(count, round(SMALL * len(places))))
    margin, predicted = situation.margin[places], situation.predicted[places]
    small = balanced(margin, predicted, situation.label_counts, wanted)
    margin, rows = margin[small], situation.open[places[small]]
    member = clusters.spherical(situation.features[rows], min(count, len(rows)), seed)
    return rows[np.lexsort((margin, rank_within(member, margin)))[:count]]


def balanced(margin: np.ndarray, predicted: np.ndarray, label_counts: np.ndarray, count: int) -> np.ndarray:
    """Return the places of `count` small margins, by turns over predicted classes.

    How often a class has its turn goes by 1 / sqrt(labels + 1).
    """
    turn = (rank_within(predicted, margin) + 0.5) * np.sqrt(label_counts[predicted] + 1)
    return np.argsort(turn, kind="stable")[:count]
