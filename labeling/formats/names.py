"""Names of files in archives: none twice, and none that a file system refuses.

The last part of a path is kept as people know it. Where two images have the same stem, also where case does
not count, from different folders or with different endings, the first one of the project keeps it, and the
others have their numbers behind. So names do not depend on what else is exported, and new images change none.
"""

import re
import unicodedata
from array import array
from collections.abc import Iterable

import numpy as np

from labeling.decoding import EXTENSIONS
from labeling.formats.records import Category, Picture

REFUSED = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*\s]+')
REFUSED_IN_FILES = re.compile(r'(?:[\x00-\x1f\x7f-\x9f<>:"/\\|?*]|[^\S ])+')
DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?\Z", re.IGNORECASE)  # which Windows opens instead
LONGEST = 100  # bytes of a folder's name
LONGEST_STEM = 180  # bytes: with number and ending below what every file system takes, 255
SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}\Z")
PAGE = re.compile(r"(\.tiff?)#page=(\d+)\Z", re.IGNORECASE)
ENDINGS = {
    "JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp", "TIFF": ".tif", "WEBP": ".webp", "GIF": ".gif",
    "HEIF": ".heic", "DICOM": ".dcm",
}  # fmt: skip
ALSO = {
    ".jpeg": ".jpg", ".jpe": ".jpg", ".jfif": ".jpg", ".tiff": ".tif", ".heif": ".heic", ".dicom": ".dcm",
}  # fmt: skip
BITS = 2**64 - 1


class Names:
    """The names of a project's images, given all of them by number and path in the order of their numbers."""

    def __init__(self, images: Iterable[tuple[int, str]]) -> None:
        numbers, keys = array("q"), array("Q")
        for number, path in images:
            numbers.append(number)
            keys.append(key(parted(path)[0]))
        self.keys, first = np.unique(np.frombuffer(keys, np.uint64), return_index=True)
        self.first = np.sort(np.frombuffer(numbers, np.int64)[first])

    def of(self, number: int, path: str, kind: str, *, is_copy: bool = False) -> str:
        """Return the name of an image; `kind` tells its ending, where its path has none.

        A copy in which something is hidden may be of another kind than its file.
        """
        name, ending = parted(path)
        if is_copy and ALSO.get(ending.lower(), ending.lower()) != ENDINGS.get(kind):
            ending = ""
        if not name or DEVICES.match(name) or not held(self.first, number):
            name = f"{name or 'image'}-{number}"
            while held(self.keys, key(name)):
                name = f"{name}-{number}"
        return name + (ending or ENDINGS.get(kind, ""))


def held(values: np.ndarray, value: int) -> bool:
    """Tell whether a sorted array has a value."""
    at = np.searchsorted(values, values.dtype.type(value))
    return bool(at < len(values) and values[at] == value)


def key(name: str) -> int:
    return hash(name.casefold()) & BITS


def parted(path: str) -> tuple[str, str]:
    """Return the stem and the ending of a path's last part, as files can be called; "" for no image's."""
    last = PAGE.sub(r"_page\2\1", path.rsplit("/", 1)[-1])
    ending = suffix(last)
    if ending.lower() not in EXTENSIONS:
        ending = ""
    kept = REFUSED_IN_FILES.sub("_", unicodedata.normalize("NFC", last.removesuffix(ending)))
    kept = kept.lstrip(" .").encode("utf-8", "ignore")[:LONGEST_STEM].decode("utf-8", "ignore")
    return kept.rstrip(" ."), ending


def stem(picture: Picture) -> str:
    """Return a name without an ending, of this image alone."""
    name = file_of(picture)
    return name.removesuffix(suffix(name))


def file_of(picture: Picture) -> str:
    """Return an image's name; where none was given, with its number."""
    if picture.file:
        return picture.file
    name, ending = parted(picture.file_name)
    return f"{name or 'image'}-{picture.id}{ending}"


def suffix(path: str) -> str:
    found = SUFFIX.search(path.rsplit("/", 1)[-1])
    return found.group() if found else ""


def clean(text: str) -> str:
    """Return text without what file systems refuse, cut off where it is long."""
    kept = REFUSED.sub("_", unicodedata.normalize("NFC", text)).strip("._- ")
    return kept.encode("utf-8", "ignore")[:LONGEST].decode("utf-8", "ignore").strip("._- ")


def folders(categories: list[Category]) -> dict[int, str]:
    """Return a folder name for each class: its own where that can be one, else with the class's number."""
    found: dict[int, str] = {}
    taken: set[str] = set()
    for each in categories:
        name = clean(each.name)
        if not name or name.casefold() in taken:
            name = f"{name}-{each.id}".lstrip("-")
        taken.add(name.casefold())
        found[each.id] = name
    return found
