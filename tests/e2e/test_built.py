"""What production serves, minified and under hashed names, works in the browser and is small."""

import gzip
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import override_settings
from playwright.sync_api import Page, Route, expect

from labeling.models import Annotation
from tests import factories
from tests.e2e.conftest import file_names, queue_as

MOST = 82_000  # bytes of our own scripts and styles on the Label page, compressed


STORAGE = {"staticfiles": {"BACKEND": "deploy.static.Storage"}}


@pytest.fixture(scope="module")
def collected(tmp_path_factory) -> Path:
    """A folder with the static files of production."""
    folder = tmp_path_factory.mktemp("static")
    with override_settings(STATIC_ROOT=folder, STORAGES={**settings.STORAGES, **STORAGE}):
        call_command("collectstatic", interactive=False, verbosity=0)
    return folder


@pytest.fixture
def built(settings, collected) -> Path:
    """These files, whose names pages use from here on."""
    settings.STATIC_ROOT = collected
    settings.STORAGES = {**settings.STORAGES, **STORAGE}
    return collected


def serve(page: Page, root: Path) -> dict[str, int]:
    """Answer requests for static files from a folder; returns the compressed size of each of ours."""
    sizes: dict[str, int] = {}

    def fulfill(route: Route) -> None:
        name = route.request.url.split("/static/", 1)[1]
        content = (root / name).read_bytes()
        if name.startswith("labeling/") and name.endswith((".js", ".css")):
            sizes[name] = len(gzip.compress(content))
        kinds = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
        route.fulfill(body=content, content_type=kinds[Path(name).suffix])

    page.route(re.compile("/static/"), fulfill)
    return sizes


def test_the_grid_of_production_takes_answers(browse, shapes, labeler, built):
    queue_as(shapes, factories.make_items(shapes, 4), "manual")
    page = browse(labeler, "about:blank")
    sizes = serve(page, built)
    page.goto(f"/projects/{shapes.pk}/label/")
    assert len(file_names(page)) == 4
    page.keyboard.press("Control+a")
    page.keyboard.press("2")
    with page.expect_response(re.compile("/submit/$")):
        page.keyboard.press("Enter")
    assert Annotation.objects.count() == 4
    assert all(re.search(r"\.[0-9a-f]{12}\.(js|css)$", name) for name in sizes)
    assert sum(sizes.values()) <= MOST


def test_the_canvas_of_production_takes_answers(browse, manager, labeler, built):
    project = factories.make_project(manager=manager, labeler=labeler, task_type="segmentation")
    project.instructions.all().delete()
    queue_as(project, factories.make_scenes(project, 1), "manual")
    page = browse(labeler, "about:blank")
    sizes = serve(page, built)
    page.goto(f"/projects/{project.pk}/label/")
    stage = page.locator("[data-part=stage]")
    expect(stage).to_be_visible()
    page.keyboard.press("p")
    page.keyboard.press("1")
    for x, y in ((120, 120), (220, 130), (180, 220)):
        stage.click(position={"x": x, "y": y})
    page.keyboard.press("Enter")
    with page.expect_response(re.compile("/submit/$")):
        page.keyboard.press("Enter")
    assert len(Annotation.objects.get().regions.get().polygon[0]) == 6
    assert sum(sizes.values()) <= MOST, sum(sizes.values())
