"""Whether new images look like those that a certificate was proved on. Pure arrays.

Two numbers per image are compared between a sample of the new images and one of the old: the score that the
certified model gives, and the cosine to the nearest image that it has learned from. Each by the two-sample
Kolmogorov-Smirnov test at 0.1 %, so that an import that is no different is taken for different in at most
one of 500 cases. That does no harm but that people label more of it: nothing it leads to rests on the test
having been right. A difference that the test misses is left to the audit.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import ks_2samp

ALPHA = 0.001  # for each of the two numbers
FEWEST = 50  # images that can be compared: a shift of a quarter of the scale is then seen
MOST = 2_000  # of each sample: smaller shifts than they show do not matter to a promise of a few per cent
BLOCK = 1_000


@dataclass(frozen=True, slots=True)
class Shift:
    """Distances of two samples, from 0 to 1, each with its p-value, and what differs in plain words."""

    score_distance: float
    score_p: float
    nearness_distance: float
    nearness_p: float
    why: str

    @property
    def is_different(self) -> bool:
        return min(self.score_p, self.nearness_p) < ALPHA


def compare(
    scores: np.ndarray, nearness: np.ndarray, old_scores: np.ndarray, old_nearness: np.ndarray
) -> Shift:
    """Compare new images with old ones; each array has one value per image."""
    by_score = ks_2samp(scores, old_scores, method="asymp")
    by_nearness = ks_2samp(nearness, old_nearness, method="asymp")
    reasons = []
    if by_score.pvalue < ALPHA:
        sure = "less" if scores.mean() < old_scores.mean() else "more"
        reasons.append(f"the model is {sure} sure of its images")
    if by_nearness.pvalue < ALPHA:
        like = "less" if nearness.mean() < old_nearness.mean() else "more"
        reasons.append(f"its images are {like} like those that the model has learned from")
    return Shift(
        float(by_score.statistic),
        float(by_score.pvalue),
        float(by_nearness.statistic),
        float(by_nearness.pvalue),
        ", and ".join(reasons),
    )


def nearness(features: np.ndarray, learned: np.ndarray) -> np.ndarray:
    """Return the cosine of each row to its nearest among the rows learned from, (n,); all L2-normalised."""
    blocks = [
        (features[start : start + BLOCK] @ learned.T).max(1) for start in range(0, len(features), BLOCK)
    ]
    return np.concatenate(blocks) if blocks else np.empty(0)
