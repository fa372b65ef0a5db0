"""What is there to import: files as sources list them, and which of them become no items."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from labeling import addresses, decoding
from labeling.models import DataSource

LONGEST_PATH = 2_000  # characters, as wide as the columns
KINDS = "JPEG, PNG, WebP, GIF, HEIC, BMP, TIFF, DICOM"


class Found(NamedTuple):
    """A file of a source: its path there, its size, and what is another when it was changed.

    In a TAR, where its bytes begin. `problem` says why it is not taken, whatever else is true of it.
    """

    path: str
    size: int
    fingerprint: str = ""
    byte_offset: int | None = None
    problem: str = ""


def walk(folder: Path, pattern: str = "") -> Iterator[Found]:
    """Yield each file below a folder that a pattern means, hidden ones left out."""
    root = str(folder)
    waiting = [root]
    while waiting:
        here = waiting.pop()
        with os.scandir(here) as entries:
            seen = sorted(
                (each for each in entries if not each.name.startswith(".")), key=lambda each: each.name
            )
        # In the order of their names, and a folder's files before those of the folders in it.
        waiting += reversed([each.path for each in seen if each.is_dir(follow_symlinks=False)])
        for each in seen:
            path = each.path[len(root) + 1 :]
            if each.is_file() and (not pattern or addresses.matches(pattern, path)):
                facts = each.stat()
                yield Found(path, facts.st_size, str(facts.st_mtime_ns))


def readable(name: str) -> str:
    """Return a name with a ? for each byte that is not UTF-8."""
    return name.encode(errors="replace").decode()


def can_be_stored(path: str) -> bool:
    """Tell whether a path fits the column."""
    return path == readable(path) and "\0" not in path and len(path) <= LONGEST_PATH


def refusal(kind: str, path: str, size: int) -> str | None:
    """Return why a file becomes no item: a sentence, "" to pass over silently, None to import it."""
    if kind == DataSource.Kind.HTTP:
        return refusal_of_address(path)
    parts = path.split("/")
    if "/." in f"/{path}" or "__MACOSX" in parts or parts[-1] == "Thumbs.db":
        return ""
    if os.path.splitext(parts[-1])[1].lower() not in decoding.EXTENSIONS:  # noqa: PTH122  # ten times as fast
        return f"Not an image type that Loupe reads ({KINDS})."
    if len(path) > LONGEST_PATH:
        return "The path is longer than 2,000 characters."
    if not can_be_stored(path):
        return "The name of the file or of its folder is not UTF-8. Rename it."
    try:
        decoding.refuse_size(size)
    except decoding.BrokenImage as error:
        return str(error)
    return None


def refusal_of_address(address: str) -> str | None:
    """Return why a web address becomes no item. Many that lead to images have no ending that says so."""
    if not address.lower().startswith(("http://", "https://")):
        return "This is no web address: it begins with neither https:// nor http://."
    if len(address) > LONGEST_PATH:
        return "The address is longer than 2,000 characters."
    if address != readable(address) or any(each.isspace() or each == "\0" for each in address):
        return "The address has characters in it that no address has."
    try:
        addresses.refuse_secrets(address)
    except addresses.AddressRefused as error:
        return str(error)
    suffix = PurePosixPath(addresses.file_part(address)).suffix.lower()
    if suffix[1:].isalpha() and len(suffix) <= 6 and suffix not in decoding.EXTENSIONS:
        return f"Not an image type that Loupe reads ({KINDS})."
    return None
