"""Pictures in instructions: made harmless, kept under the hash of what is kept, shown to members alone."""

import hashlib
import io
import re
from pathlib import PurePath

from django.core.files.storage import default_storage
from django.db import transaction
from django.urls import reverse
from PIL import Image, ImageOps, UnidentifiedImageError

from labeling import decoding, images
from labeling.models import Event, InstructionPicture, Project, User
from labeling.refusals import Refused

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
MAX_BYTES = 8 * 2**20
LONGEST = 1_600  # pixels on the long side
DRAWN = ("PNG", "GIF")  # drawings and screenshots, of which nothing is lost
NAMED = 120
MARKUP = re.compile(r"[\x00-\x1f\x7f\[\]()<>\\`*_!|~]+")  # what would be more than text in Markdown

NO_PICTURE = "This is not a PNG, JPEG, WebP or GIF picture."


class PictureRefused(Refused):
    """Why a picture was not taken, in a sentence for people."""


def add(project: Project, data: bytes, file_name: str, by: User) -> InstructionPicture:
    """Keep a picture for the instructions of a project; the same one is kept once. Raises PictureRefused."""
    clean, width, height = encoded(data)
    digest = hashlib.sha256(clean).hexdigest()
    images.keep(stored_name(digest), clean)
    fields = {"name": tidy_name(file_name), "width": width, "height": height, "size_bytes": len(clean)}
    with transaction.atomic():
        picture, is_new = InstructionPicture.objects.get_or_create(
            project=project, sha256=digest, defaults={**fields, "created_by": by}
        )
        if is_new:
            Event.record("picture", project, by, name=picture.name, sha256=digest)
    return picture


def encoded(data: bytes) -> tuple[bytes, int, int]:
    """Return a picture as WebP with its width and height: upright, at most 1,600 pixels, and nothing else.

    Of one that moves, the first frame is kept. Raises PictureRefused.
    """
    if len(data) > MAX_BYTES:
        raise PictureRefused(too_large(len(data)))
    try:
        with decoding.blaming("The picture is damaged: it ends too early or cannot be decoded."):
            image, is_drawn = decoded(data)
            if max(image.size) > LONGEST:
                image.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
            out = io.BytesIO()
            image.save(out, "WEBP", lossless=is_drawn, quality=85, method=2)
    except decoding.BrokenImage as error:
        raise PictureRefused(str(error)) from error
    return out.getvalue(), image.width, image.height


def decoded(data: bytes) -> tuple[Image.Image, bool]:
    """Return the upright RGB picture, and whether it was drawn rather than taken."""
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise decoding.BrokenImage(NO_PICTURE) from error
    except Image.DecompressionBombError as error:
        raise decoding.BrokenImage("The picture has too many pixels to be read.") from error
    if image.width * image.height > decoding.MAX_PIXELS:
        raise decoding.BrokenImage(
            f"The picture has {image.width * image.height / 1e6:,.0f} million pixels;"
            f" at most {decoding.MAX_PIXELS / 1e6:,.0f} million can be read."
        )
    is_drawn = image.format in DRAWN
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    clean = decoding.to_rgb(image)
    clean.info = {}  # or what the file said of itself, as its place, would be written again
    return clean, is_drawn


def too_large(size: int) -> str:
    return f"The file is {size / 2**20:,.1f} MB; a picture may have {MAX_BYTES >> 20} MB."


def tidy_name(file_name: str) -> str:
    """Return the name of a file as a text that Markdown takes for nothing else."""
    stem = PurePath(file_name.replace("\\", "/")).stem
    return " ".join(MARKUP.sub(" ", stem).split())[:NAMED].strip() or "picture"


def stored_name(sha256: str) -> str:
    return f"instructions/{sha256[:2]}/{sha256}.webp"


def address(picture: InstructionPicture) -> str:
    return reverse("instructions-picture", args=[picture.project_id, picture.sha256])


def markdown(picture: InstructionPicture) -> str:
    """Return what shows a picture where it is written in the instructions of its project."""
    return f"![{picture.name}]({address(picture)})"


def stored(picture: InstructionPicture) -> bytes:
    with default_storage.open(stored_name(picture.sha256)) as file:
        content: bytes = file.read()
    return content
