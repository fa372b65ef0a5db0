"""The labeled images of a project as records of file formats, in batches: however many, in little memory."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import orjson
from django.conf import settings
from django.db import connection
from django.db.models import Exists, OuterRef, Q
from django.urls import reverse

from labeling import extensions, images, meanings, naming, review, shares
from labeling.formats.names import Names
from labeling.formats.records import Category, Picture, Shape
from labeling.models import Annotation, Item, Project, User
from labeling.models.annotations import origin_of

BATCH = 2_000
SOURCE, LABELER, AGREED, ANNOTATION = (
    4,
    5,
    6,
    7,
)  # columns of the heads, before those that are told as they are
PLAIN = (
    "annotation_id", "created_at", "queue_kind", "group", "suggestion_visible", "seconds",
    "instructions_version", "model_version", "certificate", "confidence", "threshold", "reviewed",
    "file_gone_at",
)  # fmt: skip
# Rows as they are: half a million model instances would take longer than all that is done with them. Each
# table is asked for its rows at once, by its key: joined one by one they take a hundred times as many reads.
HEADS = """
SELECT i.id, i.path, i.width, i.height, a.source, a.labeler_id, a.agreed, a.id,
    to_char(a.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'), nullif(a.kind, ''),
    a."group", a.suggestion_visible, a.seconds, n.version, a.model_version, a.certificate, a.confidence,
    a.threshold, coalesce(l.reviewed AND l.annotation_id = a.id, false),
    to_char(i.gone_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'), i.format,
    i.masked_at IS NOT NULL
FROM labeling_item i
JOIN labeling_annotation a ON a.item_id = i.id
LEFT JOIN labeling_instructions n ON n.id = a.instructions_id
LEFT JOIN (
    SELECT item_id, annotation_id, reviewed FROM labeling_listing WHERE item_id = ANY(%(items)s::bigint[])
) l ON l.item_id = i.id
WHERE i.id = ANY(%(items)s::bigint[]) AND a.id = ANY(%(annotations)s::bigint[])
ORDER BY i.id
"""
REGIONS = """
SELECT annotation_id, label_class_id, bbox::text, polygon::text, origin FROM labeling_region
WHERE annotation_id = ANY(%(annotations)s::bigint[]) ORDER BY annotation_id, id
"""

MEASURES = """
SELECT (SELECT count(*) FROM labeling_region WHERE annotation_id = ANY(%(annotations)s::bigint[])
    AND (%(classes)s = '{}' OR label_class_id = ANY(%(classes)s::bigint[]))),
    (SELECT coalesce(sum(size_bytes), 0) FROM labeling_item WHERE id = ANY(%(items)s::bigint[]))
"""


class Labeled:
    """The labeled images that filters choose, by their numbers.

    Which annotations belong is fixed at the start: people go on working. `split` gives the shares of
    train, val and test; `with_names` takes a look at the paths of all the project's images; `most` ends with
    the first ones.
    """

    def __init__(
        self,
        project: Project,
        filters: review.Filters,
        viewer: User | None = None,
        *,
        split: Sequence[float] | None = None,
        with_urls: bool = False,
        with_names: bool = False,
        most: int | None = None,
    ) -> None:
        self.project, self.viewer, self.with_urls = project, viewer, with_urls
        chosen = review.select(project, filters).exclude(current_annotation=None).order_by("id")
        rows = chosen.values_list("id", "current_annotation_id")[:most].iterator(BATCH)
        self.chosen = np.fromiter(rows, np.dtype((np.int64, 2)))
        self.names = names_in(project) if with_names else None
        self.splits = self.drawn(split) if split else None
        merged = project.classes.exclude(means=None).select_related("means")
        self.merged = {each.pk: each for each in merged}
        self.only = wanted(filters)
        self.called: dict[int, str] = {}
        self.batch_items: list[int] = []
        self.held: dict[int, Item] = {}

    def __len__(self) -> int:
        return len(self.chosen)

    def measured(self) -> tuple[int, int]:
        """Return how many regions the images have, and how many bytes their files."""
        items, annotations = (array_of(each) for each in self.chosen.T.tolist())
        with connection.cursor() as cursor:
            asked = {"items": items, "annotations": annotations, "classes": array_of(sorted(self.only))}
            cursor.execute(MEASURES, asked)
            regions, size = cursor.fetchone()
        return int(regions), int(size)

    def some(self, most: int) -> Iterator[Picture]:
        """Yield a few of the images, evenly spread over all of them."""
        if len(self.chosen):
            at = np.unique(np.linspace(0, len(self.chosen) - 1, most).astype(np.int64))
            yield from self.batch(self.chosen[at].tolist(), None)

    def unread(self) -> int:
        """Return how many of the images nobody has measured yet."""
        unread = Item.objects.filter(project=self.project, width=None, current_annotation__isnull=False)
        return int(
            np.isin(np.fromiter(unread.values_list("id", flat=True), np.int64), self.chosen[:, 0]).sum()
        )

    def drawn(self, split: Sequence[float]) -> np.ndarray:
        """Return the split of each image; what looks alike is in the same."""
        together = [*self.pages_of_look_alikes(), *extensions.near_duplicates(self.project)]
        pairs = np.concatenate([np.empty((0, 2), np.int64), *together])
        return shares.draw(self.chosen[:, 0], pairs, self.project.seed, split)

    def pages_of_look_alikes(self) -> Iterator[np.ndarray]:
        """Yield pairs of images that were shown together since they look alike."""
        grouped = Annotation.objects.filter(project=self.project, group__isnull=False, withdrawn_at=None)
        rows = np.fromiter(
            grouped.order_by("group", "item").values_list("group", "item_id").iterator(BATCH),
            np.dtype((np.int64, 2)),
        )
        same = rows[1:, 0] == rows[:-1, 0]
        yield np.stack([rows[:-1, 1][same], rows[1:, 1][same]], axis=1)

    def __iter__(self) -> Iterator[Picture]:
        for start in range(0, len(self.chosen), BATCH):
            pairs = self.chosen[start : start + BATCH].tolist()
            splits = self.splits[start : start + BATCH].tolist() if self.splits is not None else None
            yield from self.batch(pairs, splits)

    def batch(self, pairs: list[list[int]], splits: list[int] | None) -> Iterator[Picture]:
        items, annotations = (list(each) for each in zip(*pairs, strict=True))
        self.batch_items, self.held = items, {}
        asked = {"items": array_of(items), "annotations": array_of(annotations)}
        regions = self.regions(asked)
        with connection.cursor() as cursor:
            cursor.execute(HEADS, asked)
            rows = cursor.fetchall()
        self.meet({row[LABELER] for row in rows} - {None})
        named = dict(zip(items, (shares.SPLITS[each] for each in splits), strict=True)) if splits else {}
        for row in rows:
            item, path, width, height = row[:4]
            yield Picture(
                item,
                path,
                width,
                height,
                regions.get(row[ANNOTATION], []),
                self.provenance(row),
                named.get(item, ""),
                self.url(item) if self.with_urls else "",
                self.names.of(item, path, row[-2], is_copy=row[-1]) if self.names else "",
            )

    def provenance(self, row: tuple[Any, ...]) -> dict[str, Any]:
        """Return who or what made a label, when, and under what."""
        source, labeler, agreed = row[SOURCE : AGREED + 1]
        told = dict(zip(PLAIN, row[AGREED + 1 : -2], strict=True))
        return {
            "origin": origin_of(source, told["suggestion_visible"], agreed),
            "labeler": self.called.get(labeler),
            "in_bulk": source == Annotation.Source.BULK,
            **told,
        }

    def regions(self, asked: dict[str, str]) -> dict[int, list[Shape]]:
        """Return the chosen regions of annotations by the classes of today; of two that became one, one."""
        with connection.cursor() as cursor:
            cursor.execute(REGIONS, asked)
            rows = cursor.fetchall()
        found: dict[int, list[Shape]] = {}
        for annotation, label_class, bbox, polygon, origin in rows:
            said = self.merged.get(label_class)
            if self.only and label_class not in self.only:
                continue
            category = said.now.pk if said else label_class
            kept = found.setdefault(annotation, [])
            if bbox or polygon:
                box = orjson.loads(bbox) if bbox else None
                parts = orjson.loads(polygon) if polygon else None
                kept.append(Shape(category, box, parts, None, origin, said.name if said else ""))
            elif not any(each.category == category for each in kept):
                kept.append(Shape(category, None, None, None, "", said.name if said else ""))
        return found

    def url(self, item: int) -> str:
        return f"{settings.LOUPE_URL}{reverse('image', args=[item])}"

    def image(self, picture: Picture) -> bytes:
        """Return the file of an image of the current batch, upright. Raises BrokenImage."""
        if not self.held:
            self.held = Item.objects.select_related("source").in_bulk(self.batch_items)
        return images.upright_file(self.held[picture.id])

    def meet(self, labelers: set[int]) -> None:
        """Learn how labelers are called before whoever exports."""
        for person in User.objects.filter(pk__in=labelers - self.called.keys()):
            self.called[person.pk] = naming.address(self.viewer, person)


def array_of(numbers: list[int]) -> str:
    """Return numbers as PostgreSQL writes an array: thousands are sent as text in no time."""
    return f"{{{','.join(map(str, numbers))}}}"


def names_in(project: Project) -> Names:
    """Return the names of a project's images in archives. What was removed gives its name free."""
    images = Item.objects.filter(project=project).exclude(state__in=(Item.State.REMOVED, Item.State.BROKEN))
    return Names(images.order_by("id").values_list("id", "path").iterator(BATCH))


def wanted(filters: review.Filters) -> frozenset[int]:
    """Return the classes whose labels are chosen, as they were given; none for all."""
    return frozenset(pk for each in filters.classes for pk in meanings.family(each))


def categories(project: Project, filters: review.Filters) -> list[Category]:
    """Return the classes of today, and retired ones of which labels are left; those that are chosen."""
    named = Item.objects.filter(current_annotation__regions__label_class=OuterRef("pk"))
    merged = project.classes.filter(means=OuterRef("pk"))
    below = project.classes.filter(parent=OuterRef("pk"))
    kept = Q(retired_at=None) | Exists(named) | Exists(merged) | Exists(below)
    classes = project.classes.filter(kept, means=None).select_related("parent")
    if filters.classes:
        classes = classes.filter(pk__in=wanted(filters))
    return [Category(each.pk, each.name, each.parent.name if each.parent else "") for each in classes]
