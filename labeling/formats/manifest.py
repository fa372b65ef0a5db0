"""The augmented manifest of Amazon SageMaker Ground Truth: a line of JSON for each image.

    output.manifest   `source-ref`, `label` and `label-metadata`, with the fields that Ground Truth gives
                      https://docs.aws.amazon.com/sagemaker/latest/dg/sms-data-output.html
    images/NAME.jpg   the images, where they are included; else `source-ref` is their address

Beside these each line has `provenance`: further attributes are allowed. Classes are numbered from 0, as the
built-in algorithms want them. A confidence that nobody measured is 0, as Ground Truth has it.
Precision: boxes in whole pixels, within the image.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import orjson

from labeling import geometry
from labeling.formats import names, provenance
from labeling.formats.files import Files
from labeling.formats.records import Category, Heading, Part, Picture, Problem, Record, Shape, Unreadable

LABEL, METADATA = "label", "-metadata"
ONE, SEVERAL, BOXES = (
    "groundtruth/image-classification",
    "groundtruth/image-classification-multilabel",
    "groundtruth/object-detection",
)
TYPES = {"multiclass": ONE, "multilabel": SEVERAL, "detection": BOXES}
LONGEST = 16 << 20  # bytes of a line, which is an image; what is longer falls apart, and is no JSON
SUFFIXES = (".manifest", ".jsonl", ".json")


def write(heading: Heading, pictures: Iterable[Picture]) -> Iterator[Part]:
    columns = {each.id: number for number, each in enumerate(heading.categories)}
    titles = [each.name for each in heading.categories]
    manifest = tempfile.TemporaryFile()  # noqa: SIM115  # whoever gets the part reads it
    for picture in pictures:
        file = f"images/{names.file_of(picture)}" if heading.has(picture) else ""
        source = file or picture.url or picture.file_name
        body = {"source-ref": source} | labels(heading, picture, columns, titles)
        told = provenance.body(picture, file)
        manifest.write(orjson.dumps(body | {"provenance": told}, option=orjson.OPT_APPEND_NEWLINE))
        if heading.image and file:
            yield Part(file, heading.image(picture), is_packed=True)
    yield Part("output.manifest", manifest)


def labels(
    heading: Heading, picture: Picture, columns: Mapping[int, int], titles: Sequence[str]
) -> dict[str, Any]:
    """Return the two attributes of a label; none for a class that there is not."""
    chosen = [columns[each.category] for each in picture.shapes]
    kind, confidence = TYPES[heading.task_type], picture.provenance.get("confidence") or 0.0
    said = {str(each): titles[each] for each in sorted(set(chosen))}
    if kind == ONE:
        if not chosen:
            return {}
        value: Any = chosen[0]
        own: dict[str, Any] = {"class-name": titles[chosen[0]], "confidence": confidence}
    elif kind == SEVERAL:
        value = chosen
        own = {"class-map": said, "confidence-map": dict.fromkeys(said, confidence)}
    else:
        value = {
            "image_size": [{"width": picture.width, "height": picture.height, "depth": 3}],
            "annotations": [
                {"class_id": column, **box(shape.bbox or [], picture)}
                for column, shape in zip(chosen, picture.shapes, strict=True)
            ],
        }
        own = {"objects": [{"confidence": confidence} for _ in chosen], "class-map": said}
    return {
        LABEL: value,
        LABEL + METADATA: {
            **own,
            "type": kind,
            "job-name": f"labeling-job/{names.clean(heading.name)}",
            "human-annotated": "no" if picture.provenance.get("origin") == "auto" else "yes",
            "creation-date": str(picture.provenance.get("created_at") or "").removesuffix("+00:00"),
        },
    }


def box(given: Sequence[float], picture: Picture) -> dict[str, int]:
    """Return a box in whole pixels, one at the least."""
    left = min(max(round(given[0]), 0), picture.width - 1)
    top = min(max(round(given[1]), 0), picture.height - 1)
    right = min(max(round(given[0] + given[2]), left + 1), picture.width)
    bottom = min(max(round(given[1] + given[3]), top + 1), picture.height)
    return {"left": left, "top": top, "width": right - left, "height": bottom - top}


def read(files: Files) -> Iterator[Record]:
    """Read every manifest. Raises Unreadable where there is none."""
    reader, is_there = Reader(), False
    for entry in files.entries():
        if entry.name.lower().endswith(SUFFIXES):
            is_there = is_there or entry.name.lower().endswith(".manifest")
            with entry.open() as file:
                for number, text in enumerate(iter(partial(file.readline, LONGEST), b""), 1):
                    if text.strip():
                        yield from reader.line(text, f"{entry.name}, line {number}")
    if not reader.number and not is_there:
        raise Unreadable("There is no line of a manifest: a JSON object with source-ref.")


class Reader:
    """Goes through lines; knows the classes that were met."""

    def __init__(self) -> None:
        self.number = 0
        self.titles: dict[int, str] = {}

    def line(self, text: bytes, place: str) -> Iterator[Record]:
        try:
            body = orjson.loads(text)
            source = body["source-ref"]
        except (ValueError, KeyError, TypeError):
            yield Problem(place, "A line is a JSON object with source-ref.")
            return
        self.number += 1
        name = next((each.removesuffix(METADATA) for each in body if each.endswith(METADATA)), None)
        value, metadata = body.get(name), body.get(f"{name}{METADATA}")
        shapes: list[Shape] = []
        size: dict[str, Any] = {}
        if name is not None and isinstance(metadata, dict):
            yield from self.classes(value, metadata, place)
            for each in self.regions(value):
                if isinstance(each, Problem):
                    yield Problem(place, each.said)
                else:
                    shapes.append(each)
            size = size_of(value)
        width, height = (whole(size.get(each)) or 0 for each in ("width", "height"))
        picture = Picture(self.number, str(source), width, height, shapes)
        told = body.get("provenance")
        is_ours = isinstance(told, dict) and told.keys() >= provenance.NEEDED
        yield provenance.restore(picture, told if is_ours else None)

    def classes(self, value: Any, metadata: Mapping[str, Any], place: str) -> Iterator[Record]:
        """Yield the classes of a line that were not met before."""
        given = metadata.get("class-map")
        said = dict(given) if isinstance(given, dict) else {}
        if "class-name" in metadata and whole(value) is not None:
            said[str(value)] = metadata["class-name"]
        for key, title in said.items():
            if not key.isdecimal() or not isinstance(title, str):
                yield Problem(place, "A class-map has names of classes by their numbers.")
            elif int(key) not in self.titles:
                self.titles[int(key)] = title
                yield Category(int(key), title)
            elif self.titles[int(key)] != title:
                yield Problem(
                    place, f"Class {key} is called {title!r} here, before {self.titles[int(key)]!r}."
                )

    def regions(self, value: Any) -> Iterator[Shape | Problem]:
        if isinstance(value, dict) and isinstance(value.get("annotations"), list):
            for each in value["annotations"]:
                yield self.region(each)
            return
        for each in value if isinstance(value, list) else [value]:
            column = whole(each)
            if column is None or column not in self.titles:
                yield Problem("", f"There is no class {each!r}.")
            else:
                yield Shape(column)

    def region(self, given: Any) -> Shape | Problem:
        try:
            column = given["class_id"]
            found = [float(given[each]) for each in ("left", "top", "width", "height")]
        except (KeyError, TypeError, ValueError):
            return Problem("", "A box needs class_id, left, top, width and height.")
        wrong = geometry.misshapen(found, None)
        if wrong:
            return Problem("", str(wrong))
        if whole(column) not in self.titles:
            return Problem("", f"There is no class {column!r}.")
        return Shape(column, found)


def size_of(value: Any) -> dict[str, Any]:
    """Return the size of the image as its boxes tell it, {} where they do not."""
    given = value.get("image_size") if isinstance(value, dict) else None
    return given[0] if isinstance(given, list) and given and isinstance(given[0], dict) else {}


def whole(given: Any) -> int | None:
    return given if isinstance(given, int) and not isinstance(given, bool) and given >= 0 else None
