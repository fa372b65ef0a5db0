"""The one door to the bytes of items, wherever they lie: in folders, archives, buckets or on the web.

Where a project hides faces, what is behind it are the copies that hide them, and nothing else.
`read_original` is for making those.
"""

import bz2
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from labeling import masked, remote, tarballs
from labeling.decoding import MAX_BYTES, BrokenImage, blaming, refuse_size
from labeling.models import DataSource, Item

ENCRYPTED = 0x1  # the bit of a ZIP entry's flags
LOCAL_LENGTHS = 26  # bytes into a ZIP entry's own header: of its name and of what follows it
SIGNED_FOR = 300  # seconds
CHUNK = 4 << 20  # bytes that are read of a bucket at once
PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
PIECE = 4_096  # bytes that are read of an entry at once: they may unpack to seven thousand times as many
GONE = "The file is no longer where it was imported from."
ANOTHER = "The file at its source is another one by now than the one that was imported."

Remote = (DataSource.Kind.S3, DataSource.Kind.AZURE, DataSource.Kind.GCS)


def read_bytes(item: Item) -> bytes:
    """Return the file that people and models may see. Raises BrokenImage when it is gone, OSError."""
    return masked.read(item) if item.source.hides_faces else read_original(item)


def page_of(item: Item) -> int:
    """Return which page of that file is the item: a copy has no other."""
    return 0 if item.source.hides_faces else item.page


def is_held(source: DataSource) -> bool:
    """Tell whether a source's files were sent here for its project alone: not elsewhere, nor in a data set.

    Asks the database for nothing where the source has its upload at hand.
    """
    if source.is_remote or (source.upload is not None and source.upload.project_id is None):
        return False
    place = Path(source.location)
    return place.is_relative_to(Path(settings.MEDIA_ROOT, "uploads").resolve())


def read_original(item: Item) -> bytes:
    """Return the file as it is at its source. Raises BrokenImage when it is gone or too large, OSError."""
    source, path = item.source, item.stored_path
    if item.gone_at is not None:
        raise BrokenImage(GONE)
    if source.kind == DataSource.Kind.HTTP:
        return read_address(source, path)
    if source.kind in Remote:
        return read_object(source, path, item.size_bytes)
    try:
        if source.kind == DataSource.Kind.ZIP:
            changed = Path(source.location).stat().st_mtime_ns
            with blaming("The archive's entry is damaged or encrypted."):
                return read_entry(source.location, changed, path)
        if source.kind == DataSource.Kind.TAR:
            refuse_size(item.size_bytes)
            return read_member(item, 0, item.size_bytes)
        place = Path(source.location, path)
        refuse_size(place.stat().st_size)
        return place.read_bytes()
    except OSError as error:
        raise BrokenImage(GONE) from error


def read_object(source: DataSource, path: str, size: int) -> bytes:
    """Return an object of a bucket; one that has grown too large meanwhile is not read to its end."""
    if not size:
        return b""
    try:
        data = remote.read(source, path, 0, MAX_BYTES + 1)
    except remote.Missing as error:
        raise BrokenImage(GONE) from error
    refuse_size(len(data))
    return data


def read_address(source: DataSource, url: str) -> bytes:
    try:
        return remote.fetch(source, url, MAX_BYTES)
    except (remote.Missing, remote.NotThis, remote.Unreachable) as error:
        raise BrokenImage(str(error)[:300]) from error
    except remote.TooLarge as error:
        raise BrokenImage(f"The file has more than {MAX_BYTES // 2**20} MB.") from error


def parts(item: Item, start: int, end: int) -> Iterator[bytes]:
    """Yield a file's bytes from `start` to before `end`, little at a time where its source allows it.

    What is another file by now, by all that its source tells with the bytes, is not sent. Raises what
    `read_bytes` raises.
    """
    source, path = item.source, item.stored_path
    if source.hides_faces:
        yield from masked.parts(item, start, end)
        return
    refuse_absent(item)
    if source.kind in (DataSource.Kind.ZIP, DataSource.Kind.HTTP):
        data = read_original(item)
        if len(data) != item.size_bytes:
            raise BrokenImage(ANOTHER)
        yield data[start:end]
        return
    for place in range(start, max(end, start + 1), CHUNK):  # of no bytes, too, the file has to be there
        upto = min(place + CHUNK, end)
        try:
            if source.kind in Remote:
                yield remote.read(source, path, place, upto, item.fingerprint)
            elif source.kind == DataSource.Kind.TAR:
                yield read_member(item, place, upto)
            else:
                yield read_file(item, place, upto)
        except remote.Changed as error:
            raise BrokenImage(ANOTHER) from error
        except remote.Unreachable:
            raise
        except (OSError, remote.Missing) as error:
            raise BrokenImage(GONE) from error


def read_file(item: Item, start: int, end: int) -> bytes:
    """Return bytes of a file on this server. Raises BrokenImage where it is of another size, OSError."""
    with Path(item.source.location, item.stored_path).open("rb") as file:
        if os.fstat(file.fileno()).st_size != item.size_bytes:
            raise BrokenImage(ANOTHER)
        return os.pread(file.fileno(), end - start, start)


def refuse_absent(item: Item) -> None:
    """Raise BrokenImage for what was gone, or another file, when its source was listed last."""
    if item.gone_at is not None:
        raise BrokenImage(GONE)
    if item.changed_at is not None:
        raise BrokenImage(ANOTHER)


def signed_address(item: Item) -> str | None:
    """Return where a browser gets a file from its bucket for a while, if its source is to have it so.

    Raises BrokenImage, OSError.
    """
    source = item.source
    if not source.signs_urls or source.hides_faces or source.kind not in Remote:
        return None
    refuse_absent(item)
    return remote.signed(source, item.stored_path, SIGNED_FOR)


def read_member(item: Item, start: int, end: int) -> bytes:
    """Return bytes of a TAR's member, which has no name of its own on disk. Raises BrokenImage, OSError.

    The header before it is looked at again: another archive may lie in its place by now.
    """
    location, at = item.source.location, item.byte_offset or 0
    opened = _plain(location, Path(location).stat().st_mtime_ns)
    with blaming(GONE):
        if tarballs.header_at(opened.file, at).size != item.size_bytes:
            raise BrokenImage(GONE)
    data = os.pread(opened.file, max(0, min(end, item.size_bytes) - start), at + start)
    if len(data) < min(end, item.size_bytes) - start:
        raise BrokenImage(GONE)
    return data


def read_entry(location: str, changed: int, path: str) -> bytes:
    archive = _archive(location, changed)
    try:
        entry = archive.getinfo(path)
    except KeyError as error:
        raise BrokenImage(GONE) from error
    refuse_size(max(entry.file_size, entry.compress_size))
    if entry.flag_bits & ENCRYPTED or entry.compress_type not in PLAIN:
        with archive.open(entry) as opened:
            # No more than it says it is, and little at a time: all that zipfile reads it unpacks.
            return b"".join(iter(lambda: opened.read(PIECE), b""))
    return unpack(archive, entry)


def unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Read an entry at its place in the file.

    ZipFile has all threads wait for one file position; embedding loses a tenth of its speed to that.
    """
    assert archive.fp is not None
    file = archive.fp.fileno()
    lengths = os.pread(file, 4, entry.header_offset + LOCAL_LENGTHS)
    start = entry.header_offset + LOCAL_LENGTHS + 4 + sum(struct.unpack("<HH", lengths))
    data = os.pread(file, entry.compress_size, start)
    if entry.compress_type == zipfile.ZIP_DEFLATED:
        data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, max(entry.file_size, 1))
    elif entry.compress_type == zipfile.ZIP_BZIP2:
        data = bz2.BZ2Decompressor().decompress(data, max(entry.file_size, 1))
    if zlib.crc32(data) != entry.CRC:
        raise zipfile.BadZipFile(f"{entry.filename} does not have the checksum that it should have")
    return data


def let_go() -> None:
    """Close archives that this process has open: one that is deleted lies on the disk until then."""
    _archive.cache_clear()
    _plain.cache_clear()


@lru_cache(maxsize=8)
def _archive(location: str, changed: int) -> zipfile.ZipFile:
    """Open an archive once per process; `changed` makes a replaced file a new key."""
    return zipfile.ZipFile(location)


class _Opened:
    """A file that is open for reading at places of it, as long as somebody has this."""

    def __init__(self, location: str) -> None:
        self.file = os.open(location, os.O_RDONLY)

    def __del__(self) -> None:
        if hasattr(self, "file"):
            os.close(self.file)


@lru_cache(maxsize=8)
def _plain(location: str, changed: int) -> _Opened:
    return _Opened(location)
