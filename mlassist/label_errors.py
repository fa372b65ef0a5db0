"""Which labels are likely wrong, by what a model says that has not learned from them. Pure arrays.

Confident learning (Northcutt, Jiang and Chuang 2021, arXiv 1911.00068): a label is a candidate when the model
is as sure of another class as it is, on average, of images that are labeled so. The order is another one: by
how likely the given class is, by itself and beside the most likely other one, measured by how sure the model
usually is of each. Candidates first would be worse: most of them are right where the model is weak.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlassist.detectors.shapes import Shapes

LEAST = 1e-6
UNSURE = 0.5  # a class that no label names is said from here on


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Per item: a score from 0 (surely wrong) to 1, whether it is a candidate, and the class it may be."""

    score: np.ndarray
    is_candidate: np.ndarray
    likely: np.ndarray

    @property
    def order(self) -> np.ndarray:
        """The items' places, the most suspect first."""
        return np.argsort(self.score, kind="stable")


def of_classes(probabilities: np.ndarray, labels: np.ndarray) -> Suspicion:
    """Return which labels are suspect, given (n, classes) held-out probabilities and columns of classes."""
    count, classes = probabilities.shape
    if not count:
        return Suspicion(np.empty(0), np.empty(0, bool), np.empty(0, np.int64))
    usual = thresholds(probabilities, labels)
    rows = np.arange(count)
    # In units of what is usual for a class: one that the model never dares to name is not always suspect.
    relative = probabilities / usual
    sure = np.where(probabilities >= usual, probabilities, -1.0)
    said = np.where(sure.max(1) >= 0, sure.argmax(1), labels)
    is_candidate = said != labels
    others = relative.copy()
    others[rows, labels] = -np.inf
    likely = others.argmax(1) if classes > 1 else labels.copy()
    own = relative[rows, labels]
    against = np.maximum(others[rows, likely], 0) if classes > 1 else np.zeros(count)
    share = own / np.maximum(own + against, LEAST)
    self_confidence = probabilities[rows, labels]
    score = np.sqrt(np.clip(share, 0, 1) * np.clip(self_confidence, 0, 1))
    return Suspicion(score, is_candidate, likely)


def thresholds(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return how sure the model is on average of each class, among the images labeled so."""
    classes = probabilities.shape[1]
    counts = np.bincount(labels, minlength=classes)
    own = probabilities[np.arange(len(labels)), labels]
    means = np.bincount(labels, own, minlength=classes) / np.maximum(counts, 1)
    return np.maximum(np.where(counts > 0, means, UNSURE), LEAST)


def of_label_sets(probabilities: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return a score for each item of several labels, (n, classes) of 0 and 1: its worst class decides.

    Each class is a question of yes or no; the worst of many would always look bad, so the next ones count.
    """
    if not probabilities.size:
        return np.ones(len(probabilities))
    own = np.where(targets > 0, probabilities, 1 - probabilities)
    yes = np.array([mean_of(probabilities[:, at], targets[:, at] > 0) for at in range(targets.shape[1])])
    no = np.array([mean_of(1 - probabilities[:, at], targets[:, at] == 0) for at in range(targets.shape[1])])
    usual = np.where(targets > 0, yes, no)
    relative = np.clip(own / np.maximum(usual, LEAST), 0, 1)
    worst = np.sort(relative, axis=1)
    weights = 0.2 ** np.arange(worst.shape[1])
    return np.asarray(worst @ weights / weights.sum())


def mean_of(values: np.ndarray, chosen: np.ndarray) -> float:
    return float(values[chosen].mean()) if chosen.any() else UNSURE


def of_boxes(found: Sequence[Shapes], given: Sequence[Shapes]) -> np.ndarray:
    """Return a score for each image, 0 for surely wrong boxes, by what an untaught detector found.

    ObjectLab (Tkachenko, Thyagarajan and Mueller 2023, arXiv 2309.00832): the geometric mean of scores
    for objects that were overlooked, boxes that are badly placed, and boxes of another class.
    """
    scores = [
        np.exp(
            np.mean(
                [
                    np.log(max(each, LEAST))
                    for each in (
                        overlooked(one, other),
                        badly_placed(one, other),
                        swapped(one, other),
                    )
                ]
            )
        )
        for one, other in zip(found, given, strict=True)
    ]
    return np.asarray(scores)


ALPHA = 0.9  # how much of a similarity is overlap, the rest distance of the centres
SURE_OF_MISSED, SURE_OF_OTHERS = 0.95, 0.5  # scores from which a found object speaks
SOFTMIN = 0.1  # how much the worst object counts for its image


def similarity(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return how much the same place boxes have, (ones, others), 0 to 1."""
    if not len(ones) or not len(others):
        return np.zeros((len(ones), len(others)))
    low = np.maximum(ones[:, None, :2], others[None, :, :2])
    high = np.minimum(ones[:, None, 2:], others[None, :, 2:])
    shared = (high - low).clip(0).prod(2)
    areas = [(each[:, 2:] - each[:, :2]).clip(0).prod(1) for each in (ones, others)]
    overlap = shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, LEAST)
    centres = [(each[:, :2] + each[:, 2:]) / 2 for each in (ones, others)]
    distance = np.linalg.norm(centres[0][:, None] - centres[1][None], axis=2)
    hull = np.maximum(ones[:, None, 2:], others[None, :, 2:]) - np.minimum(
        ones[:, None, :2], others[None, :, :2]
    )
    near = np.exp(-distance / np.maximum(np.linalg.norm(hull, axis=2), LEAST))
    return np.asarray(ALPHA * overlap + (1 - ALPHA) * near)


def overlooked(found: Shapes, given: Shapes) -> float:
    """Return a low score where the detector is sure of an object that nobody drew."""
    sure = found.scores >= SURE_OF_MISSED
    if not sure.any():
        return 1.0
    same = found.classes[sure][:, None] == given.classes[None]
    near = np.where(same, similarity(found.boxes[sure], given.boxes), 0)
    best = near.max(1) if given.boxes.size else np.zeros(int(sure.sum()))
    return softmin(1 - found.scores[sure] * (1 - best))


def badly_placed(found: Shapes, given: Shapes) -> float:
    """Return a low score where a drawn box lies beside what the detector found of its class."""
    sure = found.scores >= SURE_OF_OTHERS
    if not len(given.classes) or not sure.any():
        return 1.0
    same = given.classes[:, None] == found.classes[sure][None]
    near = np.where(same, similarity(given.boxes, found.boxes[sure]), 0)
    best = near.max(1)
    return softmin(np.where(same.any(1), best, 1.0))


def swapped(found: Shapes, given: Shapes) -> float:
    """Return a low score where the detector is sure of another class at a drawn box."""
    sure = found.scores >= SURE_OF_OTHERS
    if not len(given.classes) or not sure.any():
        return 1.0
    other = given.classes[:, None] != found.classes[sure][None]
    near = similarity(given.boxes, found.boxes[sure]) * found.scores[sure][None]
    against = np.where(other, near, 0).max(1)
    return softmin(1 - against)


def softmin(scores: np.ndarray) -> float:
    """Return a mean that the lowest scores decide."""
    weights = np.exp((scores.min() - scores) / SOFTMIN)
    return float(scores @ weights / weights.sum())
