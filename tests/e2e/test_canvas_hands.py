"""The canvas by keyboard alone and by touch; regions, proposals, classes and the view."""

import re

import pytest
from playwright.sync_api import expect

from labeling.models import Annotation, Item, Region
from tests import factories
from tests.e2e.drawing import near


def test_regions_are_chosen_copied_locked_hidden_and_taken_back(canvas):
    made = canvas("detection", count=1)
    made.drag((50, 50), (350, 350))
    made.drag((100, 100), (200, 200))
    made.press("v")
    made.click(600, 400)
    made.click(150, 150)
    assert near(made.box(), [100, 100, 100, 100])
    made.click(150, 150)
    assert near(made.box(), [50, 50, 300, 300])
    made.press("Control+d")
    expect(made.objects).to_have_count(3)
    made.press("Delete")
    made.press("Control+a")
    expect(made.page.locator(".object.selected")).to_have_count(2)
    made.press("l")
    made.press("Delete")
    expect(made.objects).to_have_count(2)
    made.press("l", "Control+c", "Delete")
    expect(made.objects).to_have_count(0)
    made.press("Control+z")
    expect(made.objects).to_have_count(2)
    made.press("Control+v")
    expect(made.objects).to_have_count(4)
    for _ in range(12):
        made.press("Control+z")
        if not made.names():
            break
    expect(made.objects).to_have_count(0)
    for _ in range(12):
        made.press("Control+Shift+z")
    expect(made.objects).to_have_count(4)


def test_regions_of_the_image_before_are_copied(canvas):
    made = canvas("detection", count=1)
    made.drag((50, 50), (150, 150))
    first = made.page.locator("[data-canvas=file]").inner_text()
    made.submit()
    expect(made.page.locator("[data-canvas=file]")).not_to_have_text(first)
    expect(made.objects).to_have_count(0)
    made.press("b")
    expect(made.objects).to_have_count(1)
    made.submit()
    one, other = (region.bbox for region in Region.objects.order_by("id"))
    assert one == other


def test_proposals_are_no_answers_until_they_are_accepted(canvas):
    made = canvas("detection", proposed=True, images=1)
    count = made.proposed.count()
    wanted = factories.true_regions(Item.objects.get())
    assert count == len(wanted) >= 3
    expect(made.page.locator("[data-canvas=left]")).to_contain_text(f"{count} proposals not accepted")
    x, y, width, height = wanted[0]["bbox"]
    made.press("v")
    made.click(x + width / 2, y + height / 2)
    made.page.mouse.move(*made.at(x + width / 2, y + height / 2))
    made.page.mouse.down()
    made.page.mouse.move(*[each + 2 for each in made.at(x + width / 2, y + height / 2)])
    made.page.mouse.up()
    expect(made.proposed).to_have_count(count)
    made.press("Escape", "a")
    expect(made.proposed).to_have_count(count - 1)
    made.drag(
        (wanted[1]["bbox"][0] + 20, wanted[1]["bbox"][1] + 20),
        (wanted[1]["bbox"][0] + 30, wanted[1]["bbox"][1] + 20),
    )
    expect(made.objects).to_have_count(2)
    made.press("Escape", "x")
    expect(made.proposed).to_have_count(count - 3)
    made.submit()
    assert sorted(Region.objects.values_list("origin", flat=True)) == ["accepted", "edited"]
    assert near(Region.objects.get(origin="accepted").bbox, wanted[0]["bbox"], 0.01)


def test_the_slider_says_how_sure_a_proposal_must_be(canvas):
    made = canvas("segmentation", proposed=True, images=1)
    count = made.proposed.count()
    slider = made.page.locator("[data-proposed=minimum]")
    slider.fill("93")
    expect(made.page.locator("[data-proposed=counts]")).to_have_text(f"1 / {count}")
    made.press("Shift+a")
    expect(made.objects).to_have_count(1)
    slider.fill("0")
    made.press("Shift+a")
    expect(made.objects).to_have_count(count)
    made.submit()
    assert set(Region.objects.values_list("origin", flat=True)) == {"accepted"}


def test_a_class_is_found_by_any_name_of_its_path(canvas):
    made = canvas("detection", count=14)
    made.drag((50, 50), (150, 150))
    made.press("/")
    made.page.keyboard.type("kind 13")
    made.press("Enter")
    expect(made.objects.first).to_have_attribute("aria-label", re.compile("^kind 13, box 100 by 100"))
    made.press("v", "Shift+2")
    expect(made.objects.first).to_have_attribute("aria-label", re.compile("^kind 11"))


def test_the_view_zooms_pans_and_fits(canvas):
    made = canvas("detection", count=1)
    fitted = made.view()
    there = made.at(200, 100)
    made.page.mouse.move(*there)
    made.page.mouse.wheel(0, -400)
    made.page.wait_for_function(
        "scale => !document.querySelector('.in-image').getAttribute('transform').includes(scale)",
        arg=f"matrix({fitted[0]} ",
        polling=100,
    )
    assert near(list(made.at(200, 100)), list(there), 1)
    made.page.keyboard.down("Space")
    made.drag((200, 100), (220, 110))
    made.page.keyboard.up("Space")
    expect(made.objects).to_have_count(0)
    moved = made.view()
    made.drag((200, 100), (190, 100), button="middle")
    assert near([made.view()[1]], [moved[1] - 10 * moved[0]], 1)
    made.press("z")
    assert near(made.view(), fitted, 0.5)
    made.press("ArrowLeft")
    assert near(made.view(), fitted, 0.01)


def test_how_the_image_looks_is_remembered(canvas):
    made = canvas("detection", count=1)
    made.page.locator("[data-view=adjust] summary").click()
    made.page.locator("input[name=contrast]").fill("150")
    assert "contrast(150%)" in (made.page.locator("[data-canvas=image]").get_attribute("style") or "")
    made.page.reload()
    expect(made.page.locator("[data-view=adjust]")).to_have_class(re.compile("changed"))
    made.page.locator("[data-view=adjust] summary").click()
    made.page.locator("[data-view=reset]").click()
    assert "contrast" not in (made.page.locator("[data-canvas=image]").get_attribute("style") or "")


def test_a_draft_survives_a_reload(canvas):
    made = canvas("detection", count=1)
    made.drag((50, 50), (150, 150))
    expect(made.objects).to_have_count(1)
    made.page.wait_for_timeout(600)
    made.page.reload()
    expect(made.objects).to_have_count(1)
    made.submit()
    assert near(Region.objects.get().bbox, [50, 50, 100, 100])


def test_everything_is_drawn_by_keyboard_alone(canvas):
    made = canvas("detection", count=2)
    made.press("r")
    for _ in range(4):
        made.press("Control+ArrowLeft")
    made.press(".")
    for _ in range(5):
        made.press("Control+ArrowRight", "Control+ArrowDown")
    made.press(".", "2")
    expect(made.objects).to_have_count(1)
    width = made.box()[2]
    assert width == pytest.approx(100 / made.view()[0], abs=1)
    made.press("Shift+ArrowLeft", "Escape", "Tab")
    expect(made.page.locator(".object.selected")).to_have_count(1)
    made.press("Control+d", "Delete")
    expect(made.objects).to_have_count(1)
    with made.page.expect_response(re.compile("/submit/$")):
        made.press("Enter")
    assert Region.objects.get().label_class.name == "kind 1"


def test_a_polygon_is_drawn_by_keyboard_alone(canvas):
    made = canvas("segmentation", count=1)
    made.press(".")
    for keys in ("Control+ArrowRight", "Control+ArrowDown", "Control+ArrowLeft"):
        made.press(keys, keys, keys, ".")
    made.press("Enter")
    expect(made.objects.first).to_have_attribute("aria-label", re.compile("polygon of 4 points"))


def test_one_finger_draws_and_two_fingers_move_the_image(canvas):
    made = canvas("detection", count=1, has_touch=True)
    devices = made.page.context.new_cdp_session(made.page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        places = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        devices.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    touch("touchStart", made.at(100, 100))
    touch("touchMove", made.at(150, 140))
    touch("touchMove", made.at(200, 180))
    touch("touchEnd")
    expect(made.objects).to_have_count(1)
    assert near(made.box(), [100, 100, 100, 80], 1.5)
    before = made.view()
    one, other = made.at(300, 200), made.at(400, 200)
    touch("touchStart", one)
    touch("touchStart", one, other)
    touch("touchMove", (one[0] - 40, one[1]), (other[0] + 60, other[1]))
    touch("touchEnd")
    expect(made.objects).to_have_count(1)
    assert made.view()[0] > before[0] * 1.2
    touch("touchStart", made.at(300, 250))
    touch("touchEnd")
    touch("touchStart", made.at(350, 300))
    touch("touchEnd")
    expect(made.objects).to_have_count(2)


def test_a_pen_draws_and_the_hand_that_rests_on_the_glass_does_not(canvas):
    made = canvas("segmentation", count=1, has_touch=True)
    devices = made.page.context.new_cdp_session(made.page)

    def pen(kind: str, at: tuple[float, float], *, down: bool = True) -> None:
        x, y = made.at(*at)
        pressed = {"button": "left", "buttons": int(down), "clickCount": 1, "force": 0.5 * down}
        event = {"type": kind, "x": x, "y": y, "pointerType": "pen", **pressed}
        devices.send("Input.dispatchMouseEvent", event)

    def stroke(*points: tuple[float, float]) -> None:
        pen("mousePressed", points[0])
        for each in points[1:]:
            pen("mouseMoved", each)
        pen("mouseReleased", points[-1], down=False)

    for corner in [(100, 100), (300, 100), (300, 250), (100, 250)]:
        stroke(corner)
    made.press("Enter")
    expect(made.objects).to_have_count(1)
    assert near(made.box(), [100, 100, 200, 150], 1.5)
    made.press("v")
    stroke((200, 180), (220, 190), (240, 200))
    assert near(made.box(), [140, 120, 200, 150], 1.5)
    made.press("Escape", "n")
    stroke((400, 300))
    palm = made.at(500, 400)
    for kind, points in [("touchStart", [palm]), ("touchMove", [(palm[0] + 9, palm[1])]), ("touchEnd", [])]:
        places = [{"x": x, "y": y} for x, y in points]
        devices.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})
    expect(made.page.locator(".mark")).to_have_count(1)
    stroke((450, 300))
    stroke((450, 350))
    expect(made.page.locator(".mark")).to_have_count(3)
    made.press("Enter")
    made.submit()
    assert [len(each.polygon[0]) for each in Region.objects.order_by("id")] == [8, 6]


def test_a_box_is_drawn_with_a_touch_screen_on_a_narrow_window(canvas):
    made = canvas("detection", count=1, has_touch=True, viewport={"width": 390, "height": 844})
    made.page.touchscreen.tap(*made.at(100, 100))
    made.page.touchscreen.tap(*made.at(300, 260))
    expect(made.objects).to_have_count(1)
    assert near(made.box(), [100, 100, 200, 160], 2)
    assert made.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_locked_and_hidden_regions_are_out_of_the_way(canvas):
    made = canvas("detection", count=1)
    made.drag((50, 50), (350, 350))
    made.press("l", "v")
    made.drag((200, 200), (260, 260))
    assert "50, 50" in made.names()[0]
    expect(made.page.locator(".object .lock.on")).to_have_count(1)
    made.press("r")
    made.drag((100, 100), (160, 160))
    made.press("Shift+h")
    expect(made.page.locator(".object.unseen")).to_have_count(1)
    made.press("Shift+h", "Escape", "h")
    expect(made.page.locator(".object.unseen")).to_have_count(2)
    made.submit()
    assert Region.objects.count() == 2


def test_a_skip_is_taken_back_by_drawing(canvas):
    made = canvas("detection", count=1, images=1)
    made.press("Shift+s")
    with made.page.expect_response(re.compile("/submit/$")):
        made.page.locator("[data-part=skip-plain]").click()
    assert Annotation.objects.get().skipped
    made.press("Control+z")
    expect(made.page.locator("[data-canvas=said]")).to_contain_text("Skipped")
    made.drag((50, 50), (150, 150))
    made.submit()
    assert not Annotation.objects.order_by("-id")[0].skipped


@pytest.mark.parametrize("kept", ['{"bad', '{"minimum": "x", "opacity": null, "snap": true}', "[3]"])
def test_nonsense_in_the_browsers_storage_leaves_the_defaults(canvas, kept):
    made = canvas("detection", count=1)
    made.page.evaluate("kept => localStorage.setItem('loupe.canvas', kept)", kept)
    made.reload()
    made.drag((50, 50), (150, 150))
    expect(made.objects).to_have_count(1)
    made.page.locator("[data-view=labels]").click()
    expect(made.page.locator("[data-view=labels]")).to_have_attribute("aria-pressed", "false")
    assert made.page.evaluate("JSON.parse(localStorage['loupe.canvas']).opacity") == 12


def test_the_canvas_works_where_the_browser_keeps_nothing(canvas):
    made = canvas("detection", count=1)
    made.page.evaluate("() => { Storage.prototype.setItem = () => { throw new DOMException('full') } }")
    made.page.locator("[data-view=labels]").click()
    expect(made.page.locator("[data-view=labels]")).to_have_attribute("aria-pressed", "false")
    made.drag((50, 50), (150, 150))
    expect(made.objects).to_have_count(1)
