"""Boxes over an image in which faces are hidden: added by pointer and by keyboard, and taken away."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from labeling import extensions, hiding, importing
from labeling.models import Face, Item
from tests import coloured, factories


@pytest.fixture
def hidden(monkeypatch, project, manager, tmp_path) -> list[Item]:
    """Two images in which a face is hidden and one was missed."""
    monkeypatch.setattr(extensions, "_face_finders", [coloured.ByColour()])
    hiding.begin(project, manager, "mosaic", "keep", project.name)
    for number in range(2):
        (tmp_path / f"{number}.png").write_bytes(coloured.picture(number))
    importing.add_folder(project, tmp_path, manager)
    factories.run_jobs("quick")
    return list(Item.objects.filter(project=project).order_by("id"))


def drag(page: Page, box: tuple[int, int, int, int], item: Item) -> None:
    shown = page.locator("[data-picture]").bounding_box()
    assert shown is not None
    scale = shown["width"] / (item.width or 1)
    page.mouse.move(shown["x"] + box[0] * scale, shown["y"] + box[1] * scale)
    page.mouse.down()
    page.mouse.move(shown["x"] + box[2] * scale, shown["y"] + box[3] * scale, steps=4)
    page.mouse.up()


def test_what_was_missed_is_hidden_and_what_is_no_face_comes_back(browse, project, reviewer, hidden) -> None:
    item = hidden[0]
    page = browse(reviewer, f"/projects/{project.pk}/faces/")
    expect(page.get_by_role("heading", name="Hidden faces")).to_be_visible()
    page.get_by_role("link", name="0.png").click()
    rows = page.locator("[data-row]")
    expect(rows).to_have_count(1)
    assert not Axe().run(page).response["violations"]
    drag(page, coloured.MISSED, item)
    expect(rows).to_have_count(2)
    drawn = Face.objects.get(item=item, score=None)
    assert [round(each) for each in drawn.bbox] == [140, 84, 20, 20]

    page.keyboard.press("n")
    expect(page.locator("[data-said]")).to_have_text(re.compile("^Arrow keys move the box"))
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Enter")
    expect(rows).to_have_count(3)
    by_keys = Face.objects.filter(item=item, score=None).last()
    assert by_keys is not None
    assert by_keys.x < 192 * 2 / 5
    assert by_keys.height > 128 / 5

    page.get_by_role("button", name="No face: show what is under box 1").click()
    expect(rows).to_have_count(2)
    assert Face.objects.get(item=item, score__isnull=False).removed_by == reviewer
    page.keyboard.press("j")
    expect(page.get_by_role("heading", name="1.png")).to_be_visible()
