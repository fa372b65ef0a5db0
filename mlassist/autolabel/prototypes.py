"""Heads from a few example images of each class. Pure; features are L2-normalised rows.

With exclusive classes the few-shot heads of the loop are the best there is: `heads.train` on the examples.
Where several classes may apply, an example says what is there and nothing of what is not: each class is
compared with what is usual in the pool.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from labeling.sentences import Sentence
from mlassist import heads
from mlassist.heads import Head, Neighbours, sigmoid

LIMIT = 20_000  # rows of the pool are plenty to tell what is usual
ROUNDS = 30
RAREST, MOST_COMMON = 0.01, 0.5  # share of the images that show a class
APART = 1.0  # deviations between images that show a class and others, at the least
WEIGHT = 5.0  # of an example, in images
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
        raise ValueError(Sentence("Examples of two classes at least are needed, to tell one from the other."))
    return replace(heads.train(features, labels, pool, graph=graph, seed=seed).head, kind=KIND)


def alike(features: np.ndarray, labels: Sequence[tuple[int, ...]], pool: np.ndarray) -> Head:
    """Return a head that finds a class where an image is more like its examples than images usually are."""
    classes = np.unique([label for row in labels for label in row]).astype(np.int64)
    if not len(classes):
        raise ValueError(Sentence("There are no examples yet."))
    step = -(-len(pool) // LIMIT)
    sample = pool[::step]
    centre = sample.mean(0)
    weights, bias = [], []
    for label in classes:
        own = features[[label in row for row in labels]] - centre
        direction = own.mean(0)
        direction = direction / max(float(np.linalg.norm(direction)), 1e-9)
        slope, level = two_kinds((sample - centre) @ direction, own @ direction)
        weights.append(slope * direction)
        bias.append(level - centre @ weights[-1])
    return Head(
        KIND,
        classes,
        np.stack(weights, 1).astype(np.float32),
        np.array(bias, np.float32),
        1.0,
        True,
    )


def two_kinds(usual: np.ndarray, own: np.ndarray) -> tuple[float, float]:
    """Return (slope, level) of the log odds of belonging to the examples `own`, by a likeness.

    A mixture of two normal distributions of the same width, fitted to all images by expectation and
    maximisation; it begins at the examples, and these belong to the second one whatever comes of it.
    """
    scale = max(float(usual.std()), 1e-6)
    all_of_it, anchors = usual / scale, own / scale
    low, high, variance, share = 0.0, max(float(anchors.min()), APART), 1.0, 0.1
    for _ in range(ROUNDS):
        slope = (high - low) / variance
        level = np.log(share / (1 - share)) - (high**2 - low**2) / (2 * variance)
        member = sigmoid(slope * all_of_it + level)
        many = member.sum() + WEIGHT * len(anchors)
        low = float((1 - member) @ all_of_it / max((1 - member).sum(), 1e-9))
        high = float(member @ all_of_it + WEIGHT * anchors.sum()) / many
        high = max(high, low + APART * np.sqrt(variance))
        share = float(np.clip(member.mean(), RAREST, MOST_COMMON))
        spread = member @ (all_of_it - high) ** 2 + (1 - member) @ (all_of_it - low) ** 2
        variance = max(float(spread) / len(all_of_it), 0.01)
    slope = (high - low) / variance
    level = np.log(share / (1 - share)) - (high**2 - low**2) / (2 * variance)
    level = max(level, -slope * float(anchors.min()))  # an example is never less than likely
    return float(slope / scale), float(level)
