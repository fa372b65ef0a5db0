"""Export: a job writes an immutable file, named by its content, in a storage that survives it."""

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from labeling import announcing, changed, gallery, jobs, packing, review, shares
from labeling.copying import Copies
from labeling.formats.catalog import FORMATS, refusal
from labeling.formats.records import Heading, Picture
from labeling.labeled import Labeled, categories
from labeling.models import Event, Item, Job, Project, User
from labeling.refusals import Refused

IMAGES = {
    "none": "left out",
    "copy": "copied into the ZIP archive",
    "link": "as addresses",
}
WHOLE = 100  # per cent
COUNTED = 10_000  # images up to which a preview counts, and looks at each
TRIED = 200  # images that a preview writes to learn how large their labels are
TRIED_PIXELS = 20_000_000
TOLD = 100  # images without a copy that the page and the API name; the archive names more


NOTHING = "No labeled image is chosen. Choose by less, or label some images first."
NOTHING_THERE = (
    "None of the chosen images can be copied: their files are gone at their source, or others by now."
)


class ExportRefused(Refused):
    """Why an export was refused, in a sentence for people."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to be written. `split` has the per cent of train, val and test; without it, all is one set."""

    format: str = "coco"
    images: str = ""
    split: tuple[float, ...] = ()

    @property
    def with_images(self) -> str:
        """Return how images are included: where they are the labels themselves, always as copies."""
        return "copy" if FORMATS[self.format].is_images else self.images or "none"

    @property
    def ending(self) -> str:
        """Return the ending of the file: several files are one archive."""
        alone = FORMATS[self.format].alone
        has_one_file = self.format != "coco" or not self.split
        return alone if alone and has_one_file and self.with_images != "copy" else "zip"


def made(project: Project, viewer: User) -> QuerySet[Job]:
    """Return the exports that somebody may fetch: a vendor's people theirs, for files name who labeled."""
    found = Job.objects.filter(project=project, kind="export")
    return found if viewer.vendor_id is None else found.filter(created_by__vendor=viewer.vendor_id)


def start(project: Project, by: User | None, choice: Choice | str, filters: review.Filters) -> Job:
    """Queue an export. Raises ExportRefused."""
    choice = Choice(choice) if isinstance(choice, str) else choice
    refuse(project, choice, filters)
    if not review.select(project, filters).exclude(current_annotation=None).exists():
        raise ExportRefused(NOTHING)
    said = {"format": choice.format, "images": choice.with_images, "split": list(choice.split)}
    words = described(project, filters)
    Event.record("export", project, by, filter=words, **said)
    payload = {**said, "filter": asdict(filters), "chosen": words}
    return jobs.enqueue("export", project, payload, created_by=by)


def described(project: Project, filters: review.Filters) -> dict[str, Any]:
    """Return the filters that are on, by the words of the API, and classes by their names."""
    found = {key: value for key, value in asdict(filters).items() if value not in ("", None, ())}
    if filters.classes:
        del found["classes"]
        found = {"class": [each.name for each in categories(project, filters)]} | found
    return found


def refuse(project: Project, choice: Choice, filters: review.Filters) -> None:
    """Raise ExportRefused for what makes no sense."""
    why = refusal(choice.format, project.task_type)
    if why:
        raise ExportRefused(why)
    most = FORMATS[choice.format].most_classes
    if most is not None and len(categories(project, filters)) > most:
        raise ExportRefused(
            f"{FORMATS[choice.format].short} have room for {most} classes; choose another format."
        )
    if choice.images and choice.images not in IMAGES:
        raise ExportRefused(f"Images can be {', '.join(IMAGES)}, not {choice.images!r}.")
    if FORMATS[choice.format].is_images and choice.images in ("none", "link"):
        raise ExportRefused("Image folders hold the images themselves: choose copies of them.")
    if choice.images == "link" and not FORMATS[choice.format].links:
        raise ExportRefused(
            f"{FORMATS[choice.format].short} reads images from the disk: have them copied, or left out."
        )
    if choice.split and (
        len(choice.split) != len(shares.SPLITS)
        or min(choice.split) < 0
        or choice.split[0] <= 0
        or abs(sum(choice.split) - WHOLE) > 0.01
    ):
        raise ExportRefused(
            "The shares of train, val and test have to add up to 100 per cent, and train needs more than 0."
        )


@dataclass(frozen=True, slots=True)
class Preview:
    """What an export would hold now; `exact` is false where numbers are told from some of the images.

    `size` is about how many bytes the file would have.
    """

    images: int
    labels: int
    by_split: dict[str, int]
    size: int
    exact: bool


def preview(project: Project, choice: Choice, filters: review.Filters) -> Preview:
    """Say what an export would hold, at once however many images there are. Raises ExportRefused."""
    refuse(project, choice, filters)
    total = gallery.total(project, filters)
    exact = total.exact and total.count <= COUNTED
    pictures = Labeled(
        project,
        filters,
        split=choice.split if exact and choice.split else None,
        most=None if exact else COUNTED,
    )
    images = len(pictures) if exact else total.count
    scale = images / len(pictures) if len(pictures) else 0
    labels, size = pictures.measured()
    if pictures.splits is not None:
        shared = np.bincount(pictures.splits, minlength=len(shares.SPLITS)).tolist()
    else:
        shared = [round(images * share / WHOLE) for share in choice.split]
    copies = size if choice.with_images == "copy" else 0
    each, once = written(project, filters, pictures, choice)
    return Preview(
        images,
        round(labels * scale),
        dict(zip(shares.SPLITS, shared, strict=True)) if choice.split else {},
        round((copies + each * len(pictures)) * scale + once),
        exact,
    )


def written(
    project: Project, filters: review.Filters, pictures: Labeled, choice: Choice
) -> tuple[float, int]:
    """Return how many bytes the labels of an image take, by writing those of some, and all that is no image.

    The latter is in a file once, however many images it has.
    """
    form = FORMATS[choice.format]
    some: list[Picture] = []
    pixels = 0
    for each in pictures.some(TRIED):
        pixels += (each.width or 0) * (each.height or 0)
        if each.width and (pixels < TRIED_PIXELS or not some or not form.flatten):
            some.append(each)
    if not some or form.is_images:
        return 0, 0
    heading = heading_of(project, filters, pictures, replace(choice, images="none"))
    with tempfile.TemporaryDirectory(prefix="loupe-preview-") as folder:
        sizes = []
        for few in (some, ()):
            path = Path(folder, f"export-{len(few)}")
            packing.write(form, heading, iter(few), path, alone=choice.ending != "zip")
            sizes.append(path.stat().st_size)
        return (sizes[0] - sizes[1]) / len(some), sizes[1]


def changes(before: Job | None, after: Job) -> changed.Changes:
    """Return what differs between two finished exports, or from nothing. Raises ExportRefused."""
    for job in (before, after):
        if job and "index" not in job.result:
            raise ExportRefused(
                f"Export {job.pk} was made before exports could be compared. Make it again to compare it."
            )
    return changed.between(before, after)


def announce_end(job: Job) -> None:
    """Tell whoever started an export how it ended. What was stopped in the end is not there."""
    assert job.project is not None
    if job.state == Job.State.DONE and job.cancel_requested:  # maybe since faces are hidden from now on
        transaction.on_commit(partial(delete_files, job))
        Job.objects.filter(pk=job.pk).update(state=Job.State.CANCELLED, result={})
        return
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


def delete_files(job: Job) -> None:
    """Delete what an export has written."""
    for key in ("name", "index"):
        if key in job.result:
            default_storage.delete(job.result[key])


@jobs.handler("export", cluster="quick", priority=-1, ended=announce_end)
def export(job: jobs.RunningJob) -> dict[str, Any]:
    """Write the file under a temporary name, read it again, then put it into storage whole."""
    project = job.project
    assert project is not None
    filters = gallery.stored(job.payload["filter"])
    choice = chosen(job.payload)
    with tempfile.TemporaryDirectory(prefix="loupe-export-") as folder:
        path, index = Path(folder, "export"), Path(folder, "index")
        try:
            report = write(project, filters, path, choice, job.progress, job.row.created_by, index)
        except packing.Unsound as error:
            raise jobs.JobFailed(str(error)) from error
        name = f"exports/{project.pk}/{report['sha256'][:16]}-{job.row.pk}"
        with path.open("rb") as finished:
            report["name"] = default_storage.save(f"{name}.{choice.ending}", File(finished))
        with index.open("rb") as finished:
            report["index"] = default_storage.save(f"{name}.npz", File(finished))
    return report


def chosen(payload: Mapping[str, Any]) -> Choice:
    """Return what a job is to write; jobs from before there was a choice have only a format."""
    return Choice(payload["format"], payload.get("images", ""), tuple(payload.get("split", ())))


def write(
    project: Project,
    filters: review.Filters,
    path: Path,
    choice: Choice = Choice(),
    progress: Callable[[int, int], None] = lambda done, total: None,
    viewer: User | None = None,
    index: Path | None = None,
) -> dict[str, Any]:
    """Write a file and read it again; returns its sha256, bytes, images, annotations and counts.

    Raises Unsound where it does not read back as what was to be written.
    """
    form, alone = FORMATS[choice.format], choice.ending != "zip"
    pictures = Labeled(
        project,
        filters,
        viewer,
        split=choice.split or None,
        with_urls=choice.with_images == "link",
        with_names=choice.with_images == "copy" or not form.alone,
    )
    refuse_unread(pictures)
    refuse_hiding(project, choice)
    heading = heading_of(project, filters, pictures, choice)
    chosen = iter(pictures)
    if choice.with_images == "copy":
        copies = Copies(pictures.image)
        heading = replace(heading, image=copies.of, left_out=copies.left_out)
        chosen = copies.fetched(chosen, only_there=form.is_images)
    tally, steps = packing.Tally(), 2 * len(pictures)
    read = packing.noted(chosen, tally, lambda done: progress(done, steps), form)
    packing.write(form, heading, read, path, alone=alone)
    if not tally.images:
        raise packing.Unsound(NOTHING_THERE if heading.left_out.count else NOTHING)
    packing.check(
        form, heading, tally, path, lambda done: progress(len(pictures) + done, steps), path_of, alone=alone
    )
    refuse_hiding(project, choice)
    if index:
        with index.open("wb") as file:
            tally.save(file)
    with path.open("rb") as file:
        os.fsync(file.fileno())
    progress(steps, steps)
    return {
        "sha256": packing.digest(path),
        "bytes": path.stat().st_size,
        "ending": choice.ending,
        "images": tally.images,
        "annotations": tally.by_class.total(),
        "by_origin": {each: tally.by_origin[each] for each in review.ORIGINS},
        "by_class": {str(key): count for key, count in tally.by_class.items()},
        "by_split": {each: tally.by_split[each] for each in shares.SPLITS} if choice.split else {},
        "left_out": {
            "count": heading.left_out.count,
            "images": [{"file_name": name, "reason": why} for name, why in heading.left_out.named[:TOLD]],
        },
    }


def path_of(item: int) -> str:
    return Item.objects.values_list("path", flat=True).get(pk=item)


def refuse_unread(pictures: Labeled) -> None:
    unread = pictures.unread()
    if unread:
        raise packing.Unsound(
            f"{unread:,} of the images have not been read yet, so nobody knows how large they are."
            " Export again when the import is done."
        )


def refuse_hiding(project: Project, choice: Choice) -> None:
    """Copy no images while faces are being hidden in them, nor what was copied before that began."""
    now = Project.objects.get(pk=project.pk)
    if choice.with_images == "copy" and (now.is_hiding_faces or now.faces != project.faces):
        raise packing.Unsound("Faces are being hidden in the images. Export them when that is done.")


def heading_of(project: Project, filters: review.Filters, pictures: Labeled, choice: Choice) -> Heading:
    info: dict[str, Any] = {
        "description": project.name,
        "date_created": timezone.now().isoformat(),
        "contributor": "Loupe",
        "task_type": project.task_type,
        "filter": described(project, filters),
    }
    if choice.split:
        info |= {"split": dict(zip(shares.SPLITS, choice.split, strict=True)), "seed": project.seed}
    with_links = choice.with_images == "link"
    return Heading(project.name, project.task_type, categories(project, filters), info, with_links=with_links)
