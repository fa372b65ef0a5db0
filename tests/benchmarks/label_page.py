"""How long the Label page takes to follow the hand, in a real Chromium against gunicorn.

    python -m tests.benchmarks.label_page [--quick]

submit_to_painted_ms         from Enter to the frame with all nine images of the next page
submit_to_painted_canvas_ms  the same on the canvas, which shows one image
pointer_to_paint_ms          from the event to the painted frame, moving and then resizing one box among 300
pointer_to_paint_1000_ms     among 1,000
pan_zoom_large_ms            moving and zooming an image of 4,000 x 3,000 pixels with 300 boxes
floor_ms                     an empty page that moves one element after the pointer
floor_wheel_ms               the same after the wheel, which browsers hand over later
work_ms                      the same from the first listener on, so without the wait for the frame
over_floor                   the medians of both, in proportion to the empty page's
assets_gzip_kb               our own scripts and styles that the canvas loads

The last line of output is one JSON object.
"""

import argparse
import gzip
import io
import json
import math
import random
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter
from playwright.sync_api import Browser, Page, Response, sync_playwright

from tests.benchmarks.queue import loupe
from tests.e2e.browser import CHROMIUM

PROBE = Path(__file__).with_suffix(".js")
LABELER = "labeler@example.com"
VIEWPORT = {"width": 1440, "height": 900}
USUAL = (1280, 960)
LARGE = (4000, 3000)
THINK = 0.8  # seconds over a page, while the next ones are fetched
CHANCE = random.Random(0)
EMPTY = """<!doctype html><style>body { margin: 0; height: 100vh }
div { position: absolute; width: 60px; height: 40px; background: #c80 }</style><div></div><script>
let [at, asked] = [[0, 0], false];
const follow = (event) => {
  at = [event.clientX, event.clientY + (event.deltaY ?? 0)];
  if (!asked) requestAnimationFrame(() => {
    asked = false;
    document.querySelector("div").style.transform = `translate(${at[0]}px, ${at[1]}px)`;
  });
  asked = true;
};
addEventListener("pointermove", follow);
addEventListener("wheel", follow);
</script>"""

Figures = dict[str, float]


@dataclass(slots=True)
class Reach:
    """Milliseconds from input to paint: from the event, and from its first listener."""

    whole: list[float] = field(default_factory=list)
    work: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, page: Page) -> "Reach":
        pairs = page.evaluate("meter.inputs.splice(0)")
        return cls([whole for whole, _ in pairs], [work for _, work in pairs])


def percentiles(values: list[float]) -> Figures:
    return {f"p{share}": round(float(np.percentile(values, share)), 1) for share in (50, 95)}


def photo(size: tuple[int, int], seed: int) -> bytes:
    """Return a JPEG with as much detail as a photograph, of which no two are alike."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8)).resize(
        size, Image.Resampling.BICUBIC
    )
    grain = Image.fromarray(rng.integers(96, 160, (size[1] // 2, size[0] // 2, 3), np.uint8)).resize(size)
    stream = io.BytesIO()
    Image.blend(coarse, grain.filter(ImageFilter.GaussianBlur(1)), 0.3).save(stream, "JPEG", quality=88)
    return stream.getvalue()


def boxes(count: int, size: tuple[int, int]) -> list[list[float]]:
    """Return boxes all over an image, one of them in its middle."""
    columns = round(math.sqrt(count * size[0] / size[1])) | 1
    rows = math.ceil(count / columns) | 1
    wide, high = size[0] / columns, size[1] / rows
    places = [(column, row) for row in range(rows) for column in range(columns)]
    middle = (columns // 2, rows // 2)
    chosen = [middle, *(each for each in places if each != middle)][:count]
    return [[(x + 0.15) * wide, (y + 0.15) * high, 0.7 * wide, 0.7 * high] for x, y in chosen]


def make_project(task: str, size: tuple[int, int], images: int) -> Any:
    """Make a project with images that are read and wait for full pages, for the labeler of this benchmark."""
    from django.conf import settings

    from labeling import importing
    from labeling.models import Project, QueueEntry, User
    from tests import factories

    labeler = User.objects.get(email=LABELER)
    project = factories.make_project(manager=factories.make_user(), labeler=labeler, task_type=task)
    project.instructions.all().delete()
    folder = settings.LOUPE_HOME / "photos" / str(project.pk)
    folder.mkdir(parents=True)
    for number in range(images):
        (folder / f"{number:05}.jpg").write_bytes(photo(size, project.pk * 1000 + number))
    importing.add_folder(project, folder, project.created_by)
    factories.run_jobs("quick")
    Project.objects.filter(pk=project.pk).update(validation_rate=0)
    QueueEntry.objects.filter(item__project=project).update(kind="manual", inclusion_probability=None)
    return project


def answer_with(project: Any, count: int, size: tuple[int, int]) -> None:
    """Submit one page as the labeler, with so many boxes."""
    from rest_framework.test import APIClient

    client = APIClient(SERVER_NAME="localhost")
    client.force_authenticate(project.memberships.get(role="labeler").user)
    address = f"/api/projects/{project.pk}/pages/"
    page = client.post(address, {"size": 1}, format="json").json()
    label = project.classes.earliest("position").pk
    regions = [{"class": label, "bbox": box} for box in boxes(count, size)]
    answer = {"item": page["items"][0]["id"], "uuid": str(uuid.uuid4()), "seconds": 1, "regions": regions}
    reply = client.post(f"{address}{page['page']}/submit/", {"answers": [answer]}, format="json")
    if reply.status_code != 200:
        raise RuntimeError(reply.content.decode())


@dataclass(slots=True)
class Hand:
    """A browser that is signed in as the labeler."""

    browser: Browser
    address: str
    cookie: str

    @contextmanager
    def page(self) -> Iterator[Page]:
        context = self.browser.new_context(base_url=self.address, viewport=VIEWPORT)  # type: ignore[arg-type]
        context.add_cookies([{"name": "sessionid", "value": self.cookie, "url": self.address}])
        context.add_init_script(path=PROBE)
        yield context.new_page()
        context.close()

    @contextmanager
    def labeling(self, project: Any) -> Iterator[Page]:
        with self.page() as page:
            page.goto(f"/projects/{project.pk}/label/")
            page.wait_for_selector("[data-part=waiting]", state="hidden")
            page.wait_for_selector("[data-part=stage]")
            page.wait_for_timeout(THINK * 1000)
            yield page


def middle(page: Page, selector: str) -> tuple[float, float]:
    box = page.locator(selector).bounding_box()
    if box is None:
        raise RuntimeError(f"{selector} is not on screen")
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def pause() -> None:
    """Wait a little: input that comes just after a frame would always wait the longest for the next one."""
    time.sleep(CHANCE.uniform(0, 1 / 60))


def circle(page: Page, around: tuple[float, float], moves: int) -> None:
    """Move the pointer round and round."""
    for number in range(moves):
        turn = number / 20
        pause()
        page.mouse.move(around[0] + 90 * math.sin(turn), around[1] + 70 * (1 - math.cos(turn)))


def drag(page: Page, around: tuple[float, float], moves: int, button: Any = "left") -> None:
    page.mouse.move(*around)
    page.mouse.down(button=button)
    circle(page, around, moves)
    page.mouse.up(button=button)


def zoom(page: Page, turns: int) -> None:
    for number in range(turns):
        pause()
        page.mouse.wheel(0, -60 if number % 40 < 20 else 60)


def reopen(page: Page) -> None:
    """Show the page submitted last, with all its boxes, to be corrected."""
    page.evaluate("meter.drawn.clear()")
    page.keyboard.press("d")
    page.wait_for_function("() => meter.drawn.size > 0")
    page.wait_for_timeout(1500)  # what is prepared for a large image when nothing else is to do
    page.keyboard.press("v")


def drag_boxes(page: Page, moves: int) -> Reach:
    """Move the box in the middle, then pull one of its corners."""
    reopen(page)
    centre = middle(page, "[data-part=stage]")
    page.mouse.click(*centre)
    page.wait_for_selector("[data-handle=se]", state="attached")
    page.evaluate("meter.inputs.length = 0")
    drag(page, centre, moves // 2)
    drag(page, middle(page, "[data-handle=se]"), moves // 2)
    return Reach.of(page)


def pan_and_zoom(page: Page, moves: int) -> Reach:
    reopen(page)
    centre = middle(page, "[data-part=stage]")
    page.mouse.move(*centre)
    page.evaluate("meter.inputs.length = 0")
    zoom(page, moves // 2)
    page.mouse.wheel(0, -1200)
    drag(page, centre, moves // 2, "middle")
    return Reach.of(page)


def floors(page: Page, moves: int) -> tuple[Reach, Reach]:
    """Measure an empty page, with the pointer and with the wheel."""
    page.route("**/empty", lambda route: route.fulfill(body=EMPTY, content_type="text/html"))
    page.goto("/empty")
    drag(page, (VIEWPORT["width"] / 2, VIEWPORT["height"] / 2), moves // 2)
    pointer = Reach.of(page)
    zoom(page, moves // 2)
    return pointer, Reach.of(page)


def submits(page: Page, pages: int, images: int, answer: Callable[[], None]) -> list[float]:
    """Answer page after page; milliseconds from Enter until the next one is painted."""
    for done in range(pages):
        time.sleep(THINK)
        answer()
        page.evaluate("images => { meter.awaited = images }", images)
        page.keyboard.press("Enter")
        page.wait_for_function("done => meter.submits.length > done", arg=done)
    return page.evaluate("meter.submits")


def answer_grid(page: Page) -> None:
    for _ in range(9):
        page.keyboard.press("1")


def answer_canvas(page: Page) -> None:
    x, y = middle(page, "[data-part=stage]")
    page.keyboard.press("r")
    page.keyboard.press("1")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 50, steps=3)
    page.mouse.up()


def assets_of(hand: Hand, project: Any) -> Figures:
    """Return the kilobytes of our own scripts and styles, as gzip packs them."""
    answers: list[Response] = []
    with hand.page() as page:
        page.on("response", lambda answer: answers.append(answer))
        page.goto(f"/projects/{project.pk}/label/")
        page.wait_for_selector("[data-part=stage]")
        page.wait_for_load_state("networkidle")
        sizes = {"js": 0, "css": 0}
        for answer in answers:
            path = answer.url.split("?")[0]
            kind = path.rsplit(".", 1)[-1]
            if "/static/labeling/" in path and kind in sizes:
                sizes[kind] += len(gzip.compress(answer.body(), 9))
    return {name: round(size / 1000, 1) for name, size in (*sizes.items(), ("all", sum(sizes.values())))}


@dataclass(slots=True)
class Projects:
    """What is labeled; made before the browser starts, whose event loop Django would not share."""

    grid: Any
    canvas: Any
    crowded: dict[str, Any]

    @classmethod
    def make(cls, pages: int) -> "Projects":
        crowded = {}
        for name, (count, size, _) in CROWDED.items():
            crowded[name] = make_project("detection", size, 4)
            answer_with(crowded[name], count, size)
        return cls(
            make_project("multiclass", (640, 480), 9 * (pages + 4)),
            make_project("detection", USUAL, pages + 8),
            crowded,
        )


CROWDED = {
    "pointer_to_paint_ms": (300, USUAL, drag_boxes),
    "pointer_to_paint_1000_ms": (1000, USUAL, drag_boxes),
    "pan_zoom_large_ms": (300, LARGE, pan_and_zoom),
}


def measure(hand: Hand, projects: Projects, moves: int, pages: int) -> dict[str, Any]:
    reaches = {}
    with hand.page() as page:
        pointer, wheel = floors(page, moves)
    reaches["floor_ms"], reaches["floor_wheel_ms"] = pointer, wheel
    both = Reach(pointer.whole + wheel.whole, pointer.work + wheel.work)
    for name, (_, _, act) in CROWDED.items():
        with hand.labeling(projects.crowded[name]) as page:
            reaches[name] = act(page, moves)
    with hand.labeling(projects.grid) as page:
        tiles = submits(page, pages, 9, lambda: answer_grid(page))
    with hand.labeling(projects.canvas) as page:
        single = submits(page, pages, 1, lambda: answer_canvas(page))
    assets = {"canvas": assets_of(hand, projects.canvas), "grid": assets_of(hand, projects.grid)}
    return {
        "submit_to_painted_ms": percentiles(tiles),
        "submit_to_painted_canvas_ms": percentiles(single),
        **{name: percentiles(reach.whole) for name, reach in reaches.items()},
        "work_ms": {name: percentiles(reach.work) for name, reach in reaches.items()},
        "over_floor": {
            name: ratios(reaches[name], both if act is pan_and_zoom else pointer)
            for name, (_, _, act) in CROWDED.items()
        },
        "assets_gzip_kb": assets["canvas"]["all"],
        "assets": assets,
        "moves": moves,
        "pages": pages,
    }


def ratios(reach: Reach, empty: Reach) -> Figures:
    return {
        "whole": round(float(np.median(reach.whole) / np.median(empty.whole)), 2),
        "work": round(float(np.median(reach.work) / np.median(empty.work)), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small run that proves it works")
    options = parser.parse_args()
    moves, pages = (60, 4) if options.quick else (400, 40)
    with loupe():
        from django.test import Client

        from deploy import webserver
        from labeling.models import User

        labeler = User.objects.create_user(LABELER, page_size=9)
        client = Client()
        client.force_login(labeler)
        projects = Projects.make(pages)
        print("projects are made", file=sys.stderr)
        with webserver.temporary() as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            hand = Hand(browser, address, client.cookies["sessionid"].value)
            figures = measure(hand, projects, moves, pages)
            browser.close()
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
