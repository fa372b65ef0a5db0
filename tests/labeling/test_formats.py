"""What is written reads back the same in every format, and what makes no sense is said, line by line."""

import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling import geometry
from labeling.formats import catalog, runs
from labeling.formats.archives import ArchiveWriter
from labeling.formats.files import Archive
from labeling.formats.records import Category, Heading, Picture, Problem, Shape
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
    paths = draw(st.lists(st.text(printable, min_size=1, max_size=200), max_size=4))
    pictures = [
        Picture(
            10 + number,
            f"{path}.jpg",
            WIDTH,
            HEIGHT,
            draw(KINDS[task_type]),
            {**PROVENANCE, "annotation_id": number},
            draw(st.sampled_from(["", "train", "val", "test"])),
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
}
PAIRS = [(each.name, kind) for each in catalog.FORMATS.values() for kind in each.task_types]


@pytest.mark.parametrize(("name", "task_type"), PAIRS)
@given(data=st.data())
@settings(max_examples=12, deadline=None)
def test_what_is_written_reads_back_the_same(name, task_type, data) -> None:
    heading, pictures = data.draw(sets(task_type))
    if name == "folders":
        heading = replace(heading, image=lambda _: IMAGE)
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
