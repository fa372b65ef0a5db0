"""Shortcuts: each one fires, can be changed and switched off, and stays as it was chosen."""

import re

from playwright.sync_api import Locator, Page, expect

from labeling.models import User
from tests import factories
from tests.e2e.conftest import file_names, queue_as

LISTEN = "window.fired = []; document.addEventListener('loupe:key', (event) => fired.push(event.detail))"
PRESS = """([key, code]) => document.activeElement.dispatchEvent(
    new KeyboardEvent("keydown", {key, code, bubbles: true, cancelable: true}))"""


def label_page(browse, project, labeler, **options: object) -> Page:
    """Open the Label page with nine images on it and the keys listened to."""
    queue_as(project, factories.make_items(project, 9), "manual")
    page = browse(labeler, f"/projects/{project.pk}/label/", **options)
    file_names(page)
    page.evaluate(LISTEN)
    return page


def fired(page: Page, press: str) -> list[str]:
    """Press keys and return which shortcuts they fired; dialogs that open are closed."""
    page.evaluate("new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted)))")
    while page.locator("dialog[open]").count():  # which the keys before opened in the meantime
        page.keyboard.press("Escape")
    page.evaluate("fired.length = 0")
    page.keyboard.press(press)
    found = page.evaluate("fired")
    while page.locator("dialog[open]").count():
        page.keyboard.press("Escape")
    return found


def shortcut(page: Page, name: str) -> Locator:
    """Return a shortcut's row of the list, which is opened for it."""
    if not page.locator("dialog.help[open]").count():
        page.keyboard.press("?")
    return page.locator(f'[data-shortcut="{name}"]')


def change(page: Page, name: str, press: str) -> Locator:
    """Press new keys for a shortcut's first ones."""
    row = shortcut(page, name)
    row.locator(".shortcut-key").first.click()
    page.keyboard.press(press)
    return row


def as_pressed(combination: str) -> str:
    """Turn a combination of the list into what Playwright presses."""
    return combination.replace("Ctrl+", "Control+")


def kept(labeler) -> dict[str, list[str]]:
    return User.objects.get(pk=labeler.pk).keys


def saved(page: Page):
    return page.expect_response(re.compile("/profile/keys/$"))


def test_every_shortcut_of_the_list_fires(browse, shapes, labeler):
    page = label_page(browse, shapes, labeler)
    page.keyboard.press("?")
    listed = page.locator("[data-shortcut]").evaluate_all(
        "rows => rows.map(row => [row.dataset.shortcut,"
        " [...row.querySelectorAll('[data-combination]')].map(each => each.dataset.combination)])"
    )
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    assert len(listed) >= 15
    for name, combinations in listed:
        for each in combinations or ["1"]:
            assert fired(page, as_pressed(each)) == [name], each


def test_a_shortcut_gets_other_keys_at_once_and_for_good(browse, shapes, labeler):
    page = label_page(browse, shapes, labeler)
    with saved(page):
        row = change(page, "skip", "Control+k")
    expect(row.locator("[data-combination]").first).to_have_text("CtrlK")
    page.keyboard.press("Escape")
    expect(page.locator("[data-part=skip] kbd")).to_have_text("Ctrl K")
    assert fired(page, "Control+k") == ["skip"]
    assert fired(page, "s") == []
    assert kept(labeler) == {"skip": ["Ctrl+K", "Shift+S"]}
    page.reload()
    file_names(page)
    page.evaluate(LISTEN)
    expect(page.locator("[data-part=skip] kbd")).to_have_text("Ctrl K")
    assert fired(page, "Control+k") == ["skip"]
    with saved(page):
        shortcut(page, "skip").get_by_role("button", name="Reset").click()
    assert kept(labeler) == {}
    page.keyboard.press("Escape")
    assert fired(page, "s") == ["skip"]


def test_escape_leaves_keys_as_they_are(browse, shapes, labeler):
    page = label_page(browse, shapes, labeler)
    row = change(page, "skip", "Escape")
    expect(page.locator("dialog.help")).to_be_visible()
    expect(row.locator("[data-combination]").first).to_have_text("S")
    expect(row.locator("[data-combination]").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("dialog.help")).to_be_hidden()


def test_keys_that_are_taken_are_swapped_or_taken_over(browse, shapes, labeler):
    page = label_page(browse, shapes, labeler)
    row = change(page, "skip", "i")
    expect(row.locator(".shortcut-note")).to_contain_text("I is used for “Show the instructions”.")
    assert kept(labeler) == {}
    with saved(page):
        row.get_by_role("button", name="Swap them").click()
    assert kept(labeler) == {"skip": ["I", "Shift+S"], "instructions": ["S"]}
    row = change(page, "skip", "f")
    with saved(page):
        row.get_by_role("button", name="Take it away there").click()
    assert kept(labeler) == {"skip": ["F", "Shift+S"], "instructions": ["S"], "forward": []}
    expect(shortcut(page, "forward").locator(".shortcut-key")).to_have_text("no keys")
    with saved(page):
        page.get_by_role("button", name="Reset all").click()
    assert kept(labeler) == {}


def test_keys_of_the_browser_and_of_classes_are_refused(browse, shapes, labeler):
    page = label_page(browse, shapes, labeler)
    row = change(page, "skip", "Control+Shift+T")
    expect(row.locator(".shortcut-note")).to_contain_text("belongs to the browser")
    page.keyboard.press("Tab")
    expect(row.locator(".shortcut-note")).to_contain_text("from button to button")
    page.keyboard.press("2")
    expect(row.locator(".shortcut-note")).to_contain_text("which stays as it is")
    with saved(page):
        page.keyboard.press("Alt+q")
    assert kept(labeler) == {"skip": ["Alt+Q", "Shift+S"]}


def test_single_keys_can_be_switched_off(browse, shapes, labeler):
    page = label_page(browse, shapes, labeler)
    page.keyboard.press("?")
    with saved(page):
        page.get_by_label("Single keys work as shortcuts").uncheck()
    page.keyboard.press("Escape")
    assert [fired(page, press) for press in ("1", "s", "Shift+S", "?")] == [[], [], [], []]
    assert fired(page, "Control+a") == ["all"]
    assert fired(page, "ArrowRight") == ["right"]
    expect(page.locator("[data-part=skip] kbd")).to_be_hidden()
    page.reload()
    file_names(page)
    page.evaluate(LISTEN)
    assert fired(page, "1") == []
    assert User.objects.get(pk=labeler.pk).single_keys is False


def test_a_keyboard_with_another_script_works_by_place(browse, shapes, labeler):
    page = label_page(browse, shapes, labeler)
    for key, code, name in (("ㄴ", "KeyS", "skip"), ("ㅋ", "KeyZ", "magnify"), ("１", "Digit1", "assign")):
        page.evaluate("fired.length = 0")
        page.evaluate(PRESS, [key, code])
        assert page.evaluate("fired") == [name]
        page.keyboard.press("Escape")
    row = shortcut(page, "skip")
    row.locator(".shortcut-key").first.click()
    with saved(page):
        page.evaluate(PRESS, ["ㅏ", "KeyK"])
    assert kept(labeler) == {"skip": ["K", "Shift+S"]}


def test_fields_and_dialogs_keep_their_keys(browse, shapes, labeler):
    page = label_page(browse, shapes, labeler)
    page.keyboard.press("?")
    page.evaluate("fired.length = 0")
    page.get_by_role("searchbox", name="Find a shortcut").fill("s")
    page.keyboard.press("i")
    assert page.evaluate("fired") == []


def test_the_list_is_searched_by_text_and_keys(browse, shapes, labeler):
    page = label_page(browse, shapes, labeler)
    page.keyboard.press("?")
    rows = page.locator("[data-shortcut]:visible")
    page.get_by_role("searchbox", name="Find a shortcut").fill("instructions")
    expect(rows).to_have_count(1)
    page.get_by_role("searchbox", name="Find a shortcut").fill("ctrl+y")
    expect(rows).to_have_count(1)
    page.get_by_role("searchbox", name="Find a shortcut").fill("nothing has this")
    expect(page.locator("[data-help=none]")).to_be_visible()


def test_keys_changed_offline_are_sent_later(browse, shapes, labeler):
    page = label_page(browse, shapes, labeler)
    page.context.set_offline(True)
    change(page, "skip", "k")
    page.keyboard.press("Escape")
    assert fired(page, "k") == ["skip"]
    assert kept(labeler) == {}
    with saved(page):
        page.context.set_offline(False)
    assert kept(labeler) == {"skip": ["K", "Shift+S"]}


def test_keys_on_buttons_are_the_current_ones(browse, shapes, labeler):
    User.objects.filter(pk=labeler.pk).update(keys={"submit": ["Ctrl+S"], "undo": []})
    page = label_page(browse, shapes, labeler)
    expect(page.locator("[data-part=submit] kbd")).to_have_text("Ctrl S")
    expect(page.locator("[data-part=undo] kbd")).to_be_hidden()


def test_the_canvas_takes_other_keys_too(browse, manager, labeler):
    project = factories.make_project(manager=manager, labeler=labeler, task_type="detection")
    project.instructions.all().delete()
    queue_as(project, factories.make_items(project, 2), "manual")
    page = browse(labeler, f"/projects/{project.pk}/label/")
    box = page.locator("[data-tool=box]")
    expect(box.locator("kbd")).to_have_text("R")
    with saved(page):
        change(page, "tool-box", "q")
    page.keyboard.press("Escape")
    expect(box.locator("kbd")).to_have_text("Q")
    page.keyboard.press("v")
    expect(box).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("q")
    expect(box).to_have_attribute("aria-pressed", "true")
    with saved(page):
        change(page, "fit", "Control+0")
    expect(page.locator("[data-view=fit]")).to_have_attribute("title", "Show the whole image  Ctrl 0")
