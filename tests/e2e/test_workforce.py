"""From a manager's invitation and assignments to labelers and vendors at work."""

from playwright.sync_api import expect

from labeling import gold, teams
from labeling.models import Assignment, Membership, Project
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


def test_a_manager_assigns_images_and_renames_a_class(browse, shapes, manager, labeler):
    queue_as(shapes, factories.make_items(shapes, 4), "manual")
    page = browse(manager, f"/projects/{shapes.pk}/team/")
    page.get_by_role("link", name="Assign images").click()
    page.get_by_label("To", exact=True).select_option(f"user-{labeler.pk}")
    page.get_by_label("A list").check()
    page.get_by_label("A share").check()
    page.get_by_label("Share (%)").fill("50")
    page.get_by_role("button", name="Assign", exact=True).click()
    expect(page.get_by_role("row", name=labeler.label)).to_contain_text("2, 50 % of what waited")
    assert Assignment.objects.get().labeler == labeler

    page.get_by_role("link", name="Settings").click()
    page.get_by_role("link", name="Edit circle").click()
    page.locator(".class-form [name$=name]").fill("disc")
    page.keyboard.press("Enter")
    expect(page.locator(".class-done")).to_be_visible()
    page.get_by_role("link", name="Dashboard").click()
    expect(page.get_by_role("heading", name="0 of 4 done")).to_be_visible()
    expect(page.get_by_role("row", name="disc")).to_be_visible()


def test_a_labeler_hears_what_was_right_on_a_known_image(
    browse, shapes, manager, labeler, reviewer, monkeypatch
):
    known = factories.make_items(shapes, 1)
    factories.answer_all(shapes, reviewer)
    gold.add(shapes, [item.pk for item in known], manager)
    Project.objects.filter(pk=shapes.pk).update(gold_feedback=True, validation_rate=0)
    queue_as(shapes, factories.make_items(shapes, 4), "manual")
    monkeypatch.setattr(gold, "SHARE_FIRST", 1.0)

    page = browse(labeler, "/")
    page.get_by_role("link", name="Start working").click()
    file_names(page)
    page.keyboard.press("Control+a")
    page.keyboard.press("2")  # a square, and the known one is a circle
    page.keyboard.press("Enter")
    expect(page.locator("[data-part=notice]")).to_contain_text("Right is: circle.")


def test_people_of_a_vendor_see_only_what_their_team_is_given(browse, shapes, manager):
    other = factories.make_project(manager=manager, name="Secret")
    person = factories.make_user("dina@example.com")
    vendor = factories.make_team(manager, person, is_vendor=True)
    teams.give(shapes, vendor, "labeler", manager)
    queue_as(shapes, factories.make_items(shapes, 4), "manual")
    page = browse(person, "/")
    expect(page.get_by_role("heading", level=2)).to_have_text(["Shapes"])
    expect(page.get_by_role("link", name="New project")).to_have_count(0)
    page.goto(f"/projects/{other.pk}/")
    expect(page.get_by_text("Secret")).to_have_count(0)
    page.goto("/")
    page.get_by_role("link", name="Start working").click()
    assert len(file_names(page)) == 4
