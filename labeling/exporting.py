"""Export: a job writes an immutable file, named by its content, in a storage that survives it."""

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.files import File
from django.core.files.storage import default_storage
from django.db.models import QuerySet
from django.utils import timezone

from labeling import announcing, jobs, naming, review
from labeling.formats import coco
from labeling.models import Annotation, Event, Item, Job, LabelClass, Project, User

FORMATS = ("coco",)
BATCH = 2_000


class ExportRefused(Exception):
    """Why an export was refused, in a sentence for people."""


class Pictures:
    """The labeled images of a project, read in batches each time they are iterated.

    Which annotations belong is fixed at the start, so that both passes see the same labels although
    people go on working.
    """

    def __init__(self, project: Project, filters: review.Filters, viewer: User | None = None) -> None:
        self.project, self.viewer = project, viewer
        chosen = review.select(project, filters)
        rows = (
            chosen.exclude(current_annotation=None).order_by("id").values_list("id", "current_annotation_id")
        )
        self.chosen: list[tuple[int, int]] = list(rows.iterator(BATCH))
        self.counts: dict[str, int] = dict.fromkeys(review.ORIGINS, 0)
        merged = project.classes.exclude(means=None).select_related("means")
        self.merged = {each.pk: each for each in merged}

    def __len__(self) -> int:
        return len(self.chosen)

    def __iter__(self) -> Iterator[coco.Picture]:
        self.counts = dict.fromkeys(review.ORIGINS, 0)
        for start in range(0, len(self.chosen), BATCH):
            pairs = self.chosen[start : start + BATCH]
            items = Item.objects.in_bulk([item for item, _ in pairs])
            annotations = (
                Annotation.objects.select_related("labeler", "instructions")
                .prefetch_related("regions")
                .in_bulk([annotation for _, annotation in pairs])
            )
            for item, annotation in pairs:
                self.counts[annotations[annotation].origin] += 1
                yield picture(items[item], annotations[annotation], self.merged, self.viewer)


def picture(
    item: Item, annotation: Annotation, merged: Mapping[int, LabelClass], viewer: User | None
) -> coco.Picture:
    """Return an image with its labels by the classes of today; of two that have become one, one is left."""
    shapes: dict[object, coco.Shape] = {}
    for each in annotation.regions.all():
        said = merged.get(each.label_class_id)
        category = said.now.pk if said else each.label_class_id
        is_shaped = bool(each.bbox or each.polygon)
        origin, labeled_as = each.origin if is_shaped else "", said.name if said else ""
        shape = coco.Shape(category, each.bbox, each.polygon, origin, labeled_as)
        shapes.setdefault(f"region {each.pk}" if is_shaped else category, shape)
    made_by = provenance(annotation, viewer)
    if item.gone_at:  # another file may lie under its path by now
        made_by["file_gone_at"] = item.gone_at.isoformat()
    return coco.Picture(item.pk, item.path, item.width or 0, item.height or 0, [*shapes.values()], made_by)


def provenance(annotation: Annotation, viewer: User | None) -> dict[str, Any]:
    """Say who or what made a label, when, and under what, for somebody who exports it."""
    return {
        "origin": annotation.origin,
        "annotation_id": annotation.pk,
        "labeler": naming.address(viewer, annotation.labeler) if annotation.labeler else None,
        "created_at": annotation.created_at.isoformat(),
        "queue_kind": annotation.kind or None,
        "in_bulk": annotation.source == Annotation.Source.BULK,
        "group": annotation.group,
        "suggestion_visible": annotation.suggestion_visible,
        "seconds": annotation.seconds,
        "instructions_version": annotation.instructions.version if annotation.instructions else None,
        "model_version": annotation.model_version,
        "certificate": annotation.certificate,
        "confidence": annotation.confidence,
        "threshold": annotation.threshold,
    }


def made(project: Project, viewer: User) -> QuerySet[Job]:
    """Return the exports that somebody may fetch: a vendor's people theirs, for files name who labeled."""
    found = Job.objects.filter(project=project, kind="export")
    return found if viewer.vendor_id is None else found.filter(created_by__vendor=viewer.vendor_id)


def start(project: Project, by: User | None, file_format: str, filters: review.Filters) -> Job:
    """Queue an export. Raises ExportRefused."""
    if file_format not in FORMATS:
        raise ExportRefused(f"There is no export format {file_format!r}; there is {', '.join(FORMATS)}.")
    Event.record("export", project, by, format=file_format, filter=asdict(filters))
    return jobs.enqueue("export", project, {"format": file_format, "filter": asdict(filters)}, created_by=by)


def announce_end(job: Job) -> None:
    """Tell whoever started an export how it ended."""
    assert job.project is not None
    if job.state == Job.State.CANCELLED:
        return  # somebody stopped it and knows
    announcing.announce(
        "export_done",
        job.project,
        job.created_by,
        key=f"export:{job.pk}:{job.attempts}:{job.state}",
        to={job.created_by.pk: 1} if job.created_by else {},
        export=job.pk,
        images=job.result.get("images", 0),
        error=job.error if job.state == Job.State.FAILED else "",
    )


@jobs.handler("export", cluster="quick", priority=-1, ended=announce_end)
def export(job: jobs.RunningJob) -> dict[str, Any]:
    """Write the file under a temporary name, then put it into storage whole."""
    project = job.project
    assert project is not None
    filters = review.Filters(**job.payload["filter"])
    with tempfile.TemporaryDirectory(prefix="loupe-export-") as folder:
        path = Path(folder, "export.json")
        report = write_coco(project, filters, path, job.progress, job.row.created_by)
        name = f"exports/{project.pk}/{report['sha256'][:16]}-{job.row.pk}.json"
        with path.open("rb") as finished:
            report["name"] = default_storage.save(name, File(finished))
    return report


def write_coco(
    project: Project,
    filters: review.Filters,
    path: Path,
    progress: Any = lambda done, total: None,
    viewer: User | None = None,
) -> dict[str, Any]:
    """Write a COCO file; returns its sha256, bytes, images, annotations and counts by origin."""
    pictures = Pictures(project, filters, viewer)
    classes = list(project.classes.filter(means=None).select_related("parent"))
    info = {
        "description": project.name,
        "date_created": timezone.now().isoformat(),
        "contributor": "Loupe",
        "task_type": project.task_type,
        "filter": {key: value for key, value in asdict(filters).items() if value not in ("", None)},
    }
    categories = [
        coco.Category(each.pk, each.name, each.parent.name if each.parent else "") for each in classes
    ]
    digest, size, written, steps = hashlib.sha256(), 0, 0, 2 * len(pictures)
    with path.open("w", encoding="utf-8") as out:
        for number, piece in enumerate(coco.write(info, categories, pictures)):
            out.write(piece)
            digest.update(piece.encode())
            size += len(piece.encode())
            written += piece.count('"category_id"')
            if number % BATCH == 0:
                progress(min(number, steps), steps)
        out.flush()
        os.fsync(out.fileno())
    progress(steps, steps)
    return {
        "sha256": digest.hexdigest(),
        "bytes": size,
        "images": len(pictures),
        "annotations": written,
        "by_origin": pictures.counts,
    }
