"""Looking ahead before promising, and leaving a class to people."""

import pytest
from playwright.sync_api import expect

from mlassist.models import Certificate, ModelVersion, WithheldClass
from tests import factories


@pytest.fixture
def certified(shapes):
    factories.make_unread_items(shapes, 200)
    version = ModelVersion.objects.create(
        project=shapes,
        number=1,
        backbone="bundled",
        head="none",
        labels=100,
        metrics={"expected_error": [[0.25, 0.01], [0.5, 0.03], [0.75, 0.1], [1.0, 0.2]]},
    )
    circle = shapes.classes.order_by("position").first()
    return Certificate.objects.create(
        project=shapes,
        model_version=version,
        attempt=1,
        state="valid",
        target_error=0.05,
        confidence=0.95,
        alpha=0.025,
        threshold=0.8,
        n=200,
        errors=3,
        bound=0.04,
        allowed_error=0.05,
        coverage=0.5,
        n_validation=400,
        sentence="At least 95 % correct with 95 % confidence, from 200 blind labels with 3 errors.",
        evidence={
            "blind_labels": 400,
            "blocked": {},
            "steps": [],
            "classes": {str(circle.pk): {"images": 80, "accepted": 60}},
            "naive": {"threshold": 0.5, "coverage": 0.9, "n": 360, "errors": 18, "bound": 0.074},
        },
    )


def test_a_manager_sees_what_a_promise_would_bring_before_making_it(browse, certified, manager):
    page = browse(manager, f"/projects/{certified.project.pk}/settings/")
    preview = page.locator(".preview")
    expect(preview).to_contain_text("prepare for confirmation about 50 % of the images")
    page.get_by_label("At least this share right (%)").fill("90")
    expect(preview).to_contain_text("50 %")
    page.get_by_label("Of all labels in the data set").check()
    expect(preview).to_contain_text("75 %")
    page.get_by_label("Label what is certified").check()
    expect(preview).to_contain_text("of labeling by hand")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    certified.project.refresh_from_db()
    assert (certified.project.promise, certified.project.target_error) == ("whole", 0.1)


def test_a_manager_leaves_a_class_to_people_and_takes_it_back(browse, certified, manager, labeler):
    page = browse(manager, f"/projects/{certified.project.pk}/certificate/")
    expect(page.get_by_text("What the usual rule would have done")).to_be_visible()
    row = page.get_by_role("row", name="circle")
    expect(row).to_contain_text("covered")
    row.get_by_role("button", name="Leave to people").click()
    expect(row).to_contain_text("left to people")
    assert WithheldClass.objects.get().created_by == manager
    row.get_by_role("button", name="Let the model label it").click()
    expect(row).to_contain_text("covered")
    assert not WithheldClass.objects.exists()
    seen = browse(labeler, f"/projects/{certified.project.pk}/certificate/")
    expect(seen.get_by_text("Class by class")).to_be_visible()
    expect(seen.get_by_role("button", name="Leave to people")).to_have_count(0)
