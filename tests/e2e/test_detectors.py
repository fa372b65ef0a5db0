"""The Models page of a project of boxes, as people see it."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests import detected, factories
from tests.e2e.test_accessibility import SMALL


@pytest.fixture
def boxes(manager, labeler):
    names = ["circle", "square", "a class with quite a long name of its own"]
    project = factories.make_project(
        manager=manager, labeler=labeler, classes=names, task_type="detection", target_error=0.1, name="Boxes"
    )
    items = factories.make_scenes(project, 4)
    detected.answer(items, labeler)
    detected.make_version(project, items, blind=False)
    detected.make_version(project, items)
    return project


def test_axe_finds_nothing_and_pictures_open_their_image(browse, boxes, manager):
    page = browse(
        manager,
        f"/projects/{boxes.pk}/models/",
        viewport={"width": 390, "height": 900},
        color_scheme="dark",
    )
    pair = page.locator(".pair").first
    expect(pair.locator("svg.drawing")).to_have_count(2)
    expect(pair.locator("svg.drawing").last.locator("text").first).to_have_text(".96")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(SMALL) == []
    found = Axe().run(page).response["violations"]
    assert {each["id"]: [node["html"][:200] for node in each["nodes"]] for each in found} == {}
    pair.click()
    expect(page.locator("[data-panel] h2")).to_have_text(boxes.items.order_by("path")[2].file_name)


def test_the_wizard_promises_agreement_for_boxes(browse, manager):
    page = browse(manager, "/projects/new/")
    page.get_by_label("Name").fill("Cars")
    page.get_by_label("Boxes").check()
    page.get_by_role("button", name="Next").click()
    page.get_by_label("Classes", exact=True).fill("car")
    page.get_by_role("button", name="Help from a model").click()
    expect(page.get_by_text("What it finds is drawn on each image")).to_be_visible()
    expect(page.get_by_text("one by one or in grids")).to_be_hidden()
    target = page.get_by_label("At least this much agreement (%)")
    expect(target).to_have_value("90")
    target.fill("85")
    page.locator("[data-go='0']").click()
    page.get_by_label("One class per image").check()
    page.get_by_label("Polygons").check()
    page.get_by_role("button", name="Look over").click()
    expect(page.get_by_text("at least 85 % agreement with people, 95 % sure")).to_be_visible()
