"""A manager shows a few examples, tries them, slides, and lets the model propose."""

import pytest
from playwright.sync_api import Locator, expect

from labeling.models import Suggestion
from mlassist.autolabel import examples
from mlassist.models import AutoLabeling, Example
from tests import factories
from tests.mlassist.eyes import featurize, open_eyes


@pytest.fixture
def seen(shapes, monkeypatch):
    """A project whose images the backbone has looked at."""
    pytest.importorskip("torch")
    open_eyes(monkeypatch)
    factories.make_items(shapes, 40)
    featurize(shapes)
    return shapes


def work_until(shown: Locator) -> None:
    """Do jobs as a worker would, until the page shows what came of them."""
    for _ in range(50):
        factories.run_jobs("ml")
        if shown.is_visible():
            return
        shown.page.wait_for_timeout(100)
    raise AssertionError("It does not show.")


def test_a_manager_labels_by_example(browse, seen, manager) -> None:
    page = browse(manager, f"/projects/{seen.pk}/auto-label/", alone=True)
    faces = page.locator(".auto-tests .auto-face")
    expect(faces).to_have_count(4)
    page.get_by_role("button", name="Generate test results").click()
    expect(page.get_by_role("alert")).to_have_text("Choose at least one example first.")
    for name, at in (("circle", 0), ("square", 1)):
        page.get_by_role("button", name=f"Add examples of {name}").click()
        expect(page.get_by_text(f"Click images that show “{name}”")).to_be_visible()
        faces.nth(at).click()
        expect(page.get_by_role("button", name=f"Remove this example of {name}")).to_have_count(1)
        page.get_by_role("button", name="Done").click()
    assert Example.objects.filter(project=seen).count() == 2
    expect(page.get_by_role("link", name="Auto label with this model")).to_have_attribute(
        "aria-disabled", "true"
    )

    page.get_by_role("button", name="Generate test results").click()
    expect(page.locator("[data-status]")).to_have_text("Waiting for a worker…")
    work_until(page.locator(".auto-strip .auto-chip").first)
    count = page.locator("[data-class] [data-count]").first
    expect(count).to_contain_text("/")
    expect(page.locator("[data-status]")).to_contain_text("a second")
    asked: list[str] = []
    page.on("request", lambda request: "/auto-label/" in request.url and asked.append(request.url))
    for slider in page.get_by_role("slider").all():
        slider.fill("1")
    expect(page.locator(".auto-tests figcaption").first).to_have_text("nothing above the threshold")
    expect(count).to_contain_text("0 /")
    for slider in page.get_by_role("slider").all():
        slider.fill("0.05")
    expect(page.locator(".auto-tests .auto-chip").first).to_be_visible()
    assert [url for url in asked if "live" not in url] == []

    page.locator(".auto-strip .auto-face").first.click()
    expect(page.locator(".auto-preview .auto-picture")).to_be_visible()
    work_until(page.locator(".auto-preview .auto-chip").first)
    page.get_by_role("link", name="Auto label with this model").click()
    expect(page.get_by_role("heading", name="Auto label with this model")).to_be_visible()
    expect(page.locator("main")).to_contain_text("0.05")
    waiting = examples.presentable(seen).filter(state="unlabeled").count()
    page.get_by_role("button", name="Auto label with this model").click()
    expect(page.locator(".notices")).to_contain_text("on its way")
    factories.run_jobs("ml")
    expect(page.locator(".auto-runs")).to_contain_text(f"suggestions for {waiting}")
    made = AutoLabeling.objects.get(project=seen)
    assert made.proposed == Suggestion.objects.filter(project=seen).count() == waiting
    page.get_by_role("button", name="Take back").click()
    expect(page.locator(".notices")).to_contain_text("taken back")
    assert not Suggestion.objects.filter(project=seen).exists()


def test_a_box_is_drawn_as_an_example_on_a_small_screen(browse, manager) -> None:
    project = factories.make_project(manager=manager, task_type="detection")
    factories.make_scenes(project, 6, size=(320, 240))
    page = browse(manager, f"/projects/{project.pk}/auto-label/", viewport={"width": 390, "height": 844})
    page.get_by_role("button", name="Add examples of circle").click()
    face = page.locator(".auto-tests .auto-face").first
    face.scroll_into_view_if_needed()
    box = face.bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(middle[0] - 20, middle[1] - 15)
    page.mouse.down()
    page.mouse.move(middle[0] + 20, middle[1] + 15, steps=3)
    page.mouse.up()
    expect(page.get_by_role("button", name="Remove this example of circle")).to_have_count(1)
    example = Example.objects.get(project=project)
    x, y, width, height = example.bbox
    assert abs(x + width / 2 - 160) < 12
    assert abs(y + height / 2 - 120) < 12
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= page.evaluate("document.documentElement.clientWidth")
