"""Nothing that a labeler did is lost, and all of it can be corrected."""

import contextlib
import re
from functools import partial

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from playwright.sync_api import Error as BrowserError

from labeling.models import Annotation, Claim, Item, LabelClass, Project
from tests import factories
from tests.e2e.conftest import file_names, queue_as
from tests.e2e.test_label import choose_size, label_address, labels_of, submit

FETCHED = """count => performance.getEntriesByType('resource')
    .filter((each) => each.name.endsWith('/pages/') && each.responseStatus === 201).length >= count"""


@pytest.fixture
def fresh(browse):
    """What was fetched ahead must not have been cached by another test, nor survive in what crashed."""
    return partial(browse, alone=True)


def waiting(project: Project, count: int) -> list[Item]:
    items = factories.make_items(project, count)
    queue_as(project, items, "manual")
    return items


def crash(page: Page) -> Page:
    """Kill the tab's process and open another tab of the same browser."""
    context: BrowserContext = page.context
    with contextlib.suppress(BrowserError):
        page.goto("chrome://crash", timeout=2_000)
    page.close()
    return context.new_page()


def test_three_pages_are_answered_without_a_network_and_arrive_later(fresh, shapes, labeler):
    waiting(shapes, 16)
    page = fresh(labeler, label_address(shapes))
    choose_size(page, 4)
    page.wait_for_function(FETCHED, arg=5, polling=100)  # one in the first size, four in this
    page.context.set_offline(True)
    for _ in range(3):
        first = file_names(page)[0]
        page.keyboard.press("Control+a")
        page.keyboard.press("2")
        page.keyboard.press("Enter")
        expect(page.locator(".tile-name").first).not_to_have_text(first)
    assert Annotation.objects.count() == 0
    page.context.set_offline(False)
    expect(page.locator("[data-part=saving]")).to_have_text("✓ saved")
    assert list(labels_of(shapes).values()) == ["square"] * 12


def test_answers_on_their_way_survive_a_crash_of_the_browser(fresh, shapes, labeler):
    waiting(shapes, 8)
    page = fresh(labeler, label_address(shapes))
    choose_size(page, 4)
    sent = file_names(page)
    page.wait_for_function(FETCHED, arg=3, polling=100)
    page.context.set_offline(True)
    page.keyboard.press("Control+a")
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    expect(page.locator("[data-part=saving]")).to_have_text("! not saved yet")
    page.wait_for_timeout(300)
    page = crash(page)
    page.context.set_offline(False)
    with page.expect_response(re.compile("/submit/$")):
        page.goto(label_address(shapes))
    expect(page.locator("[data-part=today]")).to_have_text("4 today")
    assert labels_of(shapes) == dict.fromkeys(sent, "triangle")


def test_a_page_at_work_survives_a_crash_of_the_browser(fresh, shapes, labeler):
    waiting(shapes, 9)
    page = fresh(labeler, label_address(shapes))
    names = file_names(page)
    page.keyboard.press("2")
    page.keyboard.press("3")
    page.wait_for_timeout(600)
    page = crash(page)
    page.goto(label_address(shapes))
    assert file_names(page) == names
    expect(page.locator(".class-chip.person")).to_have_count(2)


def test_two_tabs_never_show_the_same_images(browse, shapes, labeler):
    waiting(shapes, 8)
    one = browse(labeler, label_address(shapes))
    choose_size(one, 4)
    mine = file_names(one)
    one.keyboard.press("1")
    other = one.context.new_page()
    other.goto(label_address(shapes))
    one.wait_for_timeout(500)
    theirs = other.locator(".tile:not([hidden]) .tile-name").all_inner_texts()
    assert not set(mine) & set(theirs)
    one.bring_to_front()
    one.keyboard.press("Control+a")
    one.keyboard.press("1")
    submit(one)
    assert labels_of(shapes) == dict.fromkeys(mine, "circle")


def test_who_comes_back_to_an_expired_page_is_told_and_loses_nothing(browse, shapes, labeler, reviewer):
    waiting(shapes, 4)
    page = browse(labeler, label_address(shapes))
    choose_size(page, 4)
    file_names(page)
    page.keyboard.press("1")
    page.wait_for_timeout(600)
    Claim.objects.filter(state="live").update(expires_at="2020-01-01T00:00Z")
    assert factories.answer(shapes, reviewer, size=4) == 4
    page.reload()
    expect(page.locator("[data-part=notice]")).to_contain_text("4 images of this page went to somebody else")
    expect(page.locator(".class-chip.person")).to_have_count(1)
    page.keyboard.press("Control+a")
    page.keyboard.press("1")
    submit(page)
    expect(page.locator("[data-part=notice]")).to_contain_text("kept, but not counted")
    assert Annotation.objects.filter(labeler=labeler, counted=False).count() == 4
    assert Item.objects.filter(current_annotation__labeler=reviewer).count() == 4


def test_a_submitted_page_is_corrected_without_taking_it_back(browse, shapes, labeler):
    waiting(shapes, 8)
    page = browse(labeler, label_address(shapes))
    choose_size(page, 4)
    first = file_names(page)
    page.keyboard.press("Control+a")
    page.keyboard.press("1")
    submit(page)
    expect(page.locator(".tile-name").first).not_to_have_text(first[0])
    second = file_names(page)
    page.keyboard.press("3")
    page.keyboard.press("d")
    expect(page.locator(".tile-name").first).to_have_text(first[0])
    expect(page.locator("[data-part=correcting]")).to_be_visible()
    expect(page.locator(".class-chip.person")).to_have_count(4)
    page.locator(".tile-face").nth(0).click()
    page.keyboard.press("2")
    submit(page)
    expect(page.locator(".tile-name").first).to_have_text(second[0])
    expect(page.locator(".class-chip.person")).to_have_count(1)
    expect(page.locator("[data-part=today]")).to_have_text("4 today")
    assert labels_of(shapes) == dict.fromkeys(first, "circle") | {first[0]: "square"}
    assert Annotation.objects.filter(withdrawal="corrected").count() == 4


def test_an_older_page_is_found_in_the_list_after_a_reload(browse, shapes, labeler):
    waiting(shapes, 12)
    page = browse(labeler, label_address(shapes))
    choose_size(page, 4)
    first = file_names(page)
    for _ in range(2):
        page.keyboard.press("Control+a")
        page.keyboard.press("1")
        submit(page)
    page.reload()
    file_names(page)
    page.get_by_role("button", name="Recent").click()
    page.locator(".recent-page").last.click()
    expect(page.locator(".tile-name").first).to_have_text(first[0])
    page.get_by_role("button", name="Back without changing it").click()
    expect(page.locator("[data-part=correcting]")).to_be_hidden()
    assert not Annotation.objects.exclude(withdrawal="").exists()


def test_another_layout_keeps_what_was_tagged(browse, shapes, labeler):
    waiting(shapes, 9)
    page = browse(labeler, label_address(shapes))
    names = file_names(page)
    page.keyboard.press("2")
    page.keyboard.press("3")
    page.get_by_label("4 images").check()
    expect(page.locator(".tile:not([hidden])")).to_have_count(4)
    expect(page.locator(".class-chip.person")).to_have_count(2)
    expect(page.locator("[data-part=hint]")).to_contain_text("Images 1 to 4 of 9.")
    page.locator("body").press("Escape")
    for digit in "11":
        page.keyboard.press(digit)
    expect(page.locator("[data-part=submit-text]")).to_have_text("Next")
    page.keyboard.press("Enter")
    expect(page.locator("[data-part=hint]")).to_contain_text("Images 5 to 8 of 9.")
    page.keyboard.press("Control+a")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(page.locator(".tile:not([hidden])")).to_have_count(1)
    page.keyboard.press("1")
    submit(page)
    assert labels_of(shapes) == dict.fromkeys(names, "circle") | {names[0]: "square", names[1]: "triangle"}


def test_one_s_pace_is_shown_to_oneself(browse, shapes, labeler):
    waiting(shapes, 8)
    page = browse(labeler, label_address(shapes))
    choose_size(page, 4)
    page.keyboard.press("Control+a")
    page.keyboard.press("1")
    submit(page)
    page.locator("[data-part=pace] summary").click()
    expect(page.locator("[data-part=pace-panel]")).to_contain_text("4 images today")
    expect(page.locator("[data-part=pace-panel]")).to_contain_text("Only you see this.")


def test_a_page_put_aside_keeps_its_work_over_a_reload(browse, shapes, labeler):
    waiting(shapes, 8)
    page = browse(labeler, label_address(shapes))
    choose_size(page, 4)
    page.keyboard.press("Control+a")
    page.keyboard.press("1")
    submit(page)
    second = file_names(page)
    page.keyboard.press("2")
    page.keyboard.press("d")
    expect(page.locator("[data-part=correcting]")).to_be_visible()
    page.reload()
    assert file_names(page) == second
    expect(page.locator(".class-chip.person", has_text="square")).to_have_count(1)
    page.keyboard.press("Control+a")
    page.keyboard.press("3")
    submit(page)
    assert Annotation.objects.filter(withdrawn_at=None).count() == 8
    assert not Annotation.objects.exclude(withdrawal="").exists()


def test_a_refused_page_can_be_opened_again_and_stands_in_nobody_s_way(browse, shapes, labeler):
    waiting(shapes, 8)
    page = browse(labeler, label_address(shapes))
    choose_size(page, 4)
    first = file_names(page)
    retired = shapes.classes.get(name="circle")
    LabelClass.objects.filter(pk=retired.pk).update(retired_at="2026-01-01T00:00Z")
    page.keyboard.press("Control+a")
    page.keyboard.press("1")
    submit(page)
    expect(page.locator("[data-part=notice]")).to_contain_text("has a class that is not in use any more")
    expect(page.locator(".tile-name").first).not_to_have_text(first[0])
    page.keyboard.press("Control+a")
    page.keyboard.press("2")
    submit(page)
    expect(page.locator("[data-part=today]")).to_have_text("4 today")
    page.locator("[data-part=saving]").click()
    page.get_by_role("button", name="Open it").click()
    expect(page.locator(".tile-name").first).to_have_text(first[0])
    page.keyboard.press("Control+a")
    page.keyboard.press("3")
    submit(page)
    expect(page.locator("[data-part=saving]")).to_have_text("✓ saved")
    assert sorted(labels_of(shapes).values()) == ["square"] * 4 + ["triangle"] * 4


@pytest.mark.parametrize(
    "broken",
    [
        "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError') }",
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('denied') } })",
        "localStorage.setItem('loupe.canvas', '{bad')",
        "indexedDB.open = () => ({})",
    ],
)
def test_a_browser_that_keeps_nothing_still_labels(fresh, project, labeler, broken):
    waiting(project, 2)
    page = fresh(labeler, "about:blank")
    page.add_init_script(broken)
    page.goto(label_address(project))
    page.get_by_role("dialog", name="Instructions").press("Escape")
    file_names(page)
    page.keyboard.press("Control+a")
    page.keyboard.press("1")
    submit(page)
    assert Annotation.objects.count() == 2


def test_a_second_enter_submits_no_page_that_nobody_saw(browse, manager, labeler):
    project = factories.make_project(manager=manager, labeler=labeler, task_type="detection")
    project.instructions.all().delete()
    queue_as(project, factories.make_scenes(project, 2), "manual")
    page = browse(labeler, label_address(project))
    page.wait_for_function(FETCHED, arg=2, polling=100)
    page.wait_for_timeout(500)
    with page.expect_response(re.compile("/submit/$")):
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    assert Annotation.objects.count() == 1


def test_a_correction_is_taken_back_where_it_was_made(browse, shapes, labeler):
    waiting(shapes, 9)
    page = browse(labeler, label_address(shapes))
    choose_size(page, 1)
    first = file_names(page)
    for key in ("1", "2"):
        page.keyboard.press(key)
        submit(page)
    page.keyboard.press("d")
    page.keyboard.press("d")
    expect(page.locator(".tile:not([hidden]) .tile-name")).to_have_text(first)
    page.keyboard.press("3")
    submit(page)
    page.keyboard.press("Control+z")
    expect(page.locator(".tile:not([hidden]) .tile-name")).to_have_text(first)
    expect(page.locator("[data-part=correcting]")).to_be_visible()
    assert not Annotation.objects.filter(withdrawal="undone").exists()
