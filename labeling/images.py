"""Items as images: decoded from their source's bytes, shown by thumbnails and copies named by content."""

import hashlib
import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.urls import reverse
from PIL import Image

from labeling import decoding, masked, masking, storing
from labeling.decoding import BrokenImage as BrokenImage  # who opens images meets it
from labeling.models import Item

THUMBNAIL = 320
MARGIN = 0.25  # of an object's sides, shown around it on each side
VERSION = 16  # characters of a content's hash, in addresses
WEBP_LONGEST = 16_383  # the format has no room for more pixels on a side


@dataclass(frozen=True, slots=True)
class ReadImage:
    """What reading an image finds out; `width` and `height` are those of the upright image."""

    sha256: str
    size_bytes: int
    width: int
    height: int
    format: str
    pages: int = 1  # of its file
    window: dict[str, float] | None = None
    masked: "Masked | None" = None  # where faces are hidden


@dataclass(frozen=True, slots=True)
class Masked:
    """What was hidden in an image before anybody saw it."""

    original_sha256: str
    is_sealed: bool
    found_by: str
    faces: tuple[masking.FoundFace, ...]


@dataclass(frozen=True, slots=True)
class Viewable:
    """What a browser is sent of an item: how much it is, and its bytes from one place to before another."""

    size: int
    media_type: str
    parts: Callable[[int, int], Iterator[bytes]]
    is_original: bool = False


def open_upright(item: Item, at_least: int | None = None) -> Image.Image:
    """Return an item's upright RGB image. Raises BrokenImage."""
    return decoding.decode(storing.read_bytes(item), at_least, storing.page_of(item))


def read(item: Item) -> ReadImage:
    """Look at an item's bytes once and keep its thumbnail. Raises BrokenImage."""
    data = storing.read_bytes(item)
    found = decoding.look(data, page=item.page)
    digest, image = content_of(data, item.page), found.image
    derive(digest, image, found.format, shows_in_browsers=found.shows_in_browsers)
    return ReadImage(
        digest,
        len(data),
        image.width,
        image.height,
        found.format,
        found.pages,
        found.window.as_dict() if found.window else None,
    )


def content_of(data: bytes, page: int) -> str:
    """Return the hash that says which picture it is: a file, and which page of it."""
    content = hashlib.sha256(data)
    if page:
        content.update(f"page {page}".encode())
    return content.hexdigest()


def content(item: Item) -> bytes:
    """Return the very bytes that were read at import, or the copy in which faces are hidden.

    Raises BrokenImage where another file is there now.
    """
    data = storing.read_bytes(item)
    if item.source.hides_faces:
        return data  # kept here, by its content
    if len(data) != item.size_bytes or content_of(data, item.page) != item.sha256:
        raise BrokenImage(storing.ANOTHER)
    return data


def derive(digest: str, image: Image.Image, kind: str, *, shows_in_browsers: bool) -> None:
    """Keep what screens show of an image: its thumbnail, and a copy where browsers cannot show the file."""
    keep(thumbnail_name(digest), webp(image, THUMBNAIL))
    if not shows_in_browsers:
        name, media_type = display_copy(digest, image.width, image.height, kind)
        keep(name, webp(image) if media_type == "image/webp" else png(image))


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
    """Return what was imported, as people may see it; what cameras left turned, or is a later page, is anew.

    Raises BrokenImage.
    """
    data = content(item)
    if decoding.is_dicom(data):
        return data
    with decoding.blaming(decoding.DAMAGED):
        with decoding.open_header(data) as image:
            kind, turned = image.format, image.getexif().get(decoding.ORIENTATION, 1)
        if turned == 1 and not storing.page_of(item):
            return data
        buffer = io.BytesIO()
        quality = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
        decoding.decode(data, page=storing.page_of(item)).save(buffer, kind, **quality)
        return buffer.getvalue()


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def thumbnail_name(sha256: str) -> str:
    return f"thumbnails/{sha256[:2]}/{sha256}.webp"


def display_copy(sha256: str, width: int, height: int, file_format: str) -> tuple[str, str]:
    """Return name and media type of the copy for browsers: WebP where the image fits into one.

    What a physician looks at loses nothing.
    """
    kind = "webp" if max(width, height) <= WEBP_LONGEST and file_format != "DICOM" else "png"
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
    data = webp(decoding.decode(content(item), page=storing.page_of(item)).crop(seen), THUMBNAIL)
    keep(name, data)
    return data


def keep(name: str, data: bytes) -> None:
    """Store a derived file unless it is there: the name says its content."""
    if not default_storage.exists(name):
        default_storage.save(name, ContentFile(data))


def viewable(item: Item) -> Viewable:
    """Return what a browser can show of an item. Raises BrokenImage when its bytes are asked for."""
    assert item.width is not None
    assert item.height is not None
    name, media_type = display_copy(item.sha256, item.width, item.height, item.format)
    if default_storage.exists(name):
        return Viewable(default_storage.size(name), media_type, partial(stored_parts, name))
    size = masked.size(item) if item.source.hides_faces else item.size_bytes
    return Viewable(size, f"image/{item.format.lower()}", partial(storing.parts, item), is_original=True)


def stored_parts(name: str, start: int, end: int) -> Iterator[bytes]:
    with default_storage.open(name) as stored:
        stored.seek(start)
        yield stored.read(end - start)


def address(item: Item) -> str:
    """Return where a picture is shown; another one where it shows something else by now."""
    return reverse("image", args=[item.pk]) + version(item)


def thumbnail_address(item: Item) -> str:
    return reverse("thumbnail", args=[item.pk]) + version(item)


def version(item: Item) -> str:
    """Return what keeps browsers from showing what they have kept of a copy, or of the original."""
    return f"?v={item.sha256[:VERSION]}" if item.masked_at else ""


@lru_cache(maxsize=16)
def in_window(item: Item, center: float, width: float) -> bytes:
    """Return a DICOM image as PNG, with other values from black to white. Raises BrokenImage."""
    shown = decoding.look(content(item), window={"center": center, "width": width})
    return png(shown.image)
