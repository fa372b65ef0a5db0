"""COCO exports: what other tools read, with provenance for every label."""

import hashlib
import json
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.coco import COCO

from labeling import exporting, review
from labeling.formats import coco
from labeling.models import Item, Job
from tests import factories

coordinate = st.floats(0, 5_000, allow_nan=False, width=32)
boxes = st.tuples(coordinate, coordinate, coordinate, coordinate).map(list)
polygons = st.lists(
    st.lists(coordinate, min_size=6, max_size=20).map(lambda points: points[: len(points) // 2 * 2]),
    min_size=1,
    max_size=3,
)
shapes = st.builds(coco.Shape, category=st.integers(1, 3), bbox=st.none() | boxes) | st.builds(
    coco.Shape, category=st.integers(1, 3), polygon=polygons
)
pictures = st.lists(st.tuples(st.text(), st.lists(shapes, max_size=4)), max_size=5)


def read_back(path: Path) -> COCO:
    """Load with pycocotools, as users do."""
    return COCO(str(path))


@given(pictures)
def test_what_is_written_reads_back_the_same(given_pictures) -> None:
    wanted = [
        coco.Picture(number, name, 640, 480, regions, {"origin": "person"})
        for number, (name, regions) in enumerate(given_pictures, 1)
    ]
    body = json.loads("".join(coco.write({}, [coco.Category(n, f"class {n}") for n in (1, 2, 3)], wanted)))
    assert [(each["id"], each["file_name"]) for each in body["images"]] == [
        (p.id, p.file_name) for p in wanted
    ]
    assert [each["id"] for each in body["annotations"]] == list(range(1, len(body["annotations"]) + 1))
    written = iter(body["annotations"])
    for picture in wanted:
        for shape in picture.shapes:
            each = next(written)
            assert (each["image_id"], each["category_id"]) == (picture.id, shape.category)
            if shape.polygon:
                assert each["segmentation"] == shape.polygon
            else:
                assert each["bbox"] == (shape.bbox or [0, 0, 640, 480])
                assert ("image_level" in each) == (not shape.bbox)


def test_area_and_box_of_a_polygon() -> None:
    square = [10.0, 10.0, 20.0, 10.0, 20.0, 30.0, 10.0, 30.0]
    assert coco.polygon_area(square) == 200
    assert coco.polygon_bbox([square, [0.0, 0.0, 1.0, 0.0, 0.0, 1.0]]) == [0, 0, 20, 30]


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
    exporting.write_coco(project, review.Filters(), tmp_path / "export.json")
    pictures = CocoDetection(items[0].source.location, str(tmp_path / "export.json"))
    names = dict(project.classes.values_list("id", "name"))
    assert len(pictures) == len(items)
    for (picture, targets), key in zip(pictures, pictures.ids, strict=True):
        assert picture.size == (32, 32)
        assert [names[each["category_id"]] for each in targets] == [
            factories.true_class(Item.objects.get(pk=key))
        ]


@pytest.mark.django_db
def test_a_filtered_export_holds_just_what_the_filter_chooses(
    project, labeler, manager, items, tmp_path
) -> None:
    factories.answer_all(project, labeler)
    square = project.classes.get(name="square")
    report = exporting.write_coco(project, review.Filters(label_class=square.pk), tmp_path / "squares.json")
    assert report["images"] == report["annotations"] == 4
    assert read_back(tmp_path / "squares.json").dataset["info"]["filter"] == {"label_class": square.pk}


@pytest.mark.django_db
def test_an_unknown_format_is_refused_with_the_known_ones(project, manager) -> None:
    with pytest.raises(exporting.ExportRefused, match="there is coco"):
        exporting.start(project, manager, "yolo99", review.Filters())
