"""A real browser on a live server; a test fails on anything the browser complains about."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from django.conf import settings
from django.core.signals import request_finished, request_started
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect

from labeling import suggestions
from labeling.models import Item, Project, QueueEntry, User
from tests import factories
from tests.e2e.drawing import SIZE, Canvas, Open

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
EXPECTED = (
    "net::ERR_INTERNET_DISCONNECTED",
    "400",
    "409",
    "401",
    "404",
)  # complaints that a test provokes on purpose
CANVAS = "/static/labeling/label/canvas"
LOADED = """async folder => {
  const load = name => import(`${folder}/${name}.js`);
  [globalThis.g, globalThis.v, globalThis.r] = await Promise.all(["geometry", "view", "regions"].map(load));
}"""

expect.set_options(timeout=30_000)  # for what never happens, on however busy a machine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if "tests/e2e" in str(item.path)]
    for item in here:
        item.add_marker(pytest.mark.e2e)
        item.add_marker(pytest.mark.django_db(transaction=True))


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    assert CHROMIUM, "These tests drive the system's Chromium: apt-get install chromium"
    return {"executable_path": CHROMIUM, "args": ["--no-sandbox", "--disable-gpu"]}


class Traffic:
    """Requests under way. Pages send some while they are left, and tables are emptied after each test."""

    def __init__(self) -> None:
        self.open = 0
        self.changed_at = 0.0
        request_started.connect(self.starts)
        request_finished.connect(self.ends)

    def starts(self, **kwargs: object) -> None:
        self.open, self.changed_at = self.open + 1, time.monotonic()

    def ends(self, **kwargs: object) -> None:
        self.open, self.changed_at = self.open - 1, time.monotonic()

    def wait_until_quiet(self) -> None:
        until = time.monotonic() + 5
        while time.monotonic() < until and (self.open > 0 or time.monotonic() - self.changed_at < 0.2):
            time.sleep(0.02)


@pytest.fixture
def traffic() -> Traffic:
    return Traffic()


Browse = Callable[..., Page]


@pytest.fixture(scope="session")
def idle() -> list[BrowserContext]:
    """Contexts that tests are done with: with the scripts that they cached, a page opens in half the time."""
    return []


def forget(page: Page, origin: str) -> None:
    """Make a context as good as new, but for what it may cache."""
    page.context.clear_cookies()
    devices = page.context.new_cdp_session(page)
    kinds = "local_storage,indexeddb,cache_storage,service_workers"
    devices.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": kinds})
    devices.detach()


@pytest.fixture
def browse(browser: Browser, idle: list[BrowserContext], live_server, traffic: Traffic) -> Iterator[Browse]:
    """Open pages as somebody: `browse(user, "/projects/1/")`; without a user, signed out.

    A browser with options, or one that is to be `alone`, has cached nothing before.
    """
    complaints: list[str] = []
    shared: list[BrowserContext] = []
    own: list[BrowserContext] = []

    def open_page(user: User | None, path: str = "/", *, alone: bool = False, **options: object) -> Page:
        context = None if alone or options or not idle else idle.pop()
        if context is None:
            context = browser.new_context(base_url=live_server.url, **options)  # type: ignore[arg-type]
        (own if alone or options else shared).append(context)
        page = context.new_page()
        forget(page, live_server.url)
        if user is not None:
            client = Client()
            client.force_login(user)
            cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies(
                [{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}]
            )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
        page.goto(path)
        return page

    yield open_page
    for context in own:
        context.close()
    for context in shared:
        for page in context.pages:
            page.close()
        context.set_offline(False)
        idle.append(context)
    traffic.wait_until_quiet()
    assert [text for text in complaints if not any(expected in text for expected in EXPECTED)] == []


@pytest.fixture(scope="session")
def engine(browser: Browser, live_server) -> Iterator[Page]:
    """One page with the modules as `g` (geometry), `v` (view) and `r` (regions)."""
    page = browser.new_page()
    page.goto(f"{live_server.url}{CANVAS}/geometry.js")
    page.evaluate(LOADED, CANVAS)
    yield page
    page.close()


@pytest.fixture
def shapes(manager, reviewer, labeler) -> Project:
    """A project whose labelers have read no instructions, so that no dialog opens by itself."""
    project = factories.make_project(manager=manager, reviewer=reviewer, labeler=labeler, name="Shapes")
    project.instructions.all().delete()
    return project


def queue_as(
    project: Project, items: Sequence[Item], kind: str, proposed: str = "", *, confidence: float = 0.93
) -> None:
    """Make items wait as one kind, with a proposal where the kind has one."""
    Project.objects.filter(pk=project.pk).update(validation_rate=0)
    QueueEntry.objects.filter(item__in=items).update(kind="manual", inclusion_probability=None)
    if kind == "manual":
        return
    label = project.classes.get(name=proposed).pk
    suggestions.store(
        project,
        1,
        [
            suggestions.Proposal(each.pk, [{"class": label, "confidence": confidence}], label, confidence)
            for each in items
        ],
    )
    suggestions.order_queue(
        project,
        [
            suggestions.Placement(each.pk, kind, number, 1, label, "they look alike")
            for number, each in enumerate(items)
        ],
    )


def file_names(page: Page) -> list[str]:
    """Return the names of the files on the Label page, in order."""
    expect(page.locator("[data-part=stage]")).to_be_visible()
    return page.locator(".tile:not([hidden]) .tile-name").all_inner_texts()


@pytest.fixture
def canvas(browse, manager, labeler) -> Open:
    """Open a project with pictures to draw on: `canvas("detection")`."""

    def open_page(
        task: str, *, proposed: bool = False, count: int = 2, images: int = 2, **options: object
    ) -> Canvas:
        classes = [f"kind {number}" for number in range(count)]
        project = factories.make_project(manager=manager, labeler=labeler, classes=classes, task_type=task)
        project.instructions.all().delete()
        items = factories.make_scenes(project, images, size=SIZE)
        queue_as(project, items, "manual")
        if proposed:
            factories.prelabel(project, items)
        return Canvas(browse(labeler, f"/projects/{project.pk}/label/", **options))

    return open_page
