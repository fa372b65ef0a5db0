"""COCO instances JSON (https://cocodataset.org/#format-data).

A class of a whole image becomes an annotation whose box is the whole image and whose
`image_level` is true: readers that need a box (pycocotools, torchvision's CocoDetection,
FiftyOne's importer) take it as it is, and others can tell it from a drawn box.

A polygon stays a polygon with as many parts as it has, unless one is a hole: then it becomes a mask of
uncompressed run lengths, which the same readers decode. It is no crowd: `iscrowd` stays 0.

Precision: coordinates as they are; what has holes to the pixel. With splits there is a file for each. In an
archive they lie where COCO has them: annotations/instances_train.json, beside images/.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, BinaryIO

import orjson

from labeling import geometry
from labeling.formats import jsonstream, names, provenance
from labeling.formats.files import Entry, Files
from labeling.formats.records import (
    MOST_SHAPES,
    TOO_MANY,
    Category,
    Heading,
    Part,
    Picture,
    Problem,
    Record,
    Shape,
    Unreadable,
)
from labeling.formats.runs import run_lengths, unpacked
from labeling.formats.shelf import batches

IMAGE = {"id": (int, str), "file_name": (str,), "width": (int,), "height": (int,)}
ANNOTATION = {"image_id": (int, str), "category_id": (int,)}
CATEGORY = {"id": (int,), "name": (str,)}
LISTS = {"images": ("id", IMAGE), "annotations": ("image_id", ANNOTATION)}
LARGEST = 2**63 - 1
COMMON = ("region_origin", "labeled_as")  # of a region, not of its whole annotation


def write(heading: Heading, pictures: Iterable[Picture]) -> Iterator[Part]:
    """Yield copies of the images where they are wanted, then the file, or one for each split.

    Images and annotations are two lists: annotations wait in a temporary file.
    """
    sheets: dict[str, Sheet] = {}
    for picture in pictures:
        file = names.file_of(picture) if heading.image else picture.file_name
        if picture.split not in sheets:
            sheets[picture.split] = Sheet(heading)
        sheets[picture.split].add(picture, file)
        if heading.image and heading.has(picture):
            yield Part(f"images/{file}", heading.image(picture), is_packed=True)
    for split, sheet in (sheets or {"": Sheet(heading)}).items():
        yield Part(f"annotations/instances_{split or 'default'}.json", sheet.end())


class Sheet:
    """A file as it grows: the images at once, the annotations aside."""

    def __init__(self, heading: Heading) -> None:
        self.whole, self.aside = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        self.number, self.separators = 0, [b"\n", b"\n"]
        categories = [
            {"id": each.id, "name": each.name, "supercategory": each.supercategory}
            for each in heading.categories
        ]
        self.whole.write(
            b'{"info": %b,\n"licenses": [],\n"categories": %b,\n"images": ['
            % (orjson.dumps(heading.info), orjson.dumps(categories))
        )

    def add(self, picture: Picture, file_name: str) -> None:
        self.whole.write(self.separators[0] + orjson.dumps(image(picture, file_name)))
        self.separators[0] = b",\n"
        for shape in picture.shapes:
            self.number += 1
            self.aside.write(self.separators[1] + orjson.dumps(annotation(self.number, picture, shape)))
            self.separators[1] = b",\n"

    def end(self) -> BinaryIO:
        """Return the whole file."""
        self.whole.write(b'\n],\n"annotations": [')
        self.aside.seek(0)
        shutil.copyfileobj(self.aside, self.whole, 1 << 20)
        self.aside.close()
        self.whole.write(b"\n]}\n")
        return self.whole


def image(picture: Picture, file_name: str) -> dict[str, Any]:
    """Return an image's entry; what was looked at and holds nothing says here who looked."""
    body: dict[str, Any] = {
        "id": picture.id,
        "file_name": file_name,
        "width": picture.width,
        "height": picture.height,
    }
    if file_name != picture.file_name:
        body["original_path"] = picture.file_name
    if picture.url:
        body["coco_url"] = picture.url
    if not picture.shapes:
        body["provenance"] = picture.provenance
    return body


def annotation(number: int, picture: Picture, shape: Shape) -> dict[str, Any]:
    """Return the COCO annotation of one region."""
    body: dict[str, Any] = {"id": number, "image_id": picture.id, "category_id": shape.category, "iscrowd": 0}
    if shape.polygon:
        body |= outline(shape.polygon, picture)
    else:
        body["bbox"] = shape.bbox or [0.0, 0.0, float(picture.width), float(picture.height)]
        body["area"] = body["bbox"][2] * body["bbox"][3]
        body["segmentation"] = []
    if not shape.polygon and not shape.bbox:
        body["image_level"] = True
    return {**body, "provenance": picture.provenance | provenance.of_shape(shape)}


def outline(polygon: list[list[float]], picture: Picture) -> dict[str, Any]:
    """Return segmentation, box and area of a polygon, by the even-odd rule.

    COCO fills each part of a polygon by itself: what has holes can only be said as a mask.
    """
    segmentation: Any = polygon
    if geometry.has_holes(polygon):
        counts = run_lengths(polygon, picture.width, picture.height)
        segmentation = {"size": [picture.height, picture.width], "counts": counts}
    area = geometry.area_of_ring(polygon[0]) if len(polygon) == 1 else geometry.combined(polygon)
    return {"segmentation": segmentation, "bbox": geometry.bounds(polygon), "area": area.area}


def read(files: Files) -> Iterator[Record]:
    """Read every JSON file that is COCO; one by itself has to be. Raises Unreadable."""
    problems, found = [], False
    for entry in files.entries():
        if not entry.name.lower().endswith(".json"):
            continue
        try:
            for record in in_order(entry) or out_of_order(entry):
                found = True
                yield record
            found = True
        except Unreadable as error:
            problems.append(Problem(entry.name, f"This is no COCO file. {error}"))
    if not found:
        raise Unreadable(" ".join(each.said for each in problems[:1]) or "There is no JSON file.")
    yield from problems


def split_of(name: str) -> str:
    """Return the split that a file's name speaks of: instances_train.json, val.json."""
    words = name.rsplit("/", 1)[-1].lower().removesuffix(".json").replace("-", "_").split("_")
    return next((split for split in ("train", "val", "test") if split in words), "")


def in_order(entry: Entry) -> Iterator[Record] | None:
    """Return what a file says whose images ascend, and whose annotations come in the order of their images,
    as exports have them: then nothing has to be put aside. None for any other. Raises Unreadable.
    """
    categories: dict[int, Category] = {}
    last, images = {"images": -LARGEST, "annotations": -LARGEST}, 0
    with entry.open() as file:
        for name, element in jsonstream.members(file):
            if name == "categories" and is_of(element, CATEGORY):
                categories[element["id"]] = category_of(element)
            elif name == "categories":
                return None
            elif name in LISTS:
                key, kinds = LISTS[name]
                place = element[key] if stored(element, kinds) else None
                images += name == "images"
                if type(place) is not int or place < last[name] + (name == "images"):
                    return None
                last[name] = place
    return merged(entry, categories, images) if images else None


def merged(entry: Entry, categories: Mapping[int, Category], count: int) -> Iterator[Record]:
    """Yield the records of a file by going through its images and its annotations side by side."""
    yield from categories.values()
    split = split_of(entry.name)
    with entry.open() as file, entry.open() as beside:
        images = (element for name, element in jsonstream.members(file) if name == "images")
        annotations = enumerate(
            (each for name, each in jsonstream.members(beside) if name == "annotations"), 1
        )
        ahead = next(annotations, None)
        for number, body in enumerate(islice(images, count), 1):
            regions = []
            while ahead and ahead[1]["image_id"] <= body["id"]:
                if ahead[1]["image_id"] == body["id"]:
                    regions.append(ahead)
                else:
                    yield lost(*ahead)
                ahead = next(annotations, None)
            yield from picture(categories, number, body, regions, split)
        while ahead:
            yield lost(*ahead)
            ahead = next(annotations, None)


def lost(number: int, element: Mapping[str, Any]) -> Problem:
    return Problem(f"annotation {number}", f"There is no image {element['image_id']}.")


def out_of_order(entry: Entry) -> Iterator[Record]:
    """Yield the records of a file whose lists come in any order. Raises Unreadable."""
    with Annotations() as kept:
        with entry.open() as file:
            kept.fill(file)
        yield from kept.records(split_of(entry.name))


class Annotations:
    """What a file says, on disk until all of it is read: its lists come in any order."""

    def __init__(self) -> None:
        self.database = sqlite3.connect("", isolation_level=None)
        self.database.executescript(
            """
            PRAGMA synchronous = OFF; PRAGMA cache_size = -8000;
            CREATE TABLE image (id PRIMARY KEY, body BLOB);
            CREATE TABLE region (image, number INTEGER, body BLOB, PRIMARY KEY (image, number)) WITHOUT ROWID;
            """
        )
        self.categories: dict[int, Category] = {}
        self.problems: list[Problem] = []

    def __enter__(self) -> "Annotations":
        return self

    def __exit__(self, *error: object) -> None:
        self.database.close()

    def fill(self, file: BinaryIO) -> None:
        """Read a file. Raises Unreadable."""
        self.seen: set[str] = set()
        for rows in batches(self.rows(file)):
            self.database.execute("BEGIN")
            images = [row[1:] for row in rows if row[0] == "images"]
            self.database.executemany("INSERT OR REPLACE INTO image VALUES (?, ?)", images)
            regions = [row[1:] for row in rows if row[0] == "annotations"]
            self.database.executemany("INSERT INTO region VALUES (?, ?, ?)", regions)
            self.database.execute("COMMIT")
        if not {"images", "categories"} & self.seen:
            raise Unreadable("It has no list of images.")

    def rows(self, file: BinaryIO) -> Iterator[tuple[Any, ...]]:
        number = 0
        for name, element in jsonstream.members(file):
            self.seen.add(name)
            if name == "categories":
                self.add_category(element)
            elif name == "images":
                body = stored(element, IMAGE)
                if body:
                    yield name, element["id"], body
                else:
                    said = "An image needs id, file_name, width and height."
                    self.problems.append(Problem("images", said))
            elif name == "annotations":
                number += 1
                body = stored(element, ANNOTATION)
                if body:
                    yield name, element["image_id"], number, body
                else:
                    said = "An annotation needs image_id and category_id."
                    self.problems.append(Problem(f"annotation {number}", said))

    def add_category(self, element: Any) -> None:
        if is_of(element, CATEGORY):
            self.categories[element["id"]] = category_of(element)
        else:
            self.problems.append(Problem("categories", "A category needs an id and a name."))

    def records(self, split: str) -> Iterator[Record]:
        yield from self.categories.values()
        yield from self.problems
        images = self.database.execute("SELECT id, body FROM image ORDER BY rowid")
        for number, (key, body) in enumerate(images, 1):
            regions = self.database.execute(
                "SELECT number, body FROM region WHERE image = ? ORDER BY number", (key,)
            )
            found = ((place, orjson.loads(text)) for place, text in regions)
            yield from picture(self.categories, number, orjson.loads(body), found, split)
        without = self.database.execute(
            "SELECT number, body FROM region WHERE image NOT IN (SELECT id FROM image) ORDER BY number"
        )
        for number, body in without:
            yield lost(number, orjson.loads(body))


def category_of(element: Mapping[str, Any]) -> Category:
    above = element.get("supercategory")
    return Category(element["id"], element["name"], above if isinstance(above, str) else "")


def picture(
    categories: Mapping[int, Category],
    number: int,
    body: Mapping[str, Any],
    regions: Iterable[tuple[int, dict[str, Any]]],
    split: str,
) -> Iterator[Record]:
    """Yield an image with its regions, after what is wrong with some of them."""
    shapes: list[Shape] = []
    made_by = body.get("provenance")
    made_by = made_by if isinstance(made_by, dict) else {}
    for place, element in regions:
        if len(shapes) >= MOST_SHAPES:
            yield Problem(f"annotation {place}", TOO_MANY)
            continue
        said = element.get("provenance")
        told = said if isinstance(said, dict) else {}
        own = [str(told.pop(name, "")) for name in COMMON]
        try:
            shapes.append(shape(categories, element, body["width"], body["height"], own))
        except ValueError as error:
            yield Problem(f"annotation {element.get('id', place)}", str(error))
        made_by = made_by or told
    yield Picture(
        body["id"] if isinstance(body["id"], int) else number,
        text_of(body, "original_path") or body["file_name"],
        body["width"],
        body["height"],
        shapes,
        made_by,
        split,
        text_of(body, "coco_url"),
    )


def shape(
    categories: Mapping[int, Category], element: Mapping[str, Any], width: int, height: int, own: list[str]
) -> Shape:
    """Return a region. Raises ValueError with a sentence."""
    category = element["category_id"]
    if category not in categories:
        raise ValueError(f"There is no category {category}.")
    drawn = element.get("segmentation")
    if element.get("image_level"):
        return Shape(category, None, None, None, *own)
    if isinstance(drawn, dict):
        return Shape(category, None, None, mask(drawn, width, height), *own)
    if drawn:
        return Shape(category, None, polygon(drawn), None, *own)
    return Shape(category, box(element.get("bbox")), None, None, *own)


def stored(element: Any, kinds: Mapping[str, Any]) -> bytes:
    """Return an element as it is put aside; nothing if it lacks something, or has what no text can say."""
    if not is_of(element, kinds):
        return b""
    try:
        return orjson.dumps(element)
    except orjson.JSONEncodeError:
        return b""


def text_of(body: Mapping[str, Any], name: str) -> str:
    found = body.get(name)
    return found if isinstance(found, str) else ""


def is_of(element: Any, kinds: Mapping[str, Any]) -> bool:
    if not isinstance(element, dict):
        return False
    for name, kind in kinds.items():
        value = element.get(name)
        # By its very type: true and false are no numbers here.
        if type(value) not in kind or (type(value) is int and not -LARGEST <= value <= LARGEST):
            return False
    return True


def box(given: Any) -> list[float]:
    numbers = given if isinstance(given, list) else []
    if len(numbers) != 4 or not are_numbers(numbers):
        raise ValueError("A bbox is four numbers: x, y, width and height.")
    return checked([float(each) for each in numbers], None) or []


def polygon(given: Any) -> list[list[float]]:
    if not isinstance(given, list) or not all(isinstance(part, list) and are_numbers(part) for part in given):
        raise ValueError("A segmentation is a list of polygons, or an object with size and counts.")
    parts = [[float(each) for each in part] for part in given]
    checked(None, parts)
    return parts


def checked(bbox: list[float] | None, parts: list[list[float]] | None) -> list[float] | None:
    wrong = geometry.misshapen(bbox, parts)
    if wrong:
        raise ValueError(str(wrong))
    return bbox


def are_numbers(given: list[Any]) -> bool:
    return {*map(type, given)} <= {int, float}


def mask(given: Mapping[str, Any], width: int, height: int) -> list[int]:
    """Return run lengths, packed or not, that fill the image."""
    counts = given.get("counts")
    if isinstance(counts, str):
        counts = unpacked(counts)
    if not isinstance(counts, list) or not all(isinstance(each, int) and each >= 0 for each in counts):
        raise ValueError("A mask needs counts: the lengths of its runs.")
    if given.get("size") != [height, width] or sum(counts) != width * height:
        raise ValueError(f"The mask is not of the size of its image, {width} × {height} pixels.")
    return counts
