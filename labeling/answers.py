"""What people have answered, as arrays: all that a model may learn from or be judged by."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from django.db.models import Exists, F, OuterRef, QuerySet

from labeling.models import Annotation, Item, Project, QueueEntry, Region

HUMAN = (Annotation.Source.HUMAN, Annotation.Source.BULK, Annotation.Source.IMPORT)


@dataclass(slots=True)
class Answers:
    """Class ids per item, in item order. `revision` is the newest annotation id among them."""

    items: np.ndarray
    labels: list[tuple[int, ...]] = field(default_factory=list)
    revision: int = 0

    def __len__(self) -> int:
        return len(self.labels)

    def without(self, items: np.ndarray) -> "Answers":
        """Return the answers to all but the given items."""
        left = np.flatnonzero(~np.isin(self.items, items))
        return Answers(self.items[left], [self.labels[row] for row in left], self.revision)


def training(project: Project) -> Answers:
    """Return the counted human answers that may be trained on: never blind ones or auto labels."""
    return _collect(_to_learn_from(project))


def validation(project: Project) -> Answers:
    """Return the blind answers to the uniform validation draw."""
    return _collect(
        _current(project).filter(item__draw__lt=project.validation_rate, suggestion_visible=False)
    )


def blind(project: Project, items: Sequence[int]) -> Answers:
    """Return the blind answers to items that were drawn for a proof, second opinions included."""
    drawn = _current(project).filter(
        item__in=items, kind__in=("validation", "audit"), suggestion_visible=False
    )
    return _collect(drawn)


def blind_again(project: Project) -> int:
    """Count the images whose blind answer was rejected and that wait for another one.

    Judged without them, a model would look as good as those who reject want it to.
    """
    rejected = Annotation.objects.filter(
        item=OuterRef("item"), kind="validation", withdrawal=Annotation.Withdrawal.REJECTED
    )
    return QueueEntry.objects.filter(Exists(rejected), project=project, kind="validation").count()


def unlabeled(project: Project) -> np.ndarray:
    """Return the ids of readable items that still need a label, validation items left out."""
    return _ids(
        Item.objects.filter(project=project, state="unlabeled", draw__gte=project.validation_rate).exclude(
            read_at=None
        )
    )


def ready(project: Project) -> np.ndarray:
    """Return the ids of all items whose image could be read."""
    return _ids(
        Item.objects.filter(project=project).exclude(read_at=None).exclude(state__in=("broken", "removed"))
    )


def new_answers_since(project: Project, annotation: int) -> int:
    """Count training answers, and withdrawals of older ones, since an annotation id."""
    return _to_learn_from(project).filter(id__gt=annotation).count()


def classes_of(annotations: Iterable[int]) -> dict[int, tuple[int, ...]]:
    """Return the class ids of each annotation, sorted."""
    wanted = list(annotations)
    found: dict[int, list[int]] = {annotation: [] for annotation in wanted}
    for annotation, label_class in Region.objects.filter(annotation__in=wanted).values_list(
        "annotation_id", "label_class_id"
    ):
        found[annotation].append(label_class)
    return {annotation: tuple(sorted(set(classes))) for annotation, classes in found.items()}


def _current(project: Project) -> QuerySet[Annotation]:
    """Return the human annotations that count for an item now."""
    return Annotation.objects.filter(
        project=project,
        item__current_annotation=F("id"),
        item__state="labeled",
        source__in=HUMAN,
        withdrawn_at=None,
        skipped=False,
    )


def _to_learn_from(project: Project) -> QuerySet[Annotation]:
    asked_blind = Annotation.objects.filter(item=OuterRef("item"), kind="validation")
    return _current(project).filter(~Exists(asked_blind), item__draw__gte=project.validation_rate)


def _collect(annotations: QuerySet[Annotation]) -> Answers:
    rows = list(annotations.order_by("item_id").values_list("item_id", "id"))
    labels = classes_of(annotation for _, annotation in rows)
    return Answers(
        items=np.array([item for item, _ in rows], dtype=np.int64),
        labels=[labels[annotation] for _, annotation in rows],
        revision=max((annotation for _, annotation in rows), default=0),
    )


def _ids(items: QuerySet[Item]) -> np.ndarray:
    return np.fromiter(items.order_by("id").values_list("id", flat=True).iterator(10_000), dtype=np.int64)
