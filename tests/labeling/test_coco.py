"""COCO: what other tools read, with provenance for every label."""

import hashlib
import json

import numpy as np
import pytest
import shapely
from django.core.files.storage import default_storage
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.coco import COCO

from labeling import exporting, geometry, review
from labeling.formats import coco, runs
from labeling.formats.records import Category, Heading, Picture, Shape
from labeling.models import Item, Job
from tests import factories
from tests.labeling.exported import read_back
from tests.labeling.test_geometry import place, star, stars

coordinate = st.floats(0, 5_000, allow_nan=False, width=32)
boxes = st.tuples(coordinate, coordinate, coordinate, coordinate).map(list)
polygons = st.lists(
    st.lists(coordinate, min_size=6, max_size=20).map(lambda points: points[: len(points) // 2 * 2]),
    min_size=1,
    max_size=3,
)
shapes = st.builds(Shape, category=st.integers(1, 3), bbox=st.none() | boxes) | st.builds(
    Shape, category=st.integers(1, 3), polygon=polygons
)
pictures = st.lists(st.tuples(st.text(), st.lists(shapes, max_size=4)), max_size=5)


@given(pictures)
def test_coco_has_the_members_that_its_readers_want(given_pictures) -> None:
    wanted = [
        Picture(number, name, 640, 480, regions, {"origin": "person"})
        for number, (name, regions) in enumerate(given_pictures, 1)
    ]
    heading = Heading("", "detection", [Category(n, f"class {n}") for n in (1, 2, 3)])
    (part,) = coco.write(heading, wanted)
    part.content.seek(0)
    body = json.load(part.content)
    assert [(each["id"], each["file_name"]) for each in body["images"]] == [
        (p.id, p.file_name) for p in wanted
    ]
    assert [each["id"] for each in body["annotations"]] == list(range(1, len(body["annotations"]) + 1))
    written = iter(body["annotations"])
    for picture in wanted:
        for shape in picture.shapes:
            each = next(written)
            assert (each["image_id"], each["category_id"]) == (picture.id, shape.category)
            if shape.polygon and geometry.has_holes(shape.polygon):
                assert each["segmentation"]["size"] == [480, 640]
                assert sum(each["segmentation"]["counts"]) == 480 * 640
            elif shape.polygon:
                assert each["segmentation"] == shape.polygon
            else:
                assert each["bbox"] == (shape.bbox or [0, 0, 640, 480])
                assert ("image_level" in each) == (not shape.bbox)


def test_area_and_box_of_a_polygon() -> None:
    square = [10.0, 10.0, 20.0, 10.0, 20.0, 30.0, 10.0, 30.0]
    body = coco.outline([square, [0.0, 0.0, 2.0, 0.0, 0.0, 2.0]], Picture(1, "", 40, 40))
    assert (body["area"], body["bbox"]) == (202, [0, 0, 20, 30])


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools
@given(place, place, st.lists(st.floats(30, 100), min_size=3, max_size=30), st.floats(0.2, 0.8))
def test_a_hole_stays_a_hole_for_pycocotools(x, y, radii, share) -> None:
    ring, hole = star(x, y, radii), star(x, y, [share * radius for radius in radii])
    picture = Picture(1, "", 1_000, 900)
    shape = Shape(1, polygon=[ring, hole], origin="edited")
    written = json.loads(json.dumps(coco.annotation(1, picture, shape)))
    reader = COCO()
    reader.dataset = {"images": [{"id": 1, "width": 1_000, "height": 900}], "annotations": [written]}
    reader.createIndex()
    seen = reader.annToMask(written).astype(bool)
    assert (seen == runs.pixels(written["segmentation"]["counts"], 1_000, 900)).all()
    enclosed = geometry.combined([ring, hole])
    rim = geometry.area_of_ring(ring).length + geometry.area_of_ring(hole).length
    assert written["area"] == pytest.approx(enclosed.area)
    assert abs(seen.sum() - enclosed.area) < rim
    if seen.any():
        rows, columns = np.nonzero(seen)
        left, top, width, height = written["bbox"]
        assert left - 1 <= columns.min() <= columns.max() <= left + width + 1
        assert top - 1 <= rows.min() <= rows.max() <= top + height + 1
    assert (written["iscrowd"], written["provenance"]) == (0, {"region_origin": "edited"})


@given(stars)
def test_runs_hold_the_pixels_whose_centre_is_enclosed(ring) -> None:
    mask = runs.pixels(runs.run_lengths([ring], 1_000, 1_000), 1_000, 1_000)
    rows, columns = np.nonzero(mask)
    area = geometry.area_of_ring(ring)
    if len(rows):
        centres = shapely.points(columns + 0.5, rows + 0.5)
        assert shapely.distance(area, centres).max() < 1e-6
    assert abs(mask.sum() - area.area) <= area.length + 1


def test_a_shape_that_reaches_over_the_border_is_cut_off_there() -> None:
    counts = runs.run_lengths([[-5, -5, 3, -5, 3, 20, -5, 20]], 10, 8)
    mask = runs.pixels(counts, 10, 8)
    assert mask[:, :3].all()
    assert not mask[:, 3:].any()
    assert runs.run_lengths([[0, 0, 10, 0, 10, 8, 0, 8]], 10, 8) == [0, 80]


@pytest.mark.django_db
def test_an_export_holds_every_label_and_loads_in_pycocotools(
    project, labeler, manager, items, tmp_path
) -> None:
    factories.answer_all(project, labeler)
    job = exporting.start(project, manager, "coco", review.Filters())
    factories.run_jobs("quick")
    job.refresh_from_db()
    assert job.state == Job.State.DONE, job.error
    data = default_storage.open(job.result["name"]).read()
    assert hashlib.sha256(data).hexdigest() == job.result["sha256"]
    (tmp_path / "export.json").write_bytes(data)
    loaded = read_back(tmp_path / "export.json")
    names = {category["id"]: category["name"] for category in loaded.loadCats(loaded.getCatIds())}
    assert len(loaded.getImgIds()) == len(items)
    for annotation in loaded.loadAnns(loaded.getAnnIds()):
        item = Item.objects.get(pk=annotation["image_id"])
        assert names[annotation["category_id"]] == factories.true_class(item)
        assert annotation["bbox"] == [0, 0, item.width, item.height]
        assert annotation["provenance"]["labeler"] == labeler.email
        assert annotation["provenance"]["origin"] == "person"
        assert annotation["provenance"]["instructions_version"] == 1
    assert job.result["by_origin"] == {"person": 12, "confirmed": 0, "auto": 0, "imported": 0}


@pytest.mark.django_db
def test_torchvision_pairs_every_picture_with_its_class(project, labeler, items, tmp_path) -> None:
    from torchvision.datasets import CocoDetection

    factories.answer_all(project, labeler)
    exporting.write(project, review.Filters(), tmp_path / "export.json")
    pictures = CocoDetection(items[0].source.location, str(tmp_path / "export.json"))
    names = dict(project.classes.values_list("id", "name"))
    assert len(pictures) == len(items)
    for (picture, targets), key in zip(pictures, pictures.ids, strict=True):
        assert picture.size == (32, 32)
        assert [names[each["category_id"]] for each in targets] == [
            factories.true_class(Item.objects.get(pk=key))
        ]
