"""The end of an upload: when every byte is here, its files become sources, once however often it is asked."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from django.db import transaction
from django.utils import timezone

from labeling import importing, jobs
from labeling.importing import ImportRefused, is_archive, numbered, safe_name
from labeling.listing import Found
from labeling.models import DataSource, Job, Upload, UploadFile, User
from labeling.uploading import (
    HIDDEN,
    LEFT_OUT,
    State,
    folder_of,
    missing,
    place_of,
    progress,
    refuse_closed,
)

FINISH, FINISH_DATA_SET = "finish_upload", "finish_data_set"
NOT_WHOLE = "{count:,} of the files that arrived are not what was sent. Choose them again to send them anew."


class NotWhole(Exception):
    """Why an upload cannot be completed yet, in a sentence for people."""


def complete(upload: Upload, by: User, *, leave_out: bool = False) -> None:
    """Have an upload become an import or a data set, by a job. Once is enough; a repeat changes nothing.

    With `leave_out`, files of which bytes are missing are left out. Raises NotWhole, NotOpen.
    """
    with transaction.atomic():
        locked = Upload.objects.select_for_update(no_key=True).get(pk=upload.pk)
        if locked.state in (State.FINISHING, State.COMPLETE):
            return
        refuse_closed(locked)
        if leave_out:
            missing(upload).update(reason=LEFT_OUT)
        refuse_missing(locked)
        Upload.objects.filter(pk=upload.pk).update(state=State.FINISHING, error="")
        kind = FINISH if upload.project_id else FINISH_DATA_SET
        jobs.enqueue(kind, upload.project, {"upload": upload.pk}, created_by=by)


def refuse_missing(upload: Upload) -> None:
    facts = progress(upload)
    if facts.files_missing:
        raise NotWhole(
            f"{facts.files_missing:,} of the {facts.files:,} files are not here yet, or not whole."
        )
    if not facts.files:
        raise NotWhole("This upload has no file that can be taken.")


def reopen(job: Job) -> None:
    """Let people try again where an upload did not become an import."""
    if job.state in (Job.State.FAILED, Job.State.CANCELLED):
        rows = Upload.objects.filter(pk=job.payload["upload"], state=State.FINISHING)
        rows.update(state=State.OPEN, error=job.error[:300])


@jobs.handler(FINISH, cluster="quick", priority=-1, ended=reopen)
def finish(job: jobs.RunningJob) -> dict[str, Any]:
    """Check that files are whole, give them their names, and make sources of them."""
    upload = Upload.objects.select_related("project", "created_by").get(pk=job.payload["upload"])
    if upload.state != State.FINISHING:
        if upload.state == State.COMPLETE:  # it was killed just before its end
            clear_parts(upload)
        return {"upload": upload.pk}
    rows, names = gather(upload, job)
    sources = make_sources(upload, rows, names)
    clear_parts(upload)
    return {"upload": upload.pk, "imports": [each.pk for each in sources]}


def gather(upload: Upload, job: jobs.RunningJob) -> tuple[list[UploadFile], dict[int, str]]:
    """Give the files of an upload their names, once they are found whole; returns all rows and these names.

    Killed anywhere, it goes on: names follow from the rows, and a file that has its name already keeps it.
    """
    rows = list(UploadFile.objects.filter(upload=upload).order_by("id"))
    names = dict(names_of([each for each in rows if not each.reason]))
    places = {each: folder_of(upload) / names[each.pk] for each in rows if not each.reason}
    damaged = []
    for number, (row, target) in enumerate(places.items()):
        if not is_whole(row, place_of(upload, row.pk), target):
            damaged.append(row.pk)
        job.progress(number + 1, 2 * len(places), "Checking files…")
    if damaged:
        UploadFile.objects.filter(pk__in=damaged).update(received=0)
        raise jobs.JobFailed(NOT_WHOLE.format(count=len(damaged)))
    for number, (row, target) in enumerate(places.items()):
        name_file(place_of(upload, row.pk), target)
        job.progress(len(places) + number + 1)
    return rows, names


def clear_parts(upload: Upload) -> None:
    """Forget the numbers under which files came, once they have names."""
    shutil.rmtree(folder_of(upload) / "parts", ignore_errors=True)


def is_whole(row: UploadFile, place: Path, target: Path) -> bool:
    """Tell whether a file on the disk is what was sent, as far as its sender told."""
    if not row.size and not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    found = place if place.exists() else target
    if not found.exists() or found.stat().st_size != row.size:
        return False
    if not row.sha256:
        return True
    with found.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == row.sha256


def name_file(place: Path, target: Path) -> None:
    """Give a file its name. It keeps the number that it had, as far as file systems let it have both."""
    if not place.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(place)
    except OSError:
        place.replace(target)


def names_of(rows: list[UploadFile]) -> Iterator[tuple[int, str]]:
    """Yield the name under which each file will lie below the folder of its upload: archives apart."""
    singles, archives = Names(), Names()
    for row in rows:
        name = safe_name(row.path)
        if is_archive(name):
            yield row.pk, f"archives/{archives.free(name.rsplit('/', 1)[-1])}"
        else:
            yield row.pk, f"files/{singles.free(name)}"


class Names:
    """Names that were given: none twice, and none of a file where another one has a folder."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.folders: set[str] = set()
        self.tries: dict[str, int] = {}  # of a file's name, else thousands of one name would take ages

    def free(self, name: str) -> str:
        *folders, last = PurePosixPath(name).parts
        place = ""
        for each in folders:
            place = numbered(place + each, lambda path: path in self.files, {})
            self.folders.add(place)
            place += "/"
        is_taken = lambda path: path in self.files or path in self.folders  # noqa: E731
        found = numbered(place + last, is_taken, self.tries)
        self.files.add(found)
        return found


def make_sources(upload: Upload, rows: list[UploadFile], names: dict[int, str]) -> list[DataSource]:
    """Make a source of each archive, and one of all other files; what is not taken is told there."""
    options: dict[str, Any] = {"every_page": upload.every_page, "upload": upload}
    project, folder, by = upload.project, folder_of(upload), upload.created_by
    assert project is not None
    sources: list[DataSource] = []
    singles: list[Found] = []
    with transaction.atomic():
        locked = Upload.objects.select_for_update(no_key=True).get(pk=upload.pk)
        if locked.state != State.FINISHING:
            return []
        for row in rows:
            name = names.get(row.pk, "")
            if row.reason == HIDDEN:
                continue
            if row.reason:
                singles.append(Found(row.path, row.size, problem=row.reason))
            elif name.startswith("archives/"):
                try:
                    with transaction.atomic():
                        sources.append(
                            importing.add_archive(
                                project, folder / name, PurePosixPath(name).name, by, **options
                            )
                        )
                except ImportRefused as error:
                    (folder / name).unlink()
                    singles.append(Found(row.path, row.size, problem=str(error)))
            else:
                singles.append(Found(name.removeprefix("files/"), row.size))
        if singles:
            kind, place = DataSource.Kind.UPLOAD, folder / "files"
            sources.append(
                importing.register(project, kind, place, title_of(singles), singles, by, **options)
            )
        wanted = [each for each in rows if not each.reason]
        Upload.objects.filter(pk=upload.pk).update(
            state=State.COMPLETE,
            completed_at=timezone.now(),
            files=len(wanted),
            size_bytes=sum(each.size for each in wanted),
        )
        UploadFile.objects.filter(upload=upload).delete()
    return sources


def title_of(files: list[Found]) -> str:
    """Return the folder that all files lie in, as people know it, else what they are."""
    tops = {each.path.partition("/")[0] for each in files if "/" in each.path}
    is_one = len(tops) == 1 and all("/" in each.path for each in files)
    return tops.pop() if is_one else "Browser upload"
