"""Writing labels to a file in one pass, and reading that file again before anybody gets it."""

import hashlib
import shutil
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import orjson

from labeling.formats import readme
from labeling.formats.archives import ArchiveWriter
from labeling.formats.catalog import Format
from labeling.formats.files import Archive, Files, Single
from labeling.formats.records import Category, Heading, Part, Picture, Problem, Shape, Unreadable

PIECE = 1 << 20
OFTEN = 500  # images after which progress is told

Progress = Callable[[int], None]


class Unsound(Exception):
    """Why a file that was written is not offered, in a sentence for people."""


@dataclass(slots=True)
class Tally:
    """What went into a file, image by image: enough to check it, and to compare it with another one."""

    images: int = 0
    by_class: Counter[int] = field(default_factory=Counter)
    kept: Counter[int] = field(default_factory=Counter)  # by class, as the format says them
    by_origin: Counter[str] = field(default_factory=Counter)
    by_split: Counter[str] = field(default_factory=Counter)
    items: "array[int]" = field(default_factory=lambda: array("q"))
    prints: "array[int]" = field(default_factory=lambda: array("Q"))
    ends: "array[int]" = field(default_factory=lambda: array("q"))
    classes: "array[int]" = field(default_factory=lambda: array("q"))

    def note(self, picture: Picture) -> None:
        self.images += 1
        self.by_origin[picture.provenance["origin"]] += 1
        self.by_split[picture.split] += bool(picture.split)
        found = sorted([each.category for each in picture.shapes])
        for each in found:
            self.by_class[each] += 1
        self.items.append(picture.id)
        self.prints.append(fingerprint(picture.shapes))
        self.classes.extend(found)
        self.ends.append(len(self.classes))

    def labeled(self) -> np.ndarray:
        """Return the numbers of the images that have labels."""
        return np.array(self.items)[np.diff(self.ends, prepend=0) > 0]

    def save(self, file: BinaryIO) -> None:
        """Write what an export is compared by."""
        np.savez_compressed(
            file,
            items=np.array(self.items, np.int64),
            prints=np.array(self.prints, np.uint64),
            ends=np.array(self.ends, np.int64),
            classes=np.array(self.classes, np.int64),
        )


def fingerprint(shapes: list[Shape]) -> int:
    """Return 64 bits that say which regions an image has, in whatever order."""
    said = b"\n".join(sorted(orjson.dumps([each.category, each.bbox, each.polygon]) for each in shapes))
    return int.from_bytes(hashlib.blake2b(said, digest_size=8).digest(), "little")


def write(form: Format, heading: Heading, pictures: Iterator[Picture], path: Path, *, alone: bool) -> None:
    """Write a file: one by itself, or an archive of all parts."""
    parts = form.write(heading, pictures)
    with path.open("wb") as out:
        if alone:
            for part in parts:
                copy(part, out)
        else:
            archive = ArchiveWriter(out)
            for part in parts:
                archive.add(part)
                release(part)
            if not form.has_readme:
                page = readme.text(heading, is_images=form.is_images)
                archive.add(Part(readme.FILE, page.encode()))
            archive.close()


def copy(part: Part, out: BinaryIO) -> None:
    assert not isinstance(part.content, bytes), "a file by itself is written as one"
    part.content.seek(0)
    shutil.copyfileobj(part.content, out, PIECE)
    release(part)


def release(part: Part) -> None:
    if not isinstance(part.content, bytes):
        part.content.close()


def noted(
    pictures: Iterator[Picture], tally: Tally, progress: Progress, form: Format | None = None
) -> Iterator[Picture]:
    """Pass pictures on as a format can say them, and count them."""
    flatten = form.flatten if form else None
    for picture in pictures:
        tally.note(picture)
        if tally.images % OFTEN == 0:
            progress(tally.images)
        if flatten:
            picture = flatten(picture)
            tally.kept.update(each.category for each in picture.shapes)
        yield picture


def check(
    form: Format,
    heading: Heading,
    tally: Tally,
    path: Path,
    progress: Progress,
    path_of: Callable[[int], str],
    *,
    alone: bool,
) -> None:
    """Read a file again, and compare what it says with what was to be said. Raises Unsound.

    `path_of` names an image by its number.
    """
    try:
        if alone:
            found = counted(form, Single(path, f"labels.{form.alone}"), progress)
        else:
            with Archive(path) as files:
                found = counted(form, files, progress)
    except Unreadable as error:
        raise Unsound(f"The file that was written cannot be read again: {error}") from error
    titles = {each.id: said(each.name) for each in heading.categories}
    wanted: Counter[str] = Counter()
    for category, count in (tally.kept if form.flatten else tally.by_class).items():
        wanted[titles[category]] += count
    pictures = tally.labeled() if form.is_images else np.array(tally.items)
    if (len(found[0]), found[1]) != (len(pictures), wanted):
        lacking = np.setdiff1d(pictures, found[0])[:1].tolist()
        which = f" {path_of(lacking[0])} is not in it." if lacking else ""
        raise Unsound(
            f"The file that was written has {len(found[0]):,} images with {found[1].total():,} labels when it"
            f" is read again, and not the {len(pictures):,} with {wanted.total():,} that it should have."
            f"{which}"
        )


def counted(form: Format, files: Files, progress: Progress) -> tuple["array[int]", Counter[str]]:
    """Return the images by number, and count labels by class. Raises Unsound at the first problem."""
    titles: dict[int, str] = {}
    images, labels = array("q"), Counter[int]()
    for record in form.read(files):
        if isinstance(record, Problem):
            raise Unsound(f"The file that was written is wrong at {record.place}: {record.said}")
        if isinstance(record, Category):
            titles[record.id] = said(record.name)
        else:
            images.append(record.id)
            for each in record.shapes:
                labels[each.category] += 1
            if len(images) % OFTEN == 0:
                progress(len(images))
    by_title: Counter[str] = Counter()
    for category, count in labels.items():
        by_title[titles[category]] += count
    return images, by_title


def said(name: str) -> str:
    """Return a class's name as formats with a name a line have it."""
    return " ".join(name.split())


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
