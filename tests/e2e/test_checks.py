"""Nine crops at once: checked by keyboard, and what the canvas makes of it."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from labeling.models import Annotation, CheckPage, Claim, ObjectCheck, QueueEntry
from tests import factories


@pytest.fixture
def boxes(manager, labeler):
    """A project with a box on each of fifteen images; the few that go to the canvas are not checked."""
    project = factories.make_project(manager=manager, labeler=labeler, task_type="detection", name="Boxes")
    project.instructions.all().delete()
    factories.ask_about_objects(
        project,
        factories.make_scenes(project, 15),
        lambda item: [{"class": project.classes.first().pk, "bbox": factories.true_regions(item)[0]["bbox"]}],
    )
    return project


def open_grid(page: Page) -> None:
    expect(page.get_by_role("button", name=re.compile("Check objects"))).to_be_visible()
    page.keyboard.press("Shift+C")
    expect(page.locator(".crop")).not_to_have_count(0)
    page.wait_for_timeout(450)  # sooner nothing untouched is confirmed


def test_nine_objects_are_confirmed_by_keyboard_and_an_exception_comes_first(browse, boxes, labeler, manager):
    page = browse(labeler, f"/projects/{boxes.pk}/label/")
    while Claim.objects.count() < 4:  # what the canvas fetches ahead is on a screen, and stays as it is
        page.wait_for_timeout(50)
    open_grid(page)
    expect(page.locator(".crop")).to_have_count(9)
    expect(page.locator("#checks-hint")).to_have_text(re.compile("^Which of these are not circle"))
    expect(page.locator(".crop").first).to_be_focused()
    page.keyboard.press("5")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Object 5: not circle")).to_have_attribute("aria-pressed", "true")
    with page.expect_response(re.compile(r"/checks/\d+/$")):
        page.keyboard.press("Enter")
    expect(page.locator("#checks-hint")).to_have_text(re.compile("^Which of these are not circle"))
    expect(page.locator(".crop.out")).to_have_count(0)
    wrong = ObjectCheck.objects.get(state="rejected")
    assert ObjectCheck.objects.filter(state="confirmed").count() == 8
    assert wrong.pk == CheckPage.objects.get(exceptions=[wrong.pk]).checks[4]
    assert QueueEntry.objects.order_by("priority").first().item_id == wrong.item_id
    page.keyboard.press("Escape")
    expect(page.locator("dialog.checks")).to_be_hidden()
    open_grid(page)
    page.keyboard.press("Enter")
    expect(page.locator("#checks-hint")).to_have_text("Every object that waited is checked.")
    expect(page.get_by_role("button", name="Back to the image")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("dialog.checks")).to_be_hidden()
    expect(page.get_by_role("button", name=re.compile("Check objects"))).to_be_hidden()
    # What is confirmed waits on the canvas as accepted; whoever sends it answers with it.
    QueueEntry.objects.filter(item=wrong.item_id).delete()
    page = browse(manager, f"/projects/{boxes.pk}/label/")
    expect(page.locator("[data-canvas=objects] .object-mark")).to_have_text("◉")
    page.wait_for_timeout(450)
    with page.expect_response(re.compile("/submit/$")):
        page.keyboard.press("Control+Enter")
    assert Annotation.objects.get().regions.get().origin == "accepted"


def test_what_could_not_be_loaded_is_not_confirmed(browse, boxes, labeler):
    page = browse(labeler, f"/projects/{boxes.pk}/label/")
    hidden = []

    def answer(route):
        number = int(route.request.url.rsplit("/", 2)[-2])
        hidden[:] = hidden or [number]
        route.fulfill(status=404) if number == hidden[0] else route.continue_()

    page.route(re.compile(r"/crops/\d+/"), answer)
    open_grid(page)
    expect(page.locator(".crop.failed.out")).to_have_count(1)
    page.locator(".crop.failed").click()
    expect(page.locator(".crop.out")).to_have_count(1)
    with page.expect_response(re.compile(r"/checks/\d+/$")):
        page.keyboard.press("Enter")
    assert list(ObjectCheck.objects.filter(state="rejected").values_list("id", flat=True)) == hidden


def test_the_button_comes_when_a_model_has_proposed_meanwhile(browse, boxes, labeler):
    ObjectCheck.objects.update(model_version=2)
    page = browse(labeler, "about:blank", alone=True)
    page.clock.install()
    page.goto(f"/projects/{boxes.pk}/label/")
    expect(page.locator("[data-canvas=file]")).not_to_be_empty()
    button = page.get_by_role("button", name=re.compile("Check objects"))
    expect(button).to_be_hidden()
    ObjectCheck.objects.update(model_version=1)
    page.clock.fast_forward(61_000)
    expect(button).to_be_visible()


def test_axe_finds_nothing_in_the_grid_of_crops_and_it_fits(browse, boxes, labeler):
    page = browse(labeler, f"/projects/{boxes.pk}/label/", viewport={"width": 390, "height": 800})
    open_grid(page)
    page.locator(".crop").nth(1).click()
    assert [each["id"] for each in Axe().run(page).response["violations"]] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
