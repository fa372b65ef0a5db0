"""YOLO detection and segmentation, as Ultralytics trains from it: https://docs.ultralytics.com/datasets/.

    data.yaml                      the classes, and where the lists are
    train.txt val.txt test.txt     an image a line
    images/train/NAME.jpg          the images, where they are included
    labels/train/NAME.txt          a region a line: class and box (centre x, y, width, height), or polygon
    provenance.jsonl               who made the labels: the format itself has no room for it

Precision: a millionth of the image's sides, within the image. A polygon of several parts becomes one ring
with bridges of no width, so that holes stay holes by the even-odd rule. Without splits all is `train`.
"""

import tempfile
from collections.abc import Generator, Iterable, Iterator, Sequence
from math import isfinite
from typing import BinaryIO

import numpy as np
import yaml

from labeling import geometry
from labeling.formats import names, pictures, provenance
from labeling.formats.files import Entry, Files
from labeling.formats.records import Category, Heading, Part, Picture, Problem, Record, Shape, Unreadable
from labeling.formats.shelf import Shelf

SPLITS = ("train", "val", "test")
MOST_CLASSES = 100_000
LONGEST_YAML = 2 << 20  # bytes; more takes minutes
CLASS_FILES = ("classes.txt", "obj.names", "_darknet.labels")
OTHERS = frozenset({"train.txt", "val.txt", "test.txt", "valid.txt", "readme.txt", *CLASS_FILES})


def write_boxes(heading: Heading, chosen: Iterable[Picture]) -> Iterator[Part]:
    """Yield a detection set; of polygons, the boxes around them."""
    return write(heading, chosen, as_polygons=False)


def write_polygons(heading: Heading, chosen: Iterable[Picture]) -> Iterator[Part]:
    return write(heading, chosen, as_polygons=True)


def write(heading: Heading, chosen: Iterable[Picture], *, as_polygons: bool) -> Iterator[Part]:
    columns = {each.id: number for number, each in enumerate(heading.categories)}
    lists: dict[str, BinaryIO] = {}
    told = tempfile.TemporaryFile()  # noqa: SIM115  # whoever gets the parts reads it
    for picture in chosen:
        split, name = picture.split or SPLITS[0], names.stem(picture)
        file = f"images/{split}/{names.file_of(picture)}"
        rows = [row(columns[each.category], each, picture, as_polygons) for each in picture.shapes]
        yield Part(f"labels/{split}/{name}.txt", "".join(rows).encode())
        told.write(provenance.line(picture, file))
        if heading.image and heading.has(picture):
            yield Part(file, heading.image(picture), is_packed=True)
        if picture.missing:
            continue  # a training would look for it
        if split not in lists:
            lists[split] = tempfile.TemporaryFile()  # noqa: SIM115
        lists[split].write(f"./{file}\n".encode())
    for split, listed in lists.items():
        yield Part(f"{split}.txt", listed)
    yield Part("data.yaml", data_yaml(heading, lists).encode())
    yield Part(provenance.FILE, told)


def data_yaml(heading: Heading, splits: Iterable[str]) -> str:
    """Return what a training starts from. Without images for `val`, it has to be told those of `train`."""
    lines = [f"# {line}" for line in heading.name.splitlines()[:1]] + ["path: ."]
    there = [each for each in SPLITS if each in splits] or ["train"]
    lines += [f"{each}: {each}.txt" for each in there]
    if "val" not in there:
        lines.append(f"val: {there[0]}.txt  # no images were put aside")
    if "train" not in there:
        lines.append(f"train: {there[0]}.txt  # there are no others")
    classes = {"names": {number: each.name for number, each in enumerate(heading.categories)}}
    return "\n".join(lines) + "\n" + yaml.safe_dump(classes, allow_unicode=True)


def row(column: int, shape: Shape, picture: Picture, as_polygons: bool) -> str:
    """Return the line of a region."""
    if shape.polygon and as_polygons:
        points = np.asarray(joined(shape.polygon)).reshape(-1, 2)
        numbers = (points / (picture.width, picture.height)).clip(0, 1).ravel().tolist()
    else:
        box = shape.bbox or geometry.bounds(shape.polygon or [])
        numbers = normalised(box, picture.width, picture.height)
    return f"{column} {' '.join(f'{each:.6f}' for each in numbers)}\n"


def normalised(box: Sequence[float], width: int, height: int) -> list[float]:
    """Return centre, width and height of the part of a box within the image, as shares of its sides."""
    left, right = (min(max(each / width, 0), 1) for each in (box[0], box[0] + box[2]))
    top, bottom = (min(max(each / height, 0), 1) for each in (box[1], box[1] + box[3]))
    return [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]


def joined(polygon: list[list[float]]) -> list[float]:
    """Return one ring of all parts: each next one is gone to and come back from where it is nearest."""
    ring = np.asarray(polygon[0]).reshape(-1, 2)
    for part in polygon[1:]:
        other = np.asarray(part).reshape(-1, 2)
        apart = ((ring[:, None] - other[None]) ** 2).sum(2)
        at, to = np.unravel_index(apart.argmin(), apart.shape)
        turned = np.roll(other, -to, axis=0)
        ring = np.concatenate([ring[: at + 1], turned, turned[:1], ring[at:]])
    return ring.ravel().tolist()


def read(files: Files, size_of: pictures.SizeOf | None = None) -> Iterator[Record]:
    """Read boxes and polygons. Raises Unreadable where nothing names the classes.

    Lines do not say how large the image is: `size_of` does, by its path without images/, labels/ and
    ending; else the images themselves, or what provenance.jsonl says.
    """
    classes = [*class_names(files)]
    if not classes:
        raise Unreadable("There is no data.yaml or classes.txt that names the classes.")
    yield from (Category(number, name) for number, name in enumerate(classes, 1))
    with provenance.lines(files, key_of) as told, sizes_beside(files, told) as sizes:
        for number, entry in enumerate(filter(is_label, files.entries()), 1):
            key = key_of(entry.name)
            body = told.get(key)
            size = (body["file_name"], body["width"], body["height"]) if body else sizes.get(key)
            size = size or (size_of(key) if size_of else None)
            if size is None:
                yield Problem(entry.name, "There is no image to it, so its size is not known.")
                continue
            shapes = yield from regions(entry, size[1], size[2], len(classes))
            name, width, height = size
            picture = Picture(number, name, width, height, shapes, {}, split_of(entry.name))
            yield provenance.restore(picture, body)


def sizes_beside(files: Files, told: Shelf) -> Shelf:
    """Return the sizes of the images, which take a look at each, unless they are told."""
    return Shelf() if told.count else pictures.sizes(files, key_of)


def class_names(files: Files) -> list[str]:
    """Return the names of the classes, in their order; none where nothing says them. Raises Unreadable."""
    for entry in files.entries():
        last = entry.name.rsplit("/", 1)[-1].lower()
        if last.endswith((".yaml", ".yml")):
            found = in_yaml(entry)
            if found:
                return found
        elif last in CLASS_FILES:
            lines = entry.read().decode("utf-8-sig", "replace").splitlines()
            return [each.strip() for each in lines if each.strip()]
    return []


def in_yaml(entry: Entry) -> list[str]:
    """Return the names in a data.yaml: a list, or a mapping from numbers."""
    if entry.size > LONGEST_YAML:
        raise Unreadable(f"{entry.name} has more than {LONGEST_YAML >> 20} MB, and should only name classes.")
    try:
        body = yaml.safe_load(entry.read())
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise Unreadable(f"{entry.name} is no YAML.") from error
    given = body.get("names") if isinstance(body, dict) else None
    # As text, lists within lists that YAML's anchors name again and again would unfold without end.
    titles = given.values() if isinstance(given, dict) else given if isinstance(given, list) else ()
    if any(isinstance(each, list | dict) for each in titles):
        raise Unreadable(f"The names in {entry.name} are not all texts.")
    if isinstance(given, dict) and all(isinstance(each, int) and each >= 0 for each in given):
        if max(given, default=0) >= MOST_CLASSES:
            raise Unreadable(f"{entry.name} has a class with a number of {MOST_CLASSES:,} or more.")
        return [str(given.get(number, f"class {number}")) for number in range(max(given, default=-1) + 1)]
    return [str(each) for each in given] if isinstance(given, list) else []


def is_label(entry: Entry) -> bool:
    folder, _, last = entry.name.lower().rpartition("/")
    if not last.endswith(".txt"):
        return False
    return "labels" in folder.split("/") or not (last in OTHERS or last.startswith("readme"))


def key_of(name: str) -> str:
    """Return what an image and its labels have in common: the path without images/, labels/ and ending."""
    parts = name.removesuffix(names.suffix(name)).split("/")
    for at in range(len(parts) - 2, -1, -1):
        if parts[at] in ("images", "labels"):
            del parts[at]
            break
    return "/".join(parts)


def split_of(name: str) -> str:
    folders = name.lower().split("/")[:-1]
    return next((each for each in SPLITS if each in folders or f"{each}id" in folders), "")


def regions(entry: Entry, width: int, height: int, classes: int) -> Generator[Problem, None, list[Shape]]:
    """Yield what is wrong with lines; return the regions of the others."""
    shapes = []
    for number, line in enumerate(entry.read().decode("utf-8-sig", "replace").splitlines(), 1):
        if not line.strip():
            continue
        try:
            shapes.append(region(line.split(), width, height, classes))
        except ValueError as error:
            yield Problem(f"{entry.name}, line {number}", str(error))
    return shapes


def region(words: list[str], width: int, height: int, classes: int) -> Shape:
    """Return the region of a line. Raises ValueError with a sentence."""
    try:
        column, numbers = int(words[0]), [float(each) for each in words[1:]]
    except ValueError as error:
        raise ValueError("A line has the number of a class, then numbers.") from error
    if not 0 <= column < classes:
        raise ValueError(f"There is no class {column}; there are {classes}, from 0 on.")
    if not all(isfinite(each) for each in numbers):
        raise ValueError("Coordinates must be finite numbers.")
    sides = (width, height)
    if len(numbers) == 4:
        x, y, wide, high = numbers
        box = [(x - wide / 2) * width, (y - high / 2) * height, wide * width, high * height]
        return Shape(column + 1, bbox=sound(box, None))
    if len(numbers) >= 6 and len(numbers) % 2 == 0:
        ring = [each * sides[at % 2] for at, each in enumerate(numbers)]
        sound(None, [ring])
        return Shape(column + 1, polygon=[ring])
    raise ValueError("A line has a class and 4 numbers for a box, or at least 6, in pairs, for a polygon.")


def sound(box: list[float] | None, polygon: list[list[float]] | None) -> list[float] | None:
    wrong = geometry.misshapen(box, polygon)
    if wrong:
        raise ValueError(str(wrong))
    return box
