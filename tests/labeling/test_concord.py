"""How much people agree, and where they do not."""

import csv
import io
from datetime import date, timedelta

import numpy as np
import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from labeling import concord, kappa, review, worker_quality
from labeling.models import AgreementReport, Annotation, Job, WorkerQuality
from tests import factories


def test_kappa_and_alpha_are_as_in_the_books() -> None:
    # Cohen's own kind of table: 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no.
    pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    assert kappa.kappa(pairs) == pytest.approx(0.4)
    # Krippendorff 2011, "Computing Krippendorff's alpha-reliability", part C: nominal, with missing data.
    a, b, c, d = (
        [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
        [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
    )
    units = [[each for each in unit if each is not None] for unit in zip(a, b, c, d, strict=True)]
    assert kappa.alpha(units) == pytest.approx(0.743, abs=0.0005)


@given(st.lists(st.lists(st.booleans(), max_size=5), max_size=20))
def test_yes_or_no_by_counts_is_the_same_as_by_answers(units) -> None:
    yes, answers = (np.array([count(unit) for unit in units]) for count in (sum, len))
    assert kappa.binary_alpha(yes, answers) == pytest.approx(kappa.alpha(units))


@pytest.mark.parametrize("pairs", [[], [(1, 1)], [(1, 1), (1, 1)]])
def test_nothing_is_said_where_nothing_can_be(pairs) -> None:
    assert kappa.kappa(pairs) is None
    assert kappa.alpha(pairs) is None


@pytest.fixture
def crowd(project) -> list:
    crowd = [factories.make_user(f"p{number}@example.com", name=f"P{number}") for number in range(3)]
    for each in crowd:
        factories.add_member(project, each)
    return crowd


@pytest.fixture
def answered(project, crowd) -> list:
    """Twelve images that three people answered: the third one errs on every other."""
    items = factories.make_unread_items(project, 12)
    names = ["circle", "square", "triangle"]
    for number, item in enumerate(items):
        for place, person in enumerate(crowd):
            wrong = place == 2 and number % 2
            factories.make_annotation(item, names[(number + bool(wrong)) % 3], person)
    last_week = timezone.now() - timedelta(days=7)
    Annotation.objects.filter(item__in=items[:6]).update(created_at=last_week)
    return items


@pytest.mark.django_db
def test_a_report_says_who_agrees_on_what_and_when(project, crowd, answered) -> None:
    data = concord.recount(project).data
    assert (data["items"], data["answers"], data["disputed"]) == (12, 36, 6)
    pairs = {(row["one"], row["other"]): row for row in data["pairs"]}
    one, two, three = (each.pk for each in crowd)
    assert (pairs[one, two]["kappa"], pairs[one, two]["disagreed"]) == (1, 0)
    assert (pairs[two, three]["items"], pairs[two, three]["disagreed"]) == (12, 6)
    assert 0 < pairs[two, three]["kappa"] < 0.5
    assert sum(row["items"] for row in data["weeks"]) == 12
    assert len(data["weeks"]) == 2
    assert {row["class"] for row in data["classes"]} == set(project.classes.values_list("id", flat=True))


@pytest.mark.django_db
def test_each_figure_opens_the_images_that_it_counts(project, crowd, answered) -> None:
    data = concord.recount(project).data
    odd = {each.pk for each in answered[1::2]}

    def found(which: str) -> set[int]:
        return set(review.select(project, review.Filters(disagreement=which)).values_list("id", flat=True))

    assert found("all") == odd
    assert found(f"pair:{crowd[2].pk}-{crowd[0].pk}") == odd
    assert found(f"pair:{crowd[0].pk}-{crowd[1].pk}") == set()
    for row in data["classes"]:
        assert len(found(f"class:{row['class']}")) == row["disagreed"]
    for row in data["weeks"]:
        assert len(found(f"week:{row['week']}")) == row["disagreed"]
    for nonsense in ("pair:1", "week:2026-13-45", "class:²", "x"):
        assert found(nonsense) == set()


@pytest.mark.django_db
def test_what_was_confirmed_on_sight_of_a_proposal_is_no_agreement(project, crowd, answered) -> None:
    Annotation.objects.filter(labeler=crowd[0]).update(suggestion_visible=True)
    assert [(row["one"], row["other"]) for row in concord.recount(project).data["pairs"]] == [
        (crowd[1].pk, crowd[2].pk)
    ]


@pytest.mark.django_db
def test_boxes_are_compared_by_what_they_share(manager, labeler, reviewer) -> None:
    project = factories.make_project(
        manager=manager, labeler=labeler, reviewer=reviewer, task_type="detection"
    )
    label = project.classes.first()
    items = factories.make_unread_items(project, 2)
    for item, shift in zip(items, (0, 30), strict=True):
        for person, x in ((labeler, 0), (reviewer, shift)):
            given_answer = factories.make_annotation(item, label.name, person)
            given_answer.regions.update(bbox=[x, 0, 20, 20])
    data = concord.recount(project).data
    [pair] = data["pairs"]
    assert (pair["alike"], pair["overlap"], pair["disagreed"]) == (0.5, 1, 1)
    assert data["classes"][0]["disagreed"] == 1


@pytest.mark.django_db
def test_the_page_counts_in_the_background_and_its_tables_are_files(
    project, crowd, answered, reviewer, client
) -> None:
    client.force_login(reviewer)
    address = f"/projects/{project.pk}/agreement/"
    assert "being counted" in client.get(address).content.decode()
    client.get(address)
    assert Job.objects.filter(kind="agreement").count() == 1
    factories.run_jobs("quick")
    page = client.get(address).content.decode()
    assert f"disagreement=pair:{crowd[0].pk}-{crowd[2].pk}" in page
    assert "every 2s" not in page
    for table, rows in (("pairs", 3), ("classes", 3), ("weeks", 2)):
        body = client.get(f"{address}{table}.csv").getvalue().decode("utf-8-sig")
        assert len(list(csv.DictReader(io.StringIO(body)))) == rows
    assert client.get(f"{address}others.csv").status_code == 404
    AgreementReport.objects.update(counted_at=timezone.now() - timedelta(hours=1))
    assert "every 2s" in client.get(address).content.decode()  # there may be newer answers


@pytest.mark.django_db
def test_people_are_measured_by_each_other_where_no_model_helps(project, crowd, answered) -> None:
    project.assist_mode = "off"
    project.save()
    for _ in range(2):
        concord.recount(project)
    assert WorkerQuality.objects.count() == 3  # nothing new, nothing more
    found = worker_quality.newest(project)
    assert found[crowd[2].pk].quality == pytest.approx(0.5)
    assert found[crowd[0].pk].quality == pytest.approx(0.75)
    assert found[crowd[0].pk].method == "agreement"


@pytest.mark.django_db
def test_weeks_begin_on_monday(project, crowd, answered) -> None:
    weeks = [date.fromisoformat(row["week"]) for row in concord.recount(project).data["weeks"]]
    assert [week.weekday() for week in weeks] == [0, 0]
