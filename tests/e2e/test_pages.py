"""Journeys through the other pages."""

import json
import re
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.test import Client
from django.utils import timezone
from playwright.sync_api import expect

from labeling import classes
from labeling.models import Annotation, Item, Job, Membership, Project
from labeling.templatetags.loupe import outlook
from tests import factories
from tests.e2e.conftest import file_names, queue_as


def test_from_signing_in_to_the_first_label(browse, manager, tmp_path: Path):
    page = browse(None, "/")
    page.fill("[name=username]", manager.email)
    page.fill("[name=password]", factories.PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Make the first project").click()
    page.get_by_label("Name", exact=True).fill("Birds of 서울")
    page.keyboard.press("Enter")
    page.get_by_role("textbox", name="Classes").fill("circle: round\nsquare\n삼각형")
    for _ in range(4):
        page.get_by_role("button", name="Next").click()
    expect(page.locator("[data-summary]")).to_contain_text("circle, square, 삼각형")
    page.get_by_role("button", name="Create project").click()

    folder = factories.write_folder(tmp_path / "upload", 5)
    (folder / "damaged.png").write_bytes(b"no picture")
    page.locator("input[type=file][accept]").set_input_files(
        [str(path) for path in sorted(folder.rglob("*.png"))]
    )
    expect(page.locator("[data-upload-text]")).to_contain_text("6 files are on the server")
    factories.run_jobs("quick")
    expect(page.locator("#imports")).to_contain_text("1 damaged")
    page.locator("#imports summary").click()
    expect(page.locator("#imports")).to_contain_text("damaged.png")

    page.get_by_role("link", name="Label").first.click()
    file_names(page)
    page.keyboard.press("Control+a")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(page.locator("[data-part=today]")).not_to_have_text("0 today")
    project = Project.objects.get()
    assert project.name == "Birds of 서울"
    assert project.classes.get(position=0).description == "round"


def test_the_wizard_shows_the_colours_that_classes_get():
    styles = (Path(settings.BASE_DIR) / "labeling/static/labeling/wizard.css").read_text()
    assert tuple(re.findall(r"--class-\d+: (#\w+);", styles)) == classes.COLORS


def test_an_invitation_makes_a_labeler_who_labels(browse, shapes, manager):
    queue_as(shapes, factories.make_items(shapes, 4), "manual")
    page = browse(manager, f"/projects/{shapes.pk}/team/")
    page.get_by_label("E-mail address").fill("new@example.com")
    page.get_by_role("button", name="Make a link").click()
    link = page.get_by_label("Invitation link").input_value()

    guest = browse(None, link)
    guest.get_by_label("Your name").fill("노아")
    guest.get_by_label("Choose a password").fill("a long enough phrase")
    guest.get_by_role("button", name="Make an account and join").click()
    expect(guest.get_by_role("heading", name="0 of 4 done")).to_be_visible()
    expect(guest.get_by_role("navigation", name="Project").get_by_role("link")).to_have_text(
        ["Dashboard", "Label"]
    )
    guest.get_by_role("navigation").get_by_role("link", name="Label").click()
    file_names(guest)
    guest.keyboard.press("Control+a")
    guest.keyboard.press("1")
    guest.keyboard.press("Enter")
    expect(guest.locator("[data-part=saving]")).to_have_text("✓ saved")
    assert Membership.objects.get(user__email="new@example.com").role == "labeler"
    assert set(Annotation.objects.values_list("labeler__email", flat=True)) == {"new@example.com"}

    again = browse(None, link)
    expect(again.get_by_role("heading", name="This invitation is closed")).to_be_visible()


def test_a_reviewer_rejects_wrong_labels_in_the_gallery(browse, shapes, reviewer, labeler):
    factories.make_items(shapes, 9)
    factories.answer_all(shapes, labeler)
    page = browse(reviewer, f"/projects/{shapes.pk}/data/?source=human")
    cells = page.locator(".cell:not([hidden])")
    expect(cells).to_have_count(9)
    page.locator(".cell-face").nth(0).click()
    page.locator(".cell-face").nth(2).click(modifiers=["Shift"])
    page.keyboard.press("r")
    expect(cells).to_have_count(6)
    page.get_by_role("button", name="Undo").click()
    expect(cells).to_have_count(9)
    assert Item.objects.filter(state="labeled").count() == 9

    page.locator(".cell-face").nth(4).click()
    page.keyboard.press("r")
    expect(page.locator("[data-total]")).to_have_text("8")
    page.goto("/")  # leaving sends what Undo could still have taken back
    for _ in range(20):
        page.goto(f"/projects/{shapes.pk}/data/")
        if cells.count() == 8:
            break
    assert Item.objects.filter(state="unlabeled").count() == 1
    assert Annotation.objects.get(withdrawal="rejected").withdrawn_by == reviewer
    page.goto(f"/projects/{shapes.pk}/data/?state=unlabeled")
    page.locator("[data-open]").first.click()
    expect(page.locator("[data-panel]")).to_contain_text("rejected by reviewer")


def test_a_reviewer_decides_what_people_do_not_agree_on(browse, shapes, reviewer, labeler, manager):
    Project.objects.filter(pk=shapes.pk).update(labels_per_item=2)
    shapes.refresh_from_db()
    items = factories.make_items(shapes, 2)
    for person, label in ((labeler, "circle"), (manager, "square")):
        factories.answer_all(shapes, person, label=lambda item, label=label: label)
    assert {item.state for item in Item.objects.filter(project=shapes)} == {"needs_review"}
    page = browse(reviewer, f"/projects/{shapes.pk}/data/?state=needs_review")
    page.get_by_role("link", name=re.compile("^Open")).first.click()
    panel = page.locator("[data-panel]")
    expect(panel.get_by_role("heading", name="Which answer is right?")).to_be_visible()
    page.keyboard.press("2")
    expect(page.locator(".cell")).to_have_count(1)
    panel.get_by_role("button", name=re.compile("circle by")).click()
    expect(page.locator(".cell")).to_have_count(0)
    newest, oldest = Item.objects.filter(pk__in=[item.pk for item in items]).order_by("-id")
    assert [each.current_annotation.regions.get().label_class.name for each in (newest, oldest)] == [
        "square",
        "circle",
    ]


def test_an_items_address_opens_the_gallery_with_it(browse, shapes, reviewer, labeler):
    items = factories.make_items(shapes, 9)
    factories.answer(shapes, labeler, size=1)
    for item in (Item.objects.get(state="labeled"), *items[:2]):
        page = browse(reviewer, f"/projects/{shapes.pk}/data/{item.pk}/")
        expect(page.get_by_role("navigation", name="Project")).to_be_visible()
        expect(page.locator("[data-panel]")).to_contain_text(item.file_name)
        expect(page.locator(".cell.open")).to_have_attribute("data-item", str(item.pk))


def test_removing_a_member_asks_once(browse, shapes, manager, labeler):
    page = browse(manager, f"/projects/{shapes.pk}/team/")
    remove = page.get_by_role("button", name=f"Remove {labeler.label} from the project")
    remove.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name=f"Remove {labeler.label}?")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(remove).to_be_focused()
    assert shapes.memberships.filter(user=labeler).exists()
    remove.click()
    dialog.get_by_role("button", name=f"Remove {labeler.label}").click()
    expect(page.locator(".notice")).to_contain_text("is no longer a member")
    assert not shapes.memberships.filter(user=labeler).exists()


def test_a_refused_archive_says_why_and_an_empty_import_claims_nothing(browse, shapes, manager):
    page = browse(manager, f"/projects/{shapes.pk}/import/")
    files = page.locator("input[type=file][accept]")
    files.set_input_files({"name": "brokenzip.zip", "mimeType": "application/zip", "buffer": b"PK no more"})
    expect(page.locator("[data-upload-text]")).to_contain_text("1 file is on the server")
    factories.run_jobs("quick")
    expect(page.locator("[data-upload-text]")).to_contain_text("There is no image in what was sent")
    page.locator("#imports summary").click()
    expect(page.locator("#imports")).to_contain_text("brokenzip.zip is not a complete ZIP archive.")
    files.set_input_files({"name": "damaged.png", "mimeType": "image/png", "buffer": b"no picture"})
    expect(page.locator("[data-upload-text]")).to_have_text(
        "✓ 1 file is on the server. It is being read below."
    )
    factories.run_jobs("quick")
    expect(page.locator("#imports")).to_contain_text("1 damaged")
    expect(page.locator("#imports .badge").first).to_have_text("nothing new")


def test_the_outlook_is_one_thought():
    day = timezone.localdate()
    assert outlook({"hours": 0.01, "date": day}) == "About a minute of labeling left."
    assert outlook({"hours": 0.1, "date": day + timedelta(1)}) == "About 6 minutes of labeling left."
    assert outlook({"hours": 2, "date": day + timedelta(1)}).endswith(
        "About 2 hours of labeling left; at the recent pace done tomorrow."
    )


def test_filters_are_the_address_and_come_off_as_chips(browse, shapes, reviewer, labeler):
    factories.make_items(shapes, 9)
    factories.answer_all(shapes, labeler)
    page = browse(reviewer, f"/projects/{shapes.pk}/data/")
    page.get_by_label("Class").select_option("square")
    expect(page.locator(".cell")).to_have_count(3)
    assert f"class={shapes.classes.get(name='square').pk}" in page.url
    page.get_by_role("link", name="class: square").click()
    expect(page.locator(".cell")).to_have_count(9)


def test_the_gallery_goes_on_while_scrolling(browse, shapes, reviewer, labeler):
    factories.make_items(shapes, 70, size=24)
    factories.answer_all(shapes, labeler)
    page = browse(reviewer, f"/projects/{shapes.pk}/data/", viewport={"width": 700, "height": 500})
    oldest = Item.objects.filter(project=shapes).earliest("id")
    last = page.locator(f'[data-item="{oldest.pk}"]')
    # What is far away is not in the document.
    page.wait_for_function("() => document.querySelectorAll('.cell').length < 60", polling=100)
    expect(last).to_have_count(0)
    page.wait_for_function(
        f"""() => {{
            scrollTo(0, document.documentElement.scrollHeight);
            return document.querySelector('[data-item="{oldest.pk}"]');
        }}""",
        polling=100,
    )
    last.scroll_into_view_if_needed()
    expect(last).to_be_in_viewport()
    page.reload()  # back to where it was
    expect(last).to_be_in_viewport()


def test_a_reviewer_works_through_the_queue_by_key(browse, shapes, reviewer, labeler):
    factories.make_items(shapes, 4)
    factories.answer_all(shapes, labeler)
    page = browse(reviewer, f"/projects/{shapes.pk}/review/")
    waiting = page.locator("[data-waiting-count]")
    expect(waiting).to_have_text("4")
    expect(page.locator("[data-proved]")).to_contain_text("to claim at most 1 % error at 95 %")
    page.keyboard.press("a")
    expect(waiting).to_have_text("3")
    page.keyboard.press("Shift+R")
    page.keyboard.type("no such shape")
    page.keyboard.press("Enter")
    expect(waiting).to_have_text("2")
    assert Annotation.objects.get(withdrawal="rejected").reviews.get().comment == "no such shape"
    page.get_by_role("button", name="Undo").click()
    expect(waiting).to_have_text("3")
    assert not Annotation.objects.filter(withdrawal="rejected").exists()


def test_a_comment_is_pinned_to_a_point_and_answered(browse, shapes, reviewer, labeler):
    factories.make_items(shapes, 1)
    factories.answer_all(shapes, labeler)
    page = browse(reviewer, f"/projects/{shapes.pk}/data/")
    page.locator("[data-open]").first.click()
    panel = page.locator("[data-panel]")
    expect(panel.get_by_role("heading", name="Comments")).to_be_visible()
    page.keyboard.press("p")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    page.keyboard.type("What is this?")
    panel.get_by_role("button", name="Send").click()
    expect(panel.locator(".pin")).to_have_count(1)
    panel.get_by_role("button", name="Resolve").click()
    expect(panel.get_by_role("button", name="Open again")).to_be_visible()
    page.keyboard.press("l")
    expect(panel).to_contain_text("No backbone has looked at this image yet")


def test_an_export_is_made_and_fetched(browse, shapes, manager, labeler):
    factories.make_items(shapes, 6)
    factories.answer_all(shapes, labeler)
    page = browse(manager, f"/projects/{shapes.pk}/exports/")
    page.get_by_role("button", name="Create export").click()
    expect(page.locator("progress")).to_have_count(1)
    factories.run_jobs("quick")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    content = json.loads(Path(download.value.path()).read_text())
    assert len(content["images"]) == len(content["annotations"]) == 6
    assert Job.objects.get(kind="export").result["images"] == 6


def test_the_dashboard_is_live(browse, shapes, manager, labeler):
    factories.make_items(shapes, 6)
    page = browse(manager, f"/projects/{shapes.pk}/")
    expect(page.get_by_role("heading", name="0 of 6 done")).to_be_visible()
    factories.answer(shapes, labeler, size=1)
    expect(page.get_by_role("heading", name="1 of 6 done")).to_be_visible()
    page.get_by_role("link", name="1", exact=True).first.click()
    expect(page.locator(".cell")).to_have_count(1)


def test_the_theme_is_the_users_choice(browse, manager):
    page = browse(manager, "/profile/", color_scheme="light")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_text("Dark", exact=True).click()
    page.get_by_role("button", name="Save").first.click()
    expect(page.locator(".notice")).to_have_text("Saved.")
    assert page.evaluate(ground) != light


def test_a_token_is_shown_once(browse, manager):
    page = browse(manager, "/profile/")
    page.get_by_label("What the token is for").fill("import script")
    page.get_by_role("button", name="Make a token").click()
    secret = page.locator("#secret").inner_text()
    script = Client(headers={"Authorization": f"Token {secret}"})
    assert script.get("/api/projects/").status_code == 200
    page.goto("/profile/")
    expect(page.get_by_text(secret)).to_have_count(0)
    page.get_by_role("button", name="Revoke import script").click()
    expect(page.locator(".notice")).to_contain_text("revoked")
    assert script.get("/api/projects/").status_code == 401


def test_the_api_describes_itself_under_the_content_policy(browse, manager):
    page = browse(manager, "/api/docs/")
    # Only what is on the screen is drawn: the first of what a project has.
    expect(page.get_by_text("/api/projects/{project_id}/uploads/", exact=True).first).to_be_visible()
