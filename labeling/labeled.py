"""The labeled images of a project as records of file formats, in batches: however many, in little memory."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import orjson
from django.conf import settings
from django.db import connection
from django.urls import reverse

from labeling import extensions, images, naming, review, shares
from labeling.formats.records import Category, Picture, Shape
from labeling.models import Annotation, Item, Project, User
from labeling.models.annotations import origin_of

BATCH = 2_000
SOURCE, LABELER, AGREED = 4, 5, 6  # columns of the heads, before those that are told as they are
PLAIN = (
    "annotation_id", "created_at", "queue_kind", "group", "suggestion_visible", "seconds",
    "instructions_version", "model_version", "certificate", "confidence", "threshold", "reviewed",
    "file_gone_at",
)  # fmt: skip
# Rows as they are: half a million model instances would take longer than all that is done with them.
HEADS = """
SELECT i.id, i.path, i.width, i.height, a.source, a.labeler_id, a.agreed, a.id,
    to_char(a.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'), nullif(a.kind, ''),
    a."group", a.suggestion_visible, a.seconds, n.version, a.model_version, a.certificate, a.confidence,
    a.threshold, coalesce(l.reviewed AND l.annotation_id = a.id, false),
    to_char(i.gone_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')
FROM unnest(%s::bigint[], %s::bigint[]) WITH ORDINALITY chosen(item, annotation, place)
JOIN labeling_item i ON i.id = chosen.item
JOIN labeling_annotation a ON a.id = chosen.annotation
LEFT JOIN labeling_instructions n ON n.id = a.instructions_id
LEFT JOIN labeling_listing l ON l.item_id = i.id
ORDER BY place
"""
REGIONS = """
SELECT annotation_id, id, label_class_id, bbox::text, polygon::text, origin FROM labeling_region
WHERE annotation_id = ANY(%s) ORDER BY annotation_id, id
"""


class Labeled:
    """The labeled images that filters choose, by their numbers.

    Which annotations belong is fixed at the start: people go on working. `split` gives the shares of
    train, val and test.
    """

    def __init__(
        self,
        project: Project,
        filters: review.Filters,
        viewer: User | None = None,
        *,
        split: Sequence[float] | None = None,
        with_urls: bool = False,
    ) -> None:
        self.project, self.viewer, self.with_urls = project, viewer, with_urls
        chosen = review.select(project, filters).exclude(current_annotation=None).order_by("id")
        rows = chosen.values_list("id", "current_annotation_id").iterator(BATCH)
        self.chosen = np.fromiter(rows, np.dtype((np.int64, 2)))
        self.splits = self.drawn(split) if split else None
        merged = project.classes.exclude(means=None).select_related("means")
        self.merged = {each.pk: each for each in merged}
        self.called: dict[int, str] = {}
        self.batch_items: list[int] = []
        self.held: dict[int, Item] = {}

    def __len__(self) -> int:
        return len(self.chosen)

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
        regions = self.regions(annotations)
        with connection.cursor() as cursor:
            cursor.execute(HEADS, [items, annotations])
            rows = cursor.fetchall()
        self.meet({row[LABELER] for row in rows} - {None})
        for number, row in enumerate(rows):
            item, path, width, height = row[:4]
            yield Picture(
                item,
                path,
                width,
                height,
                list(regions.get(annotations[number], {}).values()),
                self.provenance(row),
                shares.SPLITS[splits[number]] if splits else "",
                self.url(item) if self.with_urls else "",
            )

    def provenance(self, row: tuple[Any, ...]) -> dict[str, Any]:
        """Return who or what made a label, when, and under what."""
        source, labeler, agreed = row[SOURCE : AGREED + 1]
        told = dict(zip(PLAIN, row[AGREED + 1 :], strict=True))
        return {
            "origin": origin_of(source, told["suggestion_visible"], agreed),
            "labeler": self.called.get(labeler),
            "in_bulk": source == Annotation.Source.BULK,
            **told,
        }

    def regions(self, annotations: list[int]) -> dict[int, dict[object, Shape]]:
        """Return the regions of annotations by the classes of today; of two that became one, one is left."""
        with connection.cursor() as cursor:
            cursor.execute(REGIONS, [annotations])
            rows = cursor.fetchall()
        found: dict[int, dict[object, Shape]] = {}
        for annotation, pk, label_class, bbox, polygon, origin in rows:
            said = self.merged.get(label_class)
            category = said.now.pk if said else label_class
            is_drawn = bool(bbox or polygon)
            shape = Shape(
                category,
                orjson.loads(bbox) if bbox else None,
                orjson.loads(polygon) if polygon else None,
                None,
                origin if is_drawn else "",
                said.name if said else "",
            )
            found.setdefault(annotation, {}).setdefault(f"region {pk}" if is_drawn else category, shape)
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


def categories(project: Project) -> list[Category]:
    """Return the classes of today."""
    classes = project.classes.filter(means=None).select_related("parent")
    return [Category(each.pk, each.name, each.parent.name if each.parent else "") for each in classes]
