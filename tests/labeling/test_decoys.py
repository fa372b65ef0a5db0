"""Hidden outliers: one grid in ten has an image of another class, to see whether the labeler looks."""

import uuid

import pytest

from labeling import decoys, queue, statistics, submission
from labeling.api.shapes import page_shape
from labeling.models import Annotation, Item, Page, QueueEntry
from tests import factories
from tests.labeling.test_rechecks import answer, grid

pytestmark = pytest.mark.django_db


@pytest.fixture
def known(project, square) -> Item:
    """An image that somebody else has labeled a square, by itself; none is drawn for validation."""
    other = factories.make_user()
    factories.add_member(project, other)
    item = factories.make_items(project, 1)[0]
    project.validation_rate = 0
    project.save()
    QueueEntry.objects.update(kind="manual")
    page = queue.claim(project, other, 1)
    submission.submit(page, other, [answer(item.pk, square)])
    return item


@pytest.fixture(autouse=True)
def always(monkeypatch) -> None:
    monkeypatch.setattr(decoys, "SHARE", 1.0)


def shown(page: Page) -> list[int]:
    return [each["id"] for each in page_shape(page)["items"]]


def shown_to(client, project) -> list[dict]:
    return client.post(f"/api/projects/{project.pk}/pages/", {"size": 9}, format="json").json()["items"]


def figures(project, labeler) -> tuple[int, int]:
    row = statistics.grids_by_labeler(project, labeler)[0]
    return row["hidden"], row["found"]


def test_it_looks_like_the_others_and_the_page_is_no_larger(project, labeler, circle, known) -> None:
    grid(project, 9, circle)
    page = queue.claim(project, labeler, 9)
    items = page_shape(page)["items"]
    assert len(items) == 9
    assert known.pk in shown(page)
    assert len({(each["why"], str(each["suggestion"]), *sorted(each)) for each in items}) == 1


def test_its_picture_can_be_seen_by_who_has_the_page_only(project, labeler, circle, known, api) -> None:
    stranger = factories.make_user()
    factories.add_member(project, stranger)
    grid(project, 9, circle)
    hidden = next(each for each in shown_to(api(labeler), project) if each["id"] == known.pk)
    for address in (hidden["image"], hidden["thumbnail"]):
        assert api(labeler).get(address).status_code == 200
        assert api(stranger).get(address).status_code == 404
    outline = f"/api/projects/{project.pk}/items/{known.pk}/outline/"
    click = {"points": [{"x": 16, "y": 16, "inside": True}]}
    assert api(labeler).post(outline, click, format="json").status_code != 404


@pytest.mark.parametrize(("looks", "found"), [(True, 1), (False, 0)])
def test_who_looks_finds_it_and_its_label_stays(project, labeler, circle, known, looks, found) -> None:
    grid(project, 9, circle)
    page = queue.claim(project, labeler, 9)
    given = [answer(item, None if looks and item == known.pk else circle) for item in shown(page)]
    for _ in range(2):  # a repeat changes nothing
        states = {each["item"]: each["status"] for each in submission.submit(page, labeler, given)}
    assert states.pop(known.pk) == ("returned" if looks else "counted")
    assert set(states.values()) == {"counted"}
    assert figures(project, labeler) == (1, found)
    known.refresh_from_db()
    assert (known.state, known.current_annotation_id) == ("labeled", Annotation.objects.get(item=known).pk)
    assert not QueueEntry.objects.filter(item=known).exists()


def test_its_own_class_is_as_good_as_taking_it_out(project, labeler, circle, square, known) -> None:
    grid(project, 4, circle)
    page = queue.claim(project, labeler, 9)
    submission.submit(
        page, labeler, [answer(item, square if item == known.pk else circle) for item in shown(page)]
    )
    assert figures(project, labeler) == (1, 1)


def test_taking_a_page_back_shows_it_again(project, labeler, circle, known) -> None:
    grid(project, 9, circle)
    page = queue.claim(project, labeler, 9)
    before = shown(page)
    submission.submit(page, labeler, [answer(item, circle) for item in before])
    page, _ = submission.undo(project, labeler)
    assert shown(page) == before
    submission.submit(page, labeler, [answer(item, None if item == known.pk else circle) for item in before])
    assert figures(project, labeler) == (1, 1)


@pytest.mark.parametrize("said", ["circle", "square", "skip", "exception"])
def test_what_is_said_of_it_is_shown_as_of_the_others(
    project, labeler, circle, square, known, api, said
) -> None:
    grid(project, 9, circle)
    base = f"/api/projects/{project.pk}/pages/"
    page = api(labeler).post(base, {"size": 9}, format="json").json()
    items = [each["id"] for each in page["items"]]
    ways = {
        "circle": {"regions": [{"class": circle}]},
        "square": {"regions": [{"class": square}]},
        "skip": {"skipped": True, "skip_reason": "Too dark."},
        "exception": {"exception": True},
    }

    def sent(way: str) -> dict:
        answers = [
            {"item": item, "uuid": str(uuid.uuid4()), **ways[way if item in odd else "circle"]}
            for item in items
        ]
        return api(labeler).post(f"{base}{page['page']}/submit/", {"answers": answers}, format="json").json()

    like = next(item for item in items if item != known.pk)
    odd = {known.pk, like}  # a real image that is answered the same way
    done = sent(said)
    states = {each["item"]: each["status"] for each in done["saved"]}
    assert states[known.pk] == states[like]
    assert done["done_today"] == 9 - 2 * (said in ("skip", "exception"))
    for _ in range(2):
        body = api(labeler).get(f"{base}{page['page']}/").json()
        assert body["answers"].get(str(known.pk)) == body["answers"].get(str(like))
        rows = {each["id"]: each for each in api(labeler).get(base).json()["pages"][0]["items"]}
        assert (known.pk in rows) == (like in rows) == (said != "exception")
        if known.pk in rows:
            assert rows[known.pk]["labels"] == rows[like]["labels"]
            assert rows[known.pk]["skipped"] == rows[like]["skipped"] == (said == "skip")
        undone = api(labeler).post(f"{base}undo/").json()
        assert [each["id"] for each in undone["items"]] == items
        assert undone["answers"].get(str(known.pk)) == undone["answers"].get(str(like))
        assert statistics.done_today(project, labeler) == 0
        sent(said)


def test_where_nobody_else_labels_nothing_is_hidden(project, labeler, reviewer, circle, known) -> None:
    Annotation.objects.update(labeler=labeler)
    grid(project, 9, circle)
    assert known.pk not in shown(queue.claim(project, labeler, 9))


@pytest.mark.parametrize("count", [3, 9])
def test_few_look_alikes_and_those_without_a_class_hide_nothing(
    project, labeler, circle, known, count
) -> None:
    grid(project, count, circle if count == 3 else None)
    assert known.pk not in shown(queue.claim(project, labeler, 9))


def test_nobody_else_can_answer_for_it(project, labeler, circle, known) -> None:
    grid(project, 9, circle)
    page = queue.claim(project, labeler, 9)
    stranger = submission.Answer(10**9, uuid.uuid4(), (submission.RegionInput(circle),))
    with pytest.raises(submission.InvalidAnswer):
        submission.submit(page, labeler, [stranger])
