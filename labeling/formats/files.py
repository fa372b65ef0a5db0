"""The files that a format is read from: a folder, a ZIP archive, or one file by itself.

An archive of a million files is gone through without a list of them in memory, which zipfile keeps.
"""

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol, Self

from labeling.formats.records import Unreadable

END = b"PK\x05\x06"
CENTRAL = struct.Struct("<4s6H3I5H2I")
WIDE = 0xFFFFFFFF  # in place of a number that stands in the wide fields
WIDE_FIELDS = 0x0001
LONGEST_END = 22 + 65_535
MOST = 64 * 1024 * 1024  # bytes of one file that is read whole: labels of an image, never a movie
SMALL = 1 << 18  # bytes that are unpacked at once
SQUEEZED = 200  # times as large as it is packed is what nobody packs but to fill a disk
SLACK = 32 << 20  # bytes that may be so


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, with its path in the folder or archive, / between folders."""

    name: str
    size: int
    open: Callable[[], BinaryIO]

    def read(self) -> bytes:
        """Return the whole content. Raises Unreadable."""
        if self.size > MOST:
            raise Unreadable(f"{self.name} is {self.size / 2**20:,.0f} MB large, too much for one file.")
        with self.open() as file:
            return file.read()


class Files(Protocol):
    def entries(self) -> Iterator[Entry]:
        """Go through all files, again with each call."""


@dataclass(frozen=True, slots=True)
class Folder:
    path: Path

    def entries(self) -> Iterator[Entry]:
        for folder, below, names in os.walk(self.path):
            below.sort()
            for name in sorted(names):
                file = Path(folder, name)
                name = file.relative_to(self.path).as_posix()
                yield Entry(name, file.stat().st_size, partial(opened, file))


@dataclass(frozen=True, slots=True)
class Single:
    """One file by itself; its name tells which format it can be."""

    path: Path
    name: str

    def entries(self) -> Iterator[Entry]:
        yield Entry(self.name, self.path.stat().st_size, partial(opened, self.path))


def opened(path: Path) -> BinaryIO:
    return path.open("rb")


class Archive:
    """A ZIP archive, to be closed. Going through it raises Unreadable where it is damaged."""

    def __init__(self, path: Path) -> None:
        self.path, self.file = path, path.open("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def entries(self) -> Iterator[Entry]:
        try:
            with self.path.open("rb") as file:
                start, count = directory(file)
                file.seek(start)
                for _ in range(count):
                    entry = self.entry(file)
                    if not entry.name.endswith("/"):
                        yield entry
        except (struct.error, zipfile.BadZipFile, UnicodeDecodeError) as error:
            raise Unreadable(f"{self.path.name} is no ZIP archive, or a damaged one.") from error

    def entry(self, file: BinaryIO) -> Entry:
        """Read the next entry of the list at an archive's end."""
        fields = CENTRAL.unpack(file.read(CENTRAL.size))
        if fields[0] != b"PK\x01\x02":
            raise zipfile.BadZipFile
        flags, method, crc = fields[3], fields[4], fields[7]
        packed, size, name_length, extra_length, comment_length = fields[8:13]
        name = file.read(name_length).decode("utf-8" if flags & 0x800 else "cp437")
        packed, size, offset = widened(file.read(extra_length), packed, size, fields[16])
        if comment_length:
            file.seek(comment_length, os.SEEK_CUR)
        if size > SQUEEZED * packed + SLACK:
            raise Unreadable(f"{name} would be {size / 2**20:,.0f} MB large once unpacked. Pack it anew.")
        return Entry(name, size, lambda: self.open(name, offset, packed, size, method, crc))

    def open(self, name: str, offset: int, packed: int, size: int, method: int, crc: int) -> BinaryIO:
        if method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Unreadable(f"{name} is packed in a way that cannot be read here.")
        at = self.file.fileno()
        start = offset + 30 + sum(struct.unpack("<HH", os.pread(at, 4, offset + 26)))
        raw = Unpacked(at, start, name, packed, size, method == zipfile.ZIP_DEFLATED, crc)
        if packed <= SMALL:
            return io.BytesIO(raw.whole())
        return io.BufferedReader(raw, 1 << 16)


class Unpacked(io.RawIOBase):
    """What a ZIP entry holds, read from its first to its last byte. A wrong checksum raises Unreadable."""

    def __init__(
        self, file: int, start: int, name: str, packed: int, size: int, is_deflated: bool, crc: int
    ) -> None:
        self.file, self.at, self.name, self.left, self.room = file, start, name, packed, size
        self.inflate = zlib.decompressobj(-zlib.MAX_WBITS) if is_deflated else None
        self.wanted, self.crc = crc, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.next_bytes(len(buffer))
        self.room -= len(data)
        if self.room < 0:
            raise Unreadable(f"{self.name} is larger than the archive says that it is.")
        self.crc = zlib.crc32(data, self.crc)
        if not data:
            self.check()
        buffer[: len(data)] = data
        return len(data)

    def whole(self) -> bytes:
        """Return all of it at once."""
        data = self.next_bytes(min(MOST, max(self.room + 1, SMALL)))
        self.crc = zlib.crc32(data)
        self.check()
        return data

    def check(self) -> None:
        if self.crc != self.wanted:
            raise Unreadable(f"{self.name} is damaged: it does not have the checksum that it should have.")

    def next_bytes(self, most: int) -> bytes:
        while True:
            raw = self.inflate.unconsumed_tail if self.inflate else b""
            if not raw:
                raw = os.pread(self.file, min(self.left, most), self.at)
                self.at, self.left = self.at + len(raw), self.left - len(raw)
            if self.inflate is None:
                return raw
            try:
                data = self.inflate.decompress(raw, most)
            except zlib.error as error:
                raise Unreadable(f"{self.name} is damaged: it cannot be unpacked.") from error
            if data or not raw:
                return data


def directory(file: BinaryIO) -> tuple[int, int]:
    """Return where the list of an archive's entries begins, and how many it has."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - LONGEST_END))
    tail = file.read()
    at = tail.rfind(END)
    if at < 0:
        raise zipfile.BadZipFile
    count, _, start = struct.unpack("<HII", tail[at + 10 : at + 20])
    if count != 0xFFFF and start != WIDE:
        return start, count
    locator = tail[at - 20 : at]
    if locator[:4] != b"PK\x06\x07":
        return start, count
    file.seek(struct.unpack("<Q", locator[8:16])[0])
    wide = file.read(56)
    return struct.unpack("<Q", wide[48:56])[0], struct.unpack("<Q", wide[32:40])[0]


def widened(extra: bytes, packed: int, size: int, offset: int) -> tuple[int, int, int]:
    """Return an entry's numbers, those that did not fit from its wide fields."""
    while len(extra) >= 4:
        kind, length = struct.unpack("<HH", extra[:4])
        if kind == WIDE_FIELDS:
            numbers = iter(struct.unpack(f"<{length // 8}Q", extra[4 : 4 + length // 8 * 8]))
            size, packed, offset = (
                next(numbers) if each == WIDE else each for each in (size, packed, offset)
            )
        extra = extra[4 + length :]
    return packed, size, offset
