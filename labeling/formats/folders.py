"""A folder of images for each class, as torchvision's ImageFolder and Ultralytics' classifiers read it.

    CLASS/NAME.jpg, or train/CLASS/NAME.jpg with splits
    classes.csv          the class of each folder, whose name may differ where a file system refuses it
    provenance.jsonl     who made the labels: folders have no room for it

Precision: each image has one class. What a spreadsheet would take for a formula has an apostrophe before it.
"""

import csv
import io
import tempfile
from collections.abc import Iterable, Iterator

from labeling.formats import names, pictures, provenance, tables
from labeling.formats.files import Files
from labeling.formats.records import Category, Heading, Part, Picture, Problem, Record, Shape, Unreadable

SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}


def write(heading: Heading, chosen: Iterable[Picture]) -> Iterator[Part]:
    """Yield the images, each in the folder of its class. One without a class has a line in the provenance."""
    assert heading.image is not None, "the folders are the labels"
    places = names.folders(heading.categories)
    told = tempfile.TemporaryFile()  # noqa: SIM115  # whoever gets the part reads it
    for picture in chosen:
        if not picture.shapes:
            told.write(provenance.line(picture, ""))
            continue
        parts = [picture.split, places[picture.shapes[0].category], names.file_of(picture)]
        file = "/".join(filter(None, parts))
        yield Part(file, heading.image(picture), is_packed=True)
        told.write(provenance.line(picture, file))
    table = io.StringIO()
    rows = csv.writer(table)
    rows.writerow(("folder", "class_id", "class", "parent"))
    for each in heading.categories:
        named = (places[each.id], each.id, each.name, each.supercategory)
        rows.writerow(tables.harmless(cell) for cell in named)
    yield Part("classes.csv", table.getvalue().encode())
    yield Part(provenance.FILE, told)


def read(files: Files) -> Iterator[Record]:
    """Read the class of each image from the folder that it lies in. Raises Unreadable where there is none."""
    known = {}
    for place, category in classes(files):
        known[place] = category
        yield category
    number = 0
    with provenance.lines(files) as told:
        for entry in files.entries():
            if not pictures.is_image(entry.name):
                continue
            number += 1
            split, place = split_and_class(entry.name)
            if not place:
                yield Problem(entry.name, "The image lies in no folder that could name its class.")
                continue
            if place not in known:
                known[place] = Category(len(known) + 1, place)
                yield known[place]
            body = told.get(entry.name)
            size = (body["width"], body["height"]) if body else pictures.size_of(entry)
            if size is None:
                yield Problem(entry.name, "The image is damaged, or of no kind that is read here.")
                continue
            width, height = size
            picture = Picture(number, entry.name, width, height, [Shape(known[place].id)], {}, split)
            yield provenance.restore(picture, body)
    if not number and not known:
        raise Unreadable("There are no images.")


def classes(files: Files) -> Iterator[tuple[str, Category]]:
    """Yield the folders that classes.csv names, each with its class."""
    for entry in files.entries():
        if entry.name == "classes.csv":
            for row in csv.DictReader(io.StringIO(entry.read().decode("utf-8-sig", "replace"))):
                if row.get("folder") and row.get("class") and (row.get("class_id") or "").isdecimal():
                    name, above = tables.plain(row["class"]), tables.plain(row.get("parent") or "")
                    yield tables.plain(row["folder"]), Category(int(row["class_id"]), name, above)


def split_and_class(name: str) -> tuple[str, str]:
    """Return what the last folders of a path say; a split is one only above a class."""
    above = name.split("/")[:-1]
    if not above:
        return "", ""
    split = SPLITS.get(above[-2].lower(), "") if len(above) > 1 else ""
    return split, above[-1]
