"""Label Studio's JSON export, read only: https://labelstud.io/guide/export.

A list of tasks, each with `data` that names the image, `annotations` by people and `predictions` by models.
Rectangles, polygons and choices are read; coordinates are percent of the upright image's sides.

Of several annotations of a task the newest counts; a task that only has predictions is read from the newest
of these, with `origin` prediction in its provenance.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from labeling import geometry
from labeling.formats import jsonstream
from labeling.formats.files import Files
from labeling.formats.records import Category, Picture, Problem, Record, Shape, Unreadable

PREDICTION = "prediction"
UPLOADED = re.compile(r"\A[0-9a-f]{8}-(?=.)")  # what an upload puts before a file's name
OTHERS = {
    "brush": "Brush masks are not read from this format. Export them as COCO.",
    "ellipse": "Ellipses are not read. Draw a polygon in its place.",
    "keypoint": "Points are not read: projects here have no keypoints.",
}
TURNED = "The rectangle is turned by {angle:g}°, and boxes here are upright. Draw a polygon in its place."
NO_PERCENT = "A {kind} needs coordinates in percent and a label."


def read(files: Files) -> Iterator[Record]:
    """Read every JSON file that is a list of tasks. Raises Unreadable where there is none."""
    reader, found, why = Reader(), False, "There is no JSON file."
    for entry in files.entries():
        if not entry.name.lower().endswith(".json"):
            continue
        try:
            with entry.open() as file:
                text = jsonstream.Text(file)
                if text.next() != "[":
                    raise Unreadable("This is no list of tasks, as Label Studio exports it.")
                for task in jsonstream.elements(text, entry.name):
                    yield from reader.task(task, entry.name)
            found = True
        except Unreadable as error:
            why = f"{entry.name}: {error}"
            yield Problem(entry.name, str(error))
    if not found:
        raise Unreadable(why)


class Reader:
    """Goes through tasks; knows the classes that were met."""

    def __init__(self) -> None:
        self.columns: dict[str, int] = {}
        self.number = 0

    def task(self, task: Any, place: str) -> Iterator[Record]:
        self.number += 1
        where = f"{place}, task {task.get('id', self.number) if isinstance(task, dict) else self.number}"
        image = image_of(task)
        if image is None:
            yield Problem(where, "A task needs data that names its image.")
            return
        given, provenance, several = chosen(task)
        if given is None:
            return  # it was only put in to be labeled
        if several:
            yield Problem(where, f"It has {several} annotations. The newest is read.")
        results = [each for each in given if isinstance(each, dict)]
        labels = {
            str(each.get("id")): names(each, "labels") for each in results if each.get("type") == "labels"
        }
        shapes: list[Shape] = []
        for each in results:
            try:
                drawn, titles = region(each, labels)
            except ValueError as error:
                yield Problem(f"{where}, {each.get('type', 'a result')}", str(error))
                continue
            for title in titles:
                if title not in self.columns:
                    self.columns[title] = len(self.columns) + 1
                    yield Category(self.columns[title], title)
                shapes.append(Shape(self.columns[title], *drawn))
        width, height = size_of(results)
        yield Picture(self.number, image, width, height, shapes, provenance)


def chosen(task: Mapping[str, Any]) -> tuple[Sequence[Any] | None, dict[str, Any], int]:
    """Return the results of a task that count, who made them, and of how many where there are several."""
    given = [
        each
        for each in listed(task.get("annotations") or task.get("completions"))
        if isinstance(each, dict) and isinstance(each.get("result"), list) and not each.get("was_cancelled")
    ]
    if given:
        newest = max(given, key=lambda each: str(each.get("updated_at") or each.get("created_at") or ""))
        return newest["result"], {}, len(given) if len(given) > 1 else 0
    guesses = [
        each
        for each in listed(task.get("predictions"))
        if isinstance(each, dict) and isinstance(each.get("result"), list)
    ]
    if not guesses:
        return None, {}, 0
    newest = max(guesses, key=lambda each: str(each.get("updated_at") or each.get("created_at") or ""))
    score = newest.get("score")
    is_share = isinstance(score, int | float) and not isinstance(score, bool) and 0 <= score <= 1
    return newest["result"], {"origin": PREDICTION, "confidence": score if is_share else None}, 0


def listed(given: Any) -> list[Any]:
    return given if isinstance(given, list) else []


def image_of(task: Any) -> str | None:
    """Return the path of a task's image, None where it names none."""
    data = task.get("data") if isinstance(task, dict) else None
    if not isinstance(data, dict):
        return None
    named = [data[key] for key in ("image", "img", "photo") if key in data]
    named += [each for each in data.values() if isinstance(each, str) and "/" in each]
    return next((path_of(each) for each in named if isinstance(each, str) and each), None)


def path_of(address: str) -> str:
    """Return the path in an address: of local files as it is asked for, of uploads without what was put
    before the name.
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    asked = parse_qs(parts.query).get("d") if parts.path.endswith("/local-files/") else None
    if asked:
        return asked[0]
    path = unquote(parts.path) if parts.scheme or "/data/upload/" in address else address
    folder, _, last = path.rpartition("/")
    if "/data/upload/" in f"{folder}/":
        return UPLOADED.sub("", last)
    return path


Drawn = tuple[list[float] | None, list[list[float]] | None]  # box and polygon


def region(result: Mapping[str, Any], labels: Mapping[str, list[str]]) -> tuple[Drawn, list[str]]:
    """Return box and polygon of a result, and its classes. Raises ValueError with a sentence."""
    kind = str(result.get("type") or "").removesuffix("labels")
    if kind in OTHERS:
        raise ValueError(OTHERS[kind])
    if kind == "choices":
        return (None, None), names(result, "choices")
    if kind not in ("rectangle", "polygon"):
        return (None, None), []  # texts, ratings, and labels that say the class of another result
    titles = (
        names(result, f"{kind}labels") or names(result, "labels") or labels.get(str(result.get("id"))) or []
    )
    value = result.get("value")
    if not titles or not isinstance(value, dict):
        raise ValueError(NO_PERCENT.format(kind=kind))
    return shape(result, kind, value), titles


def shape(result: Mapping[str, Any], kind: str, value: Mapping[str, Any]) -> Drawn:
    """Return box or polygon in pixels. Raises ValueError with a sentence."""
    if result.get("image_rotation"):
        raise ValueError("The image was turned while it was labeled, which is not read.")
    sides = size_of([result])
    if not all(sides):
        raise ValueError("It does not say the size of its image, original_width and original_height.")
    try:
        percent = numbers_of(kind, value)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(NO_PERCENT.format(kind=kind)) from error
    angle = value.get("rotation")
    if isinstance(angle, int | float) and angle % 360:
        raise ValueError(TURNED.format(angle=angle))
    pixels = [each * sides[at % 2] / 100 for at, each in enumerate(percent)]
    drawn: Drawn = (pixels, None) if kind == "rectangle" else (None, [pixels])
    wrong = geometry.misshapen(*drawn)
    if wrong:
        raise ValueError(str(wrong))
    return drawn


def numbers_of(kind: str, value: Mapping[str, Any]) -> list[float]:
    """Return the numbers of a shape, across and down in turn."""
    if kind == "rectangle":
        return [float(value[each]) for each in ("x", "y", "width", "height")]
    return [float(each) for x, y in value["points"] for each in (x, y)]


def names(result: Mapping[str, Any], kind: str) -> list[str]:
    """Return what a result chooses."""
    value = result.get("value")
    given = value.get(kind) if isinstance(value, dict) else None
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, list):
        return []
    return [each.strip() for each in given if isinstance(each, str) and each.strip()]


def size_of(results: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Return the size of the image as results give it, 0 where none does."""
    for each in results:
        sides = each.get("original_width"), each.get("original_height")
        if all(isinstance(side, int) and not isinstance(side, bool) and 0 < side < 1 << 31 for side in sides):
            return sides[0], sides[1]  # type: ignore[return-value]
    return 0, 0
