"""An upload survives what happens to browsers: a connection that breaks, and a page that is loaded again."""

import hashlib
import os

from PIL import Image
from playwright.sync_api import Route, expect

from labeling.models import Item, Upload
from tests import factories


def test_after_a_break_and_a_reload_the_same_folder_is_chosen_and_only_the_rest_is_sent(
    browse, shapes, manager, tmp_path
):
    folder = tmp_path / "trip"
    folder.mkdir()
    for number in range(4):  # two of them go into one request
        Image.frombytes("RGB", (512, 480), os.urandom(512 * 480 * 3)).save(folder / f"{number}.bmp")
    (folder / "notes.txt").write_text("no image")
    page = browse(manager, f"/projects/{shapes.pk}/import/")
    page.on("dialog", lambda dialog: dialog.accept())  # that it is still sending
    requests: list[str] = []

    def break_after_the_first(route: Route) -> None:
        requests.append(route.request.url)
        if len(requests) > 1:
            route.abort("internetdisconnected")
        else:
            route.continue_()

    page.route("**/chunks/", break_after_the_first)
    page.locator("input[webkitdirectory]").first.set_input_files(folder)
    text = page.locator("[data-upload-text]")
    expect(text).to_contain_text("The server cannot be reached")
    expect(text).to_contain_text("2 of 4 files are here")
    expect(page.locator("[data-left-out]")).to_contain_text("1 file is left out")
    page.reload()
    page.unroute("**/chunks/")

    waiting = page.locator("[data-unfinished]")
    expect(waiting).to_contain_text("2 of 4 files are here")
    again = waiting.get_by_label("Choose the folder again")
    again.set_input_files(folder)
    expect(text).to_contain_text("4 files are on the server")
    factories.run_jobs("quick")
    assert {each.path: each.sha256 for each in Item.objects.all()} == {
        f"trip/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.bmp")
    }
    assert Upload.objects.get().state == "complete"
    expect(page.locator("#imports")).to_contain_text("4 of 4 read")
