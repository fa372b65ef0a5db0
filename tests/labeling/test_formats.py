"""What is written reads back the same in every format, and what makes no sense is said, line by line."""

import io
import json
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as packed

from labeling import decoding, geometry
from labeling.formats import catalog, coco, masks, names, runs, yolo
from labeling.formats.archives import ArchiveWriter
from labeling.formats.files import Archive, Folder, Single
from labeling.formats.names import Names
from labeling.formats.records import Category, Heading, Part, Picture, Problem, Shape, Unreadable
from tests import factories
from tests.labeling.test_geometry import star

WIDTH, HEIGHT = 640, 480
IMAGE = factories.picture_file((WIDTH, HEIGHT))
PROVENANCE = {
    "origin": "confirmed", "annotation_id": 7, "labeler": "a@example.com",
    "created_at": "2026-11-30T10:00:00+00:00", "queue_kind": "clustered", "in_bulk": True, "group": 3,
    "suggestion_visible": False, "seconds": 0.1 + 0.2, "instructions_version": 2, "model_version": 4,
    "certificate": None, "confidence": 0.875, "threshold": None, "reviewed": True,
}  # fmt: skip

ENDINGS = sorted(decoding.EXTENSIONS)
printable = st.characters(exclude_categories=["Cs", "Cc"])
titles = st.lists(
    st.text(printable, min_size=1, max_size=20).map(lambda name: " ".join(name.split())).filter(bool),
    min_size=2,
    max_size=3,
    unique_by=str.casefold,
)
place = st.floats(0, 1)


@st.composite
def boxes(draw: st.DrawFn) -> Shape:
    x, y = draw(place) * (WIDTH - 8), draw(place) * (HEIGHT - 8)
    size = [4 + draw(place) * (WIDTH - x - 4), 4 + draw(place) * (HEIGHT - y - 4)]
    return Shape(draw(st.integers(1, 2)), bbox=[x, y, *size], origin=draw(st.sampled_from(["drawn", ""])))


@st.composite
def polygons(draw: st.DrawFn) -> Shape:
    radii = draw(st.lists(st.floats(30, 100), min_size=3, max_size=9))
    rings = [star(150, 200, radii)]
    if draw(st.booleans()):
        rings.append(star(150, 200, [radius / 4 for radius in radii]))
    if draw(st.booleans()):
        rings.append(star(450, 200, radii))
    return Shape(draw(st.integers(1, 2)), polygon=rings, origin="edited")


KINDS: dict[str, st.SearchStrategy[list[Shape]]] = {
    "multiclass": st.integers(1, 2).map(lambda key: [Shape(key)]),
    "multilabel": st.sets(st.integers(1, 2)).map(lambda keys: [Shape(key) for key in sorted(keys)]),
    "detection": st.lists(boxes(), max_size=3),
    "segmentation": st.lists(polygons(), max_size=2),
}


@st.composite
def sets(draw: st.DrawFn, task_type: str) -> tuple[Heading, list[Picture]]:
    classes = [Category(number, name) for number, name in enumerate(draw(titles), 1)]
    some = st.sampled_from(["a/x", "b/X", "x-11", "x"])
    paths = draw(st.lists(st.text(printable, min_size=1, max_size=200) | some, max_size=4))
    paths = [f"{path}{draw(st.sampled_from(ENDINGS))}" for path in paths]
    known = Names(enumerate(paths, 10))
    pictures = [
        Picture(
            10 + number,
            path,
            WIDTH,
            HEIGHT,
            draw(KINDS[task_type]),
            {**PROVENANCE, "annotation_id": number},
            draw(st.sampled_from(["", "train", "val", "test"])),
            file=known.of(10 + number, path, "JPEG"),
        )
        for number, path in enumerate(paths)
    ]
    # As exports are: with splits for all images or for none.
    if not all(each.split for each in pictures):
        pictures = [replace(each, split="") for each in pictures]
    return Heading(
        "Set =1", task_type, classes, {}, (lambda _: IMAGE) if draw(st.booleans()) else None
    ), pictures


def put(parts: Any, path: Path) -> Path:
    """Write an archive, and hold it against what others make of it."""
    with path.open("wb") as file:
        archive = ArchiveWriter(file)
        written = [(archive.add(part), part.name)[1] for part in parts]
        archive.close()
    with zipfile.ZipFile(path) as read:
        assert read.testzip() is None
        assert read.namelist() == written
    assert len({name.casefold() for name in written}) == len(written)
    assert all(len(part.encode()) < 255 for name in written for part in name.split("/"))
    return path


def back(name: str, heading: Heading, pictures: Sequence[Picture]) -> tuple[dict[int, str], list[Picture]]:
    """Write pictures and read them again; there must be no problem."""
    with tempfile.TemporaryDirectory() as folder:
        path = put(catalog.FORMATS[name].write(heading, pictures), Path(folder, "a.zip"))
        with Archive(path) as files:
            records = list(catalog.FORMATS[name].read(files))
    assert [each for each in records if isinstance(each, Problem)] == []
    found = {each.id: each.name for each in records if isinstance(each, Category)}
    return found, [each for each in records if isinstance(each, Picture)]


def as_boxes(shape: Shape) -> list[float]:
    return shape.bbox or geometry.bounds(shape.polygon or [])


def same_boxes(within: float) -> Callable[[Shape, Shape], None]:
    def compare(wanted: Shape, found: Shape) -> None:
        assert found.polygon is None
        assert (found.bbox is None) == (not wanted.bbox and not wanted.polygon)
        if found.bbox:
            ends = [np.add(each[:2], each[2:]) for each in (found.bbox, as_boxes(wanted))]
            assert np.abs(np.subtract(found.bbox[:2], as_boxes(wanted)[:2])).max() <= within
            assert np.abs(np.subtract(*ends)).max() <= within

    return compare


def same_rings(wanted: Shape, found: Shape) -> None:
    """Compare what a ring with bridges encloses."""
    assert found.polygon is not None
    joined = np.reshape(found.polygon[0], (-1, 2))
    area = shapely.make_valid(shapely.Polygon(joined))
    assert area.symmetric_difference(geometry.combined(wanted.polygon)).area < 1


def same_masks(wanted: Shape, found: Shape) -> None:
    if wanted.polygon and geometry.has_holes(wanted.polygon):
        assert found.mask == runs.run_lengths(wanted.polygon, WIDTH, HEIGHT)
    else:
        assert replace(found, category=wanted.category) == wanted


def same(wanted: Shape, found: Shape) -> None:
    assert replace(found, category=wanted.category) == wanted


COMPARE: dict[str, Callable[[Shape, Shape], None]] = {
    "coco": same_masks,
    "yolo": same_boxes(0.002),
    "yolo_seg": same_rings,
    "voc": same_boxes(0.5001),
    "csv": same,
    "folders": same,
    "manifest": same_boxes(0.5001),
    "dataset": same,
    "masks": same,
}
PAIRS = [(each.name, kind) for each in catalog.FORMATS.values() for kind in each.task_types if kind in KINDS]


@pytest.mark.parametrize(("name", "task_type"), PAIRS)
@given(data=st.data())
@settings(max_examples=12, deadline=None)
def test_what_is_written_reads_back_the_same(name, task_type, data) -> None:
    heading, pictures = data.draw(sets(task_type))
    if name == "folders":
        heading = replace(heading, image=lambda _: IMAGE)
    flatten = catalog.FORMATS[name].flatten
    pictures = [flatten(each) for each in pictures] if flatten else pictures
    classes, found = back(name, heading, pictures)
    titles = {each.id: each.name for each in heading.categories}
    found = sorted(found, key=lambda each: each.id)
    assert [each.id for each in found] == [each.id for each in pictures]
    for wanted, picture in zip(pictures, found, strict=True):
        assert (picture.file_name, picture.width, picture.height) == (wanted.file_name, WIDTH, HEIGHT)
        assert picture.split == wanted.split
        assert [classes[each.category] for each in picture.shapes] == [
            titles[each.category] for each in wanted.shapes
        ]
        assert {key: value for key, value in picture.provenance.items() if value is not None} == {
            key: value for key, value in wanted.provenance.items() if value is not None
        }
        for one, other in zip(wanted.shapes, picture.shapes, strict=True):
            assert (other.origin, other.labeled_as) == (one.origin, one.labeled_as)
            COMPARE[name](one, other)


def said(name: str, **files: str | bytes) -> tuple[list[Any], list[str]]:
    """Read files by a format; return the images' regions, and what is said to be wrong."""
    with tempfile.TemporaryDirectory() as folder:
        for path, content in files.items():
            file = Path(folder, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        records = list(catalog.FORMATS[name].read(Folder(Path(folder))))
    pictures = [each for each in records if isinstance(each, Picture)]
    return [each.shapes for each in pictures], [each.said for each in records if isinstance(each, Problem)]


def test_one_bad_line_keeps_nobody_from_the_others() -> None:
    labels = "0 0.5 0.5 0.2 0.2\n7 0.5 0.5 0.2 0.2\n0 0.5 nan 0.2 0.2\n0 0.5 0.5 0 0\ncat 1 2 3 4\n0 1 2\n"
    shapes, wrong = said(
        "yolo",
        **{
            "data.yaml": "names: [cat, dog]",
            "labels/a.txt": labels,
            "images/a.png": IMAGE,
            "labels/b.txt": "",
        },
    )
    assert shapes == [[Shape(1, bbox=[256, 192, 128, 96])]]
    assert wrong == [
        "There is no class 7; there are 2, from 0 on.",
        "Coordinates must be finite numbers.",
        "A box is x, y, width and height, with a width and height above 0.",
        "A line has the number of a class, then numbers.",
        "A line has a class and 4 numbers for a box, or at least 6, in pairs, for a polygon.",
        "There is no image to it, so its size is not known.",
    ]


def test_coco_of_others_is_read_in_whatever_order_its_lists_come() -> None:
    runs_of = {"size": [4, 6], "counts": [2, 4, 18]}
    packed_runs = packed.frPyObjects(runs_of, 4, 6)["counts"].decode()
    body = {
        "annotations": [
            {"id": 1, "image_id": 5, "category_id": 3, "bbox": [1, 1, 2, 2]},
            {"id": 2, "image_id": 5, "category_id": 3, "bbox": [1, 1, -2, 2]},
            {"id": 3, "image_id": 5, "category_id": 9, "bbox": [1, 1, 2, 2]},
            {"id": 4, "image_id": 6, "category_id": 3, "segmentation": runs_of},
            {
                "id": 5,
                "image_id": 6,
                "category_id": 3,
                "segmentation": {"size": [4, 6], "counts": packed_runs},
            },
            {"id": 6, "image_id": 6, "category_id": 3, "segmentation": {"size": [9, 9], "counts": [81]}},
            {"id": 7, "image_id": 7, "category_id": 3, "bbox": [1, 1, 2, 2]},
            {"id": 8, "image_id": 10**30, "category_id": 3, "bbox": [1, 1, 2, 2]},
        ],
        "images": [
            {"id": 6, "file_name": "b.jpg", "width": 6, "height": 4},
            {"id": 5, "file_name": "a.jpg", "width": 6, "height": 4},
        ],
        "categories": [{"id": 3, "name": "cell"}],
    }
    shapes, wrong = said("coco", **{"instances_val.json": json.dumps(body)})
    mask = [2, 4, 18]
    assert shapes == [[Shape(3, mask=mask), Shape(3, mask=mask)], [Shape(3, bbox=[1, 1, 2, 2])]]
    assert wrong == [
        "An annotation needs image_id and category_id.",
        "The mask is not of the size of its image, 6 × 4 pixels.",
        "A box is x, y, width and height, with a width and height above 0.",
        "There is no category 9.",
        "There is no image 7.",
    ]


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("coco", {"a.json": "[1, 2]"}),
        ("coco", {"a.json": '{"images": [{"id": 1'}),
        ("coco", {"a.json": '{"info": 1}'}),
        ("coco", {"a.json": b"\xff\xfe"}),
        ("yolo", {"labels/a.txt": "0 0.5 0.5 1 1"}),
        ("voc", {"a.txt": ""}),
        ("csv", {"a.csv": "path,size\na,b"}),
        ("folders", {"readme.txt": ""}),
        ("manifest", {"a.jsonl": "no JSON"}),
        ("dataset", {"a.parquet": "PAR1"}),
        ("masks", {"masks/a.png": IMAGE}),
        ("masks", {"classes.json": '{"classes": [{"name": "cat"}]}'}),
    ],
)
def test_what_is_not_of_a_format_is_refused_in_a_sentence(name, files) -> None:
    with pytest.raises(Unreadable, match=r"\.$"):
        said(name, **files)


@pytest.mark.parametrize(
    ("name", "files", "wrong"),
    [
        ("voc", {"a.xml": "<!DOCTYPE x [<!ENTITY a 'b'>]><annotation/>"}, "document type"),
        ("csv", {"a.csv": "file_name,width,height,class\na,wide,3,cat"}, "whole pixels"),
        ("csv", {"a.csv": "file_name,width,height,class,polygon\na,4,3,cat,\"[[1,2\""}, "JSON list"),
        ("folders", {"a.png": IMAGE, "cat/b.png": IMAGE}, "no folder"),
        ("masks", {"classes.json": '{"classes": []}', "masks/a.png": IMAGE}, "no PNG whose pixels"),
        ("manifest", {"a.manifest": '{"source-ref": "a", "x": 1, "x-metadata": {}}'}, "no class 1"),
    ],
)  # fmt: skip
def test_problems_say_what_is_wrong(name, files, wrong) -> None:
    problems = said(name, **files)[1]
    assert len(problems) == 1
    assert wrong in problems[0]


@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_the_outline_of_a_mask_has_its_pixels(width, height, data) -> None:
    wanted = np.array(data.draw(st.lists(st.booleans(), min_size=width * height, max_size=width * height)))
    changes = np.flatnonzero(np.diff(wanted, prepend=False))
    counts = np.diff(changes, prepend=0, append=width * height).tolist()
    assume(wanted.any())
    parts = runs.outlined(counts, width, height)
    assert (
        runs.pixels(runs.run_lengths(parts, width, height), width, height) == wanted.reshape(width, height).T
    ).all()


@given(st.lists(polygons(), max_size=3))
@settings(max_examples=8)
def test_a_mask_has_at_each_pixel_the_class_of_the_last_region_there(shapes) -> None:
    heading = Heading("", "segmentation", [Category(2, "two"), Category(1, "one")])
    parts = masks.write(heading, [Picture(5, "a/b.jpg", WIDTH, HEIGHT, shapes, {}, "val")])
    with (
        tempfile.TemporaryDirectory() as folder,
        zipfile.ZipFile(put(parts, Path(folder, "a.zip"))) as archive,
    ):
        image = Image.open(io.BytesIO(archive.read("masks/val/b-5.png")))
        said = json.loads(archive.read("classes.json"))["classes"]
    assert [(each["index"], each["name"], each["color"]) for each in said] == [
        (1, "two", [128, 0, 0]), (2, "one", [0, 128, 0]),
    ]  # fmt: skip
    assert (image.mode, image.getpalette()[:9]) == ("P", [0, 0, 0, 128, 0, 0, 0, 128, 0])
    columns, rows = np.meshgrid(np.arange(3, WIDTH, 13), np.arange(3, HEIGHT, 13))
    wanted, edges = np.zeros(rows.shape, int), np.zeros(rows.shape, bool)
    for shape in shapes:
        area = geometry.combined(shape.polygon)
        inside = shapely.contains_xy(area, columns + 0.5, rows + 0.5)
        wanted[inside] = {2: 1, 1: 2}[shape.category]
        edges |= shapely.distance(area.boundary, shapely.points(columns + 0.5, rows + 0.5)) < 1e-6
    assert (np.asarray(image)[rows, columns] == wanted)[~edges].all()


@given(st.lists(st.integers(0, 5_000), min_size=1, max_size=30))
def test_packed_run_lengths_are_those_of_pycocotools(counts) -> None:
    text = packed.frPyObjects({"size": [sum(counts), 1], "counts": counts}, sum(counts), 1)["counts"].decode()
    assert runs.unpacked(text) == counts


def test_an_archive_of_others_reads_like_one_of_ours(tmp_path) -> None:
    contents = {"a/ü.txt": b"one" * 1_000, "big.bin": bytes(range(256)) * 4_000, "empty": b""}
    with zipfile.ZipFile(tmp_path / "theirs.zip", "w", zipfile.ZIP_DEFLATED) as theirs:
        theirs.writestr("folder/", b"")
        for name, content in contents.items():
            theirs.writestr(name, content)
    ours = put([Part(name, io.BytesIO(content)) for name, content in contents.items()], tmp_path / "ours.zip")
    for path in (tmp_path / "theirs.zip", ours):
        with Archive(path) as files:
            assert {each.name: each.read() for each in files.entries()} == contents
    (tmp_path / "none.zip").write_bytes(b"PK no archive")
    with Archive(tmp_path / "none.zip") as files, pytest.raises(Unreadable, match="no ZIP archive"):
        list(files.entries())


def test_a_file_by_itself_is_read_like_one_in_a_folder(tmp_path) -> None:
    heading = Heading("", "multiclass", [Category(1, "cat")])
    (part,) = coco.write(heading, [Picture(1, "a.jpg", 4, 3, [Shape(1)], {"origin": "auto"})])
    (tmp_path / "sent").write_bytes(part.content.read() if part.content.seek(0) == 0 else b"")
    records = list(coco.read(Single(tmp_path / "sent", "labels.json")))
    assert records == [Category(1, "cat"), Picture(1, "a.jpg", 4, 3, [Shape(1)], {"origin": "auto"})]


def test_names_in_archives_never_meet_and_classes_get_folders_of_their_own() -> None:
    paths = [
        "a/x.png", "b/x.png", "x.jpg", "a/X.png", "CON.png", f"{'ü' * 400}.jpg", "..", "a/.png", "x-1.png",
        "_DSC 01.JPG", "t.tif#page=2", "https://example.com/show?id=7", f"{'ü' * 300}.gif",
    ]  # fmt: skip
    known = names.Names(enumerate(paths))
    found = [known.of(number, path, "JPEG") for number, path in enumerate(paths)]
    assert found[:5] == ["x.png", "x-1-1.png", "x-2.jpg", "X-3.png", "CON-4.png"]
    assert known.of(9, "_DSC 01.heic", "JPEG", is_copy=True) == "_DSC 01.jpg"
    assert found[8:12] == ["x-1.png", "_DSC 01.JPG", "t_page2.tif", "show_id=7.jpg"]
    assert max(Counter(names.SUFFIX.sub("", each).casefold() for each in found).values()) == 1
    assert all(0 < len(each.encode()) < 255 and "/" not in each for each in found)
    classes = ["cat", "Cat", "a/b", "a_b", "..", "cat-2"]
    places = names.folders([Category(number, name) for number, name in enumerate(classes)])
    assert len({each.casefold() for each in places.values()}) == len(classes)
    assert places[0] == "cat"


def test_bridges_keep_what_the_parts_of_a_polygon_enclose() -> None:
    square, hole = [0.0, 0, 9, 0, 9, 9, 0, 9], [3.0, 3, 6, 3, 6, 6, 3, 6]
    ring = np.reshape(yolo.joined([square, hole]), (-1, 2))
    assert shapely.make_valid(shapely.Polygon(ring)).area == 72
