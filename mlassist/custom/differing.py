"""Images on which candidates say different things: those tell most to who looks. Pure."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from mlassist.detectors import matching
from mlassist.detectors.shapes import Shapes

Found = Sequence[Mapping[str, Any]]
Said = Mapping[int, Mapping[int, Found]]  # by item, by candidate


def most_different(said: Said, count: int) -> list[int]:
    """Return up to `count` items, those first on which candidates differ most in what they say or how surely.

    No way of taking sides comes twice while there are others: five times the same quarrel tells little.
    """
    ranked = sorted(said, key=lambda item: distance(list(said[item].values())), reverse=True)
    chosen: list[int] = []
    sides: set[tuple[tuple[Any, ...], ...]] = set()
    for item in ranked:
        side = tuple(classes_of(found) for _, found in sorted(said[item].items()))
        if side not in sides and len(chosen) < count:
            sides.add(side)
            chosen.append(item)
    left = [item for item in ranked if item not in chosen]
    return chosen + left[: count - len(chosen)]


def distance(found: Sequence[Found]) -> tuple[float, float]:
    """Return how much candidates differ in what they say of an image, and in how sure they are of it."""
    sure = [sum(each["confidence"] for each in one) / max(1, len(one)) for one in found]
    return apart(found), max(sure) - min(sure)


def apart(found: Sequence[Found]) -> float:
    """Return how much answers of one image differ: the mean over all pairs, 0 to 1."""
    pairs = list(combinations(found, 2))
    return sum(difference(one, other) for one, other in pairs) / max(1, len(pairs))


def difference(one: Found, other: Found) -> float:
    """Return 1 - F1 of two answers: of their objects by place and class, or of their classes."""
    classes = sorted({each["class"] for each in (*one, *other)})
    if any("bbox" in each or "polygon" in each for each in (*one, *other)):
        return matching.loss(*(Shapes.of_regions(list(each), classes) for each in (one, other)))
    named, others = ({each["class"] for each in found} for found in (one, other))
    return 1 - 2 * len(named & others) / (len(named) + len(others)) if named or others else 0.0


def classes_of(found: Found) -> tuple[Any, ...]:
    return tuple(sorted(each["class"] for each in found))
