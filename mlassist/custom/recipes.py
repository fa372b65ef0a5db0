"""How the models of a project are made where somebody has chosen one: the same way, until that is changed."""

from collections.abc import Collection
from dataclasses import dataclass

from labeling import meanings
from labeling.models import Project
from mlassist.models import Candidate, ChosenModel, CustomModel

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
    return Recipe(candidate.title, candidate.kind, classes_of(candidate.custom_model), candidate.closer)


def classes_of(made: CustomModel) -> frozenset[int]:
    """Return the classes to learn as they count today, empty for all; as they were where none is left."""
    now = meanings.of(made.project).all_offered(made.classes)
    return frozenset(now or made.classes)


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
    return not is_left_alone(chosen)


def is_left_alone(chosen: ChosenModel) -> bool:
    """Tell whether nobody can choose any of its classes any more."""
    project, made = chosen.project, chosen.candidate.custom_model
    return (
        bool(made.classes) and not project.classes.filter(retired_at=None, pk__in=classes_of(made)).exists()
    )
