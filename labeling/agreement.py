"""How alike answers are, and how answers of several people become one. Pure functions.

Two answers are alike by a number from 0 to 1: the Jaccard index of their classes, or the F1 of their
objects, matched one to one by class and overlap. The consensus is an answer that somebody gave, the one
that most others are like: nothing is averaged, so every label has an author.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from labeling import geometry

Labels = Sequence[int]
Regions = Sequence[Mapping[str, Any]]  # {class, bbox or polygon}
Given = TypeVar("Given")
CLOSE = 1e-9


@dataclass(frozen=True, slots=True)
class Rule:
    """When people agree.

    More than half of the answers, and at least `share` of them, are like the consensus; alike are two
    answers from `match` on, and two drawn objects from an intersection over union of `overlap` on.
    """

    share: float = 0.5
    match: float = 1.0
    overlap: float = 0.5


def classes_alike(one: Labels, other: Labels) -> float:
    """Return the Jaccard index of two sets of classes; none and none are the same."""
    both = set(one) | set(other)
    return len(set(one) & set(other)) / len(both) if both else 1.0


def regions_alike(one: Regions, other: Regions, overlap: float = 0.5) -> float:
    """Return the F1 of two people's objects; none and none are the same."""
    objects = len(one) + len(other)
    return 2 * len(matched(one, other, overlap)) / objects if objects else 1.0


def regions_close(one: Regions, other: Regions, overlap: float = 0.5) -> float:
    """Return the F1 of two people's objects, in which a pair counts for as much as it overlaps."""
    objects = len(one) + len(other)
    return 2 * sum(shared for *_, shared in matched(one, other, overlap)) / objects if objects else 1.0


def matched(one: Regions, other: Regions, overlap: float = 0.5) -> list[tuple[int, int, float]]:
    """Match as many objects as can be, one to one, of the same class and with at least that overlap.

    Returns (place in one, place in other, intersection over union). How many there are does not depend on
    the order of the objects, nor on whose come first.
    """
    shared = shared_areas(one, other)
    can = shared >= overlap - CLOSE
    partner: dict[int, int] = {}  # of the other's objects
    # The best pairs first; what is taken by then makes way where that lets more be matched.
    rows = sorted(range(len(one)), key=lambda row: -shared[row].max(initial=0.0))
    for row in rows:
        enlist(row, can, shared, partner, set())
    return sorted((row, column, float(shared[row, column])) for column, row in partner.items())


def enlist(row: int, can: np.ndarray, shared: np.ndarray, partner: dict[int, int], seen: set[int]) -> bool:
    """Find a partner for an object, moving others to other ones where need be (Kuhn's algorithm)."""
    columns = np.flatnonzero(can[row])
    for column in columns[np.argsort(-shared[row, columns], kind="stable")].tolist():
        if column in seen:
            continue
        seen.add(column)
        if column not in partner or enlist(partner[column], can, shared, partner, seen):
            partner[column] = row
            return True
    return False


def shared_areas(one: Regions, other: Regions) -> np.ndarray:
    """Return intersection over union of the objects of two answers, 0 for those of different classes."""
    shared = geometry.overlaps(one, other)
    classes = [np.array([each["class"] for each in regions], np.int64) for regions in (one, other)]
    return np.where(classes[0][:, None] == classes[1][None], shared, 0.0)


def matrix(answers: Sequence[Given], alike: Callable[[Given, Given], float]) -> np.ndarray:
    """Return how alike each two answers are, (n, n)."""
    found = np.ones((len(answers), len(answers)))
    for at in range(len(answers)):
        for to in range(at):
            found[at, to] = found[to, at] = alike(answers[at], answers[to])
    return found


def consensus(alike: np.ndarray, rule: Rule, close: np.ndarray | None = None) -> int | None:
    """Return the place of the answer that enough others are like, None where people do not agree.

    Among several the one that most are like, then the one that is most like the others, where `close` says
    that more finely than `alike`, then the first.
    """
    supporters = (alike >= rule.match - CLOSE).sum(1)
    likeness = np.round((alike if close is None else close).sum(1), 9)
    best = max(range(len(alike)), key=lambda at: (supporters[at], likeness[at], -at))
    count = int(supporters[best])
    enough = 2 * count > len(alike) and count >= rule.share * len(alike) - CLOSE
    return best if enough else None
