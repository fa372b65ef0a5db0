"""Sending files in parts: what the server has already is not sent again, what breaks is gone on with."""

import json
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loupe_client.connection import Connection, LoupeError

IMAGES = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".heic", ".heif", ".gif", ".dcm", ".zip"}
    | {".tar", ".tgz", ".tbz2", ".txz"}
)
NAMED = 1_000  # files named in one request
SAMPLE = 50  # files by which the server knows an upload again
PACK_FILES, PACK_BYTES = 250, 4 << 20  # of one request with small files
CHUNK = 8 << 20
TRIES = 5  # of bytes that keep arriving wrong

JSON = dict[str, Any]


@dataclass(eq=False)
class Entry:
    """A file on its way."""

    place: Path
    path: str
    size: int
    modified: int
    file: int = 0
    received: int = 0
    tries: int = 0
    refused: str = ""

    @property
    def is_missing(self) -> bool:
        return self.received < self.size

    @property
    def named(self) -> JSON:
        return {"path": self.path, "size": self.size, "modified": self.modified}


def upload(connection: Connection, at: str, paths: Sequence[str | Path], told: JSON) -> JSON:
    """Send images, folders and archives, and have them taken; returns what the server tells of the upload.

    One that broke off, also in another run, is gone on with. `told` is what the server is to know of all of
    it. Raises LoupeError, and FileNotFoundError where there is nothing to send.
    """
    files = [each for path in paths for each in found_in(Path(path))]
    if not files:
        raise FileNotFoundError(f"There are no images in {', '.join(map(str, paths))}.")
    entries = list(entries_of(files))
    sample = [each.named for each in entries[:: max(1, len(entries) // SAMPLE)][:SAMPLE]]
    begun = connection.post(at, {**told, "sample": sample})
    at = f"{at}{begun['id']}/"
    for start in range(0, len(entries), NAMED):
        name(connection, at, entries[start : start + NAMED])
    wanted = [each for each in entries if not each.refused]
    if not wanted:
        connection.delete(at)
        raise LoupeError(400, "invalid", f"{entries[0].path}: {entries[0].refused}", {})
    with connection.bar("Uploading", sum(each.size for each in wanted), "B") as bar:
        bar.update(sum(each.received for each in wanted))
        for pack in packs([each for each in wanted if each.is_missing]):
            for sent in deliver(connection, at, pack):
                bar.update(sent)
    return complete(connection, at)


def found_in(path: Path) -> list[tuple[Path, str]]:
    """Return files with their names on the server: of a folder, all images below it.

    Raises FileNotFoundError where there is nothing of that name.
    """
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {path}.")
    if path.is_dir():
        found = sorted(each for each in path.rglob("*") if is_wanted(each.name) and each.is_file())
        return [(each, each.relative_to(path).as_posix()) for each in found]
    return [(path, path.name)]


def is_wanted(name: str) -> bool:
    return Path(name).suffix.lower() in IMAGES or name.lower().endswith((".tar.gz", ".tar.bz2", ".tar.xz"))


def entries_of(files: Sequence[tuple[Path, str]]) -> Iterator[Entry]:
    """Yield files under paths that name one each: those of several folders can be called the same."""
    seen: dict[str, int] = {}
    for place, path in files:
        free = path
        while free in seen:
            seen[path] += 1
            stem, dot, suffix = path.rpartition(".")
            free = f"{stem} ({seen[path]}).{suffix}" if dot else f"{path} ({seen[path]})"
        seen[free] = 1
        facts = place.stat()
        yield Entry(place, free, facts.st_size, facts.st_mtime_ns // 1_000_000)


def name(connection: Connection, at: str, entries: Sequence[Entry]) -> None:
    told = connection.post(f"{at}files/", {"files": [each.named for each in entries]})["files"]
    for entry, row in zip(entries, told, strict=True):
        entry.refused = row.get("refused", "")
        entry.file, entry.received = row.get("file", 0), row.get("received", 0)


def packs(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Yield the files of one request: one that is large, or many that are small."""
    pack: list[Entry] = []
    for each in entries:
        if pack and (len(pack) == PACK_FILES or sum(one.size for one in pack) + each.size > PACK_BYTES):
            yield pack
            pack = []
        pack.append(each)
    if pack:
        yield pack


def deliver(connection: Connection, at: str, pack: Sequence[Entry]) -> Iterator[int]:
    """Send files to their last byte; yields how many bytes arrived with each request. Raises LoupeError."""
    while left := [each for each in pack if each.is_missing]:
        parts = [part_of(each) for each in left]
        line = json.dumps(
            [
                [each.file, each.received, len(data), zlib.crc32(data)]
                for each, data in zip(left, parts, strict=True)
            ]
        )
        body = b"".join((line.encode(), b"\n", *parts))
        told = connection.put(f"{at}chunks/", body)["chunks"]
        before = sum(each.received for each in left)
        for entry, row in zip(left, told, strict=True):
            note(entry, row["received"], row["problem"])
        yield sum(each.received for each in left) - before


def part_of(entry: Entry) -> bytes:
    with entry.place.open("rb") as file:
        file.seek(entry.received)
        data = file.read(min(CHUNK, entry.size - entry.received))
    if not data:
        raise LoupeError(400, "changed", f"{entry.path} became shorter while it was sent.", {})
    return data


def note(entry: Entry, received: int, problem: str) -> None:
    entry.tries = 0 if received > entry.received else entry.tries + 1
    entry.received = received
    if problem and entry.tries >= TRIES:
        raise LoupeError(409, "not_taken", f"{entry.path}: {problem}", {})


def complete(connection: Connection, at: str, every: float = 0.3) -> JSON:
    """Wait until what was sent is an import. Raises LoupeError."""
    facts: JSON = connection.post(f"{at}complete/")
    while facts["state"] == "finishing":
        time.sleep(every)
        facts = connection.get(at)
    if facts["state"] != "complete":
        raise LoupeError(409, "incomplete", facts["error"] or "The upload was cancelled.", {})
    return facts
