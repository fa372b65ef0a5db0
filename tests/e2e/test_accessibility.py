"""axe finds nothing on any page, in light and dark; targets are large, narrow screens scroll one way."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import Page, expect

from labeling import exporting, review, webhooks, workforce
from labeling.models import Delivery, Letter, Project
from tests import factories
from tests.e2e.conftest import queue_as


@pytest.fixture
def busy(shapes, manager, labeler):
    """A project with something on every page."""
    items = factories.make_items(shapes, 14)
    factories.answer_all(shapes, labeler)
    review.reject(shapes, [item.pk for item in items[:6]], manager, "not a circle")
    queue_as(shapes, items[:6], "prelabeled", "square")
    workforce.invite(shapes, manager, "labeler", "somebody@example.com")
    exporting.start(shapes, manager, "coco", review.Filters())
    factories.run_jobs("quick")
    Letter.objects.create(user=labeler, due_at=timezone.now(), attempts=1, error="Connection refused")
    webhook = webhooks.make(shapes, manager, "https://example.com/loupe", ["finished"])
    sent = webhooks.send_test(webhook, manager)
    answered = {"state": "delivered", "status": 200, "seconds": 0.2, "answer": "thank you"}
    Delivery.objects.filter(pk=sent.pk).update(**answered)
    return shapes


@pytest.fixture
def drawing(manager) -> Project:
    """A project whose Label page is the canvas, with proposals on the image."""
    project = factories.make_project(manager=manager, task_type="segmentation", name="Outlines")
    project.instructions.all().delete()
    factories.prelabel(project, factories.make_scenes(project, 2))
    return project


PAGES = (
    "/",
    "/profile/",
    "/notifications/",
    "/projects/new/",
    "/projects/{}/",
    "/projects/{}/label/",
    "/projects/{}/data/",
    "/projects/{}/data/?state=unlabeled",
    "/projects/{}/import/",
    "/projects/{}/models/",
    "/projects/{}/certificate/",
    "/projects/{}/team/",
    "/projects/{}/exports/",
    "/projects/{}/settings/",
    "/projects/{}/log/",
    "/projects/{}/webhooks/",
    "/projects/{}/webhooks/{hook}/",
    "/projects/{}/settings/instructions/",
    "/projects/{}/settings/classes/{}/",
    "/projects/{}/settings/classes/{}/retire/",
    "/projects/{0}/settings/classes/{1}/merge/?into={2}",
    "/projects/{}/settings/classes/{}/split/",
    "/not/here/",
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browse, busy, drawing, manager, scheme):
    page = browse(manager, color_scheme=scheme)
    axe = Axe()
    found = {}
    hook = busy.webhooks.get().pk
    for address in PAGES:
        page.goto(address.format(busy.pk, *busy.classes.values_list("id", flat=True), hook=hook))
        if "/label/" in address:
            page.locator(".tile-face").first.click()
        for violation in axe.run(page).response["violations"]:
            found[f"{address} {violation['id']}"] = [node["html"][:200] for node in violation["nodes"]]
    draw_something(page, drawing)
    for violation in axe.run(page).response["violations"]:
        found[f"canvas {violation['id']}"] = [node["html"][:200] for node in violation["nodes"]]
    page.keyboard.press("?")
    for violation in axe.run(page).response["violations"]:
        found[f"shortcuts {violation['id']}"] = [node["html"][:200] for node in violation["nodes"]]
    page.context.clear_cookies()
    page.goto("/sign-in/")
    assert axe.run(page).violations_count == 0
    assert found == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_pages_for_site_admins(browse, busy, admin, scheme):
    page = browse(admin, color_scheme=scheme)
    for address in ("/log/", "/mail/"):
        page.goto(address)
        found = Axe().run(page).response["violations"]
        assert [(each["id"], [node["html"][:200] for node in each["nodes"]]) for each in found] == []


def draw_something(page: Page, project: Project) -> None:
    """Open the canvas and draw a box, which stays selected."""
    page.goto(f"/projects/{project.pk}/label/")
    stage = page.locator("[data-part=stage]")
    expect(stage).to_be_visible()
    page.keyboard.press("r")
    page.keyboard.press("1")
    stage.click(position={"x": 140, "y": 120})
    stage.click(position={"x": 200, "y": 180})
    expect(page.get_by_text("On this image")).to_be_visible()


SMALL = """() => [...document.querySelectorAll("a, button, input, select, summary")]
    .filter((node) => node.checkVisibility() && !node.closest("p, li.history, .visually-hidden, dd"))
    .filter((node) => !node.matches(".visually-hidden, input[type=hidden], td a, th a, h1 a, h2 a, .door"))
    .map((node) => [node.outerHTML.slice(0, 120), (node.closest("label") ?? node).getBoundingClientRect()])
    .filter(([, box]) => box.width > 0 && (box.width < 24 || box.height < 24))
    .map(([html, box]) => `${html} ${box.width} x ${box.height}`)"""


@pytest.mark.parametrize("width", [390, 1024])
def test_targets_are_large_and_nothing_overflows(browse, busy, drawing, manager, width):
    page = browse(manager, viewport={"width": width, "height": 844})
    draw_something(page, drawing)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(SMALL) == []
    hook = busy.webhooks.get().pk
    for address in PAGES:
        page.goto(address.format(busy.pk, *busy.classes.values_list("id", flat=True), hook=hook))
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
        assert page.evaluate(SMALL) == [], address
