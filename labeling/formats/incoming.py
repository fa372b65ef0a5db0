"""The formats that labels are read from, and which one a file is of, told from the file itself."""

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

TASK = (b'"data"', b'"annotations"', b'"predictions"', b'"completions"')  # what tells a list of tasks
Read = Callable[[Files], Iterator[Record]]
START = 1 << 16  # bytes of a file that are looked at
LOOKED_AT = 5_000  # files of an archive that are looked at


@dataclass(frozen=True, slots=True)
class Reading:
    """A format, what it takes, and the least that a file of it says."""

    title: str
    takes: str
    example: str
    read: Read

    @property
    def needs(self) -> str:
        return f"{self.title} needs: {self.takes}. For example: “{self.example}”."


READINGS = {
    "masks": Reading(
        "Semantic masks",
        "ZIP or folder of masks/*.png with classes.json",
        'masks/1.png for 1.jpg, and {"classes": [{"index": 1, "name": "cat"}]}',
        masks.read,
    ),
    "coco": Reading(
        "COCO",
        "JSON, or a ZIP of it: boxes, polygons, masks, classes of images",
        '{"images": [{"id": 1, "file_name": "1.jpg", "width": 640, "height": 480}],'
        ' "categories": [{"id": 1, "name": "cat"}],'
        ' "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 20, 30, 40]}]}',
        coco.read,
    ),
    "yolo": Reading(
        "YOLO",
        "ZIP or folder of labels/*.txt with data.yaml or classes.txt",
        "labels/1.txt with the line 0 0.5 0.5 0.2 0.1 for 1.jpg, and data.yaml with names: [cat]",
        yolo.read,
    ),
    "voc": Reading(
        "Pascal VOC",
        "ZIP or folder of XML files, one for each image",
        "<annotation><filename>1.jpg</filename><object><name>cat</name><bndbox><xmin>10</xmin>…",
        voc.read,
    ),
    "csv": Reading("CSV", tables.TAKES, tables.EXAMPLE, tables.read),
    "manifest": Reading(
        "SageMaker Ground Truth",
        "output.manifest, lines of JSON",
        '{"source-ref": "s3://bucket/1.jpg", "label": 0, "label-metadata": {"class-name": "cat", …}}',
        manifest.read,
    ),
    "label_studio": Reading(
        "Label Studio",
        "JSON, a list of tasks: rectangles, polygons, choices",
        '[{"data": {"image": "1.jpg"}, "annotations": [{"result": [{"type": "choices", …}]}]}]',
        label_studio.read,
    ),
    "cvat": Reading(
        "CVAT for images 1.1",
        "XML, or a ZIP of it: boxes, polygons, tags",
        '<annotations><image name="1.jpg" width="640" height="480"><tag label="cat"/></image></annotations>',
        cvat.read,
    ),
    "folders": Reading(
        "Image folders", "ZIP of images in a folder for each class", "cat/1.jpg", folders.read
    ),
    "dataset": Reading("Loupe’s data set", "ZIP of Parquet files", "data/train-00000.parquet", dataset.read),
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
    if not found and isinstance(files, Single) and tables.is_table(files.name):
        return "csv"  # whose reader says what its first line lacks
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
    if tables.is_table(last):
        return "csv" if tables.heading(entry).is_enough else None
    if last.endswith((".xml", ".json")):
        with entry.open() as file:
            return of_xml(file) if last.endswith(".xml") else of_json(file)
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
        is_task = start[1:].lstrip().startswith(b"{") and any(each in start for each in TASK)
        return "label_studio" if is_task else None
    try:
        first = json.loads(start.partition(b"\n")[0])
    except (ValueError, RecursionError):
        return "coco" if start.startswith(b"{") else None
    return "manifest" if isinstance(first, dict) and "source-ref" in first else "coco"
