"""Files that come in parts, over however many requests, reloads and broken connections.

A sender begins an upload, names its files, sends their bytes in order, and completes it (`completing.py`).
How much of a file is here is a number in its row, written only after those bytes are safe on disk. So
whatever breaks, sending goes on at that number, and what was half written behind it is written over.
"""

import contextlib
import errno
import hashlib
import os
import shutil
import uuid
import zlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Count, F, Q, QuerySet, Sum
from django.utils import timezone

from labeling import jobs, listing
from labeling.importing import ImportRefused, is_archive, safe_name
from labeling.models import DataSource, Project, Upload, UploadFile, User

MOST_FILES = 500_000  # of one upload
MOST_NAMES = 1_000  # in one request
MOST_PATH = 4_000  # characters
SPARE = 256 << 20  # bytes of the disk that stay free, for the database above all
KEPT_FOR = timedelta(days=7)
TOUCHED_EVERY = timedelta(minutes=1)
IN_A_FOLDER = 1_000
SYNCS = 16
SAMPLE = 50  # files by which an upload is recognised

State = Upload.State

ARRIVED_WRONG = "Some bytes were changed on the way. They are to be sent again."
LEFT_OUT = "It was left out before all of it had arrived."
HIDDEN = "Hidden files are left out."
ANOTHER = "It is not among the files of this upload. Send it after this one."
NOT_THERE = "There is no such file in this upload any more."
NOT_NEXT = "Bytes before these are missing, or these go beyond the file's end."
DISK_FULL = (
    "The server's disk is full. What has arrived is kept, and sending can go on once there is room: what is"
    " missing is {missing}."
)


class NotOpen(Exception):
    """Why nothing more can be sent, in a sentence for people."""


class DiskFull(Exception):
    """The disk has no room; a sentence for people."""


class Named(NamedTuple):
    """A file as its sender tells of it."""

    path: str
    size: int
    modified: int | None = None
    sha256: str = ""


class Chunk(NamedTuple):
    """Bytes of a file, where they belong, and their CRC-32."""

    file: int
    offset: int
    data: bytes
    crc32: int


class Taken(NamedTuple):
    """How much of a file is here after a chunk was looked at; `problem` says why it was not taken."""

    file: int
    received: int
    problem: str = ""


class Progress(NamedTuple):
    """What of an upload is here. Files that are not taken do not count."""

    files: int
    files_here: int
    size: int
    received: int
    refused: int

    @property
    def is_whole(self) -> bool:
        return self.files_here == self.files

    @property
    def files_missing(self) -> int:
        return self.files - self.files_here


def root() -> Path:
    return Path(settings.MEDIA_ROOT, "uploads").resolve()


def folder_of(upload: Upload) -> Path:
    return root() / upload.folder


def place_of(upload: Upload, file: int) -> Path:
    """Return where a file's bytes are gathered: under a number, since names are decided at the end."""
    return folder_of(upload) / "parts" / f"{file // IN_A_FOLDER}" / str(file)


# Beginning


def begin(
    project: Project, by: User, *, every_page: bool = False, sample: Sequence[Named] = ()
) -> tuple[Upload, bool]:
    """Return an upload to send files to, and whether it was begun before.

    That is so where somebody has an open upload with at least half of a sample of files: after a reload the
    same files are chosen again, and only what is missing is sent.
    """
    known = begun_before(project, by, sample)
    if known is not None:
        return known, True
    made = Upload.objects.create(
        project=project, created_by=by, every_page=every_page, folder=uuid.uuid4().hex
    )
    return made, False


def begin_data_set(by: User, name: str, *, sample: Sequence[Named] = ()) -> tuple[Upload, bool]:
    """Return a data set to send files to, and whether it was begun before, as `begin` does for a project.

    Raises ImportRefused for a name that somebody's data sets have already.
    """
    name = " ".join(name.split())
    if not name:
        raise ImportRefused("A data set needs a name.")
    known = begun_before(None, by, sample)
    if known is not None:
        return known, True
    try:
        with transaction.atomic():
            return Upload.objects.create(created_by=by, name=name[:120], folder=uuid.uuid4().hex), False
    except IntegrityError as error:
        raise ImportRefused(
            f"You have a data set called “{name[:120]}” already. Give this one another name."
        ) from error


def begun_before(project: Project | None, by: User, sample: Sequence[Named]) -> Upload | None:
    if not sample:
        return None
    keys = {key_of(each.path, each.size) for each in sample[:SAMPLE]}
    mine = Upload.objects.filter(project=project, created_by=by, state=State.OPEN)
    known = mine.annotate(known=Count("parts", filter=Q(parts__key__in=keys)))
    return known.filter(known__gte=(len(keys) + 1) // 2).order_by("-known", "-id").first()


def key_of(path: str, size: int) -> str:
    return hashlib.sha256(f"{size}:{listing.readable(path)}".encode()).hexdigest()


def name_files(upload: Upload, named: Sequence[Named], *, known_only: bool = False) -> list[UploadFile]:
    """Note which files will come; returns their rows in the same order, with what is here of each.

    A file that was named before keeps what is here of it, unless it was changed since. With `known_only`,
    no others are taken. Raises NotOpen, and ImportRefused for more files than an upload has.
    """
    given = {key_of(each.path, each.size): each for each in named}
    with transaction.atomic():
        locked_open(upload)
        known = {
            each.key: each
            for each in UploadFile.objects.select_for_update()
            .filter(upload=upload, key__in=given)
            .order_by("id")
        }
        changed = [each.pk for key, each in known.items() if is_another(each, given[key])]
        UploadFile.objects.filter(pk__in=changed).delete()
        for pk in changed:
            place_of(upload, pk).unlink(missing_ok=True)
        fresh = [
            made(upload, key, each)
            for key, each in given.items()
            if (key not in known and not known_only) or (key in known and known[key].pk in changed)
        ]
        if UploadFile.objects.filter(upload=upload).count() + len(fresh) > MOST_FILES:
            raise ImportRefused(f"One upload has at most {MOST_FILES:,} files. Send the others after it.")
        known |= {each.key: each for each in UploadFile.objects.bulk_create(fresh)}
        touch(upload)
    others = {
        key: UploadFile(path=each.path, reason=ANOTHER) for key, each in given.items() if key not in known
    }
    return [(known | others)[key_of(each.path, each.size)] for each in named]


def is_another(row: UploadFile, named: Named) -> bool:
    """Tell whether a file was changed since it was named first, as far as its sender tells, or given up."""
    return (
        row.reason == LEFT_OUT
        or (None not in (row.modified, named.modified) and row.modified != named.modified)
        or (bool(row.sha256 and named.sha256) and row.sha256 != named.sha256)
    )


def made(upload: Upload, key: str, named: Named) -> UploadFile:
    return UploadFile(
        upload=upload,
        key=key,
        path=listing.readable(named.path).replace("\0", ""),
        size=named.size,
        modified=named.modified,
        sha256=named.sha256.lower(),
        reason=refusal(named.path, named.size),
    )


def refusal(path: str, size: int) -> str:
    """Return why a file need not be sent, "" where it is wanted."""
    name = safe_name(path)
    if is_archive(name):
        return "" if size else "The file is empty."
    said = listing.refusal(DataSource.Kind.UPLOAD, name, size)
    return HIDDEN if said == "" else said or ""


def locked_open(upload: Upload) -> Upload:
    """Return an upload that stays open for as long as this transaction. Raises NotOpen."""
    locked = Upload.objects.select_for_update(no_key=True).get(pk=upload.pk)
    refuse_closed(locked)
    return locked


def refuse_closed(upload: Upload) -> None:
    if upload.state == State.CANCELLED:
        raise NotOpen("This upload was cancelled. Begin another one.")
    if upload.state != State.OPEN:
        raise NotOpen("This upload is complete. Begin another one for more files.")


def touch(upload: Upload) -> None:
    """Note that something came, once a minute at the most: all that send at once would wait for the row."""
    now = timezone.now()
    Upload.objects.filter(pk=upload.pk, touched_at__lt=now - TOUCHED_EVERY).update(touched_at=now)


# Bytes


def take(upload: Upload, chunks: Sequence[Chunk]) -> list[Taken]:
    """Write chunks that continue what is here of their files; tells how much is, in the same order.

    A chunk that is here already is passed over, one with another checksum is not taken. Raises NotOpen and
    DiskFull.
    """
    with transaction.atomic():
        refuse_closed(Upload.objects.get(pk=upload.pk))
        rows = {
            each.pk: each
            for each in UploadFile.objects.select_for_update(no_key=True)
            .filter(upload=upload, pk__in={each.file for each in chunks}, reason="")
            .order_by("id")
        }
        before = {pk: each.received for pk, each in rows.items()}
        try:
            refuse_without_room(upload, chunks)
            taken = [take_one(upload, rows.get(each.file), each) for each in chunks]
            grown = [row for pk, row in rows.items() if row.received > before[pk]]
            settle(upload, grown)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise DiskFull(disk_full(upload)) from error
        note(grown)
    touch(upload)
    return taken


def note(rows: Sequence[UploadFile]) -> None:
    """Write how much of files is here: by hundreds, which Django's own way takes ten times as long for."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE labeling_uploadfile f SET received = n.received"
            " FROM unnest(%s::bigint[], %s::bigint[]) n (id, received) WHERE f.id = n.id",
            [[each.pk for each in rows], [each.received for each in rows]],
        )


def refuse_without_room(upload: Upload, chunks: Sequence[Chunk]) -> None:
    folder = folder_of(upload)
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(folder).free < SPARE + sum(len(each.data) for each in chunks):
        raise OSError(errno.ENOSPC, "the rest of the disk is spared")


def take_one(upload: Upload, row: UploadFile | None, chunk: Chunk) -> Taken:
    if row is None:
        return Taken(chunk.file, 0, NOT_THERE)
    end = chunk.offset + len(chunk.data)
    if end <= row.received:
        return Taken(row.pk, row.received)
    if chunk.offset != row.received or end > row.size:
        return Taken(row.pk, row.received, NOT_NEXT)
    if zlib.crc32(chunk.data) != chunk.crc32:
        return Taken(row.pk, row.received, ARRIVED_WRONG)
    place = place_of(upload, row.pk)
    if chunk.offset == 0:
        place.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(place, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        write(file, chunk.data, chunk.offset)
    finally:
        os.close(file)
    row.received = end
    return Taken(row.pk, row.received)


def write(file: int, data: bytes, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        count = os.pwrite(file, rest, offset)
        rest, offset = rest[count:], offset + count


def settle(upload: Upload, files: Iterable[UploadFile]) -> None:
    """Wait until files are on the disk itself, with the folders that name them.

    Many are waited for at once: a disk's journal takes them together, which is ten times as fast.
    """
    places = [place_of(upload, each.pk) for each in files]
    if len(places) == 1:
        sync(places[0])
    elif places:
        with ThreadPoolExecutor(min(len(places), SYNCS)) as threads:
            list(threads.map(sync, places))
    for folder in {each.parent for each in places}:
        sync(folder)


def sync(place: Path) -> None:
    file = os.open(place, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def disk_full(upload: Upload) -> str:
    facts = progress(upload)
    return DISK_FULL.format(missing=f"{(facts.size - facts.received) / 1e6:,.0f} MB")


# What is here, and leaving


def missing(upload: Upload) -> QuerySet[UploadFile]:
    """Return the files of which bytes are still to come."""
    return UploadFile.objects.filter(upload=upload, received__lt=F("size"), reason="")


def progress(upload: Upload) -> Progress:
    if upload.state == State.COMPLETE:
        return Progress(upload.files, upload.files, upload.size_bytes, upload.size_bytes, 0)
    wanted = Q(reason="")
    facts = UploadFile.objects.filter(upload=upload).aggregate(
        files=Count("id", filter=wanted),
        files_here=Count("id", filter=wanted & Q(received=F("size"))),
        size=Sum("size", filter=wanted, default=0),
        received=Sum("received", filter=wanted, default=0),
        refused=Count("id", filter=~wanted),
    )
    return Progress(**facts)


def unfinished(project: Project) -> QuerySet[Upload]:
    rows = Upload.objects.filter(project=project, state__in=(State.OPEN, State.FINISHING))
    return rows.select_related("created_by").order_by("-id")


def cancel(upload: Upload) -> None:
    """Forget an upload with all that is here of it. Raises NotOpen where it is an import already."""
    with transaction.atomic():
        locked = Upload.objects.select_for_update(no_key=True).get(pk=upload.pk)
        if locked.state != State.CANCELLED:
            refuse_closed(locked)
            Upload.objects.filter(pk=upload.pk).update(state=State.CANCELLED)
    clear(upload)


def clear(upload: Upload) -> None:
    """Delete the files of a cancelled upload. What is being written just now holds its row until then."""
    with transaction.atomic():
        rows = UploadFile.objects.filter(upload=upload)
        list(rows.select_for_update().order_by("id").values_list("id"))
        shutil.rmtree(folder_of(upload), ignore_errors=True)
        rows.delete()


@jobs.periodic(3_600)
def forget_abandoned() -> None:
    """Cancel what nobody has gone on with for days, and clear what a crash has left of cancelled ones."""
    for upload in Upload.objects.filter(state=State.OPEN, touched_at__lt=timezone.now() - KEPT_FOR):
        with contextlib.suppress(NotOpen):
            cancel(upload)
    for upload in Upload.objects.filter(state=State.CANCELLED, parts__isnull=False).distinct():
        clear(upload)
