"""Names of files in archives: none twice, and none that a file system refuses.

The last part of a path is kept as people know it, with the image's number behind: so two of the same stem,
from different folders or with different endings, never meet, also where case does not count.
"""

import re
import unicodedata

from labeling.formats.records import Category, Picture

REFUSED = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*\s]+')
LONGEST = 100  # bytes of the stem: with number and ending below what every file system takes, 255
SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}\Z")


def stem(picture: Picture) -> str:
    """Return a name without an ending, of this image alone."""
    last = picture.file_name.rsplit("/", 1)[-1]
    return f"{clean(SUFFIX.sub('', last))}-{picture.id}".lstrip("-")


def file_of(picture: Picture) -> str:
    """Return a name with the ending that the image's file has."""
    return stem(picture) + suffix(picture.file_name).lower()


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
