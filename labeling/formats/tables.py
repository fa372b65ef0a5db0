"""CSV: a line for each region, and one without a class for an image that holds nothing.

    annotations.csv   what COLUMNS name, then who made the label
    images/NAME.jpg   the images, where they are included; `file` names them

Precision: numbers as they are. What a spreadsheet would take for a formula has an apostrophe before it.
A class that no image has is not in it.
"""

import codecs
import csv
import io
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from labeling import geometry
from labeling.formats import names, provenance
from labeling.formats.files import Entry, Files, Single
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

COLUMNS = (
    "image_id", "file_name", "file", "url", "width", "height", "split", "class_id", "class", "parent",
    "x", "y", "box_width", "box_height", "polygon", "region_origin", "labeled_as",
)  # fmt: skip
TAKES = "a first line that names the columns file_name and class; width, height, x, y, box_width, box_height"
EXAMPLE = "file_name,class and below it cats/1.jpg,cat"
# What others call the columns that are needed, and what lies between columns.
NAMES = {
    "file_name": ("filename", "file", "image", "image_name", "image_path", "filepath", "file_path", "path"),
    "class": ("label", "category", "class_name", "category_name"),
}
DELIMITERS = ",;\t"
START = 1 << 16  # bytes in which the first line ends
SPECIAL = ("=", "+", "-", "@", "\t", "\r", "'")
LONGEST = 10_000_000  # characters of a polygon

Row = Mapping[str, str]


def write(heading: Heading, pictures: Iterable[Picture]) -> Iterator[Part]:
    categories = {each.id: each for each in heading.categories}
    table = tempfile.TemporaryFile()  # noqa: SIM115  # whoever gets the part reads it
    text = io.TextIOWrapper(table, "utf-8", newline="")
    rows = csv.writer(text)
    rows.writerow((*COLUMNS, *provenance.KINDS))
    for picture in pictures:
        file = f"images/{names.file_of(picture)}" if heading.has(picture) else ""
        rows.writerows(lines(picture, file, categories))
        if heading.image and file:
            yield Part(file, heading.image(picture), is_packed=True)
    text.detach()
    yield Part("annotations.csv", table)


def lines(picture: Picture, file: str, categories: Mapping[int, Category]) -> Iterator[list[Any]]:
    head = [
        picture.id, harmless(picture.file_name), harmless(file), harmless(picture.url), picture.width,
        picture.height, picture.split,
    ]  # fmt: skip
    told = [harmless(picture.provenance.get(name)) for name in provenance.KINDS]
    for shape in picture.shapes:
        category = categories[shape.category]
        box: list[Any] = shape.bbox or (geometry.bounds(shape.polygon) if shape.polygon else [""] * 4)
        drawn = orjson.dumps(shape.polygon).decode() if shape.polygon else ""
        classed = [category.id, harmless(category.name), harmless(category.supercategory)]
        yield [*head, *classed, *box, drawn, shape.origin, harmless(shape.labeled_as), *told]
    if not picture.shapes:
        yield [*head, *[""] * (len(COLUMNS) - len(head)), *told]


def harmless(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(SPECIAL) else cell


def plain(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(SPECIAL) else cell


@dataclass(frozen=True, slots=True)
class Headings:
    """The first line of a table as it is read, by the names that columns have here."""

    encoding: str
    delimiter: str
    given: list[str]
    columns: list[str]

    @property
    def lacking(self) -> list[str]:
        return [each for each in NAMES if each not in self.columns]

    @property
    def is_enough(self) -> bool:
        return not self.lacking


def is_table(name: str) -> bool:
    return name.lower().endswith((".csv", ".tsv"))


def heading(entry: Entry) -> Headings:
    """Read the first line of a table: spreadsheets write UTF-16, too, and semicolons between columns."""
    with entry.open() as file:
        start = file.read(START)
    encoding = "utf-16" if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    line = start.decode(encoding, "replace").splitlines()[:1]
    delimiter = max(DELIMITERS, key=line[0].count) if line else ","
    given = next(csv.reader(line, delimiter=delimiter), [])
    return Headings(encoding, delimiter, given, named(given))


def named(given: Sequence[str]) -> list[str]:
    """Return columns by the names that they have here; of several that could be meant, none is."""
    columns = [each.strip().lower() for each in given]
    for name, others in NAMES.items():
        meant = [number for number, each in enumerate(columns) if each in others]
        if name not in columns and len(meant) == 1:
            columns[meant[0]] = name
    return columns


def read(files: Files) -> Iterator[Record]:
    """Read every CSV file with the columns that it takes. Raises Unreadable where there is none."""
    why = "There is no CSV file."
    for entry in files.entries():
        if not (is_table(entry.name) or isinstance(files, Single)):
            continue
        found = heading(entry)
        if found.is_enough:
            with entry.open() as file:
                text = io.TextIOWrapper(file, found.encoding, errors="replace", newline="")
                rows = csv.DictReader(text, found.columns, delimiter=found.delimiter)
                next(rows, None)
                yield from records(rows, entry.name)
            return
        line = found.delimiter.join(found.given)[:80]
        lacking = " and none for ".join(found.lacking)
        why = f"The first line of {entry.name}, “{line}”, names no column for {lacking}."
    raise Unreadable(why)


def records(rows: "csv.DictReader[str]", place: str) -> Iterator[Record]:
    """Yield the images of a table; the lines of one stand together."""
    csv.field_size_limit(LONGEST)
    columns: dict[str, int] = {}
    current: Picture | None = None
    number, key = 0, ("", "")
    for row in rows:
        where = f"{place}, line {rows.line_num}"
        if current is None or (row.get("image_id") or "", row["file_name"]) != key:
            if current:
                yield current
            number, key = number + 1, (row.get("image_id") or "", row["file_name"])
            try:
                current = picture_of(row, number)
            except ValueError:
                yield Problem(where, "An image needs width and height in whole pixels.")
                current = None
                continue
        name = plain(row["class"] or "")
        if not name:
            continue
        try:
            drawn = shape_of(row)
        except ValueError as error:
            yield Problem(where, str(error))
            continue
        if name not in columns:
            identity = row.get("class_id") or ""
            columns[name] = int(identity) if identity.isdecimal() else len(columns) + 1
            yield Category(columns[name], name, plain(row.get("parent") or ""))
        if len(current.shapes) >= MOST_SHAPES:
            yield Problem(where, TOO_MANY)
            continue
        own = row.get("region_origin") or "", plain(row.get("labeled_as") or "")
        current.shapes.append(Shape(columns[name], *drawn, None, *own))
    if current:
        yield current


def picture_of(row: Row, number: int) -> Picture:
    """Return an image without its regions. Raises ValueError."""
    made_by = {
        name: provenance.read_text(name, plain(row[name]))
        for name in provenance.KINDS
        if row.get(name) is not None
    }
    key = row.get("image_id") or ""
    return Picture(
        int(key) if key.isdecimal() else number, plain(row["file_name"]), int(row.get("width") or 0),
        int(row.get("height") or 0), [], made_by, row.get("split") or "", plain(row.get("url") or ""),
    )  # fmt: skip


def shape_of(row: Row) -> tuple[list[float] | None, list[list[float]] | None]:
    """Return box and polygon of a line. Raises ValueError with a sentence."""
    box = [row.get(name) or "" for name in ("x", "y", "box_width", "box_height")]
    numbers: list[float] | None = None
    parts: list[list[float]] | None = None
    try:
        if row.get("polygon"):
            parts = [[float(each) for each in part] for part in json.loads(row["polygon"])]
        elif any(box):
            numbers = [float(each) for each in box]
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError("A box is four numbers, a polygon a JSON list of lists of numbers.") from error
    wrong = geometry.misshapen(numbers, parts)
    if wrong:
        raise ValueError(str(wrong))
    return numbers, parts
