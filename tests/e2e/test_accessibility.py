"""axe finds nothing on any page, in light or dark; targets are large, narrow screens scroll one way."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import Page, expect

from labeling import (
    assigning,
    commenting,
    concord,
    exporting,
    gold,
    label_imports,
    review,
    teams,
    webhooks,
    workforce,
)
from labeling.models import Comment, Delivery, Letter, Project
from tests import factories
from tests.e2e.conftest import queue_as


@pytest.fixture
def busy(shapes, manager, labeler, reviewer):
    """A project with something on every page."""
    Project.objects.filter(pk=shapes.pk).update(labels_per_item=2)
    shapes.refresh_from_db()
    items = factories.make_items(shapes, 14)
    factories.answer_all(shapes, labeler)
    factories.answer_all(
        shapes, reviewer, lambda item: "circle" if item == items[9] else factories.true_class(item)
    )
    review.reject(shapes, [item.pk for item in items[:6]], manager, "not a circle")
    queue_as(shapes, items[:6], "prelabeled", "square")
    gold.add(shapes, [item.pk for item in items[6:8]], manager)
    point = commenting.add(items[8], reviewer, "Is this a circle?", point=(4.0, 4.0))
    commenting.add(items[8], labeler, "A square.", parent=point)
    teams.give(shapes, factories.make_team(manager, labeler, name="Night shift"), "labeler", manager)
    assigning.assign(shapes, manager, assigning.Part(share=0.4), labeler=labeler)
    concord.recount(shapes)
    workforce.invite(shapes, manager, "labeler", "somebody@example.com")
    exporting.start(shapes, manager, "coco", review.Filters())
    label_imports.from_folders(shapes, manager)
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
    "/teams/",
    "/teams/{team}/",
    "/projects/{}/",
    "/projects/{}/label/",
    "/projects/{}/data/",
    "/projects/{}/data/?state=unlabeled",
    "/projects/{}/data/{item}/",
    "/projects/{}/data/{item}/thread/",
    "/projects/{}/review/",
    "/projects/{}/import/",
    "/projects/{}/import/labels/",
    "/projects/{}/import/labels/{labels}/",
    "/projects/{}/models/",
    "/projects/{}/certificate/",
    "/projects/{}/team/",
    "/projects/{}/team/{member}/limits/",
    "/projects/{}/assignments/",
    "/projects/{}/agreement/",
    "/projects/{}/gold/",
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
    "/projects/{}/sources/{source}/",
    "/projects/{}/auto-label/",
)
SITE_PAGES = ("/log/", "/mail/", "/people/")
WIDTHS = (390, 1024)
SMALL = """() => [...document.querySelectorAll("a, button, input, select, summary")]
    .filter((node) => node.checkVisibility() && !node.closest("p, li.history, .visually-hidden, dd"))
    .filter((node) => !node.matches(".visually-hidden, input[type=hidden], td a, th a, h1 a, h2 a, .door"))
    .map((node) => [node.outerHTML.slice(0, 120), (node.closest("label") ?? node).getBoundingClientRect()])
    .filter(([, box]) => box.width > 0 && (box.width < 24 || box.height < 24))
    .map(([html, box]) => `${html} ${box.width} x ${box.height}`)"""


def faults(page: Page, named: str) -> dict[str, list[str]]:
    """Return what axe finds on a page, and what is too small or too wide on narrow windows."""
    found = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 844})
        if small := page.evaluate(SMALL):
            found[f"{named} small at {width}"] = small
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found[f"{named} wide at {width}"] = []
    for violation in Axe().run(page).response["violations"]:
        found[f"{named} {violation['id']}"] = [node["html"][:200] for node in violation["nodes"]]
    return found


@pytest.mark.parametrize(
    ("scheme", "pages", "site_pages"), [("light", PAGES[::2], ()), ("dark", PAGES[1::2], SITE_PAGES)]
)
def test_pages_have_no_faults(browse, busy, manager, admin, scheme, pages, site_pages):
    page = browse(manager, color_scheme=scheme)
    found = {}
    ids = {
        "hook": busy.webhooks.get().pk,
        "labels": busy.label_imports.get().pk,
        "source": busy.sources.earliest("id").pk,
        "team": busy.teams.get().team_id,
        "member": busy.memberships.get(user__email="labeler@example.com").pk,
        "item": Comment.objects.filter(parent=None).get().item_id,
    }
    for address in pages:
        page.goto(address.format(busy.pk, *busy.classes.values_list("id", flat=True), **ids))
        if "/label/" in address:
            page.locator(".tile-face").first.click()
        if address.endswith("/auto-label/"):
            expect(page.locator("[data-class]").first).to_be_visible()
        if address.endswith("/{item}/"):
            expect(page.locator("[data-panel] img").first).to_have_js_property("complete", value=True)
        found |= faults(page, address)
    if site_pages:
        page = browse(admin, color_scheme=scheme)
    for address in site_pages:
        page.goto(address)
        found |= faults(page, address)
    assert found == {}


def test_the_canvas_its_shortcuts_and_the_sign_in_have_no_faults(browse, drawing, manager):
    page = browse(manager, viewport={"width": 390, "height": 844}, color_scheme="dark")
    draw_something(page, drawing)
    found = faults(page, "canvas")
    page.keyboard.press("?")
    found |= faults(page, "shortcuts")
    page.context.clear_cookies()
    page.goto("/sign-in/")
    assert found | faults(page, "sign in") == {}


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
