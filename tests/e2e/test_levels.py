"""Whoever labels scans as a whole chooses which of their values are seen."""

import shutil

from playwright.sync_api import expect
from pydicom.data import get_testdata_file

from labeling import importing
from tests import factories
from tests.e2e.conftest import queue_as


def test_scans_on_a_grid_are_shown_in_another_window_until_the_next_page(
    browse, shapes, labeler, manager, tmp_path
):
    shutil.copy(get_testdata_file("CT_small.dcm"), tmp_path / "ct.dcm")
    factories.write_folder(tmp_path, 3)
    importing.add_folder(shapes, tmp_path, manager)
    factories.run_jobs("quick")
    queue_as(shapes, list(shapes.items.all()), "manual")
    page = browse(labeler, f"/projects/{shapes.pk}/label/")
    expect(page.locator(".tile:not([hidden])")).to_have_count(4)
    scan = page.locator(".tile", has_text="ct.dcm").locator(".tile-face img")
    before = scan.get_attribute("src")
    page.get_by_label("Level and window").click()
    page.locator("[data-part=levels] [name=center]").fill("100")
    page.locator("[data-part=levels] [name=width]").fill("200")
    expect(page.locator("[data-levels]")).to_have_text("0 is black, 200 is white")
    expect(scan).to_have_attribute("src", f"{before}?center=100&width=200")
    expect(page.locator(".tile.failed, .tile.loading")).to_have_count(0)
    page.get_by_role("button", name="As it was").click()
    expect(scan).to_have_attribute("src", before or "")
