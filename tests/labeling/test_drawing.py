"""Regions drawn over pictures: in the gallery, in an item's panel, and side by side where answers differ."""

import re
import uuid
from types import SimpleNamespace

import pytest
from django.urls import reverse

from labeling import queue, submission
from labeling.models import Annotation, Item
from labeling.templatetags import drawing
from tests import factories
from tests.labeling.test_geometry import star

LARGE = SimpleNamespace(width=4_000, height=3_000)


def region(color: str = "#2f6fde", **geometry):
    label_class = SimpleNamespace(color=color, name="<cell>")
    label_class.now = label_class
    return SimpleNamespace(pk=None, **{"bbox": None, "polygon": None, "label_class": label_class, **geometry})


def test_a_polygon_of_thousands_of_points_is_drawn_with_few() -> None:
    ring = star(2_000, 1_500, [1_000.0] * 6_000)
    large = drawing.drawing([region(polygon=[ring])], LARGE)
    small = drawing.small_drawing([region(polygon=[ring])], LARGE)
    assert len(small) < 1_200
    assert len(small) < len(large) < 4_000
    assert "style=" not in large + small


def test_parts_are_one_path_names_are_escaped_and_nothing_is_drawn_of_whole_images() -> None:
    square, hole = [0, 0, 900, 0, 900, 900, 0, 900], [300, 300, 600, 300, 600, 600, 300, 600]
    drawn = drawing.drawing([region(polygon=[square, hole])], LARGE)
    assert 'd="M0 0 900 0 900 900 0 900zM300 300 600 300 600 600 300 600z"' in drawn
    assert "evenodd" in drawn
    assert "&lt;cell&gt;" in drawn
    assert drawing.drawing([region()], LARGE) == ""
    assert 'd="M1.5 2h10.2v5h-10.2z"' in drawing.small_drawing([region(bbox=[1.5, 2, 10.25, 5])], LARGE)


def test_small_drawings_have_one_path_for_a_class() -> None:
    many = [
        region(color, bbox=[x, 5, 20, 20]) for x in range(0, 3_000, 30) for color in ("#111111", "#222222")
    ]
    assert len(re.findall("<path", drawing.small_drawing(many, LARGE))) == 4


@pytest.fixture
def segmented(manager, reviewer, labeler):
    project = factories.make_project(
        manager=manager, reviewer=reviewer, labeler=labeler, task_type="segmentation"
    )
    factories.make_scenes(project, 3)
    while page := queue.claim(project, labeler, 1):
        item = page.claims.select_related("item__project").get().item
        regions = [
            submission.RegionInput(each["class"], polygon=each["polygon"])
            for each in factories.true_regions(item)
        ]
        submission.submit(page, labeler, [submission.Answer(item.pk, uuid.uuid4(), tuple(regions))])
    return project


@pytest.mark.django_db
def test_the_gallery_and_the_panel_draw_the_current_answer(segmented, reviewer, client) -> None:
    client.force_login(reviewer)
    gallery = client.get(reverse("data", args=[segmented.pk])).content.decode()
    assert gallery.count('class="drawing"') == 3
    assert 'viewBox="0 0 640 480"' in gallery
    item = Item.objects.filter(project=segmented).first()
    panel = client.get(
        reverse("item-panel", args=[segmented.pk, item.pk]), headers={"HX-Request": "true"}
    ).content.decode()
    assert panel.count("<title>") == len(factories.true_regions(item))


@pytest.mark.django_db
def test_the_gallery_counts_objects_in_the_order_of_the_classes(segmented, reviewer, client) -> None:
    item = Item.objects.filter(project=segmented).first()
    answer = factories.make_annotation(item, "triangle", reviewer)
    answer.regions.update(bbox=[10, 10, 50, 50])
    other = segmented.classes.exclude(name="triangle").order_by("position").first()
    for at in range(18):
        answer.regions.create(label_class=other, bbox=[at, 10, 50, 50])
    Item.objects.filter(pk=item.pk).update(state="labeled", current_annotation=answer)
    client.force_login(reviewer)
    gallery = client.get(reverse("data", args=[segmented.pk])).content.decode()
    counts = re.findall(r'<span class="cell-counts">(.*?)</a>', gallery)
    assert any(re.findall(r">(\d+)</span>", each) == ["18", "1"] for each in counts)


@pytest.mark.django_db
def test_answers_that_differ_are_drawn_side_by_side(segmented, labeler, reviewer, client) -> None:
    item = Item.objects.filter(project=segmented).first()
    other = factories.make_annotation(item, "triangle", reviewer)
    other.regions.update(bbox=[10, 10, 50, 50])
    Item.objects.filter(pk=item.pk).update(state="needs_review", current_annotation=None)
    client.force_login(reviewer)
    panel = client.get(
        reverse("item-panel", args=[segmented.pk, item.pk]), headers={"HX-Request": "true"}
    ).content.decode()
    assert "side-by-side" in panel
    assert panel.count('class="drawing"') == Annotation.objects.filter(item=item).count() == 2
