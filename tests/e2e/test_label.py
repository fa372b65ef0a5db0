"""Labeling by hand: what the Label page promises to whoever works on it for hours."""

import re

from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client
from playwright.sync_api import Page, expect

from labeling import suggestions
from labeling.models import Annotation, Item, Project, QueueEntry
from tests import factories
from tests.e2e.conftest import file_names, queue_as


def digits(project: Project, page: Page) -> list[str]:
    """Return the right digit for each image on the page."""
    positions = {each.name: str(each.position + 1) for each in project.classes.all()}
    items = {item.file_name: item for item in project.items.all()}
    return [positions[factories.true_class(items[name])] for name in file_names(page)]


def label_address(project: Project) -> str:
    return f"/projects/{project.pk}/label/"


def choose_size(page: Page, size: int) -> None:
    file_names(page)
    page.get_by_label(f"{size} image").check()
    expect(page.locator(".tile:not([hidden])")).to_have_count(size)


def submit(page: Page, key: str = "Enter") -> None:
    with page.expect_response(re.compile("/submit/$")):
        page.keyboard.press(key)


def skip(page: Page, key: str = "Enter") -> None:
    """Skip what is selected, or the page, without a reason."""
    page.keyboard.press("s")
    expect(page.get_by_role("dialog", name="Why skip?")).to_be_visible()
    page.keyboard.press(key)


def labels_of(project: Project) -> dict[str, str]:
    """Return the class of each labeled item by its file name."""
    items = Item.objects.filter(project=project, state="labeled")
    return {item.file_name: item.current_annotation.regions.get().label_class.name for item in items}


def test_a_page_is_labeled_by_keyboard_and_the_next_is_there_at_once(browse, shapes, labeler):
    queue_as(shapes, factories.make_items(shapes, 8), "manual")
    page = browse(labeler, label_address(shapes), alone=True)
    choose_size(page, 4)
    first = file_names(page)
    assert len(first) == 4
    page.wait_for_function(
        "() => performance.getEntriesByType('resource').filter(e => e.name.endsWith('/pages/')).length >= 2",
        polling=100,  # a page that draws nothing has no frames to look at
    )
    for digit in digits(shapes, page):
        page.keyboard.press(digit)
    page.context.set_offline(True)  # what is shown now cannot come over the network any more
    page.keyboard.press("Enter")
    expect(page.locator(".tile-name").first).not_to_have_text(first[0])
    assert not set(first) & set(file_names(page))
    expect(page.locator("[data-part=saving]")).to_have_text("! not saved yet")
    assert Annotation.objects.count() == 0
    with page.expect_response(re.compile("/submit/$")):
        page.context.set_offline(False)
    expect(page.locator("[data-part=saving]")).to_have_text("✓ saved")
    assert set(labels_of(shapes)) == set(first)
    assert all(name == factories.true_class(item) for item, name in right(shapes))
    expect(page.locator("[data-part=today]")).to_have_text("4 today")


def right(project: Project) -> list[tuple[Item, str]]:
    labels = labels_of(project)
    return [(item, labels[item.file_name]) for item in project.items.all() if item.file_name in labels]


def test_a_selection_gets_a_class_with_one_key(browse, shapes, labeler):
    queue_as(shapes, factories.make_items(shapes, 9), "manual")
    page = browse(labeler, label_address(shapes))
    tiles = page.locator(".tile-face")
    tiles.nth(1).click()
    tiles.nth(4).click(modifiers=["Shift"])
    expect(page.locator("[data-part=hint]")).to_contain_text("4 selected")
    page.keyboard.press("2")
    expect(page.locator(".class-chip.person")).to_have_count(4)
    page.keyboard.press("Control+a")
    page.keyboard.press("3")
    expect(page.locator(".class-chip.person", has_text="triangle")).to_have_count(9)
    tiles.nth(0).click()
    skip(page)
    expect(page.locator('.tile[data-mark="skipped"]')).to_have_count(1)
    submit(page, "Control+Enter")
    assert Item.objects.filter(state="skipped").count() == 1
    assert list(labels_of(shapes).values()) == ["triangle"] * 8


def test_enter_waits_until_every_image_has_its_answer(browse, shapes, labeler):
    queue_as(shapes, factories.make_items(shapes, 4), "manual")
    page = browse(labeler, label_address(shapes))
    file_names(page)
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(page.locator("[data-part=status]")).to_have_text("3 images still need a class.")
    expect(page.locator("[data-part=submit]")).to_have_attribute("aria-disabled", "true")
    assert Annotation.objects.count() == 0


def test_look_alikes_are_confirmed_but_for_the_odd_one(browse, shapes, labeler):
    items = factories.make_items(shapes, 9)
    queue_as(shapes, items, "clustered", "square")
    page = browse(labeler, label_address(shapes))
    expect(page.locator("[data-part=hint]")).to_have_text(
        "All 9 look like square. Click those that are not, then Enter."
    )
    expect(page.locator(".tile.selected")).to_have_count(9)
    odd = file_names(page)[2]
    page.locator(".tile-face").nth(2).click()
    expect(page.locator("[data-part=submit-text]")).to_have_text("Confirm 8")
    submit(page)
    assert odd not in labels_of(shapes)
    assert list(labels_of(shapes).values()) == ["square"] * 8
    assert QueueEntry.objects.get().kind == "manual"
    assert Annotation.objects.filter(suggestion_visible=True, agreed=True).count() == 8


def test_copies_of_one_picture_get_their_class_with_one_key(browse, shapes, labeler):
    items = factories.make_items(shapes, 4)
    queue_as(shapes, items, "manual")
    suggestions.order_queue(
        shapes, [suggestions.Placement(each.pk, "clustered", 0, 1, None, "same picture") for each in items]
    )
    page = browse(labeler, label_address(shapes))
    expect(page.locator("[data-part=why]")).to_have_text("same picture")
    expect(page.locator(".tile.selected")).to_have_count(4)
    odd = file_names(page)[0]
    page.locator(".tile-face").nth(0).click()
    page.keyboard.press("2")
    submit(page)
    expect(page.locator("[data-part=why]")).to_have_text("not like its look-alikes")
    assert file_names(page) == [odd]
    assert list(labels_of(shapes).values()) == ["square"] * 3
    assert set(Annotation.objects.values_list("source", "suggestion_visible")) == {("bulk", False)}


def test_an_exception_on_a_prelabeled_page_gets_another_class(browse, shapes, labeler):
    queue_as(shapes, factories.make_items(shapes, 6), "prelabeled", "circle")
    page = browse(labeler, label_address(shapes))
    expect(page.locator(".class-chip.proposed")).to_have_count(6)
    expect(page.locator(".class-sure").first).to_have_text(".93")
    names = file_names(page)
    page.locator(".tile-face").nth(1).click()
    page.keyboard.press("2")
    page.locator(".tile-face").nth(3).click()
    expect(page.locator('.tile[data-mark="out"]')).to_have_count(1)
    submit(page)
    labels = labels_of(shapes)
    assert labels.pop(names[1]) == "square"
    assert names[3] not in labels
    assert list(labels.values()) == ["circle"] * 4


def test_undo_takes_back_a_step_and_then_the_last_page(browse, shapes, labeler):
    queue_as(shapes, factories.make_items(shapes, 8), "manual")
    page = browse(labeler, label_address(shapes))
    choose_size(page, 4)
    first = file_names(page)
    for digit in ("1", "2", "3", "1"):
        page.keyboard.press(digit)
    submit(page)
    expect(page.locator(".tile-name").first).not_to_have_text(first[0])
    second = file_names(page)
    page.keyboard.press("3")
    expect(page.locator(".class-chip.person")).to_have_count(1)
    page.keyboard.press("Control+z")
    expect(page.locator(".class-chip.person")).to_have_count(0)
    page.keyboard.press("Control+z")
    expect(page.locator(".tile-name").first).to_have_text(first[0])
    expect(page.locator(".class-chip.person")).to_have_count(4)
    assert Item.objects.filter(state="labeled").count() == 0
    page.locator(".tile-face").nth(0).click()
    page.keyboard.press("2")
    submit(page)
    expect(page.locator(".tile-name").first).to_have_text(second[0])
    assert labels_of(shapes)[first[0]] == "square"
    assert Annotation.objects.filter(withdrawal="undone").count() == 4


def test_work_survives_a_reload(browse, shapes, labeler):
    queue_as(shapes, factories.make_items(shapes, 9), "manual")
    page = browse(labeler, label_address(shapes))
    names = file_names(page)
    page.keyboard.press("2")
    page.keyboard.press("3")
    page.reload()
    assert file_names(page) == names
    expect(page.locator(".class-chip.person")).to_have_count(2)


def test_answers_of_somebody_signed_out_arrive_after_signing_in(browse, shapes, labeler):
    queue_as(shapes, factories.make_items(shapes, 4), "manual")
    page = browse(labeler, label_address(shapes))
    assert len(file_names(page)) == 4
    Session.objects.all().delete()
    for _ in range(4):
        page.keyboard.press("1")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Sign in").click()
    page.fill("[name=username]", labeler.email)
    page.fill("[name=password]", factories.PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/label/"))
    expect(page.get_by_role("heading", name="Every image has its label.")).to_be_visible()
    assert list(labels_of(shapes).values()) == ["circle"] * 4


def test_several_classes_are_toggled_on_one_image(browse, manager, labeler):
    project = factories.make_project(manager=manager, labeler=labeler, task_type="multilabel")
    project.instructions.all().delete()
    queue_as(project, factories.make_items(project, 2), "manual")
    page = browse(labeler, label_address(project))
    choose_size(page, 1)
    file_names(page)
    for key in ("1", "3", "2", "3"):
        page.keyboard.press(key)
    expect(page.locator(".class-chip.person")).to_have_text([re.compile("circle"), re.compile("square")])
    submit(page)
    names = Annotation.objects.get().regions.values_list("label_class__name", flat=True)
    assert sorted(names) == ["circle", "square"]


def test_none_of_these_is_an_answer_of_its_own(browse, manager, labeler):
    project = factories.make_project(manager=manager, labeler=labeler, task_type="multilabel")
    project.instructions.all().delete()
    queue_as(project, factories.make_items(project, 4), "manual")
    page = browse(labeler, label_address(project))
    choose_size(page, 4)
    none = page.locator(".class-chip", has_text="none of these")
    page.keyboard.press("-")
    expect(none).to_have_count(1)
    page.keyboard.press("Enter")
    missing = "3 images have no answer yet: give a class, or − for none of these."
    expect(page.locator("[data-part=status]")).to_have_text(missing)
    expect(page.locator("[data-part=hint]")).to_have_text(missing)
    page.keyboard.press("2")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("-")
    page.get_by_role("button", name="− none of these").click()
    expect(none).to_have_count(3)
    page.locator(".tile-face").nth(3).click()
    page.keyboard.press("Backspace")
    expect(none).to_have_count(2)
    skip(page)
    submit(page)
    regions = [each.regions.count() for each in Annotation.objects.filter(skipped=False)]
    assert sorted(regions) == [0, 0, 1]
    expect(page.locator("[data-part=today]")).to_have_text("3 today")


def test_sure_labels_are_ticked_and_open_ones_marked_for_the_hand(browse, manager, labeler):
    project = factories.make_project(manager=manager, labeler=labeler, task_type="multilabel")
    project.instructions.all().delete()
    items = factories.make_items(project, 2)
    queue_as(project, items, "manual")
    circle, square, triangle = project.classes.order_by("position")
    QueueEntry.objects.filter(item__in=items).update(likely=[circle.pk, square.pk], doubtful=[triangle.pk])
    page = browse(labeler, label_address(project))
    choose_size(page, 1)
    shown = page.locator(".tile:not([hidden])")
    ticked, open_ones = shown.locator(".class-chip.proposed"), shown.locator(".class-chip.doubt")
    expect(ticked).to_have_text([re.compile("circle"), re.compile("square")])
    expect(open_ones).to_have_text([re.compile("triangle \\?")])
    expect(page.locator("[data-part=hint]")).to_contain_text("The model has ticked what it is sure of.")
    submit(page)
    expect(page.locator("[data-part=today]")).to_have_text("1 today")
    expect(ticked).to_have_count(2)
    page.keyboard.press("2")  # takes the square away
    expect(shown.locator(".class-chip.person")).to_have_text([re.compile("circle")])
    page.keyboard.press("Control+z")
    open_ones.click()
    expect(shown.locator(".class-chip.person")).to_have_count(3)
    submit(page)
    expect(page.locator("[data-part=today]")).to_have_text("2 today")
    confirmed, changed = Annotation.objects.order_by("id")
    assert (confirmed.agreed, confirmed.regions.count()) == (True, 2)
    assert (changed.agreed, changed.regions.count()) == (False, 3)


def test_a_skip_that_was_taken_back_still_shows_and_gives_way_to_a_class(browse, shapes, labeler):
    queue_as(shapes, factories.make_items(shapes, 2), "manual")
    page = browse(labeler, label_address(shapes))
    choose_size(page, 1)
    with page.expect_response(re.compile("/submit/$")):
        skip(page, "2")
    assert Item.objects.get(state="skipped").reason == "It fits no class, or several"
    expect(page.locator("[data-part=today]")).to_have_text("0 today")
    page.keyboard.press("Control+z")
    skipped = page.locator(".class-chip", has_text="skipped")
    expect(skipped).to_have_count(1)
    page.keyboard.press("Backspace")
    expect(skipped).to_have_count(0)
    expect(page.locator("[data-part=submit]")).to_have_attribute("aria-disabled", "true")
    page.keyboard.press("Control+z")
    expect(skipped).to_have_count(1)
    page.keyboard.press("1")
    expect(page.locator(".class-chip.person")).to_have_text([re.compile("circle")])
    submit(page)
    assert list(labels_of(shapes).values()) == ["circle"]


def test_an_image_that_comes_alone_is_said_to(browse, shapes, labeler):
    queue_as(shapes, factories.make_items(shapes, 1), "manual")
    page = browse(labeler, label_address(shapes))
    file_names(page)
    expect(page.locator("[data-part=hint]")).to_have_text(
        "This one is shown alone. Press the digit of its class, then Enter."
    )


def test_small_images_are_not_blown_up_until_they_fall_apart(browse, shapes, labeler):
    queue_as(shapes, factories.make_items(shapes, 4, size=32), "manual")
    page = browse(labeler, label_address(shapes), viewport={"width": 1440, "height": 900})
    choose_size(page, 1)
    image = page.locator(".tile:not(.loading) img").first
    expect(image).to_be_visible()
    box = image.bounding_box()
    assert box is not None
    assert (box["width"], box["height"]) == (256, 256)


def test_instructions_open_once_by_themselves(browse, project, labeler):
    queue_as(project, factories.make_items(project, 4), "manual")
    page = browse(labeler, label_address(project))
    expect(page.get_by_role("dialog", name="Instructions")).to_contain_text("Name the shape.")
    page.keyboard.press("Escape")
    page.reload()
    file_names(page)
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("i")
    expect(page.get_by_role("dialog", name="Instructions")).to_be_visible()


def test_who_shares_a_browser_gets_the_instructions_too(browse, project, labeler, manager):
    queue_as(project, factories.make_items(project, 4), "manual")
    page = browse(labeler, label_address(project))
    expect(page.get_by_role("dialog", name="Instructions")).to_be_visible()
    client = Client()
    client.force_login(manager)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    root = page.url.split("/projects/")[0]
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": root}])
    page.reload()
    expect(page.get_by_role("dialog", name="Instructions")).to_be_visible()


def test_an_empty_queue_says_what_comes_next_and_goes_on_by_itself(browse, shapes, labeler):
    page = browse(labeler, label_address(shapes))
    expect(page.get_by_role("heading", name="There are no images yet.")).to_be_visible()
    queue_as(shapes, factories.make_items(shapes, 3), "manual")
    assert len(file_names(page)) == 3
