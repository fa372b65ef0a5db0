"""Image bytes: read from their source, made upright, kept as thumbnails named by content."""

import hashlib
import io
import math
import os
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image, ImageOps, UnidentifiedImageError

from labeling.models import DataSource, Item

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".jpe", ".jfif", ".bmp", ".tif", ".tiff"})
FORMATS = ("JPEG", "PNG", "BMP", "TIFF")
MAX_BYTES = 100 * 1024 * 1024
MAX_PIXELS = Image.MAX_IMAGE_PIXELS or 89_478_485
THUMBNAIL = 320
MARGIN = 0.25  # of an object's sides, shown around it on each side
ORIENTATION = 0x0112
ENCRYPTED = 0x1  # the bit of a ZIP entry's flags
LOCAL_LENGTHS = 26  # bytes into a ZIP entry's own header: of its name and of what follows it
WEBP_LONGEST = 16_383  # the format has no room for more pixels on a side

# Between one and two times the limit Pillow only warns; Loupe refuses by itself.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)


class BrokenImage(Exception):
    """Why an image cannot be used, in a sentence for people."""


@dataclass(frozen=True, slots=True)
class ReadImage:
    """What reading an image finds out; `width` and `height` are those of the upright image."""

    sha256: str
    size_bytes: int
    width: int
    height: int
    format: str


def read_bytes(item: Item) -> bytes:
    """Return the file as it is at its source. Raises BrokenImage when it is gone or too large."""
    source = item.source
    try:
        if source.kind == DataSource.Kind.ZIP:
            changed = Path(source.location).stat().st_mtime_ns
            with blaming("The archive's entry is damaged or encrypted."):
                return read_entry(source.location, changed, item.path)
        path = Path(source.location, item.path)
        refuse_size(path.stat().st_size)
        return path.read_bytes()
    except OSError as error:
        raise BrokenImage("The file is no longer where it was imported from.") from error


def read_entry(location: str, changed: int, path: str) -> bytes:
    archive = _archive(location, changed)
    try:
        entry = archive.getinfo(path)
    except KeyError as error:
        raise BrokenImage("The file is no longer where it was imported from.") from error
    refuse_size(max(entry.file_size, entry.compress_size))
    if entry.flag_bits & ENCRYPTED or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with archive.open(entry) as opened:
            return opened.read(entry.file_size)  # no more than it says it is, whatever it unpacks to
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
    if zlib.crc32(data) != entry.CRC:
        raise zipfile.BadZipFile(f"{entry.filename} does not have the checksum that it should have")
    return data


@contextmanager
def blaming(sentence: str) -> Iterator[None]:
    """Take whatever fails inside for the fault of the bytes. They are hostile, and Pillow and zipfile
    promise no list of what they raise."""
    try:
        yield
    except BrokenImage:
        raise
    except Exception as error:
        raise BrokenImage(sentence) from error


def refuse_size(size: int) -> None:
    if size > MAX_BYTES:
        raise BrokenImage(f"The file is {size / 2**20:,.0f} MB; at most {MAX_BYTES // 2**20} MB can be read.")


@lru_cache(maxsize=8)
def _archive(location: str, changed: int) -> zipfile.ZipFile:
    """Open an archive once per process; `changed` makes a replaced file a new key."""
    return zipfile.ZipFile(location)


def decode(data: bytes, at_least: int | None = None) -> Image.Image:
    """Decode to an upright RGB image. Raises BrokenImage.

    With `at_least`, a JPEG may be decoded smaller, down to that many pixels on its shorter side.
    """
    with blaming("The image is damaged: it ends too early or cannot be decoded."):
        image = open_header(data)
        if image.width * image.height > MAX_PIXELS:
            raise BrokenImage(
                f"The image has {image.width * image.height / 1e6:,.0f} million pixels;"
                f" at most {MAX_PIXELS / 1e6:,.0f} million can be read."
            )
        if at_least:
            image.draft("RGB", (at_least, at_least))
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        return to_rgb(image)


def open_header(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise BrokenImage("This is not a JPEG, PNG, BMP or TIFF image.") from error
    except Image.DecompressionBombError as error:
        raise BrokenImage("The image has too many pixels to be read.") from error


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert any mode to RGB; 16-bit grey keeps its range, transparency becomes white."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I"):
        return image.convert("I").point(lambda value: value / 256).convert("L").convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layered = image.convert("RGBA")
        white = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(white, layered).convert("RGB")
    return image.convert("RGB")


def open_upright(item: Item, at_least: int | None = None) -> Image.Image:
    """Return an item's upright RGB image. Raises BrokenImage."""
    return decode(read_bytes(item), at_least)


def read(item: Item) -> ReadImage:
    """Look at an item's bytes once and keep its thumbnail. Raises BrokenImage."""
    data = read_bytes(item)
    digest = hashlib.sha256(data).hexdigest()
    image = decode(data)
    with blaming("The image is damaged: its header cannot be read."), open_header(data) as header:
        file_format, shown_as_it_is = header.format or "", shows_in_browsers(header)
    keep(thumbnail_name(digest), webp(image, THUMBNAIL))
    if not shown_as_it_is:
        name, media_type = display_copy(digest, image.width, image.height)
        keep(name, webp(image) if media_type == "image/webp" else png(image))
    return ReadImage(digest, len(data), image.width, image.height, file_format)


def shows_in_browsers(image: Image.Image) -> bool:
    """Tell whether browsers show the file itself just as Loupe's upright image."""
    return (
        image.format in ("JPEG", "PNG")
        and image.mode in ("RGB", "L", "P", "1")
        and image.getexif().get(ORIENTATION, 1) == 1
    )


def webp(image: Image.Image, longest: int | None = None) -> bytes:
    """Encode as WebP, at most `longest` pixels; small images without loss."""
    if longest and max(image.size) > longest:
        image = image.copy()
        image.thumbnail((longest, longest), Image.Resampling.LANCZOS, reducing_gap=2.0)
    buffer = io.BytesIO()
    tiny = max(image.size) <= 64
    image.save(buffer, "WEBP", lossless=tiny, quality=80, method=0 if tiny else 2)
    return buffer.getvalue()


def upright_file(item: Item) -> bytes:
    """Return the file as it is at its source; one that cameras left turned is written anew, upright.

    Raises BrokenImage.
    """
    data = read_bytes(item)
    with blaming("The image is damaged: it ends too early or cannot be decoded."):
        with open_header(data) as image:
            kind, turned = image.format, image.getexif().get(ORIENTATION, 1)
        if turned == 1:
            return data
        buffer = io.BytesIO()
        quality = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
        decode(data).save(buffer, kind, **quality)
        return buffer.getvalue()


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def thumbnail_name(sha256: str) -> str:
    return f"thumbnails/{sha256[:2]}/{sha256}.webp"


def display_copy(sha256: str, width: int, height: int) -> tuple[str, str]:
    """Return name and media type of the copy for browsers: WebP where the image fits into one."""
    kind = "webp" if max(width, height) <= WEBP_LONGEST else "png"
    return f"display/{sha256[:2]}/{sha256}.{kind}", f"image/{kind}"


def window(bbox: Sequence[float], width: int, height: int) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of an object with its surroundings, in whole pixels of the image."""
    x, y, wide, high = bbox
    left = min(max(math.floor(x - MARGIN * wide), 0), width - 1)
    top = min(max(math.floor(y - MARGIN * high), 0), height - 1)
    right = min(max(math.ceil(x + (1 + MARGIN) * wide), left + 1), width)
    bottom = min(max(math.ceil(y + (1 + MARGIN) * high), top + 1), height)
    return left, top, right, bottom


def crop(item: Item, bbox: Sequence[float]) -> bytes:
    """Return an object with its surroundings as a small WebP. Raises BrokenImage."""
    assert item.width is not None
    assert item.height is not None
    seen = window(bbox, item.width, item.height)
    name = f"crops/{item.sha256[:2]}/{item.sha256}-{'-'.join(map(str, seen))}.webp"
    if default_storage.exists(name):
        with default_storage.open(name) as stored:
            return stored.read()
    data = webp(open_upright(item).crop(seen), THUMBNAIL)
    keep(name, data)
    return data


def keep(name: str, data: bytes) -> None:
    """Store a derived file unless it is there: the name says its content."""
    if not default_storage.exists(name):
        default_storage.save(name, ContentFile(data))


def viewable(item: Item) -> tuple[bytes, str]:
    """Return bytes and media type of what a browser can show. Raises BrokenImage."""
    assert item.width is not None
    assert item.height is not None
    name, media_type = display_copy(item.sha256, item.width, item.height)
    if default_storage.exists(name):
        with default_storage.open(name) as stored:
            return stored.read(), media_type
    return read_bytes(item), f"image/{item.format.lower()}"
