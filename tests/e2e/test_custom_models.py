"""A manager compares unnamed candidates, sees names and figures at the end, and chooses."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from mlassist.models import ChosenModel, CustomModel, Round, Vote
from tests import factories
from tests.e2e.test_accessibility import faults
from tests.mlassist.eyes import offer

TITLES = ("As Loupe trains by itself", "Another kind of head")


@pytest.fixture
def made(shapes):
    """Two candidates, and five images on which they take different sides."""
    offer("bundled")
    items = factories.make_items(shapes, 5)
    circle, square = shapes.classes.order_by("position")[:2]
    made = CustomModel.objects.create(project=shapes, labels=60, compared_at=timezone.now())
    candidates = [
        made.candidates.create(
            position=at,
            way=title,
            title=title,
            backbone="bundled",
            model="none",
            seconds=2.5,
            right={str(n): float(n % 4 > 0 or at == 0) for n in range(60)},
            metrics={"n": 60, "right": 1 - at / 4, "low": 0.6, "high": 1.0, "head": "logistic"},
        )
        for at, title in enumerate(TITLES)
    ]
    ids = [each.pk for each in candidates]
    for number, item in enumerate(items, 1):
        Round.objects.create(
            custom_model=made,
            number=number,
            item=item,
            order=ids if number % 2 else ids[::-1],
            found={
                str(ids[0]): [{"class": circle.pk, "confidence": 0.9}],
                str(ids[1]): [{"class": square.pk, "confidence": 0.8}],
            },
        )
    return made


def test_candidates_are_chosen_by_eye_without_their_names(browse, made, manager) -> None:
    page = browse(manager, f"/projects/{made.project_id}/custom-models/{made.pk}/")
    heading = page.get_by_text("Round 1 of 5.")
    expect(heading).to_be_visible()
    for title in TITLES:
        expect(page.get_by_text(title)).to_have_count(0)
    page.get_by_role("button", name="Enlarge candidate B").click()
    large = page.get_by_role("dialog")
    expect(large).to_contain_text("square")
    page.keyboard.press("ArrowRight")
    expect(large).to_contain_text("circle")
    page.keyboard.press("z")
    expect(large).to_be_hidden()

    page.keyboard.press("2")
    expect(page.get_by_text("Round 2 of 5.")).to_be_visible()
    page.get_by_role("button", name="Candidate A is best").click()
    expect(page.get_by_text("Round 3 of 5.")).to_be_visible()
    page.reload()  # nothing of it is lost
    page.keyboard.press("2")
    expect(page.get_by_text("Round 4 of 5.")).to_be_visible()
    page.get_by_role("button", name="No difference").click()
    expect(page.get_by_text("Round 5 of 5.")).to_be_visible()
    page.keyboard.press("1")

    expect(page.get_by_role("heading", name="Choose a model")).to_be_visible()
    assert Vote.objects.filter(candidate__title=TITLES[1]).count() == 3
    expect(page.get_by_text("Eye and figures disagree")).to_contain_text("75 %")
    expect(page.get_by_role("radio", name=TITLES[1])).to_be_checked()
    page.get_by_role("radio", name=TITLES[0]).check()
    page.get_by_role("button", name="Use this model").click()
    expect(page.get_by_text(f"“{TITLES[0]}” is chosen")).to_be_visible()
    assert ChosenModel.objects.get(project=made.project).candidate.title == TITLES[0]
    page.get_by_role("link", name="Start auto-labeling").click()
    expect(page.get_by_role("heading", name="Start auto-labeling")).to_be_visible()


def test_its_pages_have_no_faults(browse, made, manager) -> None:
    page = browse(manager, color_scheme="dark")
    at = f"/projects/{made.project_id}"
    found = {}
    for address in (
        f"{at}/custom-models/",
        f"{at}/custom-models/{made.pk}/",
        f"{at}/custom-models/{made.pk}/?results",
        f"{at}/auto-label/start/",
    ):
        page.goto(address)
        found |= faults(page, address)
    assert found == {}
