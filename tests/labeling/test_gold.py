"""Known images: mixed among a labeler's own, told from none, and what they say of people."""

import random
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling import gold, pausing, probation, projects, queue, statistics, submission
from labeling.models import (
    Annotation,
    Decoy,
    Event,
    GoldItem,
    Item,
    Membership,
    Notification,
    Page,
    Project,
    QueueEntry,
)
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def other(project):
    other = factories.make_user("other@example.com")
    factories.add_member(project, other)
    return other


@pytest.fixture
def known(project, manager, other) -> list[Item]:
    """Fourteen images that somebody else labeled circles, all of them known ones."""
    items = labeled(project, other, 14)
    gold.add(project, [each.pk for each in items], manager)
    return items


@pytest.fixture
def work(project, known) -> list[Item]:
    """Images to label, none of which is asked blind."""
    Project.objects.filter(pk=project.pk).update(validation_rate=0)
    project.refresh_from_db()
    items = factories.make_unread_items(project, 40)
    factories.open_queue(project, items)
    return items


@pytest.fixture
def always(monkeypatch) -> None:
    monkeypatch.setattr(gold, "SHARE_FIRST", 1.0)
    monkeypatch.setattr(gold, "SHARE_LATER", 1.0)


def labeled(project, person, count: int, label: str = "circle") -> list[Item]:
    items = factories.make_unread_items(project, count)
    for item in items:
        given_label = factories.make_annotation(item, label, person, kind="manual")
        Item.objects.filter(pk=item.pk).update(state="labeled", current_annotation=given_label)
    return items


def page_for(api, project, person, size: int = 1) -> dict:
    response = api(person).post(f"/api/projects/{project.pk}/pages/", {"size": size}, format="json")
    assert response.status_code == 201, response.json()
    return response.json()


def send(api, project, person, page: dict, label: int, **fields) -> dict:
    answers = [
        {"item": each["id"], "uuid": str(uuid.uuid4()), "regions": [{"class": label}]} | fields
        for each in page["items"]
    ]
    address = f"/api/projects/{project.pk}/pages/{page['page']}/submit/"
    response = api(person).post(address, {"answers": answers}, format="json")
    assert response.status_code == 200, response.json()
    return response.json()


def shape_of(value) -> object:
    """Return a response without its values: which keys it has, and of which types."""
    if isinstance(value, dict):
        return {key: shape_of(each) for key, each in value.items() if not key.isdecimal()}
    if isinstance(value, list):
        return [shape_of(each) for each in value[:1]]
    return type(value).__name__


@pytest.mark.parametrize("size", [1, 4, 9])
def test_a_known_image_comes_and_goes_as_any_other_does(
    project, labeler, work, known, api, circle, size, monkeypatch
) -> None:
    numbers = {each.pk for each in known}
    told = []
    for share in (0.0, 1.0):
        monkeypatch.setattr(gold, "SHARE_FIRST", share)
        page = page_for(api, project, labeler, size)
        assert bool({each["id"] for each in page["items"]} & numbers) == bool(share)
        sent = send(api, project, labeler, page, circle)
        own = {row["id"]: row["today"] for row in statistics.labels_by_labeler(project)}
        assert own[labeler.pk] == sent["done_today"]
        pages = api(labeler).get(f"/api/projects/{project.pk}/pages/").json()
        again = api(labeler).get(f"/api/projects/{project.pk}/pages/{page['page']}/").json()
        undone = api(labeler).post(f"/api/projects/{project.pk}/pages/undo/").json()
        assert [each["kind"] for each in (page, pages["pages"][0], again, undone)] == ["manual"] * 4
        assert len(page["items"]) == len(again["answers"]) == len(undone["answers"]) == len(undone["items"])
        assert sent["done_today"] == len(page["items"]) + sum(len(each[1]) for each in told)
        send(api, project, labeler, undone, circle)
        told.append((shape_of([page, sent, pages, again, undone]), page["items"]))
    assert told[0][0] == told[1][0]


def test_an_answer_changes_nothing_but_what_is_known_of_its_labeler(
    project, labeler, work, known, api, square, always
) -> None:
    page = page_for(api, project, labeler)
    [item] = [each for each in known if each.pk == page["items"][0]["id"]]
    waiting = list(QueueEntry.objects.order_by("pk").values())
    send(api, project, labeler, page, square)
    assert list(QueueEntry.objects.order_by("pk").values()) == waiting
    item.refresh_from_db()
    assert [each.label_class.name for each in item.current_annotation.regions.all()] == ["circle"]
    assert not Annotation.objects.filter(labeler=labeler).exists()
    record = pausing.records(project, Membership.objects.filter(user=labeler))[labeler.pk]
    assert (record.hits, record.misses) == (0, 1)
    stranger = factories.make_user()
    factories.add_member(project, stranger)
    image = page["items"][0]["image"]
    assert api(labeler).get(image).status_code == 410  # there is no file behind it
    assert api(stranger).get(image).status_code == 404
    assert statistics.grids_by_labeler(project) == []


def test_nobody_gets_one_twice_nor_one_that_they_know(
    project, labeler, other, reviewer, manager, work, known, api, circle, always
) -> None:
    numbers = {each.pk for each in known}
    got = []
    for _ in range(len(known) + 2):
        page = page_for(api, project, labeler)
        got += [each["id"] for each in page["items"] if each["id"] in numbers]
        send(api, project, labeler, page, circle)
    assert sorted(got) == sorted(numbers)
    for person in (other, manager):  # who labeled them, and who chose them
        page = page_for(api, project, person)
        assert not {each["id"] for each in page["items"]} & numbers
    assert gold.pick(project, reviewer) is not None


@pytest.mark.parametrize(("done", "share"), [(0, 0.2), (49, 0.2), (50, 0.04)])
def test_new_labelers_get_more_of_them(project, labeler, work, known, done, share, monkeypatch) -> None:
    for item in work[:done]:
        factories.make_annotation(item, "circle", labeler)
    for item in factories.make_unread_items(project, max(0, done - len(work))):
        factories.make_annotation(item, "circle", labeler)
    monkeypatch.setattr(random, "random", lambda: share - 0.001)
    assert gold.draw(project, labeler, 1) is not None
    monkeypatch.setattr(random, "random", lambda: share)
    assert gold.draw(project, labeler, 1) is None


def test_what_is_asked_again_or_labeled_anew_is_not_known(project, labeler, manager, known) -> None:
    for each in known[1:]:
        Item.objects.filter(pk=each.pk).update(state="needs_review", current_annotation=None)
    QueueEntry.objects.create(item=known[0], project=project, kind="audit")
    assert gold.pick(project, labeler) is None
    QueueEntry.objects.all().delete()
    assert gold.pick(project, labeler).pk == known[0].pk
    with pytest.raises(gold.GoldRefused):
        gold.add(project, [known[1].pk], manager)


def test_labelers_learn_nothing_of_it_from_any_address(project, labeler, work, known, api, always) -> None:
    page = page_for(api, project, labeler)
    for address in (f"/api/projects/{project.pk}/", "/api/projects/", f"/api/projects/{project.pk}/pages/"):
        body = api(labeler).get(address).content.decode()
        assert "gold_" not in body
        assert "known" not in body
    assert api(labeler).get(f"/api/projects/{project.pk}/gold/").status_code == 404
    assert "gold" not in str(page)
    assert "gold_rule" in api(project.created_by).get(f"/api/projects/{project.pk}/").json()


def test_labelers_are_told_at_once_where_the_manager_wants_it(
    project, labeler, manager, work, known, api, circle, square, always
) -> None:
    projects.change_settings(project, manager, gold_feedback=True)
    page = page_for(api, project, labeler)
    item = page["items"][0]["id"]
    told = send(api, project, labeler, page, square)["known"]
    assert told == [{"item": item, "right": False, "regions": [{"class": circle}]}]
    undone = api(labeler).post(f"/api/projects/{project.pk}/pages/undo/").json()
    send(api, project, labeler, undone, circle)  # now that they know
    assert Decoy.objects.get().found is False


def answer_known(project, person, item: Item, right: bool) -> None:
    """Answer one known image on a page of its own."""
    row = GoldItem.objects.get(pk=item.pk)
    page = Page.objects.create(
        project=project, labeler=person, kind="gold", expires_at=item.created_at, state="open"
    )
    Decoy.objects.create(page=page, known=row.truth, gold=row, position=0)
    label = project.classes.get(name="circle" if right else "square").pk
    answer = submission.Answer(item.pk, uuid.uuid4(), (submission.RegionInput(label),))
    submission.submit(page, person, [answer])


@pytest.mark.parametrize(
    ("rule", "paused", "told"), [("off", False, 0), ("tell", False, 1), ("pause", True, 1)]
)
def test_who_errs_too_often_is_flagged_and_dealt_with_as_the_project_says(
    project, labeler, manager, work, known, api, rule, paused, told
) -> None:
    projects.change_settings(project, manager, gold_rule=rule)
    for item in known[:4]:
        answer_known(project, labeler, item, right=False)
    member = Membership.objects.get(project=project, user=labeler)
    assert member.flagged_at is not None
    assert (member.paused_at is not None) == paused
    assert Notification.objects.filter(user=manager, kind="flagged").count() == told
    assert Event.objects.filter(verb="labeler_flagged").count() == 1
    response = api(labeler).post(f"/api/projects/{project.pk}/pages/", {"size": 1}, format="json")
    assert response.status_code == (409 if paused else 201)
    if paused:
        assert "A manager looks at your answers" in response.json()["error"]["message"]
        lifted = api(manager).post(f"/api/projects/{project.pk}/members/{member.pk}/resume/").json()
        assert lifted == {"id": member.pk, "paused_at": None, "flagged_at": None}
        assert queue.claim(project, labeler, 1) is not None
        answer_known(project, labeler, known[4], right=False)  # what was before is forgiven
        member.refresh_from_db()
        assert member.flagged_at is None


def test_what_most_good_labelers_miss_is_retired_and_no_longer_held_against_them(
    project, known, manager
) -> None:
    good = [factories.make_user() for _ in range(3)]
    for person in good:
        factories.add_member(project, person)
        for item in known[1:7]:
            answer_known(project, person, item, right=True)
        answer_known(project, person, known[0], right=False)
    row = GoldItem.objects.get(pk=known[0].pk)
    assert row.retired_at is not None
    assert gold.pool(project)[0].pk == known[0].pk
    assert gold.pick(project, good[0]).pk != known[0].pk
    records = pausing.records(project, Membership.objects.filter(project=project))
    assert {records[person.pk].misses for person in good} == {0}


def test_loupe_chooses_among_adjudicated_images_some_of_them_hard(
    project, manager, reviewer, other, labeler
) -> None:
    from labeling import review

    easy = labeled(project, other, 20)
    review.approve(project, [each.pk for each in easy], reviewer)
    hard = labeled(project, other, 10)
    for item in hard:
        factories.make_annotation(item, "square", labeler)
    review.approve(project, [each.pk for each in hard], reviewer)
    labeled(project, other, 5)  # one person's word
    crowd = labeled(project, other, 1)
    for _ in range(2):
        factories.make_annotation(crowd[0], "circle", factories.make_user())
    known, difficult = gold.candidates(project)
    assert set(known) == {each.pk for each in [*easy, *hard, *crowd]}
    assert set(difficult) == {each.pk for each in hard}
    chosen = gold.choose(project, 10, manager, random.Random(3))
    assert len(chosen) == 10
    assert len(set(chosen) & set(difficult)) >= 3
    assert not set(gold.candidates(project)[0]) & set(chosen)


def test_it_offers_to_choose_only_where_there_is_something_to_choose(
    client, project, manager, reviewer, other
) -> None:
    from labeling import review

    def offered() -> bool:
        page = client.get(f"/projects/{project.pk}/gold/").content.decode()
        button = page[: page.index("for me</button>")].rpartition("<button")[2]
        return "disabled" not in button

    client.force_login(manager)
    items = labeled(project, other, 2)  # one person's word
    assert not offered()
    review.approve(project, [items[0].pk], reviewer)
    assert offered()
    assert gold.choose(project, gold.CHOOSE, manager) == [items[0].pk]
    assert not offered()


def test_boxes_are_right_when_they_are_alike_by_the_projects_rule(manager, labeler, reviewer) -> None:
    project = factories.make_project(manager=manager, labeler=labeler, task_type="detection")
    factories.add_member(project, reviewer, "reviewer")
    label = project.classes.first().pk
    item = factories.make_unread_items(project, 1)[0]
    Item.objects.filter(pk=item.pk).update(width=100, height=100)
    factories.open_queue(project, [item])
    page = queue.claim(project, reviewer, 1)
    region = submission.RegionInput(label, [10.0, 10.0, 20.0, 20.0])
    submission.submit(page, reviewer, [submission.Answer(item.pk, uuid.uuid4(), (region,))])
    gold.add(project, [item.pk], manager)
    row = GoldItem.objects.get()
    from labeling import meanings

    today = meanings.of(project)
    close = [{"class": label, "bbox": [12, 12, 20, 20]}]
    assert gold.is_right(project, row, today, close)
    assert not gold.is_right(project, row, today, [])
    assert not gold.is_right(project, row, today, [{"class": label, "bbox": [60, 60, 20, 20]}])


# The test of a labeler, by itself


@given(st.lists(st.booleans(), max_size=60))
def test_the_test_ends_where_its_sum_does(answers: list[bool]) -> None:
    verdict = probation.judge(answers)
    assert verdict.hits + verdict.misses <= len(answers)
    if not verdict.flagged:
        assert (verdict.hits, verdict.misses) == (sum(answers), len(answers) - sum(answers))
        assert probation.CLEAR < verdict.score < probation.FLAG
    else:
        assert verdict.score >= probation.FLAG


def test_four_misses_flag_and_twenty_one_hits_clear() -> None:
    assert probation.judge([False] * 4).flagged
    assert not probation.judge([False] * 3).flagged
    assert probation.judge([True] * 20).cleared == 0
    assert probation.judge([True] * 21).cleared == 1


def test_the_test_is_as_sure_as_it_says() -> None:
    chance = random.Random(5)
    flagged = {
        right: sum(
            probation.judge(chance.random() < right for _ in range(100)).flagged for _ in range(400)
        ) / 400
        for right in (0.95, 0.85)
    }  # fmt: skip
    assert flagged[0.95] < 0.12
    assert flagged[0.85] > 0.8


@given(st.integers(0, 400), st.integers(0, 400))
def test_a_posterior_is_about_what_was_seen(hits: int, misses: int) -> None:
    found = probation.posterior(hits, misses)
    assert 0 < found.low < found.mean < found.high < 1
    more = probation.posterior(hits + 50, misses)
    assert more.mean > found.mean
