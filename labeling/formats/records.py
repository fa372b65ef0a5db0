"""What every format writes and reads: images with their regions, and the classes these have."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

MOST_SHAPES = 50_000  # of an image: more would fill the memory before anybody could look at them
MOST_NAMED = 1_000  # images that are left out and told by name
TOO_MANY = f"The image has more than {MOST_SHAPES:,} regions. The others are left out."


class Unreadable(Exception):
    """Why a file is not of a format at all, in a sentence for people."""


@dataclass(frozen=True, slots=True)
class Category:
    """A class. Formats that know only names number them from 1, in the order of the file."""

    id: int
    name: str
    supercategory: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """One region: `bbox` is [x, y, width, height], `polygon` one flat list of points per part, in pixels;
    without either, it is a class of the whole image.

    `mask` is what only pixels say: the lengths of runs of 0 and 1 (runs.py). `origin` says whether a
    person drew it, accepted it as proposed, or changed what was proposed; `labeled_as` names the class
    that was chosen, where that has been merged into another one since.
    """

    category: int
    bbox: list[float] | None = None
    polygon: list[list[float]] | None = None
    mask: list[int] | None = None
    origin: str = ""
    labeled_as: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """One image with its regions. `provenance` says who or what made them, when, and under what.

    Without shapes it was looked at and holds nothing. `file_name` is its path in the project, or in the
    file that it was read from; `url` where it can be fetched; `split` train, val, test or empty. Readers
    number what a format has no ids for from 1.
    """

    id: int
    file_name: str
    width: int
    height: int
    shapes: list[Shape] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)
    split: str = ""
    url: str = ""
    file: str = ""  # its name in archives, see names.py
    missing: str = ""  # why there is no copy of its file, where others have one


@dataclass(frozen=True, slots=True)
class Problem:
    """What could not be read, and where: `labels/a.txt, line 3`. The rest of the file still was."""

    place: str
    said: str


Record = Category | Picture | Problem


@dataclass(slots=True)
class LeftOut:
    """The images without a copy of their file: how many, and of the first ones which and why."""

    count: int = 0
    named: list[tuple[str, str]] = field(default_factory=list)

    def add(self, file_name: str, why: str) -> None:
        self.count += 1
        if len(self.named) < MOST_NAMED:
            self.named.append((file_name, why))


@dataclass(frozen=True, slots=True)
class Heading:
    """What holds for a whole file. `image` returns the bytes of an image, upright; None leaves them out.

    `left_out` grows while pictures are gone through. `with_links`: these have addresses.
    """

    name: str
    task_type: str
    categories: list[Category]
    info: dict[str, Any] = field(default_factory=dict)
    image: Callable[[Picture], bytes] | None = None
    with_links: bool = False
    left_out: LeftOut = field(default_factory=LeftOut)

    def has(self, picture: Picture) -> bool:
        """Tell whether a copy of an image's file goes in."""
        return self.image is not None and not picture.missing


@dataclass(frozen=True, slots=True)
class Part:
    """A file, alone or in an archive: its whole content, or where to read it from the beginning."""

    name: str
    content: bytes | BinaryIO
    is_packed: bool = False  # as pictures are: compressing them again wins nothing
