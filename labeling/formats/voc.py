"""Pascal VOC: an XML file for each image (http://host.robots.ox.ac.uk/pascal/VOC/).

    Annotations/NAME.xml         the boxes
    ImageSets/Main/train.txt     the images of a split, or of all: trainval.txt
    JPEGImages/NAME.jpg          the images, where they are included
    labels.txt, labelmap.txt     the classes, one a line; the second as CVAT and Datumaro know it

Precision: whole pixels, counted from 1, the last one included, as in the original: a box covers the pixels
from xmin to xmax. Of polygons it has the boxes around them. Provenance stands in an element of its own.
"""

import tempfile
from collections.abc import Iterable, Iterator
from typing import BinaryIO
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from labeling import geometry
from labeling.formats import names, provenance, xmlstream
from labeling.formats.files import Entry, Files
from labeling.formats.records import Category, Heading, Part, Picture, Problem, Record, Shape, Unreadable

UNSEEN = {"\r": "&#13;"}  # which readers would take for a line's end
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
        if heading.image and heading.has(picture):
            yield Part(f"JPEGImages/{file}", heading.image(picture), is_packed=True)
        if picture.missing:
            continue  # a training would look for it
        split = picture.split or "trainval"
        if split not in lists:
            lists[split] = tempfile.TemporaryFile()  # noqa: SIM115  # whoever gets the parts reads it
        lists[split].write(f"{name}\n".encode())
    for split, listed in lists.items():
        yield Part(f"ImageSets/Main/{split}.txt", listed)
    yield Part("labels.txt", "".join(f"{line(each.name)}\n" for each in heading.categories).encode())
    yield Part("labelmap.txt", "".join(f"{line(each.name)}:::\n" for each in heading.categories).encode())


def document(heading: Heading, picture: Picture, file: str, titles: dict[int, str]) -> bytes:
    """Return the file of an image. Put together as text: building a tree first takes five times as long."""
    source = element("database", heading.name) + element("image_id", picture.id)
    source += element("path", picture.file_name)
    source += element("url", picture.url) if picture.url else ""
    source += element("split", picture.split) if picture.split else ""
    told = "".join(element(name, value) for name, value in picture.provenance.items() if value is not None)
    return (
        f"<annotation>\n  <folder>JPEGImages</folder>\n  {element('filename', file)}\n"
        f"  <source>{source}</source>\n"
        f"  <size><width>{picture.width}</width><height>{picture.height}</height><depth>3</depth></size>\n"
        f"  <segmented>0</segmented>\n"
        f"{''.join(object_of(shape, picture, titles) for shape in picture.shapes)}"
        f"  <provenance>{told}</provenance>\n</annotation>\n"
    ).encode()


def object_of(shape: Shape, picture: Picture, titles: dict[int, str]) -> str:
    left, top, wide, high = shape.bbox or geometry.bounds(shape.polygon or [])
    x, y = pixels(left, wide, picture.width), pixels(top, high, picture.height)
    own = "".join(element(name, value) for name, value in provenance.of_shape(shape).items())
    return (
        f"  <object>\n    {element('name', line(titles[shape.category]))}\n"
        "    <pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>\n"
        f"    <bndbox><xmin>{x[0]}</xmin><ymin>{y[0]}</ymin><xmax>{x[1]}</xmax><ymax>{y[1]}</ymax></bndbox>\n"
        f"    {own}\n  </object>\n"
    )


def pixels(start: float, length: float, most: int) -> tuple[int, int]:
    """Return the first and the last pixel that a side covers, one at the least."""
    first = min(max(round(start) + 1, 1), most)
    return first, max(min(round(start + length), most), first)


def element(name: str, value: object) -> str:
    return f"<{name}>{escape(str(value).translate(FORBIDDEN), UNSEEN)}</{name}>"


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
    except (Unreadable, ValueError, OverflowError) as error:  # the latter of what is infinite
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
    """Return a file's root. Raises Unreadable and ValueError."""
    root = xmlstream.root(entry.read())
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
