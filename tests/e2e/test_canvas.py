"""Drawing boxes and polygons with every tool."""

import re
from typing import Any

import shapely
from playwright.sync_api import expect

from labeling.models import Annotation, Item, Region
from tests import factories
from tests.e2e.drawing import near


def test_a_box_is_drawn_by_dragging_named_by_a_digit_and_sent(canvas):
    made = canvas("detection")
    made.drag((100, 80), (260, 200))
    expect(made.objects).to_have_count(1)
    expect(made.page.locator("[data-canvas=unnamed]")).to_have_text("One region needs a class.")
    made.press("Control+Enter")
    expect(made.note).to_contain_text("needs a class")
    assert Annotation.objects.count() == 0
    made.press("2")
    made.submit()
    region = Region.objects.get()
    assert (region.label_class.name, region.origin) == ("kind 1", "drawn")
    assert near(region.bbox, [100, 80, 160, 120])


def test_a_box_is_drawn_by_two_clicks_and_a_stray_one_makes_nothing(canvas):
    made = canvas("detection")
    made.click(50, 40)
    made.page.mouse.move(*made.at(90, 90))
    expect(made.page.locator(".draft-text")).to_have_text("Click the opposite corner.")
    made.click(150, 140)
    assert near(made.box(), [50, 40, 100, 100])
    made.click(300, 300)
    made.press("Escape")
    made.click(310, 310)
    made.click(310, 310)
    expect(made.objects).to_have_count(1)
    made.click(100, 100, count=2)
    expect(made.objects).to_have_count(1)
    expect(made.page.locator(".object.selected")).to_have_count(1)


def test_escape_leaves_nothing_of_a_box_behind(canvas):
    made = canvas("detection")
    made.page.mouse.move(*made.at(60, 60))
    made.page.mouse.down()
    made.page.mouse.move(*made.at(120, 130))
    made.press("Escape")
    made.page.mouse.move(*made.at(160, 170))
    made.page.mouse.up()
    expect(made.objects).to_have_count(0)
    made.drag((200, 200), (201, 201))
    expect(made.objects).to_have_count(0)
    made.page.wait_for_timeout(500)  # sooner nothing untouched is sent
    made.submit()
    assert Region.objects.count() == 0
    assert Annotation.objects.get().skipped is False


def test_a_box_is_moved_and_resized_by_dragging_by_clicks_and_by_numbers(canvas):
    made = canvas("detection", count=1)
    made.drag((100, 100), (200, 180))
    made.press("v")
    made.drag((150, 140), (180, 150))
    assert near(made.box(), [130, 110, 100, 80])
    made.drag((230, 190), (260, 230))
    assert near(made.box(), [130, 110, 130, 120])
    made.click(130, 170)
    expect(made.page.locator(".draft-text")).to_have_text("Click where it goes.")
    made.click(100, 200)
    assert near(made.box(), [100, 110, 160, 120])
    made.press("ArrowRight", "Shift+ArrowDown")
    assert near(made.box(), [101, 120, 160, 120])
    made.page.locator(".numbers [name=w]").fill("50")
    made.page.locator(".numbers [name=h]").fill("60,5")  # as most of Europe writes it
    made.page.keyboard.press("Enter")
    made.submit()
    assert near(Region.objects.get().bbox, [101, 120, 50, 60.5])
    assert Region.objects.get().bbox[3] == 60.5


def test_a_box_is_not_pulled_to_nothing_and_a_crossing_pull_is_told_at_once(canvas):
    made = canvas("detection", count=1)
    made.drag((100, 100), (200, 180))
    made.press("v")
    made.drag((200, 180), (100, 100))
    expect(made.note).to_have_text("This is too small to be meant.")
    assert near(made.box(), [100, 100, 100, 80])
    made = canvas("segmentation", count=1)
    for point in [(100, 100), (200, 100), (200, 200), (100, 200)]:
        made.click(*point)
    made.press("Enter", "v")
    made.drag((100, 100), (260, 140))
    expect(made.note).to_contain_text("crosses itself")
    made.press("Control+z")
    made.submit()
    assert Region.objects.get().polygon == [[100, 100, 200, 100, 200, 200, 100, 200]]


def test_boxes_end_at_the_border_of_the_image(canvas):
    made = canvas("detection", count=1)
    made.drag((600, 440), (652, 500))
    assert near(made.box(), [600, 440, 40, 40])
    made.submit()
    assert near(Region.objects.get().bbox, [600, 440, 40, 40], 0.01 + 1)


def test_a_template_box_is_as_large_as_the_last_one(canvas):
    made = canvas("detection", count=1)
    made.press("t")
    made.click(100, 100)
    assert near(made.box(), [75, 75, 50, 50])
    made.press("r")
    made.drag((200, 200), (280, 230))
    made.press("t")
    made.click(400, 300)
    assert near(made.box(), [360, 285, 80, 30])
    expect(made.objects).to_have_count(3)


def test_a_polygon_is_clicked_closed_and_given_a_hole_and_a_further_part(canvas):
    made = canvas("segmentation", count=1)
    for point in [(100, 100), (300, 100), (300, 300), (340, 340), (100, 300)]:
        made.click(*point)
    made.press("Backspace", "Backspace")
    made.click(100, 300)
    made.click(100, 100)
    expect(made.objects).to_have_count(1)
    made.click(150, 150, keys="Shift")
    for point in [(200, 150), (200, 200)]:
        made.click(*point)
    made.press("Enter")
    made.press("g")
    for point in [(400, 100), (450, 100)]:
        made.click(*point)
    made.click(450, 150, count=2)
    expect(made.objects).to_have_count(1)
    made.submit()
    outer, hole, further = Region.objects.get().polygon
    assert near(outer, [100, 100, 300, 100, 300, 300, 100, 300])
    assert near(hole, [150, 150, 200, 150, 200, 200])
    assert near(further, [400, 100, 450, 100, 450, 150])


def test_a_crossing_line_is_shown_at_its_place_and_can_be_mended(canvas):
    made = canvas("segmentation", count=1)
    for point in [(100, 100), (300, 300), (300, 100), (100, 300)]:
        made.click(*point)
    made.press("Enter")
    expect(made.note).to_contain_text("crosses itself")
    expect(made.note).to_have_class(re.compile("at-place"))
    expect(made.objects).to_have_count(0)
    made.press("Backspace", "Enter")
    expect(made.objects).to_have_count(1)


def test_points_are_added_moved_and_removed(canvas):
    made = canvas("segmentation", count=1)
    for point in [(100, 100), (300, 100), (300, 300)]:
        made.click(*point)
    made.press("Enter", "u")
    made.click(200, 100)
    expect(made.objects.first).to_have_attribute("aria-label", re.compile("4 points"))
    made.drag((200, 100), (200, 60))
    made.drag((300, 200), (360, 200))
    made.click(100, 100)
    made.press("v")
    made.drag((300, 300), (320, 320))
    made.submit()
    assert near(Region.objects.get().polygon[0], [200, 60, 300, 100, 360, 200, 320, 320])


def test_a_polygon_is_drawn_by_hand(canvas):
    made = canvas("segmentation", count=1)
    made.page.keyboard.down("Shift")
    made.page.mouse.move(*made.at(100, 100))
    made.page.mouse.down()
    for corner in [(200, 100), (200, 200), (100, 200), (100, 110)]:
        made.page.mouse.move(*made.at(*corner), steps=12)
    made.page.mouse.up()
    made.page.keyboard.up("Shift")
    expect(made.objects).to_have_count(1)
    made.submit()
    (part,) = Region.objects.get().polygon
    assert 8 <= len(part) <= 24


def test_a_digit_names_what_is_being_drawn_and_not_the_region_before(canvas):
    made = canvas("detection")
    made.press("1")
    made.drag((50, 50), (150, 150))
    made.click(200, 200)
    made.press("2")
    made.click(300, 300)
    assert [name.split(",")[0] for name in made.names()] == ["kind 0", "kind 1"]


def test_a_polygon_under_way_is_not_lost_by_a_wrong_key(canvas):
    made = canvas("segmentation", count=1)
    for point in [(100, 100), (300, 100), (300, 300)]:
        made.click(*point)
    for key in ("v", "p"):
        made.press(key)
        expect(made.note).to_have_text("Enter keeps what you are drawing, Esc drops it.")
        expect(made.page.locator(".mark")).to_have_count(3)
        made.page.mouse.move(*made.at(320, 200))
    made.press("Control+Enter")
    expect(made.note).to_contain_text("not closed yet")
    assert Annotation.objects.count() == 0
    made.press("Control+z")
    made.click(250, 300)
    made.press("Enter")
    expect(made.objects.first).to_have_attribute("aria-label", re.compile("polygon of 3 points"))


def test_points_snap_to_the_corners_of_other_regions(canvas):
    made = canvas("detection", count=1)
    made.drag((100, 100), (200, 200))
    made.page.locator("[data-view=snap]").click()
    made.drag((203, 198), (300, 300))
    assert near(made.box(), [200, 200, 100, 100], 0.1)
    made.page.keyboard.down("Control")
    made.drag((97, 203), (40, 300))
    made.page.keyboard.up("Control")
    assert near(made.box(), [40, 203, 57, 97], 0.6)


def test_a_click_outlines_an_object_and_further_clicks_refine_it(canvas):
    made = canvas("segmentation", count=1, images=1)
    item = Item.objects.get()
    (true, *_) = [shapely.Polygon(outline_of(each)) for each in factories.true_regions(item)]
    x, y = true.centroid.coords[0]
    made.press("s")
    made.click(x, y)
    keep = made.page.get_by_role("button", name="Keep")
    expect(keep).to_be_visible()
    with made.page.expect_request("**/outline/") as asked:
        made.click(x + 2 * true.length / 6, y, button="right")
    sent = asked.value.post_data_json
    assert [each["inside"] for each in sent["points"]] == [True, False]
    expect(made.page.locator(".mark.minus")).to_have_count(1)
    keep.click()
    expect(made.objects).to_have_count(1)
    made.submit()
    (part, *_) = Region.objects.get().polygon
    found = shapely.Polygon(list(zip(part[0::2], part[1::2], strict=True)))
    assert found.intersection(true).area / found.union(true).area > 0.8


def outline_of(region: dict[str, Any]) -> list[tuple[float, float]]:
    (part,) = region["polygon"]
    return list(zip(part[0::2], part[1::2], strict=True))
