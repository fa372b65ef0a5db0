"""How sure an untaught head may be, once people have labeled some images. Pure."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mlassist.heads import Head, one_hot
from mlassist.heads.judging import best_temperature

FEWEST = 20  # labels: before, nothing is known of how sure it may be


def calibrated(head: Head, features: np.ndarray, labels: Sequence[tuple[int, ...]]) -> Head:
    """Return a head with the temperature that fits labels best, of which it has learned from none.

    Those of classes that it does not know are passed over. What it says first of an image stays the same.
    """
    known = set(head.classes.tolist())
    rows = [at for at, given in enumerate(labels) if given or head.multilabel]
    rows = [at for at in rows if known.issuperset(labels[at])]
    if len(rows) < FEWEST:
        return head
    order = np.argsort(head.classes)
    targets = np.empty((len(rows), len(order)), np.float32)
    targets[:, order] = one_hot([labels[at] for at in rows], head.classes[order])
    scores = np.asarray(features[rows], np.float32) @ head.weights + head.bias
    return replace(head, temperature=best_temperature(scores, targets, head.multilabel))
