"""Import: rows first, then jobs that read the images. Damaged files become broken items."""

import logging
import os
import random
import shutil
import uuid
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import connection, transaction
from django.db.models import Count, Q
from django.utils import timezone

from labeling import announcing, images, jobs, validation
from labeling.models import DataSource, Event, Item, Job, Project, User

PART = 20_000  # items read by one job
CHUNK = 200  # items settled in one transaction
READERS = 2
LONGEST_PATH = 2_000  # characters, as wide as the columns
LONGEST_PART = 200  # bytes, which leaves file systems room for a number and the mark of a partial file

log = logging.getLogger(__name__)


class ImportRefused(Exception):
    """Why nothing was imported, in a sentence for people."""


def add_path(project: Project, path: str | Path, by: User | None) -> DataSource:
    """Import a folder or a ZIP archive of the server. Raises ImportRefused."""
    given = locate(path)
    if given.is_file():
        return add_zip(project, given, given.name, by)
    return add_folder(project, given, by)


def locate(path: str | Path) -> Path:
    """Return the true place of a path of the server. Raises ImportRefused."""
    try:
        place = Path(path).expanduser().resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:  # also: no such user, too long, a NUL
        raise ImportRefused(
            f"There is no file or folder {readable(str(path)[:200])} on this server."
        ) from error
    if len(str(place)) > LONGEST_PATH or str(place) != readable(str(place)):
        raise ImportRefused("The path is longer than 2,000 characters or not UTF-8.")
    return place


def readable(name: str) -> str:
    """Return a name with a ? for each byte that is not UTF-8."""
    return name.encode(errors="replace").decode()


def add_folder(project: Project, path: str | Path, by: User | None) -> DataSource:
    """Import the images below a folder of the server, which stay where they are. Raises ImportRefused."""
    folder = locate(path)
    if not folder.is_dir():
        raise ImportRefused(f"There is no folder {folder} on this server.")
    return register(project, DataSource.Kind.FOLDER, folder, folder.name, walk(folder), by)


def add_zip(project: Project, path: str | Path, name: str, by: User | None) -> DataSource:
    """Import the images of a ZIP archive, read in place. Raises ImportRefused."""
    archive = locate(path)
    try:
        with zipfile.ZipFile(archive) as opened:
            names = [(each.filename, each.file_size) for each in opened.infolist() if not each.is_dir()]
    except Exception as error:  # hostile bytes: zipfile promises no list of what it raises
        raise ImportRefused(f"{name} is not a complete ZIP archive.") from error
    return register(project, DataSource.Kind.ZIP, archive, name, names, by)


def add_uploads(
    project: Project, files: Sequence[UploadedFile], by: User | None, paths: Sequence[str] = ()
) -> list[DataSource]:
    """Keep uploaded files and import them: archives one source each, single images together.

    `paths` has the folders that browsers leave out of a file's name, one path for each file.
    Imports all or nothing. Raises ImportRefused.
    """
    folder = settings.MEDIA_ROOT / "uploads" / uuid.uuid4().hex
    archives: list[str] = []
    singles: list[tuple[str, int]] = []
    for number, file in enumerate(files):
        name = safe_name(paths[number] if len(paths) == len(files) else file.name or "file")
        if name.lower().endswith(".zip"):
            name = free_name(folder / "archives", name)
            save_upload(file, folder / "archives" / name)
            archives.append(name)
        else:
            name = free_name(folder, name)
            if refusal(name, file.size or 0) is None:
                save_upload(file, folder / name)
            singles.append((name, file.size or 0))
    try:
        with transaction.atomic():
            sources = [add_zip(project, folder / "archives" / name, name, by) for name in archives]
            if singles:
                sources.append(
                    register(project, DataSource.Kind.UPLOAD, folder, "Browser upload", singles, by)
                )
    except ImportRefused:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return sources


def safe_name(name: str) -> str:
    """Keep the folders of an uploaded file's name, drop what could leave the upload's own folder."""
    name = readable(name).replace("\0", "").replace("\\", "/")
    parts = [part for part in name.split("/") if part not in ("", ".", "..")]
    return "/".join(shorten(part) for part in parts[-6:]) or "file"


def shorten(part: str) -> str:
    """Cut a name to what file systems take, which count bytes; the extension stays."""
    if len(part.encode()) <= LONGEST_PART:
        return part
    ending = PurePosixPath(part).suffix if len(PurePosixPath(part).suffix.encode()) <= 20 else ""
    room = LONGEST_PART - len(ending.encode())
    return part.encode()[:room].decode(errors="ignore") + ending


def free_name(folder: Path, name: str) -> str:
    """Return where a file can lie: under a name that nothing has, in folders that are no files."""
    *folders, last = PurePosixPath(name).parts
    place = PurePosixPath()
    for each in folders:
        place /= numbered(folder / place, each, Path.is_file)
    return str(place / numbered(folder / place, last, Path.exists))


def numbered(folder: Path, name: str, is_taken: Callable[[Path], bool]) -> str:
    path = PurePosixPath(name)
    tries = 1
    while is_taken(folder / name):
        tries += 1
        name = f"{path.stem} ({tries}){path.suffix}"
    return name


def save_upload(file: UploadedFile, target: Path) -> None:
    """Write an upload under its final name only when every byte is there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.part")
    with partial.open("wb") as out:
        shutil.copyfileobj(file, out, 1 << 20)
        out.flush()
        os.fsync(out.fileno())
    partial.rename(target)


def walk(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield path and size of each file below a folder, hidden ones left out."""
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(root, name)
            if not name.startswith(".") and path.is_file():
                yield path.relative_to(folder).as_posix(), path.stat().st_size


def register(
    project: Project,
    kind: str,
    location: Path,
    name: str,
    files: Iterable[tuple[str, int]],
    by: User | None,
) -> DataSource:
    """Write a row for each file by COPY, then queue their reading. Raises ImportRefused."""
    refused: list[dict[str, str]] = []
    wanted: dict[str, int] = {}
    for path, size in files:
        problem = refusal(path, size)
        if path in wanted:  # archives may do this; zipfile reads the last
            problem = "The archive has another file of this path further on, which is used."
        if problem:
            refused.append({"name": readable(path), "reason": problem})
        if problem is None or path in wanted:
            wanted[path] = size
    if not wanted and not refused:
        raise ImportRefused(f"There are no image files in {name}.")
    with transaction.atomic():
        source = DataSource.objects.create(
            project=project,
            kind=kind,
            location=str(location),
            name=name[:255],
            refused=refused[:1_000],
            created_by=by,
        )
        copy_rows(project, source, wanted.items())
        validation.settle_rate(project)
        Event.record("import", project, by, source=source.pk, files=len(wanted), refused=len(refused))
        for part in range(0, len(wanted), PART):
            low, high = part / len(wanted), min(1.0, (part + PART) / len(wanted))
            jobs.enqueue(
                "import",
                project,
                {"source": source.pk, "from": low, "to": high},
                key=f"import:{source.pk}:{part}",
                total=min(PART, len(wanted) - part),
                created_by=by,
            )
    return source


def refusal(path: str, size: int) -> str | None:
    """Return why a file becomes no item: a sentence, "" to pass over silently, None to import it."""
    parts, last = PurePosixPath(path).parts, PurePosixPath(path).name
    if any(part.startswith(".") or part == "__MACOSX" for part in parts) or last == "Thumbs.db":
        return ""
    if PurePosixPath(path).suffix.lower() not in images.EXTENSIONS:
        return "Not an image type that Loupe reads (JPEG, PNG, BMP, TIFF)."
    if path != readable(path):
        return "The name of the file or of its folder is not UTF-8. Rename it."
    if len(path) > LONGEST_PATH:
        return "The path is longer than 2,000 characters."
    try:
        images.refuse_size(size)
    except images.BrokenImage as error:
        return str(error)
    return None


def copy_rows(project: Project, source: DataSource, files: Iterable[tuple[str, int]]) -> None:
    """COPY items into the table; draws come from the project's seed, so that they can be repeated."""
    draws = random.Random(f"{project.seed}:{source.pk}")
    now = timezone.now()
    with connection.cursor() as cursor:
        statement = (
            "COPY labeling_item (project_id, source_id, path, state, reason, draw, sha256, size_bytes,"
            " format, created_at) FROM STDIN"
        )
        with cursor.copy(statement) as copy:
            for path, size in files:
                copy.write_row(
                    (project.pk, source.pk, path, "unlabeled", "", draws.random(), "", size, "", now)
                )


def announce_end(job: Job) -> None:
    """Tell whoever started an import, else the managers, once all of its parts have ended.

    Two parts may end at the same moment; the lock lets the second see the first.
    """
    source = DataSource.objects.select_for_update(no_key=True).get(pk=job.payload["source"])
    parts = Job.objects.filter(kind="import", payload__source=source.pk)
    if parts.filter(state__in=(Job.State.QUEUED, Job.State.RUNNING)).exists():
        return
    counts = summary(source)
    announcing.announce(
        "import_done",
        source.project,
        source.created_by,
        key=f"import:{source.pk}:{'failed' if counts['error'] else 'done'}",
        to={source.created_by.pk: 1} if source.created_by else None,
        source=source.pk,
        name=source.name,
        images=counts["read"] - counts["duplicates"],
        broken=counts["broken"],
        error=counts["error"],
    )


@jobs.handler("import", cluster="quick", ended=announce_end)
def read_part(job: jobs.RunningJob) -> dict[str, Any]:
    """Read a part of a source: size, hash, orientation, thumbnail.

    In order of draw, so that what is ready first is a fair sample. Settles a chunk at a time, so a
    restart goes on where it stopped.
    """
    source = DataSource.objects.select_related("project").get(pk=job.payload["source"])
    part = Item.objects.filter(source=source, draw__gte=job.payload["from"], draw__lt=job.payload["to"])
    total = part.count()
    broken = duplicates = 0
    with ThreadPoolExecutor(READERS) as pool:
        while chunk := list(part.filter(read_at=None).exclude(state="broken").order_by("draw")[:CHUNK]):
            for item in chunk:
                item.source = source
            found = list(pool.map(look, chunk))
            wrong, same = settle(source.project, chunk, found)
            broken, duplicates = broken + wrong, duplicates + same
            job.progress(total - part.filter(read_at=None).exclude(state="broken").count(), total)
    return {"source": source.pk, "broken": broken, "duplicates": duplicates}


def look(item: Item) -> images.ReadImage | str:
    """Read one image; returns the reason when it is broken."""
    try:
        return images.read(item)
    except images.BrokenImage as error:
        return str(error)
    except OSError:
        raise  # our own storage failed, which is not the image's fault: the job is tried again
    except Exception:
        log.exception("Item %s cannot be read.", item.pk)
        return "The image cannot be read."


def settle(project: Project, items: list[Item], found: list[images.ReadImage | str]) -> tuple[int, int]:
    """Write what reading found and open the queue for good items; returns counts of broken and duplicates."""
    now = timezone.now()
    with transaction.atomic(), connection.cursor() as cursor:
        # Two readers must not both take the same content for the first of its kind.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('labeling.settle'), %s)", [project.pk])
        hashes = [each.sha256 for each in found if not isinstance(each, str)]
        first: dict[str, int] = dict(
            Item.objects.filter(project=project, sha256__in=hashes, duplicate_of=None)
            .exclude(state="removed")
            .values_list("sha256", "id")
        )
        good: list[int] = []
        broken = duplicates = 0
        for item, each in zip(items, found, strict=True):
            if isinstance(each, str):
                item.state, item.reason = Item.State.BROKEN, each
                broken += 1
                continue
            item.sha256, item.size_bytes, item.format = each.sha256, each.size_bytes, each.format
            item.width, item.height, item.read_at = each.width, each.height, now
            original = first.setdefault(each.sha256, item.pk)
            if original != item.pk:
                item.state, item.duplicate_of_id = Item.State.REMOVED, original
                item.reason = "The same image is in the project already."
                duplicates += 1
            else:
                good.append(item.pk)
        Item.objects.bulk_update(
            items,
            [
                "state",
                "reason",
                "sha256",
                "size_bytes",
                "format",
                "width",
                "height",
                "read_at",
                "duplicate_of",
            ],
        )
        validation.add_entries(project, good)
    return broken, duplicates


def summary(source: DataSource) -> dict[str, Any]:
    """Count a source's rows: total, read, broken, duplicates, refused."""
    counts = source.items.aggregate(
        total=Count("id"),
        waiting=Count("id", filter=Q(read_at=None) & ~Q(state="broken")),
        broken=Count("id", filter=Q(state="broken")),
        duplicates=Count("id", filter=Q(duplicate_of__isnull=False)),
    )
    counts["read"] = counts["total"] - counts.pop("waiting")
    failed = Job.objects.filter(
        kind="import", project=source.project_id, state="failed", payload__source=source.pk
    )
    return {
        "id": source.pk,
        "name": source.name,
        "kind": source.kind,
        "created_at": source.created_at,
        **counts,
        "refused": len(source.refused),
        "error": failed.values_list("error", flat=True).first() or "",
    }


def problems(source: DataSource, limit: int = 200) -> list[dict[str, str]]:
    """List a source's files that gave no item, each with the reason."""
    rows = source.items.filter(Q(state="broken") | Q(duplicate_of__isnull=False)).order_by("path")
    bad = [{"name": path, "reason": reason} for path, reason in rows.values_list("path", "reason")[:limit]]
    return (source.refused + bad)[:limit]
