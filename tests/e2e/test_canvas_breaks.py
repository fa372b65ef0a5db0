"""What is half done on the canvas when a page, a reload or another hand comes between."""

import re

import pytest
from playwright.sync_api import expect

from labeling.models import Annotation, Region
from tests.e2e.drawing import Canvas, near


def hold(made: Canvas, *places: tuple[float, float]) -> None:
    """Put the pointer down at the first place and take it to the others."""
    for number, place in enumerate(places):
        made.page.mouse.move(*made.at(*place))
        if number == 0:
            made.page.mouse.down()


def clicked(made: Canvas, *places: tuple[float, float]) -> None:
    for place in places:
        made.click(*place)


def leave_and_return(made: Canvas) -> None:
    """Look at the page before, and come back."""
    shown = made.page.locator("[data-canvas=file]")
    name = shown.inner_text()
    made.press("d")
    expect(shown).not_to_have_text(name)
    made.press("f")
    expect(shown).to_have_text(name)


@pytest.mark.parametrize("how", ["pages", "reload"])
def test_a_half_drawn_polygon_outlives_its_page(canvas, how):
    made = canvas("segmentation")
    clicked(made, (50, 50), (90, 50), (90, 90))
    made.press("Enter", "1")
    made.submit()
    expect(made.objects).to_have_count(0)
    made.press("2")
    clicked(made, (100, 100), (300, 100), (300, 300))
    if how == "pages":
        leave_and_return(made)
    else:
        made.reload()
    expect(made.page.locator(".mark")).to_have_count(3)
    made.press("Control+Enter")
    expect(made.note).to_contain_text("not closed yet")
    made.click(100, 300)
    made.press("Enter")
    made.submit()
    region = Region.objects.get(label_class__name="kind 1")
    assert near(region.polygon[0], [100, 100, 300, 100, 300, 300, 100, 300])


def test_a_hole_under_way_outlives_a_reload(canvas):
    made = canvas("segmentation", count=1)
    clicked(made, (100, 100), (300, 100), (300, 300))
    made.press("Enter", "g")
    clicked(made, (200, 120), (280, 120))
    made.page.wait_for_timeout(500)
    made.reload()
    made.click(280, 200)
    made.press("Enter")
    expect(made.objects).to_have_count(1)
    made.submit()
    assert len(Region.objects.get().polygon) == 2


def test_the_first_corner_of_a_box_outlives_a_reload(canvas):
    made = canvas("detection", count=1)
    made.click(50, 40)
    made.reload()
    expect(made.page.locator(".draft-text")).to_have_text("Click the opposite corner.")
    made.click(150, 140)
    assert near(made.box(), [50, 40, 100, 100])
    made.click(300, 300)
    made.press("Escape")
    made.reload()
    expect(made.objects).to_have_count(1)
    expect(made.page.locator("[data-canvas=draft]")).to_be_hidden()


def test_a_smart_outline_outlives_a_reload_and_is_not_lost_by_submitting(canvas):
    made = canvas("segmentation", count=1, images=1, alone=True)
    made.press("s")
    made.click(200, 200)
    keep = made.page.get_by_role("button", name="Keep")
    expect(keep).to_be_visible()
    made.press("Control+Enter")
    expect(made.note).to_have_text("Enter keeps what you are drawing, Esc drops it.")
    assert Annotation.objects.count() == 0
    made.reload()
    expect(made.page.locator(".mark.plus")).to_have_count(1)
    keep.click()
    expect(made.objects).to_have_count(1)


def test_a_press_does_nothing_to_the_next_image(canvas):
    made = canvas("detection", count=1, images=3)
    made.page.wait_for_timeout(500)  # sooner nothing untouched is sent
    made.press("t")
    hold(made, (100, 100))
    made.press("Enter")
    expect(made.note).to_have_text("Let go first, then submit.")
    made.page.mouse.up()
    expect(made.objects).to_have_count(1)
    made.submit()
    expect(made.objects).to_have_count(0)
    hold(made, (200, 200))
    made.press("d")
    expect(made.objects).to_have_count(1)
    made.page.mouse.up()
    expect(made.objects).to_have_count(1)
    made.press("f")
    expect(made.objects).to_have_count(0)


def test_a_press_does_nothing_with_another_tool(canvas):
    made = canvas("detection", count=1)
    hold(made, (100, 100), (200, 200))
    made.press("t")
    made.page.mouse.up()
    expect(made.objects).to_have_count(0)
    hold(made, (100, 100))
    made.press("Escape")
    made.page.mouse.up()
    expect(made.objects).to_have_count(0)


def test_a_drag_is_finished_before_the_page_is_sent(canvas):
    made = canvas("detection", count=1)
    made.drag((100, 100), (200, 180))
    made.press("v")
    hold(made, (200, 180), (240, 200), (260, 220))
    made.press("Enter")
    expect(made.note).to_have_text("Let go first, then submit.")
    assert Annotation.objects.count() == 0
    made.page.mouse.up()
    made.click(100, 100)
    made.page.mouse.move(*made.at(120, 110))
    made.press("Control+Enter")
    expect(made.note).to_have_text("Click where it goes.")
    made.press("Escape")
    made.submit()
    assert near(Region.objects.get().bbox, [100, 100, 160, 120])


def test_taking_back_ends_a_drag(canvas):
    made = canvas("detection", count=1)
    made.drag((100, 100), (200, 180))
    hold(made, (200, 180), (240, 200), (260, 220))
    made.press("Control+z")
    made.page.mouse.up()
    assert near(made.box(), [100, 100, 100, 80])


def test_a_pointer_that_is_taken_away_blocks_nothing(canvas):
    made = canvas("detection", count=1)
    made.stage.evaluate(
        "stage => stage.addEventListener('pointerdown', event => globalThis.pressed = event.pointerId)"
    )
    hold(made, (100, 100), (160, 160))
    made.stage.evaluate("stage => stage.releasePointerCapture(pressed)")
    made.page.mouse.move(*made.at(170, 170))
    made.page.mouse.up()
    expect(made.objects).to_have_count(0)
    made.drag((100, 100), (200, 200))
    expect(made.objects).to_have_count(1)


def test_a_window_that_changes_its_size_leaves_the_points_where_they_are(canvas):
    made = canvas("segmentation", count=1)
    clicked(made, (100, 100), (300, 100))
    before = made.view()
    made.page.set_viewport_size({"width": 900, "height": 700})
    made.page.wait_for_timeout(200)
    assert made.view() != before
    made.click(300, 300)
    made.press("Enter")
    made.submit()
    assert near(Region.objects.get().polygon[0], [100, 100, 300, 100, 300, 300])


def test_a_held_digit_names_once_and_a_name_is_composed(canvas):
    made = canvas("detection", count=12)
    made.drag((50, 50), (150, 150))
    made.page.keyboard.down("2")
    made.page.keyboard.down("2")
    made.page.keyboard.up("2")
    made.press("Control+z")
    expect(made.objects.first).not_to_have_attribute("aria-label", re.compile("^kind 1,"))
    made.press("/")
    field = made.page.locator("[data-canvas=palette] input")
    for facts in ({"isComposing": True}, {"keyCode": 229}):
        field.dispatch_event("keydown", {"key": "Enter", **facts})
        expect(field).to_be_visible()
    made.page.keyboard.type("kind 11")
    made.press("Enter")
    expect(made.objects.first).to_have_attribute("aria-label", re.compile("^kind 11"))


def test_what_is_wrong_is_said_in_whole_on_a_narrow_window(canvas):
    made = canvas("segmentation", count=1, viewport={"width": 390, "height": 844})
    for corner in ((5, 5), (635, 475)):
        x, y = (1 if corner[0] < 320 else -1), (1 if corner[1] < 240 else -1)
        clicked(made, corner, (corner[0] + 90 * x, corner[1]), (corner[0], corner[1] + 90 * y))
        made.press("Control+Enter")
        expect(made.note).to_contain_text("not closed yet")
        note, stage = made.note.bounding_box(), made.stage.bounding_box()
        assert note and stage
        assert stage["x"] <= note["x"] and note["x"] + note["width"] <= stage["x"] + stage["width"]
        assert stage["y"] <= note["y"] and note["y"] + note["height"] <= stage["y"] + stage["height"]
        made.press("Escape")


def test_an_image_that_cannot_be_loaded_gets_no_empty_answer(canvas):
    made = canvas("detection", images=1)
    made.page.route("**/images/**", lambda route: route.fulfill(status=404))
    made.reload()
    expect(made.note).to_contain_text("could not be loaded")
    made.press("Enter")
    expect(made.page.get_by_role("button", name="Submit empty")).to_have_attribute("aria-disabled", "true")
    assert not Annotation.objects.exists()
    made.press("Shift+s")
    with made.page.expect_response(re.compile("/submit/$")):
        made.page.get_by_role("button", name="broken to tell").click()
    assert Annotation.objects.get().skipped
