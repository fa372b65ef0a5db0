"""Pascal VOC: an XML file for each image (http://host.robots.ox.ac.uk/pascal/VOC/).

    Annotations/NAME.xml         the boxes
    ImageSets/Main/train.txt     the images of a split, or of all: trainval.txt
    JPEGImages/NAME.jpg          the images, where they are included
    labels.txt                   the classes, one a line

Precision: whole pixels, counted from 1, the last one included, as in the original: a box covers the pixels
from xmin to xmax. Of polygons it has the boxes around them. Provenance stands in an element of its own.
"""

import tempfile
from collections.abc import Iterable, Iterator
from typing import BinaryIO
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element, SubElement

from labeling import geometry
from labeling.formats import names, provenance
from labeling.formats.files import Entry, Files
from labeling.formats.records import Category, Heading, Part, Picture, Problem, Record, Shape, Unreadable

FORBIDDEN = dict.fromkeys(each for each in range(32) if each not in (9, 10, 13)) | {
    0xFFFE: None,
    0xFFFF: None,
}


def write(heading: Heading, pictures: Iterable[Picture]) -> Iterator[Part]:
    titles = {each.id: each.name for each in heading.categories}
    lists: dict[str, BinaryIO] = {}
    for picture in pictures:
        name, file = names.stem(picture), names.file_of(picture)
        yield Part(f"Annotations/{name}.xml", document(heading, picture, file, titles))
        if heading.image:
            yield Part(f"JPEGImages/{file}", heading.image(picture), is_packed=True)
        split = picture.split or "trainval"
        if split not in lists:
            lists[split] = tempfile.TemporaryFile()  # noqa: SIM115  # whoever gets the parts reads it
        lists[split].write(f"{name}\n".encode())
    for split, listed in lists.items():
        yield Part(f"ImageSets/Main/{split}.txt", listed)
    yield Part("labels.txt", "".join(f"{line(each.name)}\n" for each in heading.categories).encode())


def document(heading: Heading, picture: Picture, file: str, titles: dict[int, str]) -> bytes:
    root = Element("annotation")
    add(root, "folder", "JPEGImages")
    add(root, "filename", file)
    source = SubElement(root, "source")
    add(source, "database", heading.name)
    add(source, "image_id", picture.id)
    add(source, "path", picture.file_name)
    if picture.url:
        add(source, "url", picture.url)
    if picture.split:
        add(source, "split", picture.split)
    size = SubElement(root, "size")
    for name, value in (("width", picture.width), ("height", picture.height), ("depth", 3)):
        add(size, name, value)
    add(root, "segmented", 0)
    for shape in picture.shapes:
        add_object(root, shape, picture, titles)
    told = SubElement(root, "provenance")
    for name, value in picture.provenance.items():
        if value is not None:
            add(told, name, value)
    ET.indent(root)
    return ET.tostring(root, encoding="utf-8")


def add_object(root: Element, shape: Shape, picture: Picture, titles: dict[int, str]) -> None:
    one = SubElement(root, "object")
    add(one, "name", line(titles[shape.category]))
    add(one, "pose", "Unspecified")
    add(one, "truncated", 0)
    add(one, "difficult", 0)
    left, top, wide, high = shape.bbox or geometry.bounds(shape.polygon or [])
    bounds = SubElement(one, "bndbox")
    for name, first, last, most in (
        ("x", left, left + wide, picture.width), ("y", top, top + high, picture.height)
    ):  # fmt: skip
        low = min(max(round(first) + 1, 1), most)
        add(bounds, f"{name}min", low)
        add(bounds, f"{name}max", max(min(round(last), most), low))
    for name, value in provenance.of_shape(shape).items():
        add(one, name, value)


def add(above: Element, name: str, value: object) -> None:
    SubElement(above, name).text = str(value).translate(FORBIDDEN)


def line(text: str) -> str:
    """Return text as one line: names stand one a line in labels.txt."""
    return " ".join(text.split())


def read(files: Files) -> Iterator[Record]:
    """Read all XML files; those that are no VOC annotations are problems. Raises Unreadable without any."""
    columns: dict[str, int] = {}
    for entry in files.entries():
        if entry.name.rsplit("/", 1)[-1] == "labels.txt":
            for name in entry.read().decode("utf-8-sig", "replace").splitlines():
                yield from known(name, columns)
    number = 0
    for entry in files.entries():
        if entry.name.lower().endswith(".xml"):
            number += 1
            yield from picture_of(entry, number, columns)
    if not number and not columns:
        raise Unreadable("There is no XML file.")


def known(name: str, columns: dict[str, int]) -> Iterator[Category]:
    """Yield a class the first time that it is met."""
    if name and name not in columns:
        columns[name] = len(columns) + 1
        yield Category(columns[name], name)


def picture_of(entry: Entry, number: int, columns: dict[str, int]) -> Iterator[Record]:
    """Yield the image of a file, after its new classes and what is wrong with it."""
    try:
        root = parse(entry)
        width, height = (int(float(root.findtext(f"size/{each}", ""))) for each in ("width", "height"))
    except (ET.ParseError, ValueError) as error:
        yield Problem(entry.name, f"This is no VOC annotation with the size of its image: {error}")
        return
    shapes = []
    for place, one in enumerate(root.iter("object"), 1):
        try:
            name = (one.findtext("name") or "").strip()
            box = box_of(one)
        except ValueError as error:
            yield Problem(f"{entry.name}, object {place}", str(error))
            continue
        yield from known(name, columns)
        own = [one.findtext(each) or "" for each in ("region_origin", "labeled_as")]
        shapes.append(Shape(columns[name], box, None, None, *own))
    told = root.find("provenance")
    made_by = {each.tag: provenance.read_text(each.tag, each.text or "") for each in told or ()}
    path = root.findtext("source/path") or root.findtext("filename") or f"{names.clean(entry.name)}"
    key = root.findtext("source/image_id") or ""
    yield Picture(
        int(key) if key.isdecimal() else number, path, width, height, shapes, made_by,
        root.findtext("source/split") or "", root.findtext("source/url") or "",
    )  # fmt: skip


def parse(entry: Entry) -> Element:
    """Return a file's root. A document type may name entities that unfold without end: it is refused."""
    data = entry.read()
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise ValueError("it has a document type, which is not read.")
    root = ET.fromstring(data)  # noqa: S314  # what makes it dangerous is refused above
    if root.tag != "annotation":
        raise ValueError("its outermost element is no annotation.")
    return root


def box_of(one: Element) -> list[float]:
    """Return an object's box. Raises ValueError with a sentence."""
    if not (one.findtext("name") or "").strip():
        raise ValueError("It has no name of a class.")
    try:
        low_x, low_y, high_x, high_y = (
            float(one.findtext(f"bndbox/{each}", "")) for each in ("xmin", "ymin", "xmax", "ymax")
        )
    except ValueError as error:
        raise ValueError("Its bndbox needs xmin, ymin, xmax and ymax.") from error
    box = [low_x - 1, low_y - 1, high_x - low_x + 1, high_y - low_y + 1]
    wrong = geometry.misshapen(box, None)
    if wrong:
        raise ValueError(str(wrong))
    return box
