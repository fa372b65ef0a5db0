"""Writing ZIP archives of any size in constant memory.

zipfile remembers every entry, 700 bytes each, until it is closed: half a million images with their labels
would be 700 MB. Here the list of entries waits in a temporary file.
"""

import struct
import tempfile
import zipfile
import zlib
from typing import BinaryIO

from labeling.formats.files import CENTRAL, WIDE, WIDE_FIELDS
from labeling.formats.records import Part

LOCAL = struct.Struct("<4s5H3I2H")
WIDE_LOCAL = struct.Struct("<HH2Q")
UTF8 = 0x800
VERSION, MADE_ON_UNIX = 45, 3 << 8
FIRST_DAY = 1 << 5 | 1  # of 1980: archives with the same content are the same bytes
PIECE = 1 << 18
EFFORT = 3  # of 9: the last tenth of size would take twice the time


class ArchiveWriter:
    """Adds parts to an archive, one after the other; `close` ends it. The file must be seekable."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.count = file, 0
        self.directory = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the archive

    def add(self, part: Part) -> None:
        offset = self.file.tell()
        name = part.name.encode()
        method = zipfile.ZIP_STORED if part.is_packed else zipfile.ZIP_DEFLATED
        if isinstance(part.content, bytes):
            data = part.content if part.is_packed else deflated(part.content)
            crc, packed, size = zlib.crc32(part.content), len(data), len(part.content)
            self.file.write(local(name, method, crc, packed, size) + data)
        else:
            # Its sizes are known afterwards: they are put into the place kept for them.
            self.file.write(local(name, method, 0, 0, 0))
            crc, packed, size = self.copy(part.content, part.is_packed)
            end = self.file.tell()
            self.file.seek(offset)
            self.file.write(local(name, method, crc, packed, size))
            self.file.seek(end)
        self.directory.write(central(name, method, crc, packed, size, offset))
        self.count += 1

    def copy(self, source: BinaryIO, is_packed: bool) -> tuple[int, int, int]:
        """Write a file's content; returns its checksum, and its size packed and unpacked."""
        source.seek(0)
        squeeze = None if is_packed else zlib.compressobj(EFFORT, zlib.DEFLATED, -zlib.MAX_WBITS)
        crc, packed, size = 0, 0, 0
        while data := source.read(PIECE):
            crc, size = zlib.crc32(data, crc), size + len(data)
            packed += self.file.write(squeeze.compress(data) if squeeze else data)
        if squeeze:
            packed += self.file.write(squeeze.flush())
        return crc, packed, size

    def close(self) -> None:
        start = self.file.tell()
        self.directory.seek(0)
        while data := self.directory.read(PIECE):
            self.file.write(data)
        self.directory.close()
        self.file.write(ending(self.count, start, self.file.tell() - start))


def deflated(data: bytes) -> bytes:
    squeeze = zlib.compressobj(EFFORT, zlib.DEFLATED, -zlib.MAX_WBITS)
    return squeeze.compress(data) + squeeze.flush()


def local(name: bytes, method: int, crc: int, packed: int, size: int) -> bytes:
    """Return what stands before an entry's content. It always has the wide fields: so its length is known."""
    wide = WIDE_LOCAL.pack(WIDE_FIELDS, 16, size, packed)
    head = LOCAL.pack(
        b"PK\x03\x04", VERSION, UTF8, method, 0, FIRST_DAY, crc, WIDE, WIDE, len(name), len(wide)
    )
    return head + name + wide


def central(name: bytes, method: int, crc: int, packed: int, size: int, offset: int) -> bytes:
    """Return an entry's line in the list at the end."""
    wide = struct.pack("<HH3Q", WIDE_FIELDS, 24, size, packed, offset)
    mode = 0o100644 << 16
    head = CENTRAL.pack(
        b"PK\x01\x02", MADE_ON_UNIX | VERSION, VERSION, UTF8, method, 0, FIRST_DAY, crc, WIDE, WIDE,
        len(name), len(wide), 0, 0, 0, mode, WIDE,
    )  # fmt: skip
    return head + name + wide


def ending(count: int, start: int, size: int) -> bytes:
    """Return an archive's end: how many entries its list has, and where it begins."""
    wide = struct.pack(
        "<4sQ2H2I4Q", b"PK\x06\x06", 44, MADE_ON_UNIX | VERSION, VERSION, 0, 0, count, count, size, start
    )
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, start + size, 1)
    narrow = struct.pack(
        "<4s4H2IH", b"PK\x05\x06", 0, 0, min(count, 0xFFFF), min(count, 0xFFFF), WIDE, WIDE, 0
    )
    return wide + locator + narrow
