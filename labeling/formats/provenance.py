"""Who or what made labels, where a format has no room for it: a line of JSON for each image beside it."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

import orjson

from labeling.formats.files import Files
from labeling.formats.records import Picture, Shape, Unreadable
from labeling.formats.shelf import Shelf

FILE = "provenance.jsonl"
NEEDED = frozenset(
    {"file", "image_id", "file_name", "url", "width", "height", "split", "provenance", "regions"}
)


def boolean(text: str) -> bool:
    return text == "True"


# What is known of every label, and how it reads from text. Formats with columns have one for each.
KINDS: Mapping[str, Callable[[str], Any]] = {
    "origin": str,
    "annotation_id": int,
    "labeler": str,
    "created_at": str,
    "queue_kind": str,
    "in_bulk": boolean,
    "group": int,
    "suggestion_visible": boolean,
    "seconds": float,
    "instructions_version": int,
    "model_version": int,
    "certificate": int,
    "confidence": float,
    "threshold": float,
    "reviewed": boolean,
}


def read_text(name: str, text: str) -> Any:
    """Return a value as it was before it became text; empty text is None."""
    if not text:
        return None
    try:
        return KINDS.get(name, str)(text)
    except ValueError:
        return text


def of_shape(shape: Shape) -> dict[str, str]:
    """Return what a region has of its own."""
    own = {"region_origin": shape.origin, "labeled_as": shape.labeled_as}
    return {name: value for name, value in own.items() if value}


def line(picture: Picture, file: str) -> bytes:
    return orjson.dumps(body(picture, file), option=orjson.OPT_APPEND_NEWLINE)


def body(picture: Picture, file: str) -> dict[str, Any]:
    """Return what a line says of an image, with its regions in the order that they are written in."""
    return {
        "file": file,
        "image_id": picture.id,
        "file_name": picture.file_name,
        "url": picture.url,
        "width": picture.width,
        "height": picture.height,
        "split": picture.split,
        "provenance": picture.provenance,
        "regions": [of_shape(each) for each in picture.shapes],
    }


def lines(files: Files, key: Callable[[str], str] = str) -> Shelf:
    """Return the lines of an archive by the file that they are about, on disk; empty where it has none.

    Raises Unreadable.
    """
    shelf = Shelf()
    for entry in files.entries():
        if entry.name == FILE:
            with entry.open() as file:
                shelf.fill((key(body["file"]), body) for body in parsed(file))
    return shelf


def parsed(file: BinaryIO) -> Iterator[dict[str, Any]]:
    for number, text in enumerate(file, 1):
        try:
            body = orjson.loads(text)
            if not body.keys() >= NEEDED:
                raise Unreadable(f"Line {number} of {FILE} lacks {', '.join(sorted(NEEDED - body.keys()))}.")
        except (ValueError, AttributeError) as error:
            raise Unreadable(f"Line {number} of {FILE} is no JSON object.") from error
        yield body


def restore(picture: Picture, body: Mapping[str, Any] | None) -> Picture:
    """Return an image with what its line says of it."""
    if body is None:
        return picture
    return Picture(
        body["image_id"],
        body["file_name"],
        body["width"],
        body["height"],
        [*told(picture.shapes, body["regions"])],
        body["provenance"],
        body["split"],
        body["url"],
    )


def told(shapes: list[Shape], regions: list[dict[str, str]]) -> Iterator[Shape]:
    """Yield regions with what is told of each."""
    for number, shape in enumerate(shapes):
        said = regions[number] if number < len(regions) else {}
        yield Shape(
            shape.category, shape.bbox, shape.polygon, shape.mask,
            said.get("region_origin", ""), said.get("labeled_as", ""),
        )  # fmt: skip
