"""What is different between answers: from one revision to the next, and between people."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import shapely

from labeling.geometry import combined
from labeling.models import Annotation, LabelClass, Region

SAME_SHAPE = 0.5  # overlap from which two shapes are the same object
UNCHANGED = 0.999


@dataclass(frozen=True, slots=True)
class Change:
    """A class, how many regions of it, and what became of them: added, removed, moved or renamed."""

    verb: str
    label_class: LabelClass
    count: int = 1
    was: LabelClass | None = None

    @property
    def sign(self) -> str:
        return {"added": "+", "removed": "−", "moved": "↔", "renamed": "→"}[self.verb]


@dataclass(frozen=True, slots=True)
class Revision:
    """An answer in an item's history, with what it changed of the one that it takes the place of.

    `is_first` where it takes no place; `is_beside` where another answer stood then, and goes on standing.
    """

    annotation: Annotation
    changes: list[Change] = field(default_factory=list)
    is_first: bool = False
    is_beside: bool = False


@dataclass(frozen=True, slots=True)
class Side:
    """One of several answers beside each other: what only it has, and the regions that nobody else drew."""

    annotation: Annotation
    only: list[LabelClass]
    lone: set[int]


def history(annotations: Sequence[Annotation]) -> list[Revision]:
    """Return revisions, newest first as given, each compared with the one that it takes the place of."""
    found = []
    for at, each in enumerate(annotations):
        before = None if each.skipped else replaced(each, annotations[at + 1 :])
        changed = changes(list(before.regions.all()), list(each.regions.all())) if before else []
        is_beside = before is None and any(not other.skipped for other in annotations[at + 1 :])
        found.append(Revision(each, changed, is_first=before is None, is_beside=is_beside))
    return found


def replaced(answer: Annotation, earlier: Sequence[Annotation]) -> Annotation | None:
    """Return the last of earlier answers, newest first, whose place one takes; None where it stands beside
    them, as the answers of people do who are asked independently."""
    for each in earlier:
        is_own = each.labeler_id is not None and each.labeler_id == answer.labeler_id
        was_gone = each.withdrawn_at is not None and each.withdrawn_at <= answer.created_at
        if not each.skipped and (is_own or was_gone):
            return each
    return None


def changes(before: Sequence[Region], after: Sequence[Region]) -> list[Change]:
    """Return what was added, removed, moved or given another class."""
    if not any(is_shape(each) for each in (*before, *after)):
        old, new = ({each.label_class.now for each in some} for some in (before, after))
        return [Change("added", each) for each in ordered(new - old)] + [
            Change("removed", each) for each in ordered(old - new)
        ]
    pairs = match(before, after)
    counts: Counter[tuple[str, LabelClass, LabelClass | None]] = Counter()
    for one, other, overlap in pairs:
        if one.label_class.now != other.label_class.now:
            counts["renamed", other.label_class.now, one.label_class.now] += 1
        elif overlap < UNCHANGED:
            counts["moved", other.label_class.now, None] += 1
    gone = {one.pk for one, _, _ in pairs}
    kept = {other.pk for _, other, _ in pairs}
    for each in after:
        if each.pk not in kept:
            counts["added", each.label_class.now, None] += 1
    for each in before:
        if each.pk not in gone:
            counts["removed", each.label_class.now, None] += 1
    return [Change(verb, label_class, count, was) for (verb, label_class, was), count in counts.items()]


def sides(answers: Sequence[Annotation]) -> list[Side]:
    """Return answers beside each other, with what differs."""
    regions = {each.pk: list(each.regions.all()) for each in answers}
    classes = {pk: {each.label_class.now for each in some} for pk, some in regions.items()}
    shared = set.intersection(*classes.values()) if classes else set()
    found = []
    for answer in answers:
        mine = regions[answer.pk]
        matched = Counter(
            one.pk
            for other in answers
            if other.pk != answer.pk
            for one, theirs, _ in match(mine, regions[other.pk])
            if one.label_class.now == theirs.label_class.now
        )
        lone = {each.pk for each in mine if is_shape(each) and matched[each.pk] < len(answers) - 1}
        found.append(Side(answer, ordered(classes[answer.pk] - shared), lone))
    return found


def match(before: Sequence[Region], after: Sequence[Region]) -> list[tuple[Region, Region, float]]:
    """Return pairs of the same object with their overlap, the best first, each shape in one pair at most.

    Of shapes that overlap alike, those of one class belong together.
    """
    old, new = ([each for each in some if is_shape(each)] for some in (before, after))
    outlines = {each.pk: outline(each) for each in (*old, *new)}
    candidates = sorted(
        (
            (
                overlap(outlines[one.pk], outlines[other.pk]),
                one.label_class.now == other.label_class.now,
                one,
                other,
            )
            for one in old
            for other in new
        ),
        key=lambda each: (-round(each[0], 3), not each[1]),
    )
    taken: set[int] = set()
    pairs = []
    for share, _, one, other in candidates:
        if share >= SAME_SHAPE and one.pk not in taken and other.pk not in taken:
            taken |= {one.pk, other.pk}
            pairs.append((one, other, share))
    return pairs


def is_shape(region: Region) -> bool:
    return bool(region.bbox or region.polygon)


def outline(region: Region) -> shapely.Geometry:
    if region.bbox:
        x, y, width, height = region.bbox
        return shapely.box(x, y, x + width, y + height)
    return combined(region.polygon or [])


def overlap(one: shapely.Geometry, other: shapely.Geometry) -> float:
    """Return the intersection over the union."""
    shared = shapely.area(shapely.intersection(one, other))
    return float(shared / (shapely.area(one) + shapely.area(other) - shared)) if shared else 0.0


def ordered(classes: Iterable[LabelClass]) -> list[LabelClass]:
    return sorted(classes, key=lambda each: each.position)
