"""A few proposals are hidden by chance, so that the dashboard can say whether the others sway people."""

import csv
import uuid
from typing import Any

import numpy as np
import pytest
from django.urls import reverse

from labeling import bias, figures, queue, statistics, submission, suggestions
from labeling.models import Annotation, Claim, Item, Project, QueueEntry, User
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def proposed(project, items) -> Project:
    """Everything waits to be confirmed as a circle."""
    Project.objects.filter(pk=project.pk).update(validation_rate=0)
    QueueEntry.objects.filter(project=project).update(kind="manual", inclusion_probability=None)
    circle = project.classes.get(name="circle").pk
    suggestions.order_queue(
        project,
        [suggestions.Placement(each.pk, "prelabeled", 0.1, 1, circle, "it is sure") for each in items],
    )
    return project


def always(project: Project, monkeypatch) -> None:
    Project.objects.filter(pk=project.pk).update(hidden_share=0.2)
    project.refresh_from_db()
    monkeypatch.setattr(bias.random, "random", lambda: 0.0)


def test_a_hidden_proposal_looks_like_an_ordinary_question(proposed, labeler, api, monkeypatch) -> None:
    always(proposed, monkeypatch)
    page = api(labeler).post(f"/api/projects/{proposed.pk}/pages/", {"size": 9}, format="json").json()
    assert (page["kind"], len(page["items"])) == ("manual", 1)
    assert page["items"][0]["suggestion"] is None
    assert not page["why"]
    assert "hidden" not in str(page)
    assert Claim.objects.get().hidden["regions"] == [{"class": proposed.classes.get(name="circle").pk}]


def test_answers_to_hidden_proposals_tell_how_well_they_agree(proposed, labeler, monkeypatch) -> None:
    always(proposed, monkeypatch)
    while factories.answer(proposed, labeler):
        pass
    given = Annotation.objects.filter(suggestion_hidden=True, suggestion_visible=False)
    assert given.count() == len(Item.objects.all())
    for each in given.prefetch_related("regions__label_class"):
        assert each.agreement == float(each.regions.get().label_class.name == "circle")
        assert each.origin == "person"


def test_nothing_is_hidden_where_the_share_is_none(proposed, labeler) -> None:
    while factories.answer(proposed, labeler, size=4):
        pass
    assert not Annotation.objects.filter(suggestion_hidden=True).exists()
    assert set(Annotation.objects.values_list("agreement", flat=True)) == {0.0, 1.0}


def test_a_hidden_drawing_is_compared_by_its_objects(manager, labeler, monkeypatch) -> None:
    project = factories.make_project(manager=manager, labeler=labeler, task_type="detection")
    items = factories.make_scenes(project, 2)
    factories.prelabel(project, items)
    always(project, monkeypatch)
    page = queue.claim(project, labeler, 1)
    claim = page.claims.get()
    assert claim.proposal is None
    shapes = factories.true_regions(claim.item)
    drawn = tuple(submission.RegionInput(each["class"], each["bbox"]) for each in shapes[1:])
    submission.submit(page, labeler, [submission.Answer(claim.item_id, uuid.uuid4(), drawn)])
    expected = 2 * (len(shapes) - 1) / (2 * len(shapes) - 1)
    assert Annotation.objects.get().agreement == pytest.approx(expected)


def test_dashboard_says_that_people_follow_a_model_that_they_would_not_believe(project) -> None:
    swayed = bias.compared(0.97, 400, 0.80, 100)
    assert 0 < swayed.low < swayed.difference < swayed.high
    free = bias.compared(0.97, 400, 0.96, 50)
    assert free.low < 0 < free.high


@pytest.mark.parametrize("truth", [0.5, 0.9, 0.99])
def test_the_interval_holds_nineteen_times_in_twenty(truth) -> None:
    rng = np.random.default_rng(3)
    shown, hidden = rng.binomial(300, truth, 4_000) / 300, rng.binomial(40, truth, 4_000) / 40
    found = [bias.compared(one, 300, other, 40) for one, other in zip(shown, hidden, strict=True)]
    assert np.mean([each.low <= 0 <= each.high for each in found]) > 0.94


def test_labelers_are_not_told_how_they_are_measured(proposed, labeler, reviewer, api) -> None:
    factories.answer(proposed, labeler, size=9)
    url = f"/api/projects/{proposed.pk}/"
    assert {"effort", "sway"} <= api(reviewer).get(url).json().keys()
    told = api(labeler).get(url).json()
    assert not {"effort", "sway", "hidden_share"} & told.keys()
    assert set(told["labels_by_labeler"][0]) == {"id", "name", "count", "today"}


def test_what_the_model_spares_is_told_in_hours_and_money(project, labeler, items) -> None:
    Project.objects.filter(pk=project.pk).update(hourly_cost=36.0, currency="EUR")
    project.refresh_from_db()
    by_hand, confirmed = items[:2], items[2:6]
    for each in by_hand:
        label(each, labeler, seconds=10.0)
    for each in confirmed:
        label(each, labeler, seconds=1.0, suggestion_visible=True, agreed=True)
    effort = statistics.overview(project)["effort"]
    assert effort["hours"] == pytest.approx((2 * 10 + 4 * 1) / 3600, abs=1e-3)
    assert effort["hours_saved"] == pytest.approx(4 * (10 - 1) / 3600, abs=1e-3)
    assert (effort["cost"], effort["cost_saved"]) == pytest.approx((0.24, 0.36))


def label(item: Item, labeler: User, **fields: Any) -> None:
    given = factories.make_annotation(item, "circle", labeler, **fields)
    Item.objects.filter(pk=item.pk).update(state="labeled", current_annotation=given)


def test_tables_of_the_dashboard_come_as_files(project, labeler, manager, items, client) -> None:
    factories.answer_all(project, labeler)
    client.force_login(manager)
    for name in figures.names():
        answer = client.get(reverse("figures", args=[project.pk, name]))
        assert answer.status_code == 200
        assert answer["Content-Type"].startswith("text/csv")
    people = client.get(reverse("figures", args=[project.pk, "people"])).getvalue().decode("utf-8-sig")
    rows = list(csv.reader(people.splitlines()))
    assert rows[0][:3] == ["id", "name", "count"]
    assert rows[1][2] == str(Annotation.objects.count())
