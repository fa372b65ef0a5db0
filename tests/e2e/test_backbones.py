"""A manager gives a project another backbone, and a reviewer watches."""

import pytest
from playwright.sync_api import expect

from clustering import embeddings
from labeling.models import Job
from mlassist import featurization, loop
from mlassist.models import Run
from tests import factories
from tests.e2e.test_accessibility import SMALL
from tests.mlassist.eyes import offer, open_eyes


@pytest.fixture
def offers(monkeypatch):
    pytest.importorskip("torch")
    open_eyes(monkeypatch)
    offer("bundled", title="Loupe's own", megabytes=10.4, dimension=560, images_per_second=300.0)
    offer("file/other", title="Other", megabytes=88.0, dimension=384, images_per_second=0.05)
    offer("file/broken", title="Broken", problem="Its file is damaged. Copy it again.")
    offer("torchvision/absent", title="Absent", problem="Not here. Put its file into the folder.")


def work(project):
    featurization.pull()
    factories.run_jobs("ml")
    featurization.pull()  # sees that nothing is left
    loop.tick()
    Job.objects.filter(kind="order").update(state="done", finished_at=project.created_at)


def test_a_manager_changes_the_backbone_by_keyboard_and_takes_it_back(
    browse, shapes, manager, reviewer, offers
):
    factories.make_items(shapes, 12)
    work(shapes)
    page = browse(manager, f"/projects/{shapes.pk}/models/")
    section = page.get_by_role("region", name="Backbone")
    expect(section.get_by_role("row", name="Loupe's own")).to_contain_text("in use")
    expect(section.get_by_role("row", name="Broken")).to_contain_text("Copy it again.")
    section.get_by_text("1 more that could be put here").click()
    expect(section.get_by_role("row", name="Absent")).to_contain_text("Put its file")

    use = section.locator("summary", has_text="Use this")
    use.focus()
    page.keyboard.press("Enter")
    confirm = section.get_by_role("button", name="Use Other", exact=True)
    expect(section).to_contain_text("has to look at 12 images first, which takes about 4 minutes")
    page.wait_for_timeout(2_500)  # the page has looked for news in the meantime
    page.keyboard.press("Tab")
    expect(confirm).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".notices")).to_contain_text("Other is being prepared.")
    featurization.pull()
    row = section.get_by_role("row", name="Other")
    expect(row).to_contain_text("0 of 12 images")
    expect(row.get_by_role("progressbar")).to_be_visible()
    expect(browse(reviewer, f"/projects/{shapes.pk}/").get_by_text("Other is being prepared")).to_be_visible()

    page.get_by_role("button", name="Cancel the change to Other").click()
    expect(page.locator(".notices")).to_contain_text("Loupe's own stays in use.")
    expect(section.get_by_role("row", name="Other").locator("summary")).to_be_visible()
    shapes.refresh_from_db()
    assert (shapes.backbone, shapes.next_backbone) == ("bundled", "")


def test_the_page_follows_a_change_to_its_end(browse, shapes, manager, reviewer, offers):
    factories.make_items(shapes, 12)
    work(shapes)
    page = browse(manager, f"/projects/{shapes.pk}/models/")
    section = page.get_by_role("region", name="Backbone")
    section.locator("summary", has_text="Use this").click()
    section.get_by_role("button", name="Use Other", exact=True).click()
    expect(section.get_by_role("row", name="Other")).to_contain_text("being prepared")
    work(shapes)
    expect(section.get_by_role("row", name="Other")).to_contain_text("✓ in use")
    shapes.refresh_from_db()
    assert shapes.backbone == "file/other"
    assert embeddings.count(shapes) == 12
    expect(section.locator("summary", has_text="Use this")).to_have_count(1)

    seen = browse(reviewer, f"/projects/{shapes.pk}/models/").get_by_role("region", name="Backbone")
    expect(seen.get_by_role("row", name="Other")).to_contain_text("✓ in use")
    expect(seen.get_by_role("button")).to_have_count(0)


def test_looking_again_says_that_it_does(browse, shapes, manager, offers):
    page = browse(manager, f"/projects/{shapes.pk}/models/")
    page.get_by_role("button", name="Look again").click()
    section = page.get_by_role("region", name="Backbone")
    expect(section).to_contain_text("Looking at what this machine can load")
    expect(section.get_by_role("button", name="Look again")).to_have_count(0)
    assert Job.objects.get(kind="survey").created_by == manager


def test_the_backbones_fit_a_narrow_screen(browse, shapes, manager, offers):
    factories.make_items(shapes, 2)
    metrics = {"compared": 40, "tuned_accuracy": 0.91, "frozen_accuracy": 0.88}
    Run.objects.create(project=shapes, kind="fine_tuning", done=3, total=24, metrics=metrics)
    page = browse(manager, f"/projects/{shapes.pk}/models/", viewport={"width": 390, "height": 844})
    expect(page.locator("#fine-tuning")).to_contain_text("so far 91")
    page.locator("summary", has_text="Use this").click()
    page.locator("summary", has_text="could be put here").click()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(SMALL) == []
