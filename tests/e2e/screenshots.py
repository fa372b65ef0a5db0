"""Take the README's pictures from a running Loupe.

python -m tests.e2e.screenshots http://localhost:8000 manager@example.com PASSWORD 1 2

The first number is of a project with classes where examples have been tried, the second of one with boxes or
polygons, and candidates for a custom model.
"""

import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.e2e.browser import CHROMIUM

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "screenshots"


def sign_in(page: Page, address: str, email: str, password: str) -> None:
    page.goto(f"{address}/sign-in/")
    page.fill("input[name=username]", email)
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_url(f"{address}/")


def main() -> None:
    address, email, password, project, drawing = sys.argv[1:6]
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, path, theme in (
            ("dashboard", f"{project}/", "light"),
            ("label", f"{project}/label/", "light"),
            ("canvas", f"{drawing}/label/", "light"),
            ("certificate", f"{project}/certificate/", "light"),
            ("data", f"{project}/data/", "dark"),
            ("auto-label", f"{project}/auto-label/", "light"),
            ("by-eye", f"{drawing}/custom-models/", "light"),
        ):
            page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme=theme)
            sign_in(page, address, email, password)
            page.goto(f"{address}/projects/{path}")
            page.wait_for_timeout(1_000)
            if name == "by-eye":  # a round that nobody has voted in yet
                made = page.locator(".custom-made a").first.get_attribute("href") or ""
                page.goto(f"{address}{made.partition('?')[0]}")
            page.keyboard.press("Escape")  # the instructions, which open at the first visit
            page.wait_for_timeout(500)
            page.screenshot(path=FOLDER / f"{name}.png")
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
