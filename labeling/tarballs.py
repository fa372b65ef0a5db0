"""TAR archives: what is in them and where, and unpacking those that are compressed, within limits.

A TAR has no index, so its headers are read once; a member's bytes then lie at a known place. Nothing is ever
extracted under the name that an archive gives it. The bytes are hostile: whatever they say is bounded here.
"""

import bz2
import gzip
import lzma
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

BLOCK = tarfile.BLOCKSIZE
LONGEST_HEADER = 1 << 20  # bytes of a name or of PAX records, which are read into memory
PIECE = 1 << 20
MOST_UNPACKED = 200 << 30
MOST_RATIO = 100  # bytes out of one; images hardly shrink, so more is no data set
FREE_RATIO = 64 << 20  # bytes out that need no ratio
SPARE = 1 << 30  # bytes of the disk that stay free
LOOK_EVERY = 64 << 20  # bytes between looks at the disk
XZ_MEMORY = 256 << 20

NO_ARCHIVE = "It is not a complete TAR archive."
LINK = "A link or a device, not a file."
SPARSE = "One of its files is stored in pieces. Pack it without --sparse."
OUTSIDE = "Its path leads out of the archive."


class NoTar(Exception):
    """Why an archive cannot be taken, in a sentence for people."""


class Member(NamedTuple):
    """A member of an archive: its path, its size, where its bytes begin, and why it is not taken."""

    path: str
    size: int
    byte_offset: int
    problem: str = ""


def members(path: Path) -> Iterator[Member]:
    """Yield the members of an uncompressed archive but for its folders. Raises NoTar."""
    with path.open("rb") as file:
        end = os.fstat(file.fileno()).st_size
        yield from _members(file.fileno(), end)


def _members(file: int, end: int) -> Iterator[Member]:
    place, name, size = 0, "", -1  # the latter two where headers of their own say them
    while True:
        block = os.pread(file, BLOCK, place)
        if len(block) < BLOCK:
            raise NoTar(NO_ARCHIVE)  # every archive ends with an empty block
        if not any(block):
            return
        header = header_of(block)
        if header.type == tarfile.GNUTYPE_SPARSE:
            raise NoTar(SPARSE)
        start = place + BLOCK
        if header.type in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE):
            content = extended(file, start, header.size)
            if header.type == tarfile.GNUTYPE_LONGNAME:
                name = decoded(content.split(b"\0", 1)[0])
            else:
                name, size = pax(content, name, size)
            place = start + padded(header.size)
            continue
        length = header.size if size < 0 else size
        place = start + (padded(length) if has_content(header) else 0)
        if place > end:
            raise NoTar(NO_ARCHIVE)
        if header.type not in (tarfile.GNUTYPE_LONGLINK, tarfile.XGLTYPE):
            called = name or header.name
            if not header.isdir() and not called.endswith("/"):
                yield member(header, called, length, start)
            name, size = "", -1


def member(header: tarfile.TarInfo, name: str, size: int, start: int) -> Member:
    path = name.removeprefix("./").lstrip("/")
    problem = ""
    if ".." in path.split("/"):
        problem = OUTSIDE
    elif not header.isreg():
        problem = LINK
    return Member(path, size, start, problem)


def header_of(block: bytes) -> tarfile.TarInfo:
    """Read a header. Raises NoTar where its checksum or a number in it is wrong."""
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "replace")
    except (tarfile.HeaderError, ValueError, OverflowError) as error:
        raise NoTar(NO_ARCHIVE) from error
    if header.size < 0:
        raise NoTar(NO_ARCHIVE)
    return header


def has_content(header: tarfile.TarInfo) -> bool:
    """Tell whether bytes follow a header: after links and devices none do, whatever size they claim."""
    return header.isreg() or header.type not in tarfile.SUPPORTED_TYPES or header.type in (
        tarfile.GNUTYPE_LONGLINK, tarfile.XGLTYPE,
    )  # fmt: skip


def padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def extended(file: int, start: int, size: int) -> bytes:
    if size > LONGEST_HEADER:
        raise NoTar("One of its headers is longer than 1 MB, which no archive of images needs.")
    content = os.pread(file, size, start)
    if len(content) < size:
        raise NoTar(NO_ARCHIVE)
    return content


def pax(content: bytes, name: str, size: int) -> tuple[str, int]:
    """Return the path and the size that PAX records say, else those known before. Raises NoTar."""
    try:
        while content:
            length = int(content[: content.index(b" ")])
            if length < 5:
                raise ValueError(length)
            key, _, value = content[content.index(b" ") + 1 : length - 1].partition(b"=")
            if key == b"path":
                name = decoded(value)
            elif key == b"size" and (size := int(value)) < 0:
                raise ValueError(size)
            elif key.startswith(b"GNU.sparse."):
                raise NoTar(SPARSE)
            content = content[length:]
    except ValueError as error:
        raise NoTar(NO_ARCHIVE) from error
    return name, size


def decoded(name: bytes) -> str:
    return name.decode("utf-8", "replace")


def header_at(file: int, byte_offset: int) -> tarfile.TarInfo:
    """Return the header before a member's bytes. Raises NoTar where there is none any more."""
    return header_of(os.pread(file, BLOCK, byte_offset - BLOCK))


# Compressed archives


def compression(path: Path) -> str:
    """Return "gz", "bz2" or "xz" by how a file begins, "" for none of them."""
    with path.open("rb") as file:
        start = file.read(6)
    for mark, name in ((b"\x1f\x8b", "gz"), (b"BZh", "bz2"), (b"\xfd7zXZ\0", "xz")):
        if start.startswith(mark):
            return name
    return ""


def unpack(packed: Path, target: Path, alive: Callable[[int], None] = lambda done: None) -> None:
    """Write what a compressed archive holds, as one uncompressed archive. Raises NoTar, OSError.

    `alive` is told how many bytes of the packed file were read.
    """
    most = min(MOST_UNPACKED, max(FREE_RATIO, packed.stat().st_size * MOST_RATIO))
    target.parent.mkdir(parents=True, exist_ok=True)
    written, looked = 0, 0
    with packed.open("rb") as file, target.open("wb") as out:
        try:
            for piece in unpacked(file, compression(packed)):
                written += len(piece)
                if written > most:
                    raise NoTar(too_much(written, packed.stat().st_size))
                if written - looked >= LOOK_EVERY or not looked:
                    looked = written
                    refuse_full(target)
                    alive(file.tell())
                out.write(piece)
        except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, ValueError) as error:
            raise NoTar("It is damaged, or its end is missing.") from error
        out.flush()
        os.fsync(out.fileno())


def too_much(written: int, packed: int) -> str:
    if written > MOST_UNPACKED:
        return f"It unpacks to more than {MOST_UNPACKED >> 30} GB. Send it as a plain .tar, or in parts."
    return (
        f"It unpacks to more than {MOST_RATIO} times its {max(1, packed >> 10):,} kB, as no archive of images"
        " does. Send it as a plain .tar."
    )


def refuse_full(target: Path) -> None:
    if shutil.disk_usage(target.parent).free < SPARE:
        raise NoTar(
            "The server's disk has no room to unpack it. Free some, or send a plain .tar, which is read in"
            " place."
        )


def unpacked(file: BinaryIO, how: str) -> Iterator[bytes]:
    """Yield the bytes of a compressed file, never many at once."""
    if how == "xz":
        yield from unpacked_xz(file)
        return
    opened: BinaryIO = gzip.GzipFile(fileobj=file) if how == "gz" else bz2.BZ2File(file)  # type: ignore[assignment]
    while piece := opened.read(PIECE):
        yield piece


def unpacked_xz(file: BinaryIO) -> Iterator[bytes]:
    """Yield the bytes of an XZ file, which may ask for gigabytes of memory, and does not get them."""
    data = file.read(PIECE)
    while data:
        part = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)
        while not part.eof:
            if part.needs_input and not data and not (data := file.read(PIECE)):
                raise EOFError
            piece = part.decompress(data, PIECE)
            data = b""
            yield piece
        data = (part.unused_data or file.read(PIECE)).lstrip(b"\0")  # streams may be padded
