"""What hands do by habit from other tools spoils no label."""

import re

from playwright.sync_api import expect

from labeling.models import Item, Region
from tests import factories
from tests.e2e.drawing import SIZE, Canvas, near


def classes(made: Canvas) -> list[str]:
    return [name.split(",")[0] for name in made.names()]


def test_a_box_begun_beside_or_inside_the_last_one_leaves_that_as_it_was(canvas):
    made = canvas("detection", count=1)
    made.drag((100, 100), (200, 200))
    made.drag((202, 150), (300, 190))
    made.drag((198, 102), (150, 60))
    made.drag((120, 70), (140, 90))
    made.press("t")
    made.click(301, 190)
    expect(made.objects).to_have_count(5)
    made.submit()
    boxes = [region.bbox for region in Region.objects.order_by("id")]
    assert near(boxes[0], [100, 100, 100, 100])
    assert near(boxes[1], [202, 150, 98, 40])
    assert near(boxes[2], [150, 60, 48, 42])


def test_alt_and_the_select_tool_reshape_the_last_box(canvas):
    made = canvas("detection", count=1)
    made.drag((100, 100), (200, 200))
    made.page.keyboard.down("Alt")
    made.drag((200, 200), (240, 250))
    made.page.keyboard.up("Alt")
    assert near(made.box(), [100, 100, 140, 150])
    expect(made.page.locator("[data-tool=box]")).to_have_attribute("title", re.compile("Alt"))
    made.press("v")
    made.drag((240, 250), (220, 220))
    expect(made.objects).to_have_count(1)
    assert near(made.box(), [100, 100, 120, 120])


def test_keys_take_hold_of_a_handle_that_they_aim_at(canvas):
    made = canvas("detection", count=1)
    made.drag((100, 100), (200, 200))
    made.press("Control+Shift+ArrowRight", "Control+Shift+ArrowLeft", ".", "Control+ArrowRight", ".")
    expect(made.objects).to_have_count(1)
    assert near(made.box(), [100, 100, 100 + 20 / made.view()[0], 100])


def test_a_digit_before_drawing_names_the_next_box_and_not_the_last(canvas):
    made = canvas("detection")
    made.press("1")
    expect(made.page.locator("[data-canvas=next]")).to_have_text("Next: kind 0")
    made.drag((50, 50), (150, 150))
    made.press("2")
    assert classes(made) == ["kind 0"]
    expect(made.page.locator("[data-canvas=next]")).to_have_text("Next: kind 1")
    made.drag((200, 200), (300, 300))
    assert classes(made) == ["kind 0", "kind 1"]


def test_a_digit_after_drawing_names_what_has_no_class(canvas):
    made = canvas("detection")
    made.drag((50, 50), (150, 150))
    made.press("2")
    assert classes(made) == ["kind 1"]
    made.press("1")
    assert classes(made) == ["kind 1"]


def test_a_region_that_was_selected_by_hand_is_renamed_and_says_so(canvas):
    made = canvas("detection")
    made.press("1")
    made.drag((50, 50), (150, 150))
    made.drag((200, 200), (300, 300))
    made.press("Tab", "2")
    assert classes(made) == ["kind 0", "kind 1"]
    expect(made.note).to_have_text("kind 0 → kind 1")
    expect(made.note).to_have_class(re.compile("at-place"))
    expect(made.page.locator("[data-part=status]")).to_have_text("kind 0 → kind 1")
    made.objects.first.click()
    made.press("2")
    assert classes(made) == ["kind 1", "kind 1"]
    made.press("1", "v", "1")
    assert classes(made) == ["kind 0", "kind 1"]
    expect(made.note).to_be_hidden()


def test_what_was_just_copied_keeps_its_class_while_a_drawing_tool_is_in_hand(canvas):
    made = canvas("detection")
    made.press("1")
    made.drag((50, 50), (150, 150))
    made.drag((200, 200), (300, 300))
    first = made.page.locator("[data-canvas=file]").inner_text()
    made.submit()
    expect(made.page.locator("[data-canvas=file]")).not_to_have_text(first)
    made.press("b", "2")
    assert classes(made) == ["kind 0", "kind 0"]


def test_taking_back_does_not_hand_the_last_box_to_the_next_digit(canvas):
    made = canvas("detection")
    made.press("1")
    made.drag((50, 50), (150, 150))
    made.press("ArrowRight", "Control+z", "2")
    assert classes(made) == ["kind 0"]


def test_escape_stays_in_the_tool(canvas):
    made = canvas("detection", count=1)
    made.drag((50, 50), (150, 150))
    made.click(200, 200)
    made.press("Escape")
    expect(made.page.locator(".object.selected")).to_have_count(1)
    made.press("Escape")
    expect(made.page.locator(".object.selected")).to_have_count(0)
    made.press("Escape", "Escape")
    made.drag((200, 200), (300, 300))
    expect(made.objects).to_have_count(2)


def test_a_sliver_is_kept_and_asked_about_once(canvas):
    made = canvas("detection", count=1)
    made.drag((100, 100), (103, 180))
    expect(made.objects).to_have_count(1)
    expect(made.note).to_have_text("Very narrow: is it meant?")
    expect(made.note).to_have_class(re.compile("at-place"))
    expect(made.page.locator("[data-part=status]")).to_contain_text("Very narrow: is it meant?")
    made.drag((200, 100), (260, 180))
    expect(made.note).to_be_hidden()
    made.drag((10, 300), (610, 305))
    expect(made.note).to_have_text("Very narrow: is it meant?")
    made.submit()
    assert Region.objects.count() == 3


def place(made: Canvas, selector: str) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of what is on the page."""
    box = made.page.locator(selector).first.bounding_box()
    assert box, selector
    return box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]


def test_a_window_at_200_percent_has_room_for_image_and_panel(canvas):
    made = canvas("detection", count=10, viewport={"width": 720, "height": 450})
    stage, panel = place(made, "[data-canvas=stage]"), place(made, ".canvas-panel")
    assert stage[2] - stage[0] > 420
    assert stage[3] - stage[1] > 250
    assert stage[2] <= panel[0]
    assert panel[2] <= 720
    assert panel[3] <= 450
    for key in made.page.locator(".class-key").all():
        key.scroll_into_view_if_needed()
        digit = key.bounding_box()
        assert digit and panel[0] <= digit["x"] <= panel[2] - digit["width"]
        assert panel[1] <= digit["y"] <= panel[3] - digit["height"]
    made.page.locator(".numbers [name=h]").scroll_into_view_if_needed()
    assert place(made, ".numbers [name=h]")[3] <= 450
    made.page.set_viewport_size({"width": 760, "height": 700})
    assert place(made, "[data-canvas=stage]")[3] <= place(made, ".canvas-panel")[1]


def test_headings_of_the_panel_stay_on_one_line(canvas):
    made = canvas("detection", count=1)
    made.drag((50, 50), (150, 150))
    made.submit()
    before = made.page.locator("[data-canvas=before]")
    expect(before).to_be_visible()
    top, bottom = (place(made, ".panel-objects h2")[at] for at in (1, 3))
    assert bottom - top < 24
    before.click()
    expect(made.objects).to_have_count(1)


def test_long_names_stay_on_the_stage_and_can_be_told_apart_in_the_panel(browse, manager, labeler):
    long = [f"{'a name from an ontology, with qualifiers ' * 2}{number}" for number in range(2)]
    short = [f"species {number} of the garden" for number in range(10)]
    project = factories.make_project(
        manager=manager, labeler=labeler, classes=long + short, task_type="detection"
    )
    project.instructions.all().delete()
    factories.make_scenes(project, 1, size=SIZE)
    made = Canvas(browse(labeler, f"/projects/{project.pk}/label/"))
    made.press("1")
    made.drag((560, 100), (620, 160))
    stage, tag = place(made, "[data-canvas=stage]"), place(made, ".tag")
    assert tag[2] - tag[0] < 240
    assert tag[2] <= stage[2]
    cut = "node => node.scrollWidth > node.clientWidth"
    assert made.page.locator(".class-choice .class-name").nth(5).evaluate(cut) is False


def test_an_empty_queue_promises_no_next_image(canvas):
    made = canvas("detection", count=1, images=1)
    made.drag((50, 50), (150, 150))
    made.submit()
    expect(made.page.get_by_role("heading", name="Every image has its label.")).to_be_visible()
    expect(made.page.locator("[data-part=submit-text]")).to_have_text("Submit")


def test_a_drag_that_begins_beside_the_image_marks_no_words(canvas):
    made = canvas("detection", count=1)
    made.page.mouse.move(*(place(made, "[data-part=show-help]")[at] + 20 for at in (2, 1)))
    made.page.mouse.down()
    made.page.mouse.move(*made.at(200, 200), steps=4)
    made.page.mouse.up()
    assert made.page.evaluate("String(getSelection())") == ""


def test_what_the_smart_tool_says_leaves_the_coordinates_alone(canvas):
    made = canvas("segmentation", count=1, images=1, locale="de-DE", viewport={"width": 1120, "height": 700})
    (outline, *_) = factories.true_regions(Item.objects.get())[0]["polygon"]
    across, down = outline[0::2], outline[1::2]
    made.press("s")
    made.drag((min(across) - 4, min(down) - 4), (max(across) + 4, max(down) + 4))
    expect(made.page.locator(".draft-button:visible")).to_have_count(3)
    assert place(made, "[data-view=at]")[2] <= place(made, ".draft-text")[0]
    assert place(made, ".draft-bar")[2] <= place(made, ".view-bar")[2]


def test_the_smart_tool_first_says_what_to_do(canvas):
    made = canvas("segmentation", count=1)
    made.press("s")
    expect(made.page.locator(".draft-text")).to_have_text("Drag a box around the thing, or click it.")
    expect(made.page.locator(".draft-button:visible")).to_have_count(0)


def test_numbers_are_folded_where_polygons_are_drawn_and_stay_as_they_were_left(canvas):
    made = canvas("segmentation", count=1)
    numbers = made.page.locator(".numbers")
    expect(numbers).to_be_hidden()
    made.page.locator(".panel-fields summary").click()
    expect(numbers).to_be_visible()
    made.page.reload()
    expect(numbers).to_be_visible()
