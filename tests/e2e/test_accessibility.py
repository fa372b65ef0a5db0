"""axe finds nothing on any page, in light and dark; targets are large, narrow screens scroll one way."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from labeling import exporting, review, workforce
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
    return shapes


PAGES = (
    "/",
    "/profile/",
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
    "/not/here/",
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browse, busy, manager, scheme):
    page = browse(manager, color_scheme=scheme)
    axe = Axe()
    found = {}
    for address in PAGES:
        page.goto(address.format(busy.pk))
        if "/label/" in address:
            page.locator(".tile-face").first.click()
        for violation in axe.run(page).response["violations"]:
            found[f"{address} {violation['id']}"] = [node["html"][:200] for node in violation["nodes"]]
    page.context.clear_cookies()
    page.goto("/sign-in/")
    assert axe.run(page).violations_count == 0
    assert found == {}


SMALL = """() => [...document.querySelectorAll("a, button, input, select, summary")]
    .filter((node) => node.checkVisibility() && !node.closest("p, li.history, .visually-hidden, dd"))
    .filter((node) => !node.matches(".visually-hidden, input[type=hidden], td a, th a, h1 a, h2 a, .door"))
    .map((node) => [node.outerHTML.slice(0, 120), (node.closest("label") ?? node).getBoundingClientRect()])
    .filter(([, box]) => box.width > 0 && (box.width < 24 || box.height < 24))
    .map(([html, box]) => `${html} ${box.width} x ${box.height}`)"""


@pytest.mark.parametrize("width", [390, 1024])
def test_targets_are_large_and_nothing_overflows(browse, busy, manager, width):
    page = browse(manager, viewport={"width": width, "height": 844})
    for address in PAGES:
        page.goto(address.format(busy.pk))
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
        assert page.evaluate(SMALL) == [], address
