"""The canvas as tests see it: in pixels of the image."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

SIZE = (640, 480)


class Canvas:
    """The Label page of a project to draw on, in pixels of the image."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.stage = page.locator("[data-canvas=stage]")
        self.objects = page.locator("[data-canvas=objects] .object-main")
        self.proposed = page.locator("[data-proposed=list] .object-main")
        self.note = page.locator("[data-canvas=note]")
        expect(page.locator("[data-canvas=file]")).not_to_be_empty()

    def reload(self) -> None:
        self.page.reload()
        expect(self.page.locator("[data-canvas=file]")).not_to_be_empty()

    def view(self) -> list[float]:
        """Return scale, x and y of the image in the window."""
        transform = self.page.locator(".in-image").get_attribute("transform") or ""
        scale, _, _, _, x, y = (float(each) for each in re.findall(r"-?[\d.]+(?:e-?\d+)?", transform))
        place = self.stage.bounding_box()
        assert place
        return [scale, x + place["x"], y + place["y"]]

    def at(self, x: float, y: float) -> tuple[float, float]:
        scale, left, top = self.view()
        return left + x * scale, top + y * scale

    def click(self, x: float, y: float, *, keys: str = "", button: str = "left", count: int = 1) -> None:
        if keys:
            self.page.keyboard.down(keys)
        self.page.mouse.click(*self.at(x, y), button=button, click_count=count)  # type: ignore[arg-type]
        if keys:
            self.page.keyboard.up(keys)

    def drag(self, start: tuple[float, float], end: tuple[float, float], *, button: str = "left") -> None:
        begin, middle, stop = (
            self.at(*start),
            self.at((start[0] + end[0]) / 2, (start[1] + end[1]) / 2),
            self.at(*end),
        )
        self.page.mouse.move(*begin)
        self.page.mouse.down(button=button)  # type: ignore[arg-type]
        self.page.mouse.move(*middle)
        self.page.mouse.move(*stop)
        self.page.mouse.up(button=button)  # type: ignore[arg-type]

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def names(self) -> list[str]:
        return [each.get_attribute("aria-label") or "" for each in self.objects.all()]

    def box(self) -> list[float]:
        """Return x, y, width and height of the selected region, as the fields show them."""
        return [float(self.page.locator(f".numbers [name={name}]").input_value()) for name in "xywh"]

    def submit(self) -> None:
        with self.page.expect_response(re.compile("/submit/$")) as response:
            self.page.keyboard.press("Control+Enter")
        assert response.value.ok, response.value.text()


Open = Callable[..., Canvas]


def near(found: list[float], wanted: list[float], slack: float = 1.0) -> bool:
    return all(abs(one - other) <= slack for one, other in zip(found, wanted, strict=True))
