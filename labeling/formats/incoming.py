"""The formats that labels are read from, and which one a file is of, told from the file itself."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from labeling.formats import (
    coco,
    cvat,
    dataset,
    folders,
    label_studio,
    manifest,
    masks,
    pictures,
    tables,
    voc,
    xmlstream,
    yolo,
)
from labeling.formats.files import Archive, Entry, Files
from labeling.formats.files import Folder as Folder
from labeling.formats.files import Single as Single
from labeling.formats.records import Record, Unreadable

Read = Callable[[Files], Iterator[Record]]
START = 1 << 16  # bytes of a file that are looked at
LOOKED_AT = 5_000  # files of an archive that are looked at


@dataclass(frozen=True, slots=True)
class Reading:
    title: str
    takes: str
    read: Read


READINGS = {
    "masks": Reading("Semantic masks", "ZIP or folder of masks/*.png with classes.json", masks.read),
    "coco": Reading("COCO", "JSON, or a ZIP of it: boxes, polygons, masks, classes of images", coco.read),
    "yolo": Reading("YOLO", "ZIP or folder of labels/*.txt with data.yaml or classes.txt", yolo.read),
    "voc": Reading("Pascal VOC", "ZIP or folder of XML files, one for each image", voc.read),
    "csv": Reading("CSV", "file_name and class; width, height, x, y, box_width, box_height", tables.read),
    "manifest": Reading("SageMaker Ground Truth", "output.manifest, lines of JSON", manifest.read),
    "label_studio": Reading("Label Studio", "JSON: rectangles, polygons, choices", label_studio.read),
    "cvat": Reading("CVAT for images 1.1", "XML, or a ZIP of it: boxes, polygons, tags", cvat.read),
    "folders": Reading("Image folders", "ZIP of images in a folder for each class", folders.read),
    "dataset": Reading("Loupe’s data set", "ZIP of Parquet files", dataset.read),
}


def read(name: str, files: Files, size_of: pictures.SizeOf) -> Iterator[Record]:
    """Read files of a format; `size_of` knows the images that labels may be about. Raises Unreadable."""
    return yolo.read(files, size_of) if name == "yolo" else READINGS[name].read(files)


def opened(path: Path) -> Files:
    """Return the files at a path: a folder, a ZIP archive, or one file. Raises Unreadable."""
    if path.is_dir():
        return Folder(path)
    with path.open("rb") as file:
        is_archive = file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
    return Archive(path) if is_archive else Single(path, path.name)


def recognise(files: Files) -> str | None:
    """Return the name of the format that files are of, None where that cannot be told. Raises Unreadable."""
    found: set[str] = set()
    for number, entry in enumerate(files.entries()):
        if number >= LOOKED_AT:
            break
        kind = kind_of(entry)
        if kind is not None:
            found.add(kind)
        if kind not in (None, "folders", "csv"):
            break
    # Images may lie beside labels of every kind; a table may lie beside images that it is about.
    return next((each for each in READINGS if each in found), None)


def kind_of(entry: Entry) -> str | None:
    """Return the format that a single file speaks for."""
    name = entry.name.lower()
    last = name.rsplit("/", 1)[-1]
    if last.startswith(".") or name.startswith("__macosx/"):
        return None
    if last == masks.CLASSES:
        return "masks"
    if last.endswith(".parquet"):
        return "dataset"
    if last.endswith(".manifest") or (last.endswith(".jsonl") and last != "provenance.jsonl"):
        return "manifest"
    if last in yolo.CLASS_FILES or last.endswith((".yaml", ".yml")):
        return "yolo"
    if last.endswith((".xml", ".json", ".csv")):
        with entry.open() as file:
            return {"l": of_xml, "n": of_json, "v": of_csv}[last[-1]](file)
    return "folders" if pictures.is_image(name) and "/" in name else None


def of_xml(file: BinaryIO) -> str | None:
    try:
        outermost = next(xmlstream.children(file))
    except Unreadable:
        return None
    return {"annotations": "cvat", "annotation": "voc"}.get(outermost.tag)


def of_json(file: BinaryIO) -> str | None:
    start = file.read(START).removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"["):
        return "label_studio"
    try:
        first = json.loads(start.partition(b"\n")[0])
    except (ValueError, RecursionError):
        return "coco" if start.startswith(b"{") else None
    return "manifest" if isinstance(first, dict) and "source-ref" in first else "coco"


def of_csv(file: BinaryIO) -> str | None:
    head = file.read(START).decode("utf-8-sig", "replace").partition("\n")[0]
    columns = next(csv.reader(io.StringIO(head)), [])
    return "csv" if set(columns) >= tables.NEEDED else None
