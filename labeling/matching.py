"""Which image of a project a file of labels means: by path, else by file name, else by name without ending.

What could be two images is never guessed. The paths wait on disk: a project may have a million.
"""

import sqlite3
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit

from labeling.formats.names import suffix
from labeling.formats.shelf import batches

MOST = 10_000  # images of one name that are told apart
BY_PATH, BY_NAME, BY_STEM = "path", "name", "stem"


@dataclass(frozen=True, slots=True)
class Image:
    """An image of a project; `state` is empty where labels can be given to it, else says why not."""

    item: int
    path: str
    width: int
    height: int
    state: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """What was found: the image and by what, or else, if there are several, two of their paths."""

    image: Image | None = None
    by: str = ""
    rivals: tuple[str, ...] = ()


class Gallery:
    """The images of a project by their paths, in a temporary file that is gone with the object."""

    def __init__(self, images: Iterable[Image]) -> None:
        self.database = sqlite3.connect("", isolation_level=None)
        self.database.executescript(
            """
            PRAGMA synchronous = OFF; PRAGMA cache_size = -32000;
            CREATE TABLE image (item, path, width, height, state, folded, name, stem);
            """
        )
        rows = ((*row(each), *keys(each.path)) for each in images)
        for some in batches(rows):
            self.database.execute("BEGIN")
            self.database.executemany("INSERT INTO image VALUES (?, ?, ?, ?, ?, ?, ?, ?)", some)
            self.database.execute("COMMIT")
        self.database.executescript(
            """
            CREATE INDEX by_folded ON image (folded);
            CREATE INDEX by_name ON image (name);
            CREATE INDEX by_stem ON image (stem);
            """
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.database.close()

    def find(self, given: str) -> Match:
        """Find the image that a path, a file name or an address means."""
        path = plain(given)
        folded, name, stem = keys(path)
        rivals: Match | None = None
        for by, column, key, form in (
            (BY_PATH, "folded", folded, str),
            (BY_NAME, "name", name, str),
            (BY_STEM, "stem", stem, without_ending),
        ):
            found = chosen(self.rows(column, key), path, by, form)
            if found.image:
                return found
            rivals = rivals or (found if found.rivals else None)
        return rivals or Match()

    def find_stem(self, given: str) -> Match:
        """Find the image that a path without an ending means."""
        path = plain(given)
        last = fold(path).rsplit("/", 1)[-1]
        return chosen(self.rows("stem", last), path, BY_STEM, without_ending)

    def rows(self, column: str, key: str) -> list[Image]:
        found = self.database.execute(
            f"SELECT item, path, width, height, state FROM image WHERE {column} = ? LIMIT ?",  # noqa: S608
            (key, MOST),
        )
        return [Image(*each) for each in found]


def chosen(found: Sequence[Image], path: str, by: str, form: Callable[[str], str]) -> Match:
    """Choose among images with a name in common the one whose folders fit, if that is only one."""
    given = fold(form(path))
    same = [each for each in found if fold(form(each.path)) == given]
    # The longest path that the given one ends with says the most: /data/set/a/1.jpg is a/1.jpg.
    below = [each for each in found if f"/{given}".endswith(f"/{fold(form(each.path))}")]
    longest = max((len(each.path) for each in below if "/" in each.path), default=0)
    within = [each for each in below if len(each.path) == longest]
    above = [each for each in found if "/" in given and fold(form(each.path)).endswith(f"/{given}")]
    for some, how in ((same, BY_PATH), (within, BY_PATH), (above, BY_PATH), (found, by)):
        if some is not same and len(found) == MOST:
            return Match(rivals=(found[0].path, found[1].path))
        items = {each.item: each for each in reversed(some)}
        if len(items) == 1:
            return Match(next(iter(items.values())), BY_STEM if by == BY_STEM else how)
        if items:
            return Match(rivals=tuple(sorted(each.path for each in items.values())[:2]))
    return Match()


def plain(given: str) -> str:
    """Return a path with / between folders, without what leads to it from elsewhere."""
    path = given
    if "://" in given:
        try:
            path = unquote(urlsplit(given).path)
        except ValueError:  # no address after all
            path = given
    path = path.replace("\\", "/")
    while path.startswith(("./", "/")):
        path = path.removeprefix(".").removeprefix("/")
    return path


def fold(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def folder_of(path: str) -> str | None:
    """Return the name of the folder that a file lies in, None at the top."""
    folders = path.split("/")[:-1]
    return folders[-1] if folders else None


def without_ending(path: str) -> str:
    return path.removesuffix(suffix(path))


def keys(path: str) -> tuple[str, str, str]:
    folded = fold(path)
    name = folded.rsplit("/", 1)[-1]
    return folded, name, without_ending(name)


def row(image: Image) -> tuple[int, str, int, int, str]:
    return image.item, image.path, image.width, image.height, image.state
