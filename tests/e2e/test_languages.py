"""The labeler's way in German and Korean."""

import re

import pytest
from playwright.sync_api import Page, expect

from labeling.models import User
from tests import factories
from tests.e2e.conftest import file_names, queue_as


def label_page(browse, project, labeler, language: str) -> Page:
    User.objects.filter(pk=labeler.pk).update(language=language)
    queue_as(project, factories.make_items(project, 4), "manual")
    page = browse(labeler, f"/projects/{project.pk}/label/")
    file_names(page)
    return page


@pytest.mark.parametrize(
    ("language", "submit", "selected", "shortcuts", "waits"),
    [
        ("de", "Absenden", "2 ausgewählt.", "Tastenkürzel", "4 Bildern fehlt noch die Klasse."),
        ("ko", "제출", "2개 선택됨.", "단축키", "이미지 4개에 클래스가 필요해요."),
    ],
)
def test_the_label_page_speaks(browse, shapes, labeler, language, submit, selected, shortcuts, waits):
    page = label_page(browse, shapes, labeler, language)
    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page.locator("[data-part=submit-text]")).to_have_text(submit)
    page.keyboard.press("Enter")
    expect(page.locator("[data-part=status]")).to_have_text(waits)
    page.locator(".tile-face").nth(0).click()
    page.locator(".tile-face").nth(1).click()
    expect(page.locator("[data-part=hint]")).to_contain_text(selected)
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name=shortcuts)).to_be_visible()


def test_the_canvas_speaks(browse, manager, labeler):
    project = factories.make_project(manager=manager, labeler=labeler, task_type="detection")
    project.instructions.all().delete()
    User.objects.filter(pk=labeler.pk).update(language="de")
    queue_as(project, factories.make_items(project, 1), "manual")
    page = browse(labeler, f"/projects/{project.pk}/label/")
    expect(page.get_by_role("heading", name="In diesem Bild")).to_be_visible()
    expect(page.locator("[data-part=submit-text]")).to_have_text("Leer absenden")
    expect(page.locator("[data-tool=box]")).to_have_attribute("title", re.compile("^Box: ziehen"))


@pytest.mark.parametrize("task", ["multiclass", "segmentation"])
def test_a_telephone_has_room_for_long_words(browse, manager, labeler, task):
    project = factories.make_project(manager=manager, labeler=labeler, task_type=task)
    User.objects.filter(pk=labeler.pk).update(language="de")
    queue_as(project, factories.make_items(project, 4), "manual")
    size = {"width": 375, "height": 740}
    page = browse(labeler, f"/projects/{project.pk}/label/", viewport=size, has_touch=True)
    page.keyboard.press("Escape")
    expect(page.locator("[data-part=waiting]")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for name in ("Anleitung", "Verlauf", "Überspringen", re.compile("bsenden")):
        box = page.get_by_role("button", name=name).bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= 375, name


def test_an_image_that_cannot_be_had_says_so(browse, shapes, labeler):
    User.objects.filter(pk=labeler.pk).update(language="de")
    queue_as(shapes, factories.make_items(shapes, 1), "manual")
    page = browse(labeler, "/")
    page.route("**/images/**", lambda route: route.fulfill(status=404))
    page.goto(f"/projects/{shapes.pk}/label/")
    expect(page.locator(".tile.failed")).to_be_visible()
    said = page.locator(".tile-face").evaluate("node => getComputedStyle(node, '::before').content")
    assert said.startswith('"Dieses Bild konnte nicht geladen werden.')


def test_the_language_is_changed_from_the_menu(browse, shapes, labeler):
    page = browse(labeler, "/")
    page.get_by_label("Your account").click()
    page.get_by_role("button", name="한국어").click()
    expect(page.get_by_role("heading", name="내 작업")).to_be_visible()
    page.get_by_label("내 계정").click()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", name="Your work")).to_be_visible()


def test_the_browsers_language_is_the_first(browse, shapes):
    page = browse(None, "/sign-in/", locale="de-DE")
    expect(page.get_by_role("button", name="Anmelden")).to_be_visible()
