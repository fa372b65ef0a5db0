"""Semantic masks: an indexed PNG for each image, whose pixels have the numbers of classes.

    masks/NAME.png, or masks/train/NAME.png with splits; 0 is what no region covers
    images/NAME.jpg      the images, where they are included
    classes.json         the classes with their numbers in the masks, and the colours that they are shown in
    provenance.jsonl     who made the labels: pixels have no room for it

Colours are those of Pascal VOC, which viewers and trainings know. Where regions overlap, the later one lies
over the earlier; those of one class become one. Precision: the pixels whose centre a region encloses.
"""

import io
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
from PIL import Image, UnidentifiedImageError

from labeling.formats import names, provenance, yolo
from labeling.formats.files import Entry, Files
from labeling.formats.records import Category, Heading, Part, Picture, Problem, Record, Shape, Unreadable
from labeling.formats.runs import run_lengths

CLASSES, FOLDER = "classes.json", "masks"
MOST_CLASSES = 255  # beside the background, in a byte
EFFORT = 3  # of 9, as archives are packed


def flattened(picture: Picture) -> Picture:
    """Return an image with one mask for each class that is to be seen: what of regions a mask can say."""
    if all(each.mask for each in picture.shapes):
        return picture
    order = sorted({each.category for each in picture.shapes})
    numbers = {key: number for number, key in enumerate(order, 1)}
    found = masks_of(painted(picture, numbers), picture.width * picture.height)
    shapes = [Shape(key, mask=found[number]) for key, number in numbers.items() if number in found]
    return replace(picture, shapes=shapes)


def painted(picture: Picture, numbers: Mapping[int, int]) -> np.ndarray:
    """Return the number of the class at each pixel, column by column as run lengths have them."""
    canvas = np.zeros(picture.width * picture.height, np.uint8)
    for shape in picture.shapes:
        counts = shape.mask or run_lengths(parts_of(shape, picture), picture.width, picture.height)
        ends = np.cumsum(counts).tolist()
        for start, end in zip(ends[::2], ends[1::2], strict=False):
            canvas[start:end] = numbers[shape.category]
    return canvas


def parts_of(shape: Shape, picture: Picture) -> list[list[float]]:
    """Return the outline of a region: of a box its edges, of a class of the whole image all of it."""
    if shape.polygon:
        return shape.polygon
    x, y, width, height = shape.bbox or [0, 0, picture.width, picture.height]
    return [[x, y, x + width, y, x + width, y + height, x, y + height]]


def masks_of(canvas: np.ndarray, size: int) -> dict[int, list[int]]:
    """Return the run lengths of each number but 0 that a canvas has."""
    starts = np.flatnonzero(np.diff(canvas, prepend=canvas[:1])) if size else np.empty(0, np.int64)
    starts = np.concatenate([[0], starts]) if size else starts
    ends = np.append(starts[1:], size)
    found = {}
    for number in np.unique(canvas[starts]).tolist():
        if number:
            here = canvas[starts] == number
            edges = np.stack([starts[here], ends[here]], axis=1).ravel()
            counts = np.diff(edges, prepend=0, append=size).tolist()
            found[number] = counts if counts[-1] else counts[:-1]
    return found


def write(heading: Heading, pictures: Iterable[Picture]) -> Iterator[Part]:
    numbers = {each.id: number for number, each in enumerate(heading.categories, 1)}
    palette = colours()
    told = tempfile.TemporaryFile()  # noqa: SIM115  # whoever gets the parts reads it
    # First, so that whoever gets many masks knows at once what they are.
    yield Part(CLASSES, classes_json(heading.categories, palette))
    for picture in map(flattened, pictures):
        place = f"{picture.split}/" if picture.split else ""
        file = f"{FOLDER}/{place}{names.stem(picture)}.png"
        canvas = painted(picture, numbers).reshape(picture.width, picture.height).T
        yield Part(file, png(np.ascontiguousarray(canvas), palette), is_packed=True)
        if heading.image and heading.has(picture):
            yield Part(f"images/{place}{names.file_of(picture)}", heading.image(picture), is_packed=True)
        told.write(provenance.line(picture, file))
    yield Part(provenance.FILE, told)


def colours() -> list[list[int]]:
    """Return the 256 colours of Pascal VOC: the bits of a number spread over red, green and blue."""
    found = []
    for number in range(256):
        colour = [0, 0, 0]
        for bit in range(8):
            for channel in range(3):
                colour[channel] |= (number >> (3 * bit + channel) & 1) << (7 - bit)
        found.append(colour)
    return found


def png(canvas: np.ndarray, palette: Sequence[Sequence[int]]) -> bytes:
    image = Image.fromarray(canvas)
    image.putpalette([each for colour in palette for each in colour])
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=EFFORT)
    return out.getvalue()


def classes_json(categories: Sequence[Category], palette: Sequence[Sequence[int]]) -> bytes:
    classes = [
        {
            "index": number,
            "id": each.id,
            "name": each.name,
            "parent": each.supercategory,
            "color": palette[number],
        }
        for number, each in enumerate(categories, 1)
    ]
    body = {"background": {"index": 0, "color": palette[0]}, "classes": classes}
    return orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def read(files: Files) -> Iterator[Record]:
    """Read a mask for each class that is to be seen in each image. Raises Unreadable without classes.json."""
    categories = classes_of(files)
    yield from categories.values()
    number = 0
    with provenance.lines(files) as told:
        for entry in files.entries():
            if FOLDER not in entry.name.split("/")[:-1] or not entry.name.lower().endswith(".png"):
                continue
            number += 1
            canvas = pixels(entry)
            if canvas is None:
                yield Problem(entry.name, "This is no PNG whose pixels are numbers of classes.")
                continue
            height, width = canvas.shape
            found = masks_of(canvas.T.ravel(), canvas.size)
            shapes = [Shape(categories[key].id, mask=found[key]) for key in found if key in categories]
            for key in found.keys() - categories.keys():
                yield Problem(entry.name, f"There is no class {key} in {CLASSES}.")
            picture = Picture(number, entry.name, width, height, shapes, {}, yolo.split_of(entry.name))
            yield provenance.restore(picture, told.get(entry.name))


def classes_of(files: Files) -> dict[int, Category]:
    """Return the classes by their numbers in masks. Raises Unreadable."""
    for entry in files.entries():
        if entry.name.rsplit("/", 1)[-1] == CLASSES:
            try:
                return {each["index"]: category_of(each) for each in orjson.loads(entry.read())["classes"]}
            except (ValueError, TypeError, KeyError) as error:
                raise Unreadable(f"{entry.name} does not say index and name of each class.") from error
    raise Unreadable(f"There is no {CLASSES} that names the classes.")


def category_of(given: Mapping[str, Any]) -> Category:
    if type(given["index"]) is not int or not isinstance(given["name"], str):
        raise TypeError
    key = given.get("id")
    return Category(key if isinstance(key, int) else given["index"], given["name"], given.get("parent") or "")


def pixels(entry: Entry) -> np.ndarray | None:
    """Return the numbers in an image; None where it has colours instead, or cannot be read."""
    try:
        with entry.open() as file, Image.open(file, formats=["PNG"]) as image:
            return np.asarray(image) if image.mode in ("P", "L") else None
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError):
        return None
