"""A small share of random picks, so that no corner of the pool stays unseen for ever."""

import numpy as np

SHARE = 0.05


def mix_in(ordered: np.ndarray, others: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Put random picks from `others` between `ordered` rows; returns (rows, which of them are random)."""
    every = round(1 / SHARE)
    wanted = min(len(others), -(-len(ordered) // (every - 1))) if len(ordered) else 0
    picks = np.random.default_rng(seed).choice(others, wanted, replace=False) if wanted else others[:0]
    places = np.minimum(np.arange(wanted) * (every - 1) + every // 2, len(ordered))
    rows = np.insert(ordered, places, picks)
    return rows, np.insert(np.zeros(len(ordered), bool), places, True)
