"""Drawing boxes and polygons: by mouse, by keyboard alone, by touch."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import shapely
from playwright.sync_api import Page, expect

from labeling.models import Annotation, Item, Region
from tests import factories
from tests.e2e.conftest import queue_as

SIZE = (640, 480)


class Canvas:
    """The Label page of a project to draw on, in pixels of the image."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.stage = page.locator("[data-canvas=stage]")
        self.objects = page.locator("[data-canvas=objects] .object-main")
        self.proposed = page.locator("[data-proposed=list] .object-main")
        self.note = page.locator("[data-canvas=note]")
        expect(page.locator("[data-canvas=file]")).not_to_be_empty()

    def view(self) -> list[float]:
        """Return scale, x and y of the image in the window."""
        transform = self.page.locator(".in-image").get_attribute("transform") or ""
        scale, _, _, _, x, y = (float(each) for each in re.findall(r"-?[\d.]+(?:e-?\d+)?", transform))
        place = self.stage.bounding_box()
        assert place
        return [scale, x + place["x"], y + place["y"]]

    def at(self, x: float, y: float) -> tuple[float, float]:
        scale, left, top = self.view()
        return left + x * scale, top + y * scale

    def click(self, x: float, y: float, *, keys: str = "", button: str = "left", count: int = 1) -> None:
        if keys:
            self.page.keyboard.down(keys)
        self.page.mouse.click(*self.at(x, y), button=button, click_count=count)  # type: ignore[arg-type]
        if keys:
            self.page.keyboard.up(keys)

    def drag(self, start: tuple[float, float], end: tuple[float, float], *, button: str = "left") -> None:
        begin, middle, stop = (
            self.at(*start),
            self.at((start[0] + end[0]) / 2, (start[1] + end[1]) / 2),
            self.at(*end),
        )
        self.page.mouse.move(*begin)
        self.page.mouse.down(button=button)  # type: ignore[arg-type]
        self.page.mouse.move(*middle)
        self.page.mouse.move(*stop)
        self.page.mouse.up(button=button)  # type: ignore[arg-type]

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def names(self) -> list[str]:
        return [each.get_attribute("aria-label") or "" for each in self.objects.all()]

    def box(self) -> list[float]:
        """Return x, y, width and height of the selected region, as the fields show them."""
        return [float(self.page.locator(f".numbers [name={name}]").input_value()) for name in "xywh"]

    def submit(self) -> None:
        with self.page.expect_response(re.compile("/submit/$")) as response:
            self.page.keyboard.press("Control+Enter")
        assert response.value.ok, response.value.text()


Open = Callable[..., Canvas]


@pytest.fixture
def canvas(browse, manager, labeler) -> Open:
    """Open a project with pictures to draw on: `canvas("detection")`."""

    def open_page(
        task: str, *, proposed: bool = False, count: int = 2, images: int = 2, **options: object
    ) -> Canvas:
        classes = [f"kind {number}" for number in range(count)]
        project = factories.make_project(manager=manager, labeler=labeler, classes=classes, task_type=task)
        project.instructions.all().delete()
        items = factories.make_scenes(project, images, size=SIZE)
        queue_as(project, items, "manual")
        if proposed:
            factories.prelabel(project, items)
        return Canvas(browse(labeler, f"/projects/{project.pk}/label/", **options))

    return open_page


def near(found: list[float], wanted: list[float], slack: float = 1.0) -> bool:
    return all(abs(one - other) <= slack for one, other in zip(found, wanted, strict=True))


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
    made.page.locator(".numbers [name=h]").fill("60.5")
    made.page.keyboard.press("Enter")
    made.submit()
    assert near(Region.objects.get().bbox, [101, 120, 50, 60.5])


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
    made.press("Shift+2")
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


def test_a_box_is_drawn_with_a_touch_screen_on_a_narrow_window(canvas):
    made = canvas("detection", count=1, has_touch=True, viewport={"width": 390, "height": 844})
    made.page.touchscreen.tap(*made.at(100, 100))
    made.page.touchscreen.tap(*made.at(300, 260))
    expect(made.objects).to_have_count(1)
    assert near(made.box(), [100, 100, 200, 160], 2)
    assert made.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_digit_names_what_is_being_drawn_and_not_the_region_before(canvas):
    made = canvas("detection")
    made.press("1")
    made.drag((50, 50), (150, 150))
    made.click(200, 200)
    made.press("2")
    made.click(300, 300)
    assert [name.split(",")[0] for name in made.names()] == ["kind 0", "kind 1"]
    made.press("1")
    assert [name.split(",")[0] for name in made.names()] == ["kind 0", "kind 0"]


def test_a_polygon_under_way_is_not_lost_by_a_wrong_key(canvas):
    made = canvas("segmentation", count=1)
    for point in [(100, 100), (300, 100), (300, 300)]:
        made.click(*point)
    made.press("v")
    expect(made.note).to_have_text("Enter keeps what you are drawing, Esc drops it.")
    made.press("Control+Enter")
    expect(made.note).to_contain_text("not closed yet")
    assert Annotation.objects.count() == 0
    made.press("Control+z")
    made.click(250, 300)
    made.press("Enter")
    expect(made.objects.first).to_have_attribute("aria-label", re.compile("polygon of 3 points"))


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
    assert sent["polygon"]
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
