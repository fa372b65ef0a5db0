"""Heads from a few example images of each class. Pure; features are L2-normalised rows.

With exclusive classes the few-shot heads of the loop are the best there is: `heads.train` on the examples.
Where several classes may apply, an example says what is there and nothing of what is not: each class is
compared with what is usual in the pool.
"""

from collections.abc import Sequence

import numpy as np

from mlassist import heads
from mlassist.heads import Head, Neighbours

LIMIT = 20_000  # rows of the pool are plenty to tell what is usual
RARE, SURELY = (
    1.5,
    4.5,
)  # deviations above the usual likeness; examples show more than an image like them does
SPAN = 0.6  # deviations that make the chances e to 1
KIND = "examples"


def taught(
    features: np.ndarray,
    labels: Sequence[tuple[int, ...]],
    pool: np.ndarray,
    graph: Neighbours | None,
    *,
    multilabel: bool,
    seed: int = 0,
) -> Head:
    """Return a head from example features (n, d) with the class ids of each. Raises ValueError."""
    if multilabel:
        return alike(features, labels, pool)
    if len({label for row in labels for label in row}) < 2:
        raise ValueError("Examples of two classes at least are needed, to tell one from the other.")
    return heads.train(features, labels, pool, graph=graph, seed=seed).head


def alike(features: np.ndarray, labels: Sequence[tuple[int, ...]], pool: np.ndarray) -> Head:
    """Return a head that finds a class where an image is more like its examples than images usually are."""
    classes = np.unique([label for row in labels for label in row]).astype(np.int64)
    if not len(classes):
        raise ValueError("There are no examples yet.")
    step = -(-len(pool) // LIMIT)
    sample = pool[::step]
    centre = sample.mean(0)
    weights, bias = [], []
    for label in classes:
        own = features[[label in row for row in labels]] - centre
        direction = own.mean(0)
        direction = direction / max(float(np.linalg.norm(direction)), 1e-9)
        usual = (sample - centre) @ direction
        mean, deviation = float(usual.mean()), max(float(usual.std()), 1e-6)
        least = (float((own @ direction).min()) - mean) / deviation
        # Half way from what is rare to the least alike example, which is never less than likely itself.
        turn = min(least, (RARE + min(least, SURELY)) / 2)
        weights.append(direction / (deviation * SPAN))
        bias.append(-(mean / deviation + turn) / SPAN - centre @ weights[-1])
    return Head(
        KIND,
        classes,
        np.stack(weights, 1).astype(np.float32),
        np.array(bias, np.float32),
        1.0,
        True,
    )
