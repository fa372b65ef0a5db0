"""From a manager's invitation to a labeler at work."""

from playwright.sync_api import expect

from labeling.models import Membership, Project
from tests import factories
from tests.e2e.conftest import file_names, queue_as


def test_a_labeler_with_a_temporary_password_gets_to_work_and_to_their_limit(browse, shapes, manager):
    queue_as(shapes, factories.make_items(shapes, 8), "manual")
    Project.objects.filter(pk=shapes.pk).update(validation_share=0)
    boss = browse(manager, f"/projects/{shapes.pk}/team/")
    boss.get_by_label("E-mail addresses").fill("noa@example.com")
    boss.get_by_label("With a temporary password").check()
    boss.get_by_role("button", name="Make a link").click()
    password = boss.locator("#passwords").inner_text().split()[-1]

    page = browse(None, "/")
    page.fill("[name=username]", "noa@example.com")
    page.fill("[name=password]", password)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Choose a password")).to_be_visible()
    page.goto(f"/projects/{shapes.pk}/label/")
    expect(page.get_by_role("heading", name="Choose a password")).to_be_visible()
    page.get_by_label("Your name").fill("노아")
    page.get_by_label("New password").fill("a long enough phrase")
    page.get_by_label("The same again").fill("a long enough phrase")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your work")).to_be_visible()
    Membership.objects.filter(user__email="noa@example.com").update(daily_limit=4)

    page.get_by_role("link", name="Start working").click()
    assert len(file_names(page)) == 4
    page.keyboard.press("Control+a")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Nothing is waiting for you.")).to_be_visible()
    expect(page.locator("[data-part=nothing]")).to_contain_text("today’s limit of 4 images")
