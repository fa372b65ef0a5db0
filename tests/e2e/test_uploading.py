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
    page = browse(manager, f"/projects/{shapes.pk}/import/", alone=True)
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


def test_a_data_set_is_sent_and_a_project_begins_with_it(browse, manager, tmp_path):
    folder = factories.write_folder(tmp_path / "forklifts", 4)
    page = browse(manager, "/data-sets/")
    page.locator("input[webkitdirectory]").set_input_files(folder)
    listed = page.locator("#imports")
    expect(listed).to_contain_text("being checked")
    factories.run_jobs("long")
    expect(listed).to_contain_text("4 images")
    expect(page.locator("[data-upload-text]")).to_contain_text("The data set is complete.")
    page.get_by_role("link", name="Start labeling").click()
    page.get_by_label("Name", exact=True).fill("Warehouse")
    page.get_by_role("button", name="Next").click()
    page.get_by_label("Classes", exact=True).fill("circle\nsquare")
    for _ in range(4):
        page.get_by_role("button", name="Next").click()
    expect(page.locator("[data-summary]")).to_contain_text("forklifts")
    page.get_by_role("button", name="Create project").click()
    expect(page.get_by_role("status").first).to_contain_text("its images are being read")
    factories.run_jobs("quick")
    assert Item.objects.filter(project__name="Warehouse", state="unlabeled").count() == 4
