"""Data sets: images that are sent once, and that any number of projects may import.

One is an upload for no project (`uploading.py`). It is of use when it is complete: every byte is here,
archives can be read and those that were packed are unpacked.
"""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from labeling import completing, importing, jobs, listing, tarballs, unpacking, uploading
from labeling.importing import ImportRefused
from labeling.listing import Found
from labeling.models import DataSource, Project, Upload, UploadFile, User
from labeling.uploading import State, folder_of

NOT_COMPLETE = "The data set “{name}” is not complete yet, and can be used once it is."
NO_IMAGES = "There is no image file in what was sent."
IN_USE = "It is kept, since projects have its images: {count}."


class InUse(Exception):
    """Why a data set cannot be deleted, in a sentence for people."""


@jobs.handler(completing.FINISH_DATA_SET, cluster="long", priority=-1, ended=completing.reopen)
def finish(job: jobs.RunningJob) -> dict[str, Any]:
    """Make a data set of an upload: check and name its files, unpack archives, count the images."""
    data_set = Upload.objects.get(pk=job.payload["upload"])
    if data_set.state != State.FINISHING:
        return {"upload": data_set.pk}
    rows, _ = completing.gather(data_set, job)
    packed = [each for each in archives_of(data_set) if tarballs.compression(each)]
    try:
        for each in packed:
            tarballs.unpack(each, plain_of(each), partial(tell, job, each.stat().st_size))
        images = sum(is_image(kind, each) for kind, _, found in contents(data_set) for each in found)
    except (tarballs.NoTar, ImportRefused) as error:
        raise jobs.JobFailed(str(error)) from None
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
    for each in packed:
        each.unlink(missing_ok=True)
    completing.clear_parts(data_set)
    return {"upload": data_set.pk, "images": images}


def tell(job: jobs.RunningJob, size: int, done: int) -> None:
    job.progress(done, size, "Unpacking…")


def plain_of(packed: Path) -> Path:
    return packed.with_name(f"{packed.name}.tar")


def archives_of(data_set: Upload) -> list[Path]:
    return sorted(each for each in (folder_of(data_set) / "archives").glob("*") if each.is_file())


def contents(data_set: Upload) -> Iterator[tuple[str, Path, Iterator[Found] | list[Found]]]:
    """Yield (kind, place, what is listed there) of each archive, and of all single files.

    Raises ImportRefused and tarballs.NoTar for archives that cannot be read.
    """
    for each in archives_of(data_set):
        if not each.name.lower().endswith(importing.TARS):
            yield DataSource.Kind.ZIP, each, importing.entries_of(each, each.name)
        elif not tarballs.compression(each):
            yield DataSource.Kind.TAR, each, unpacking.files_of(each)
    files = folder_of(data_set) / "files"
    if files.exists():
        yield DataSource.Kind.UPLOAD, files, listing.walk(files)


def is_image(kind: str, found: Found) -> bool:
    return not found.problem and listing.refusal(kind, found.path, found.size) is None


def use(data_set: Upload, project: Project, by: User, *, every_page: bool = False) -> list[DataSource]:
    """Import a data set into a project: its files stay where they are. Raises ImportRefused."""
    with transaction.atomic():
        locked = Upload.objects.select_for_update(no_key=True).get(pk=data_set.pk)
        if locked.state != State.COMPLETE:
            raise ImportRefused(NOT_COMPLETE.format(name=locked.name))
        if project.sources.filter(upload=locked).exists():
            raise ImportRefused(f"The images of “{locked.name}” are in this project already.")
        options: dict[str, Any] = {"every_page": every_page, "upload": locked}
        return [
            importing.register(project, kind, place, titled(locked, kind, place), found, by, **options)
            for kind, place, found in contents(locked)
        ]


def titled(data_set: Upload, kind: str, place: Path) -> str:
    """Return what an import from a data set is called: by its archive where there are several."""
    is_alone = kind == DataSource.Kind.UPLOAD or len(archives_of(data_set)) == 1
    return data_set.name if is_alone else f"{data_set.name}: {place.name}"


def with_uses(found: QuerySet[Upload]) -> QuerySet[Upload]:
    """Return data sets, each with the number of `projects` that have its images."""
    living = Q(sources__project__deleted_at=None)
    return found.annotate(projects=Count("sources__project", filter=living, distinct=True))


def delete(data_set: Upload) -> None:
    """Delete a data set with its files. Raises InUse while a project has its images, NotOpen."""
    if data_set.state != State.COMPLETE:
        uploading.cancel(data_set)
        return
    with transaction.atomic():
        locked = Upload.objects.select_for_update().get(pk=data_set.pk)
        count = locked.sources.filter(project__deleted_at=None).values("project").distinct().count()
        if count:
            raise InUse(IN_USE.format(count=count))
        locked.delete()
    shutil.rmtree(folder_of(data_set), ignore_errors=True)
