"""A real browser on a live server; a test fails on anything the browser complains about."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import pytest
from django.conf import settings
from django.core.signals import request_finished, request_started
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, ViewportSize, expect

from labeling import suggestions
from labeling.models import Item, Project, QueueEntry, User
from tests import factories
from tests.e2e.browser import CHROMIUM
from tests.e2e.drawing import SIZE, Canvas, Open

EXPECTED = (
    "net::ERR_INTERNET_DISCONNECTED",
    "400",
    "409",
    "401",
    "404",
)  # complaints that a test provokes on purpose
WINDOW: ViewportSize = {"width": 1280, "height": 720}  # as Playwright opens one
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
        while time.monotonic() < until and (self.open > 0 or time.monotonic() - self.changed_at < 0.1):
            time.sleep(0.02)


@pytest.fixture
def traffic() -> Traffic:
    return Traffic()


Browse = Callable[..., Page]


@pytest.fixture(scope="session")
def idle() -> list[Page]:
    """Pages that tests are done with: with the scripts that they cached, one opens in a third of the time."""
    return []


def forget(page: Page, origin: str) -> None:
    """Make a page as good as new, but for what it may cache."""
    page.context.clear_cookies()
    devices = page.context.new_cdp_session(page)
    kinds = "local_storage,indexeddb,cache_storage,service_workers"
    devices.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": kinds})
    devices.detach()


def leave(page: Page) -> None:
    """End what a test did with a page: its requests, its keys and buttons, its window."""
    for other in page.context.pages:
        if other != page:
            other.close()
    page.unroute_all(behavior="ignoreErrors")
    page.context.set_offline(False)
    page.goto("/healthz/")
    page.evaluate("sessionStorage.clear()")
    for key in ("Shift", "Control", "Alt"):
        page.keyboard.up(key)
    page.mouse.up()
    page.mouse.move(0, 0)


@pytest.fixture
def browse(browser: Browser, idle: list[Page], live_server, traffic: Traffic) -> Iterator[Browse]:
    """Open pages as somebody: `browse(user, "/projects/1/")`; without a user, signed out.

    One that is to be `alone`, or has options other than a viewport and a colour scheme, has cached nothing
    before. Who listens to what a page does, or sets its clock, wants it alone: others have it afterwards.
    """
    complaints: list[str] = []
    shared: list[Page] = []
    own: list[BrowserContext] = []

    def hear_error(error: Error) -> None:
        complaints.append(str(error))

    def hear_message(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    def open_page(
        user: User | None,
        path: str = "/",
        *,
        alone: bool = False,
        viewport: ViewportSize = WINDOW,
        color_scheme: Literal["light", "dark"] = "light",
        **options: object,
    ) -> Page:
        is_own = alone or bool(options)
        if is_own or not idle:
            context = browser.new_context(base_url=live_server.url, **options)  # type: ignore[arg-type]
            page = context.new_page()
        else:
            page = idle.pop()
            context = page.context
            forget(page, live_server.url)
        if is_own:
            own.append(context)
        else:
            shared.append(page)
        page.set_viewport_size(viewport)
        page.emulate_media(color_scheme=color_scheme)
        if user is not None:
            client = Client()
            client.force_login(user)
            cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies(
                [{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}]
            )
        page.on("pageerror", hear_error)
        page.on("console", hear_message)
        page.goto(path)
        return page

    yield open_page
    for context in own:
        context.close()
    for page in shared:
        page.remove_listener("pageerror", hear_error)
        page.remove_listener("console", hear_message)
        leave(page)
        idle.append(page)
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
