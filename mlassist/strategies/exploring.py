"""Random picks, so that no corner of the pool stays unseen for ever."""

import numpy as np

from mlassist.strategies.situation import Situation


def pick(situation: Situation, count: int, seed: int) -> np.ndarray:
    """Return rows to ask, drawn uniformly. Follows `situation.Strategy`."""
    wanted = min(count, len(situation.open))
    return np.random.default_rng(seed).choice(situation.open, wanted, replace=False)
