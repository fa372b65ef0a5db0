"""Labels of other tools and of Loupe itself come in as they were meant, whatever their format."""

import io
import json
from collections.abc import Iterable
from dataclasses import replace

import hypothesis
import pytest
from hypothesis import strategies as st

from labeling import (
    fitting,
    geometry,
)
from labeling.formats import catalog, runs
from labeling.formats.archives import ArchiveWriter
from labeling.formats.records import Category, Heading, Part, Picture, Shape
from labeling.models import (
    Item,
    Region,
)
from tests import factories
from tests.labeling.sent import rectangle, send, take_back, take_in

pytestmark = pytest.mark.django_db


def test_what_a_model_said_is_never_imported_as_a_label(manager) -> None:
    project = factories.make_project(manager=manager, task_type="detection")
    items = factories.make_scenes(project, 2, size=(64, 48))
    tasks = [
        {"data": {"image": items[0].path}, "predictions": [{"result": [rectangle(0, 0, 50, 50)]}]},
        {
            "data": {"image": items[1].path},
            "annotations": [{"result": [rectangle(0, 0, 50, 50), rectangle(0, 0, 9, 9, rotation=30)]}],
        },
    ]
    given = send(project, json.dumps(tasks), "tasks.json")
    assert "turned by 30" in given.report["list"][0]["said"]
    assert take_in(given) == {"label": 1, "left_out": 1}


def test_labels_of_cvat_come_in_and_what_is_not_understood_is_said(manager) -> None:
    project = factories.make_project(manager=manager, task_type="segmentation")
    item = factories.make_scenes(project, 1, size=(64, 48))[0]
    xml = f"""<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version>
    <meta><task><labels><label><name>circle</name></label><label><name>new one</name></label></labels></task>
    </meta>
    <image id="0" name="{item.path}" width="64" height="48">
      <polygon label="circle" points="4.0,4.0;30.0,4.0;30.0,40.0"><attribute name="a">b</attribute>
      </polygon>
      <box label="circle" xtl="1" ytl="1" xbr="9" ybr="9" rotation="45.0"/>
      <box label="new one" xtl="40" ytl="20" xbr="60" ybr="44"/>
      <ellipse label="circle" cx="1" cy="1" rx="1" ry="1"/>
    </image><track id="0" label="circle"/></annotations>"""
    given = send(project, xml, "annotations.xml")
    assert given.format == "cvat"
    assert [each["said"][:20] for each in given.report["list"]] == [
        "The box is turned by", "Ellipses are not rea", "This is a track of a",
    ]  # fmt: skip
    assert take_in(given) == {"label": 1}
    regions = Item.objects.get(pk=item.pk).current_annotation.regions.all()
    assert [(each.label_class.name, each.bbox, each.polygon) for each in regions] == [
        ("circle", None, [[4, 4, 30, 4, 30, 40]]),
        ("new one", [40, 20, 20, 24], None),
    ]


def test_images_without_labels_are_negatives_only_where_somebody_says_so(manager) -> None:
    project = factories.make_project(manager=manager, task_type="detection")
    items = factories.make_scenes(project, 2, size=(64, 48))
    coco = json.dumps(
        {
            "categories": [{"id": 5, "name": "circle"}],
            "images": [
                {"id": each.pk, "file_name": each.file_name, "width": 64, "height": 48} for each in items
            ],
            "annotations": [
                {"image_id": items[0].pk, "category_id": 5, "bbox": [1, 1, 20, 20], "segmentation": []}
            ],
        }
    )
    given = send(project, coco, "instances.json")
    assert given.report["empty_maybe"] == 1
    assert take_in(given) == {"label": 1, "left_out": 1}
    take_back(given)
    given = send(project, coco, "instances.json")
    assert take_in(given, takes_empty=True) == {"label": 2}


@pytest.mark.parametrize("task_type", ["multiclass", "multilabel", "detection", "segmentation"])
def test_what_is_exported_in_any_format_comes_in_the_same(manager, task_type) -> None:
    project = factories.make_project(manager=manager, task_type=task_type)
    items = factories.make_scenes(project, 3, size=(64, 48))
    classes = [Category(each.pk, each.name) for each in project.classes.all()]
    pictures = [
        Picture(item.pk, item.path, 64, 48, shapes_for(item, classes), {"origin": "person"}) for item in items
    ]
    heading = Heading("Set", task_type, classes, {}, lambda picture: factories.picture_file((64, 48)))
    for each in catalog.offered(task_type):
        given = send(project, packed(each.write(heading, pictures)), "set.zip")
        assert (given.format, given.report.get("problems", 0)) == (each.name.removesuffix("_seg"), 0)
        assert take_in(given) == {"label": 3}
        for picture in pictures:
            found = list(Item.objects.get(pk=picture.id).current_annotation.regions.all())
            if each.flatten:
                picture = each.flatten(picture)
                picture = replace(picture, shapes=[outlined(shape, picture) for shape in picture.shapes])
            assert [each.label_class_id for each in found] == [each.category for each in picture.shapes]
            for region, shape in zip(found, picture.shapes, strict=True):
                assert bounds_of(region) == pytest.approx(bounds_of(shape), abs=1.01)
        assert take_back(given) == {"undone": 3}


def outlined(shape: Shape, picture: Picture) -> Shape:
    return replace(shape, polygon=runs.outlined(shape.mask or [], picture.width, picture.height))


def packed(parts: Iterable[Part]) -> bytes:
    out = io.BytesIO()
    writer = ArchiveWriter(out)
    for part in parts:
        writer.add(part)
    writer.close()
    return out.getvalue()


def bounds_of(region: Region | Shape) -> list[float] | None:
    return region.bbox or (geometry.bounds(region.polygon) if region.polygon else None)


def shapes_for(item: Item, classes: list[Category]) -> list[Shape]:
    if item.project.task_type == "multilabel":
        return [Shape(each.id) for each in classes[: 1 + item.pk % 2]]
    if item.project.task_type == "multiclass":
        return [Shape(classes[item.pk % 3].id)]
    return [
        Shape(each["class"], each.get("bbox"), each.get("polygon")) for each in factories.true_regions(item)
    ]


number = st.one_of(st.floats(-40, 140), st.floats(allow_nan=False, allow_infinity=False, width=32))


@hypothesis.given(
    box=st.lists(number, min_size=4, max_size=4), ring=st.lists(number, min_size=6, max_size=12)
)
@hypothesis.settings(max_examples=150)
def test_no_shape_that_is_taken_lies_outside_of_its_image_or_is_flawed(box, ring) -> None:
    shapes = [Shape(0, bbox=box), Shape(0, polygon=[ring[: len(ring) // 2 * 2]])]
    whole = [each for each in shapes if geometry.misshapen(each.bbox, each.polygon) is None]
    target = fitting.Target(100, 80, is_classification=False, is_single=False, has_boxes=False)
    found = fitting.fit(Picture(1, "a", 100, 80, whole), target, ["a"])
    assert len(found.regions) + len(found.problems) == len(whole)
    for each in found.regions:
        drawn = each.get("bbox"), each.get("polygon")
        assert (geometry.misfit(*drawn, 100, 80), geometry.flaw(*drawn)) == (None, None)
