"""CVAT for images 1.1, read only: https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/.

    annotations.xml   <image name width height> with <box>, <polygon> and <tag>, in pixels

What a project here cannot hold is a problem, line by line: turned boxes, ellipses, points, lines, skeletons,
masks, tracks of videos, and attributes of objects, which are passed over.
"""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from labeling import geometry
from labeling.formats import xmlstream
from labeling.formats.files import Entry, Files
from labeling.formats.records import Category, Picture, Problem, Record, Shape, Unreadable

OTHERS = {
    "polyline": "A line encloses nothing, and is not read.",
    "points": "Points are not read: projects here have no keypoints.",
    "cuboid": "Cuboids are not read.",
    "ellipse": "Ellipses are not read. Draw a polygon in its place.",
    "skeleton": "Skeletons are not read: projects here have no keypoints.",
    "mask": "Masks are not read from CVAT’s XML. Export them as COCO, which has them too.",
}
TURNED = "The box is turned by {angle:g}°, and boxes here are upright. Draw a polygon in its place."


def read(files: Files) -> Iterator[Record]:
    """Read every XML file that is CVAT's. Raises Unreadable where there is none."""
    reader, found, why = Reader(), False, "There is no XML file."
    for entry in files.entries():
        if not entry.name.lower().endswith(".xml"):
            continue
        try:
            yield from reader.file(entry)
            found = True
        except Unreadable as error:
            why = f"{entry.name}: {error}"
            yield Problem(entry.name, str(error))
    if not found:
        raise Unreadable(why)


class Reader:
    """Goes through files; knows the classes that were met."""

    def __init__(self) -> None:
        self.columns: dict[str, int] = {}
        self.number = 0

    def file(self, entry: Entry) -> Iterator[Record]:
        """Read a file. Raises Unreadable."""
        with entry.open() as file:
            elements = xmlstream.children(file)
            outermost = next(elements)
            if outermost.tag != "annotations":
                raise Unreadable("Its outermost element is not annotations, as CVAT’s is.")
            for element in elements:
                if element.tag == "meta":
                    for label in element.iter("label"):
                        yield from self.known((label.findtext("name") or "").strip())
                elif element.tag == "image":
                    yield from self.picture(element)
                elif element.tag == "track":
                    said = "This is a track of a video. Export the task as “CVAT for images”."
                    yield Problem(f"track {element.get('id', '')}", said)

    def known(self, name: str) -> Iterator[Category]:
        """Yield a class the first time that it is met."""
        if name and name not in self.columns:
            self.columns[name] = len(self.columns) + 1
            yield Category(self.columns[name], name)

    def picture(self, element: Element) -> Iterator[Record]:
        self.number += 1
        name = element.get("name") or ""
        try:
            width, height = (int(element.get(each, "")) for each in ("width", "height"))
        except ValueError:
            yield Problem(name or f"image {self.number}", "An image needs width and height in whole pixels.")
            return
        shapes: list[Shape] = []
        for place, one in enumerate(element, 1):
            label = (one.get("label") or "").strip()
            try:
                drawn = shape(one)
            except ValueError as error:
                yield Problem(f"{name}, {one.tag} {place}", str(error))
                continue
            yield from self.known(label)
            shapes.append(Shape(self.columns[label], *drawn))
        yield Picture(self.number, name, width, height, shapes)


def shape(one: Element) -> tuple[list[float] | None, list[list[float]] | None]:
    """Return the box or polygon of an element, neither for a tag. Raises ValueError with a sentence."""
    if one.tag in OTHERS:
        raise ValueError(OTHERS[one.tag])
    if one.tag not in ("box", "polygon", "tag"):
        raise ValueError(f"What “{one.tag[:40]}” is, is not known here.")
    if not (one.get("label") or "").strip():
        raise ValueError("It has no label.")
    try:
        box, polygon = box_of(one) if one.tag == "box" else None, None
        if one.tag == "polygon":
            polygon = [[float(each) for point in one.get("points", "").split(";") for each in pair(point)]]
    except ValueError as error:
        if isinstance(error, Turned):
            raise
        text = "A box needs the numbers xtl, ytl, xbr and ybr, a polygon points as x,y;x,y."
        raise ValueError(text) from error
    wrong = geometry.misshapen(box, polygon)
    if wrong:
        raise ValueError(str(wrong))
    return box, polygon


class Turned(ValueError):
    """A box that is not upright."""


def box_of(one: Element) -> list[float]:
    left, top, right, bottom = (float(one.get(each, "")) for each in ("xtl", "ytl", "xbr", "ybr"))
    angle = float(one.get("rotation") or 0)
    if angle % 360:
        raise Turned(TURNED.format(angle=angle))
    return [left, top, right - left, bottom - top]


def pair(point: str) -> list[str]:
    found = point.split(",")
    if len(found) != 2:
        raise ValueError(point)
    return found
