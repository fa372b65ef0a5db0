"""Data sets: images that are sent once, and that any number of projects may import.

One is an upload for no project (`uploading.py`). It is of use when it is complete: every byte is here,
archives can be read and those that were packed are unpacked.
"""

import shutil
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from labeling import completing, importing, jobs, listing, tarballs, unpacking, uploading
from labeling.importing import ImportRefused
from labeling.listing import Found
from labeling.models import DataSource, Item, Project, Upload, UploadFile, User
from labeling.uploading import State, folder_of, place_of

NOT_COMPLETE = "The data set “{name}” is not complete yet, and can be used once it is."
DAMAGED = "{name} was taken out: {error} Send it again, or complete the data set without it."
NO_IMAGES = "There is no image file in what was sent."
IN_USE = "It is kept, since projects have its images: {count}."


class InUse(Exception):
    """Why a data set cannot be deleted, in a sentence for people."""


@jobs.handler(completing.FINISH_DATA_SET, cluster="long", priority=-1, ended=completing.reopen)
def finish(job: jobs.RunningJob) -> dict[str, Any]:
    """Make a data set of an upload: check and name its files, unpack archives, count the images."""
    data_set = Upload.objects.get(pk=job.payload["upload"])
    if data_set.state != State.FINISHING:
        if data_set.state == State.COMPLETE:  # it was killed just before its end
            clear(data_set)
        return {"upload": data_set.pk}
    rows, names = completing.gather(data_set, job)
    images = 0
    for row in rows:
        if names.get(row.pk, "").startswith("archives/"):
            images += count_in_archive(data_set, row, folder_of(data_set) / names[row.pk], job)
    images += sum(is_image(DataSource.Kind.UPLOAD, each) for each in files_of(data_set))
    if not images:
        raise jobs.JobFailed(NO_IMAGES)
    with transaction.atomic():
        UploadFile.objects.filter(upload=data_set).delete()
        Upload.objects.filter(pk=data_set.pk, state=State.FINISHING).update(
            state=State.COMPLETE,
            completed_at=timezone.now(),
            files=images,
            size_bytes=sum(each.size for each in rows if not each.reason),
        )
    clear(data_set)
    return {"upload": data_set.pk, "images": images}


def count_in_archive(data_set: Upload, row: UploadFile, place: Path, job: jobs.RunningJob) -> int:
    """Count the images of an archive, unpacking one that is packed; one that is damaged is taken out.

    Raises JobFailed.
    """
    plain = unpacking.beside(place)
    try:
        is_packed = place.name.lower().endswith(importing.TARS) and bool(tarballs.compression(place))
        if is_packed:
            tarballs.unpack(place, plain, partial(tell, job, place.stat().st_size))
        kind, found = archive_of(plain if is_packed else place)
        return sum(is_image(kind, each) for each in found)
    except (tarballs.NoTar, ImportRefused) as error:
        plain.unlink(missing_ok=True)
        place.unlink(missing_ok=True)
        place_of(data_set, row.pk).unlink(missing_ok=True)
        row.delete()
        raise jobs.JobFailed(DAMAGED.format(name=row.path, error=error)) from None


def clear(data_set: Upload) -> None:
    """Delete what a complete data set needs no more: packed archives, and files under their numbers."""
    for each in (folder_of(data_set) / "unpacked").glob("*.tar"):
        (folder_of(data_set) / "archives" / each.name.removesuffix(".tar")).unlink(missing_ok=True)
    completing.clear_parts(data_set)


def tell(job: jobs.RunningJob, size: int, done: int) -> None:
    job.progress(done, size, "Unpacking…")


def archives_of(data_set: Upload) -> list[Path]:
    """Return the archives of a complete data set, plain ones all."""
    folder = folder_of(data_set)
    return sorted([*(folder / "archives").glob("*"), *(folder / "unpacked").glob("*")])


def archive_of(place: Path) -> tuple[str, Iterable[Found]]:
    """Return the kind of an archive and what it lists. Raises ImportRefused and tarballs.NoTar."""
    if place.name.lower().endswith(importing.TARS):
        return DataSource.Kind.TAR, unpacking.files_of(place)
    return DataSource.Kind.ZIP, importing.entries_of(place, place.name)


def files_of(data_set: Upload) -> Iterable[Found]:
    """List the single files of a data set."""
    files = folder_of(data_set) / "files"
    return listing.walk(files) if files.exists() else ()


def contents(data_set: Upload) -> Iterator[tuple[str, Path, Iterable[Found]]]:
    """Yield (kind, place, what is listed there) of each archive, and of all single files."""
    for each in archives_of(data_set):
        kind, found = archive_of(each)
        yield kind, each, found
    if files := files_of(data_set):
        yield DataSource.Kind.UPLOAD, folder_of(data_set) / "files", files


def is_image(kind: str, found: Found) -> bool:
    return not found.problem and listing.refusal(kind, found.path, found.size) is None


def use(data_set: Upload, project: Project, by: User, *, every_page: bool = False) -> list[DataSource]:
    """Import a data set into a project: its files stay where they are. Raises ImportRefused."""
    with transaction.atomic():
        locked = Upload.objects.select_for_update(no_key=True).filter(pk=data_set.pk).first()
        if locked is None or locked.state != State.COMPLETE:
            raise ImportRefused(NOT_COMPLETE.format(name=data_set.name))
        if in_use(project.sources.filter(upload=locked)).exists():
            raise ImportRefused(f"The images of “{locked.name}” are in this project already.")
        made, nothing = [], None
        for kind, place, found in contents(locked):
            name = titled(locked, kind, place)
            try:
                made.append(
                    importing.register(
                        project, kind, place, name, found, by, every_page=every_page, upload=locked
                    )
                )
            except ImportRefused as error:  # an archive may hold no image
                nothing = error
        if not made and nothing is not None:
            raise nothing
        return made


def titled(data_set: Upload, kind: str, place: Path) -> str:
    """Return what an import from a data set is called: by its archive where there are several."""
    if kind == DataSource.Kind.UPLOAD or len(archives_of(data_set)) == 1:
        return data_set.name
    name = place.name.removesuffix(".tar") if place.parent.name == "unpacked" else place.name
    return f"{data_set.name}: {name}"


def with_uses(found: QuerySet[Upload]) -> QuerySet[Upload]:
    """Return data sets, each with the number of `projects` that have its images."""
    mine = in_use(DataSource.objects.filter(upload=OuterRef("pk"), project__deleted_at=None))
    counted = mine.order_by().values("upload").annotate(count=Count("project", distinct=True)).values("count")
    return found.annotate(projects=Coalesce(Subquery(counted), 0))


def in_use(sources: QuerySet[DataSource]) -> QuerySet[DataSource]:
    """Narrow sources to those of which a project still has images: an import may have been taken back."""
    return sources.filter(
        Exists(Item.objects.filter(source=OuterRef("pk")).exclude(state=Item.State.REMOVED))
    )


def projects_with(data_set: Upload) -> int:
    """Count the projects that have images of a data set."""
    mine = in_use(data_set.sources.filter(project__deleted_at=None))
    return mine.values("project").distinct().count()


def delete(data_set: Upload) -> None:
    """Delete a data set with its files. Raises InUse while a project has its images, NotOpen."""
    if data_set.state != State.COMPLETE:
        uploading.cancel(data_set)
        return
    with transaction.atomic():
        locked = Upload.objects.select_for_update().filter(pk=data_set.pk).first()
        if locked is None:
            return  # somebody else was faster
        if count := projects_with(locked):
            raise InUse(IN_USE.format(count=count))
        locked.delete()
    shutil.rmtree(folder_of(data_set), ignore_errors=True)
