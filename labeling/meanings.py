"""What the classes of a project mean now, for what was written down when they meant something else."""

from collections.abc import Iterable
from dataclasses import dataclass

from labeling.models import LabelClass, Project


@dataclass(frozen=True, slots=True)
class Meanings:
    """`gone` are the classes that nobody can choose any more."""

    gone: frozenset[int]

    def offered(self, label_class: int | None) -> int | None:
        """Return the class that is proposed where one was; None where it is no choice any more."""
        return None if label_class in self.gone else label_class

    def all_offered(self, classes: Iterable[int] | None) -> list[int] | None:
        """Return those of some classes that can be chosen, each once."""
        if classes is None:
            return None
        found = [each for each in map(self.offered, classes) if each is not None]
        return list(dict.fromkeys(found))


def of(project: Project) -> Meanings:
    retired = LabelClass.objects.filter(project=project, retired_at__isnull=False)
    return Meanings(frozenset(retired.values_list("id", flat=True)))
