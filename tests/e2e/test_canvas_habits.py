"""What hands do by habit spoils no label: each test draws as somebody does who has drawn thousands of boxes elsewhere."""

import re

from playwright.sync_api import expect

from labeling.models import Region
from tests.e2e.drawing import near


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
