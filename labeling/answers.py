"""What people have answered, as arrays: all that a model may learn from or be judged by."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet

from labeling.meanings import meant
from labeling.models import Annotation, Item, Project, QueueEntry, Region

HUMAN = (Annotation.Source.HUMAN, Annotation.Source.BULK, Annotation.Source.IMPORT)
UNDECIDED = (0,)  # the id of no class: people could not tell, or do not agree


@dataclass(slots=True)
class Answers:
    """Class ids per item, in item order. `revision` is the newest annotation id among them.

    `annotations` are the ids of the answers, 0 where people are undecided.
    """

    items: np.ndarray
    labels: list[tuple[int, ...]] = field(default_factory=list)
    revision: int = 0
    annotations: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))

    def __len__(self) -> int:
        return len(self.labels)

    def without(self, items: np.ndarray) -> "Answers":
        """Return the answers to all but the given items."""
        left = np.flatnonzero(~np.isin(self.items, items))
        labels = [self.labels[row] for row in left]
        return Answers(self.items[left], labels, self.revision, self.annotations[left])

    def among(self, annotations: Sequence[int]) -> "Answers":
        """Return those of some annotations, as if no newer answers were there."""
        kept = np.flatnonzero(np.isin(self.annotations, np.array(annotations, np.int64)))
        labels = [self.labels[row] for row in kept]
        newest = int(self.annotations[kept].max(initial=0))
        return Answers(self.items[kept], labels, newest, self.annotations[kept])


def training(project: Project) -> Answers:
    """Return the counted human answers that may be trained on: never blind ones or auto labels."""
    return _collect(_to_learn_from(project))


def validation(project: Project) -> Answers:
    """Return the blind answers to the uniform validation draw, undecided images included."""
    drawn = Annotation.objects.filter(
        assisted(project, "item__"),
        project=project,
        item__draw__lt=project.validation_rate,
        suggestion_visible=False,
    )
    return _with_undecided(drawn)


def blind(project: Project, items: Sequence[int]) -> Answers:
    """Return the blind answers to items drawn for a proof, second opinions and undecided images included."""
    drawn = Annotation.objects.filter(
        project=project, item__in=items, kind__in=("validation", "audit"), suggestion_visible=False
    )
    return _with_undecided(drawn)


def blind_again(project: Project) -> int:
    """Count the images whose blind answer was rejected, or withdrawn for other classes, and wait for another.

    Judged without them, a model would look as good as those who reject want it to.
    """
    rejected = Annotation.objects.filter(
        item=OuterRef("item"),
        kind="validation",
        withdrawal__in=(Annotation.Withdrawal.REJECTED, Annotation.Withdrawal.CLASSES),
    )
    return QueueEntry.objects.filter(Exists(rejected), project=project, kind="validation").count()


@dataclass(frozen=True, slots=True)
class Opinions:
    """Who said what of which item: one row for each answer, class ids sorted."""

    items: np.ndarray
    labelers: np.ndarray
    labels: list[tuple[int, ...]]


def opinions(project: Project) -> Opinions:
    """Return all that people answered by themselves and stand by, blind or not, counted or late.

    It says how good people are, and nothing may be trained on it. Answers that agree with a proposal on
    the screen are no opinions of their own.
    """
    with connection.cursor() as cursor:
        cursor.execute(OPINIONS, {"project": project.pk})
        rows = cursor.fetchall()
    items, labelers = (np.fromiter((row[at] for row in rows), np.int64, len(rows)) for at in (0, 1))
    return Opinions(items, labelers, [tuple(row[2]) for row in rows])


OPINIONS = """
    SELECT a.item_id, a.labeler_id, array_remove(array_agg(DISTINCT coalesce(c.means_id, c.id)), NULL)
    FROM labeling_annotation a
    LEFT JOIN labeling_region r ON r.annotation_id = a.id
    LEFT JOIN labeling_labelclass c ON c.id = r.label_class_id
    WHERE a.project_id = %(project)s AND a.labeler_id IS NOT NULL AND a.withdrawn_at IS NULL AND NOT a.skipped
    AND NOT a.suggestion_visible AND a.source = 'human'
    GROUP BY a.id ORDER BY a.item_id, a.id
"""


def assisted(project: Project, to_item: str = "") -> Q:
    """Return which items models look at: DICOM images only where a manager says so."""
    return Q() if project.assists_dicom else ~Q(**{f"{to_item}format": "DICOM"})


def unlabeled(project: Project) -> np.ndarray:
    """Return the ids of readable items that still need a label, validation items left out."""
    return _ids(
        Item.objects.filter(
            assisted(project), project=project, state="unlabeled", draw__gte=project.validation_rate
        ).exclude(read_at=None)
    )


def ready(project: Project) -> np.ndarray:
    """Return the ids of all items whose image could be read."""
    return _ids(
        Item.objects.filter(assisted(project), project=project)
        .exclude(read_at=None)
        .exclude(state__in=("broken", "removed"))
    )


def new_answers_since(project: Project, annotation: int) -> int:
    """Count training answers, and withdrawals of older ones, since an annotation id."""
    return _to_learn_from(project).filter(id__gt=annotation).count()


def classes_of(annotations: Iterable[int]) -> dict[int, tuple[int, ...]]:
    """Return the class ids of each annotation, sorted; labels of a merged class count as what it is now."""
    wanted = list(annotations)
    found: dict[int, list[int]] = {annotation: [] for annotation in wanted}
    for annotation, label_class in Region.objects.filter(annotation__in=wanted).values_list(
        "annotation_id", meant()
    ):
        found[annotation].append(label_class)
    return {annotation: tuple(sorted(set(classes))) for annotation, classes in found.items()}


def regions_of(annotations: Iterable[int]) -> dict[int, list[dict[str, Any]]]:
    """Return the regions of each annotation, {class, bbox?, polygon?}."""
    wanted = list(annotations)
    found: dict[int, list[dict[str, Any]]] = {annotation: [] for annotation in wanted}
    for each in Region.objects.filter(annotation__in=wanted).annotate(meant=meant()).order_by("id"):
        shape = {"class": each.meant, "bbox": each.bbox, "polygon": each.polygon}
        found[each.annotation_id].append({name: value for name, value in shape.items() if value is not None})
    return found


def have_shapes(annotations: Sequence[int]) -> bool:
    """Tell whether annotations belong to a project of boxes or outlines."""
    first = Annotation.objects.filter(pk__in=annotations[:1]).select_related("project").first()
    return first is not None and not first.project.is_classification


def objects_of(project: Project) -> dict[int, int]:
    """Count the regions of each class among the answers that may be trained on."""
    given = Region.objects.filter(annotation__in=_to_learn_from(project).values("id"))
    return dict(given.values_list(meant()).annotate(count=Count("id")).order_by())


def _current(annotations: QuerySet[Annotation]) -> QuerySet[Annotation]:
    """Return those human annotations that count for an item now."""
    return annotations.filter(
        item__current_annotation=F("id"),
        item__state="labeled",
        source__in=HUMAN,
        withdrawn_at=None,
        skipped=False,
    )


def _to_learn_from(project: Project) -> QuerySet[Annotation]:
    asked_blind = Annotation.objects.filter(item=OuterRef("item"), kind="validation")
    mine = Annotation.objects.filter(
        assisted(project, "item__"), project=project, item__draw__gte=project.validation_rate
    )
    return _current(mine).filter(~Exists(asked_blind))


def _with_undecided(drawn: QuerySet[Annotation]) -> Answers:
    """Return the decided answers among blind ones, and what was skipped or waits for a reviewer as UNDECIDED.

    Left out, the images that people find hard would be missing where a model is judged.
    """
    decided = _collect(_current(drawn))
    open_items = drawn.filter(
        item__state__in=(Item.State.SKIPPED, Item.State.NEEDS_REVIEW), withdrawn_at=None, counted=True
    )
    undecided = np.unique(np.fromiter(open_items.values_list("item_id", flat=True), np.int64))
    items = np.concatenate([decided.items, undecided])
    labels = [*decided.labels, *[UNDECIDED] * len(undecided)]
    order = np.argsort(items)
    annotations = np.concatenate([decided.annotations, np.zeros(len(undecided), np.int64)])
    return Answers(items[order], [labels[row] for row in order], decided.revision, annotations[order])


def _collect(annotations: QuerySet[Annotation]) -> Answers:
    rows = list(annotations.order_by("item_id").values_list("item_id", "id"))
    labels = classes_of(annotation for _, annotation in rows)
    return Answers(
        items=np.array([item for item, _ in rows], dtype=np.int64),
        labels=[labels[annotation] for _, annotation in rows],
        revision=max((annotation for _, annotation in rows), default=0),
        annotations=np.array([annotation for _, annotation in rows], dtype=np.int64),
    )


def _ids(items: QuerySet[Item]) -> np.ndarray:
    return np.fromiter(items.order_by("id").values_list("id", flat=True).iterator(10_000), dtype=np.int64)
