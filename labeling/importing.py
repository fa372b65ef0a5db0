"""Import: folders and archives of the server, and files that come with one request.

Rows come first; `reading.py` reads the images. What comes in several requests is in `uploading.py`.
"""

import os
import shutil
import uuid
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction

from labeling import addresses, registering, tarballs, unpacking
from labeling.listing import LONGEST_PATH, Found, readable, refusal, walk
from labeling.models import DataSource, Project, User
from labeling.refusals import Refused

TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
ARCHIVES = (".zip", *TARS)
LONGEST_PART = 200  # bytes, which leaves file systems room for a number and the mark of a partial file


class ImportRefused(Refused):
    """Why nothing was imported, in a sentence for people."""


def add_path(project: Project, path: str | Path, by: User | None, *, every_page: bool = False) -> DataSource:
    """Import an archive or a folder of the server, or what a pattern means there. Raises ImportRefused."""
    folder, pattern = addresses.apart(str(path))
    if pattern and not Path(path).exists():
        return add_folder(project, folder, by, every_page=every_page, pattern=pattern)
    given = locate(path)
    if given.is_file():
        return add_archive(project, given, given.name, by, every_page=every_page)
    return add_folder(project, given, by, every_page=every_page)


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


def add_folder(
    project: Project, path: str | Path, by: User | None, *, every_page: bool = False, pattern: str = ""
) -> DataSource:
    """Import the images below a folder of the server, which stay where they are. Raises ImportRefused.

    With a pattern such as `**/*.jpg`, those that it means.
    """
    folder = locate(path)
    if not folder.is_dir():
        raise ImportRefused(f"There is no folder {folder} on this server.")
    try:
        addresses.matches(pattern or "**", "")
    except addresses.AddressRefused as error:
        raise ImportRefused(str(error)) from None
    options: dict[str, Any] = {"every_page": every_page, "options": {"pattern": pattern} if pattern else {}}
    name = f"{folder.name}/{pattern}" if pattern else folder.name
    return register(project, DataSource.Kind.FOLDER, folder, name, walk(folder, pattern), by, **options)


def is_archive(name: str) -> bool:
    return name.lower().endswith(ARCHIVES)


def add_archive(project: Project, path: str | Path, name: str, by: User | None, **options: Any) -> DataSource:
    """Import the images of an archive, by the ending of its name. Raises ImportRefused."""
    add = add_tar if name.lower().endswith(TARS) else add_zip
    return add(project, path, name, by, **options)


def add_tar(project: Project, path: str | Path, name: str, by: User | None, **options: Any) -> DataSource:
    """Import the images of a TAR archive, read in place; a compressed one is unpacked first, by a job.

    Raises ImportRefused.
    """
    archive = locate(path)
    if tarballs.compression(archive):
        with transaction.atomic():
            return unpacking.begin(made(project, DataSource.Kind.TAR, archive, name, by, **options), by)
    try:
        return register(
            project, DataSource.Kind.TAR, archive, name, unpacking.files_of(archive), by, **options
        )
    except tarballs.NoTar as error:
        raise ImportRefused(f"{name} cannot be taken. {error}") from None


def add_zip(project: Project, path: str | Path, name: str, by: User | None, **options: Any) -> DataSource:
    """Import the images of a ZIP archive, read in place. Raises ImportRefused."""
    archive = locate(path)
    return register(project, DataSource.Kind.ZIP, archive, name, entries_of(archive, name), by, **options)


def entries_of(archive: Path, name: str) -> list[Found]:
    """List what lies in a ZIP archive. Raises ImportRefused."""
    try:
        with zipfile.ZipFile(archive) as opened:
            return [entry(each) for each in opened.infolist() if not each.is_dir()]
    except Exception as error:  # hostile bytes: zipfile promises no list of what it raises
        raise ImportRefused(f"{name} is not a complete ZIP archive.") from error


def entry(info: zipfile.ZipInfo) -> Found:
    is_outside = ".." in info.filename.split("/")
    return Found(info.filename, info.file_size, problem=tarballs.OUTSIDE if is_outside else "")


def add_uploads(
    project: Project,
    files: Sequence[UploadedFile],
    by: User | None,
    paths: Sequence[str] = (),
    *,
    every_page: bool = False,
) -> list[DataSource]:
    """Keep uploaded files and import them: archives one source each, single images together.

    `paths` has the folders that browsers leave out of a file's name, one path for each file.
    Imports all or nothing. Raises ImportRefused.
    """
    folder = settings.MEDIA_ROOT / "uploads" / uuid.uuid4().hex
    archives: list[str] = []
    singles: list[Found] = []
    for number, file in enumerate(files):
        name = safe_name(paths[number] if len(paths) == len(files) else file.name or "file")
        if is_archive(name):
            name = free_name(folder / "archives", name)
            save_upload(file, folder / "archives" / name)
            archives.append(name)
        else:
            name = free_name(folder, name)
            if refusal(DataSource.Kind.UPLOAD, name, file.size or 0) is None:
                save_upload(file, folder / name)
            singles.append(Found(name, file.size or 0))
    try:
        with transaction.atomic():
            sources = [
                add_archive(project, folder / "archives" / name, name, by, every_page=every_page)
                for name in archives
            ]
            if singles:
                kind, named = DataSource.Kind.UPLOAD, "Browser upload"
                sources.append(register(project, kind, folder, named, singles, by, every_page=every_page))
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
    place = ""
    for each in folders:
        place = numbered(place + each, lambda path: Path(folder, path).is_file(), {}) + "/"
    return numbered(place + last, lambda path: Path(folder, path).exists(), {})


def numbered(name: str, is_taken: Callable[[str], bool], tries: dict[str, int]) -> str:
    """Return a name, with the next number where it is taken; `tries` has the last number of each name."""
    path, found = PurePosixPath(name), name
    while is_taken(found):
        tries[name] = tries.get(name, 1) + 1
        found = str(path.with_name(f"{path.stem} ({tries[name]}){path.suffix}"))
    return found


def save_upload(file: UploadedFile, target: Path) -> None:
    """Write an upload under its final name only when every byte is there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.part")
    with partial.open("wb") as out:
        shutil.copyfileobj(file, out, 1 << 20)
        out.flush()
        os.fsync(out.fileno())
    partial.rename(target)


def made(
    project: Project, kind: str, location: Path | str, name: str, by: User | None, **options: Any
) -> DataSource:
    source = DataSource.objects.create(
        project=project, kind=kind, location=str(location), name=name[:255], created_by=by, **options
    )
    source.refresh_from_db(fields=["hides_faces"])
    return source


def register(
    project: Project,
    kind: str,
    location: Path | str,
    name: str,
    files: Iterable[Found],
    by: User | None,
    **options: Any,
) -> DataSource:
    """Write a row for each file, then queue their reading. Raises ImportRefused."""
    with transaction.atomic():
        source = made(project, kind, location, name, by, **options)
        try:
            registering.take(source, files, by)
        except registering.NothingThere:
            raise ImportRefused(f"There are no image files in {name}.") from None
    source.refresh_from_db()
    return source
