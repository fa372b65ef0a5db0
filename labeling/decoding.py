"""From the bytes of a file to an upright RGB image. The bytes are hostile: whatever fails is their fault."""

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pillow_heif
from PIL import Image, ImageOps, UnidentifiedImageError

if TYPE_CHECKING:
    from labeling.dicom import Window

EXTENSIONS = frozenset(
    {".jpg", ".jpeg", ".png", ".jpe", ".jfif", ".bmp", ".tif", ".tiff", ".webp", ".gif"}
    | {".heic", ".heif", ".dcm", ".dicom"}
)
FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "HEIF")
MAX_BYTES = 100 * 1024 * 1024
MAX_PIXELS = Image.MAX_IMAGE_PIXELS or 89_478_485
MAX_PAGES = 1_000  # of a TIFF that become items
ORIENTATION = 0x0112
DICOM_MARK, DICOM_MARK_AT = b"DICM", 128
DICOM_STARTS = (b"\x02\x00", b"\x08\x00")  # group numbers that files without the mark begin with
DAMAGED = "The image is damaged: it ends too early or cannot be decoded."

# Between one and two times the limit Pillow only warns; Loupe refuses by itself.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)
pillow_heif.register_heif_opener(thumbnails=False)


class BrokenImage(Exception):
    """Why an image cannot be used, in a sentence for people."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """An upright RGB image, and what its file said of it."""

    image: Image.Image
    format: str
    pages: int  # that become items, where each page shall
    shows_in_browsers: bool  # just as it is
    window: "Window | None" = None


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


def refuse_pixels(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise BrokenImage(
            f"The image has {width * height / 1e6:,.0f} million pixels;"
            f" at most {MAX_PIXELS / 1e6:,.0f} million can be read."
        )


def is_dicom(data: bytes) -> bool:
    return data[DICOM_MARK_AT : DICOM_MARK_AT + len(DICOM_MARK)] == DICOM_MARK or data[:2] in DICOM_STARTS


def decode(data: bytes, at_least: int | None = None, page: int = 0) -> Image.Image:
    """Decode to an upright RGB image. Raises BrokenImage.

    With `at_least`, a JPEG may be decoded smaller, down to that many pixels on its shorter side. `page`
    counts those of a TIFF from 0; of what moves, the first frame is the image.
    """
    return look(data, at_least, page).image


def look(
    data: bytes,
    at_least: int | None = None,
    page: int = 0,
    window: Mapping[str, float] | None = None,
) -> Decoded:
    """Decode, and tell what the file says of itself. Raises BrokenImage.

    `window` has the center and the width in which a DICOM image is shown, instead of its own.
    """
    with blaming(DAMAGED):
        if is_dicom(data):
            from labeling import dicom  # takes a second, and most projects have none

            picture, own = dicom.render(data, window)
            return Decoded(picture, "DICOM", 1, shows_in_browsers=False, window=own)
        image = open_header(data)
        pages = min(getattr(image, "n_frames", 1), MAX_PAGES) if image.format == "TIFF" else 1
        if page:
            image.seek(page)
        refuse_pixels(image.width, image.height)
        kind, shows = image.format or "", shows_in_browsers(image)
        if at_least:
            image.draft("RGB", (at_least, at_least))
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        return Decoded(to_rgb(image), kind, pages, shows)


def open_header(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise BrokenImage("This is not a JPEG, PNG, WebP, GIF, HEIC, BMP, TIFF or DICOM image.") from error
    except Image.DecompressionBombError as error:
        raise BrokenImage("The image has too many pixels to be read.") from error


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert any mode to RGB; deep grey is shown in the depth that it uses, transparency becomes white."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I"):
        deep = image.convert("I")
        lightest = deep.getextrema()[1]
        step = 2 ** (depth_of(int(lightest)) - 8)  # type: ignore[arg-type]  # one band
        return deep.point(lambda value: value / step).convert("L").convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layered = image.convert("RGBA")
        white = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(white, layered).convert("RGB")
    return image.convert("RGB")


def depth_of(lightest: int) -> int:
    """Return the bits that grey values were taken with: cameras write 10, 12 or 14 into files of 16."""
    return next((bits for bits in (8, 10, 12, 14) if lightest < 2**bits), 16)


def shows_in_browsers(image: Image.Image) -> bool:
    """Tell whether browsers show the file itself just as Loupe's upright image."""
    return (
        image.format in ("JPEG", "PNG", "WEBP")
        and image.mode in ("RGB", "L", "P", "1")
        and getattr(image, "n_frames", 1) == 1
        and image.getexif().get(ORIENTATION, 1) == 1
    )
