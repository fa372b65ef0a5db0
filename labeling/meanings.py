"""What the classes of a project mean now, for what was written down when they meant something else.

Labels go on naming the class that was chosen. Where they are read as they count, a class that was merged into
another one is read as that one, by its `means`: a merge changes one row, however many labels there are.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db.models import BigIntegerField, F
from django.db.models.functions import Coalesce

from labeling import extensions
from labeling.models import LabelClass, Project, Region


@dataclass(frozen=True, slots=True)
class Meanings:
    """`merged` says what a class counts as by now; `gone` are the classes that nobody can choose any more."""

    merged: Mapping[int, int]
    gone: frozenset[int]

    def now(self, label_class: int) -> int:
        """Return the class that labels of one count as."""
        return self.merged.get(label_class, label_class)

    def offered(self, label_class: int | None) -> int | None:
        """Return the class that is proposed where one was; None where it is no choice any more."""
        if label_class is None:
            return None
        now = self.now(label_class)
        return None if now in self.gone else now

    def all_offered(self, classes: Iterable[int] | None) -> list[int] | None:
        """Return those of some classes that can be chosen, each once."""
        if classes is None:
            return None
        found = [each for each in map(self.offered, classes) if each is not None]
        return list(dict.fromkeys(found))


def of(project: Project) -> Meanings:
    retired = LabelClass.objects.filter(project=project, retired_at__isnull=False).values_list("id", "means")
    means: dict[int, int | None] = dict(retired)
    merged = {pk: now for pk, now in means.items() if now is not None}
    return Meanings(merged, frozenset(means.keys() - merged.keys()))


def meant() -> Coalesce:
    """Return the class that a region's label counts as, for queries."""
    return Coalesce("label_class__means_id", "label_class_id", output_field=BigIntegerField())


def family(label_class: int) -> list[int]:
    """Return the classes whose labels count as what a class counts as, that one first; none without it."""
    now = LabelClass.objects.filter(pk=label_class).values_list(Coalesce("means_id", "id"), flat=True).first()
    if now is None:
        return []
    return [now, *LabelClass.objects.filter(means=now).values_list("id", flat=True)]


def tally(regions: Iterable[Region]) -> list[tuple[LabelClass, int]]:
    """Return the classes that regions count as with how often each occurs, in the project's order.

    Two labels of a whole image that have become one count once.
    """
    counts: Counter[LabelClass] = Counter()
    for each in regions:
        label_class = each.label_class.now
        counts[label_class] = counts[label_class] + 1 if each.bbox or each.polygon else 1
    return sorted(counts.items(), key=lambda pair: pair[0].position)


def flattened(merged_into: Mapping[int, int | None]) -> dict[int, int | None]:
    """Return what each class counts as, None for itself, given the class that each was merged into.

    Raises ValueError where classes are merged in a circle.
    """
    found: dict[int, int | None] = {}
    for pk, first in merged_into.items():
        last, passed = first, {pk}
        while last is not None and merged_into.get(last) is not None:
            if last in passed:
                raise ValueError(pk)
            passed.add(last)
            last = merged_into[last]
        found[pk] = last
    return found


def changed(project: Project, why: str) -> None:
    """Note that labels mean something else from now on, and let what was learned from them go."""
    Project.objects.filter(pk=project.pk).update(meaning=F("meaning") + 1)
    extensions.meaning_changed(project, why)
