"""How the models of a project are made where somebody has chosen one: the same way, until that is changed."""

from collections.abc import Collection
from dataclasses import dataclass

from labeling.models import Project
from mlassist.models import Candidate, ChosenModel

Labels = list[tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Recipe:
    """`family` of heads or kind of detector, empty for any; `classes` that it learns, empty for all.

    It looks at images `closer` times as large as usual.
    """

    title: str = ""
    family: str = ""
    classes: frozenset[int] = frozenset()
    closer: float = 1.0

    def is_about(self, label: int) -> bool:
        return not self.classes or label in self.classes

    def among(self, classes: Collection[int]) -> list[int]:
        """Return which of some classes it learns."""
        return [each for each in classes if self.is_about(each)]

    def seen(self, labels: Labels, undecided: tuple[int, ...]) -> Labels:
        """Return labels without the classes that it knows nothing of."""
        if not self.classes:
            return labels
        return [each if each == undecided else tuple(self.among(each)) for each in labels]


ANY = Recipe()


def of(candidate: Candidate) -> Recipe:
    classes = frozenset(candidate.custom_model.classes)
    return Recipe(candidate.title, candidate.kind, classes, candidate.closer)


def in_use(project: Project) -> Recipe:
    """Return how the next model is made: as the chosen one, where its backbone and classes are in use."""
    chosen = chosen_model(project)
    if chosen is None or not is_followed(chosen):
        return ANY
    return of(chosen.candidate)


def chosen_model(project: Project) -> ChosenModel | None:
    found = ChosenModel.objects.filter(project=project)
    return found.select_related("project", "candidate__custom_model", "chosen_by").first()


def is_followed(chosen: ChosenModel) -> bool:
    """Tell whether models can be made like the chosen one: its backbone may still look at images."""
    project, candidate = chosen.project, chosen.candidate
    if project.is_classification and candidate.backbone != project.backbone:
        return False
    classes = candidate.custom_model.classes
    return not classes or project.classes.filter(retired_at=None, pk__in=classes).exists()
