"""Several people's answers to one item: as many as it takes, and never more than that."""

import uuid

import pytest

from labeling import projects, queue, submission
from labeling.models import Annotation, Claim, Item, Project, QueueEntry
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def people(project) -> list:
    people = [factories.make_user() for _ in range(4)]
    for each in people:
        factories.add_member(project, each)
    return people


@pytest.fixture
def item(project) -> Item:
    return asked(project, 2, 3)


def asked(project: Project, least: int, most: int | None, rate: float = 0) -> Item:
    """Make one item that is asked of so many people."""
    Project.objects.filter(pk=project.pk).update(
        labels_per_item=least, most_labels_per_item=most, validation_rate=rate
    )
    project.refresh_from_db()
    [item] = factories.make_unread_items(project, 1)
    factories.open_queue(project, [item])
    return item


def give(project, person, *regions: submission.RegionInput) -> str:
    page = queue.claim(project, person, 1)
    assert page is not None
    answer = submission.Answer(page.claims.get().item_id, uuid.uuid4(), regions)
    return str(submission.submit(page, person, [answer])[0]["status"])


def say(project, person, label: int) -> str:
    return give(project, person, submission.RegionInput(label))


def test_two_who_agree_are_enough(project, people, item, circle) -> None:
    for person in people[:2]:
        say(project, person, circle)
    item.refresh_from_db()
    assert item.state == "labeled"
    assert not QueueEntry.objects.exists()
    assert queue.claim(project, people[2], 1) is None


def test_where_two_do_not_agree_one_more_is_asked_and_decides(project, people, item, circle, square) -> None:
    say(project, people[0], circle)
    say(project, people[1], square)
    item.refresh_from_db()
    assert (item.state, item.current_annotation) == ("unlabeled", None)
    say(project, people[2], square)
    item.refresh_from_db()
    assert item.state == "labeled"
    assert item.current_annotation.labeler == people[1]
    assert queue.claim(project, people[3], 1) is None


def test_where_all_that_may_be_asked_do_not_agree_a_reviewer_decides(project, people, item, circle) -> None:
    for person, label in zip(people, project.classes.values_list("id", flat=True), strict=False):
        say(project, person, label)
    item.refresh_from_db()
    assert item.state == "needs_review"
    assert not QueueEntry.objects.exists()


def test_nobody_is_waited_for_who_does_not_exist(project, labeler, reviewer, circle, square) -> None:
    item = asked(project, 2, 9)
    say(project, labeler, circle)
    say(project, reviewer, square)
    item.refresh_from_db()
    assert item.state == "needs_review"


@pytest.mark.parametrize("most", [2, None])
def test_two_at_the_least_and_at_the_most_leave_a_disagreement_to_a_reviewer(
    project, people, circle, square, most
) -> None:
    item = asked(project, 2, most)
    say(project, people[0], circle)
    say(project, people[1], square)
    item.refresh_from_db()
    assert item.state == "needs_review"


def test_what_is_asked_blind_is_asked_once_more_blind(project, people, circle, square) -> None:
    item = asked(project, 2, 3, rate=1.0)
    say(project, people[0], circle)
    say(project, people[1], square)
    assert QueueEntry.objects.get().kind == "validation"
    say(project, people[2], circle)
    item.refresh_from_db()
    assert item.current_annotation.labeler == people[0]
    assert set(Annotation.objects.values_list("kind", flat=True)) == {"validation"}


def test_who_undoes_makes_room_for_their_own_answer_alone(project, people, item, circle, square) -> None:
    say(project, people[0], circle)
    say(project, people[1], square)
    held = queue.claim(project, people[2], 1)
    undone, _ = submission.undo(project, people[1])
    entry = QueueEntry.objects.get()
    assert (entry.needed, entry.open_slots) == (2, 0)
    assert queue.claim(project, people[3], 1) is None
    regions = (submission.RegionInput(circle),)
    submission.submit(undone, people[1], [submission.Answer(item.pk, uuid.uuid4(), regions)])
    submission.submit(held, people[2], [submission.Answer(item.pk, uuid.uuid4(), regions)])
    item.refresh_from_db()
    assert item.state == "labeled"


def test_a_correction_that_ends_an_agreement_has_one_more_asked(
    project, people, item, circle, square
) -> None:
    say(project, people[0], circle)
    say(project, people[1], circle)
    page = people[1].pages.get()
    again = submission.Answer(item.pk, uuid.uuid4(), (submission.RegionInput(square),))
    submission.submit(page, people[1], [again])
    item.refresh_from_db()
    assert item.state == "unlabeled"
    say(project, people[2], square)
    item.refresh_from_db()
    assert item.current_annotation.labeler == people[1]


def test_the_consensus_of_boxes_is_one_of_them_as_it_was_drawn(manager) -> None:
    project = factories.make_project(manager=manager, task_type="detection")
    crowd = [factories.make_user() for _ in range(3)]
    for each in crowd:
        factories.add_member(project, each)
    item = asked(project, 3, 3)
    Item.objects.filter(pk=item.pk).update(width=100, height=100)
    label = project.classes.first().pk
    for person, x in zip(crowd, (0.0, 4.0, 2.0), strict=True):
        give(project, person, submission.RegionInput(label, [x, 0.0, 20.0, 20.0]))
    item.refresh_from_db()
    assert item.state == "labeled"
    assert item.current_annotation.labeler == crowd[2]
    assert [each.bbox for each in item.current_annotation.regions.all()] == [[2.0, 0.0, 20.0, 20.0]]
    assert Annotation.objects.filter(withdrawn_at=None).count() == 3


def test_a_project_that_wants_more_answers_asks_about_what_waits_again(
    project, manager, people, circle
) -> None:
    item = asked(project, 1, None)
    Item.objects.update(draw=0.99)  # not among those that are asked blind
    held = queue.claim(project, people[0], 1)
    projects.change_settings(project, manager, labels_per_item=3)
    entry = QueueEntry.objects.get()
    assert (entry.needed, entry.open_slots) == (3, 2)
    regions = (submission.RegionInput(circle),)
    submission.submit(held, people[0], [submission.Answer(item.pk, uuid.uuid4(), regions)])
    projects.change_settings(project, manager, labels_per_item=2)
    assert QueueEntry.objects.get().needed == 1
    say(project, people[1], circle)
    item.refresh_from_db()
    assert item.state == "labeled"
    assert not Claim.objects.filter(state="live").exists()


def test_one_answer_does_not_decide_alone_against_an_earlier_one(
    project, manager, people, circle, square
) -> None:
    item = asked(project, 2, None)
    say(project, people[0], circle)
    projects.change_settings(project, manager, labels_per_item=1)
    say(project, people[1], square)
    item.refresh_from_db()
    assert item.state == "unlabeled"
    say(project, people[2], square)
    item.refresh_from_db()
    assert item.current_annotation.labeler == people[1]


def test_the_most_cannot_be_fewer_than_the_least(project, manager, api) -> None:
    with pytest.raises(projects.ProjectRefused, match="At the most"):
        projects.change_settings(project, manager, labels_per_item=3, most_labels_per_item=2)
    made = api(manager).post(
        "/api/projects/",
        {"name": "Crowd", "task_type": "multiclass", "classes": ["a", "b"], "labels_per_item": 2},
        format="json",
    )
    assert (made.json()["labels_per_item"], made.json()["most_labels_per_item"]) == (2, 2)
    address = f"/api/projects/{made.json()['id']}/"
    changed = api(manager).patch(address, {"most_labels_per_item": 4, "agreement_share": 0.75}, format="json")
    assert (changed.json()["most_labels_per_item"], changed.json()["agreement_share"]) == (4, 0.75)
    refused = api(manager).patch(address, {"most_labels_per_item": 1}, format="json")
    assert refused.status_code == 400
    assert "most_labels_per_item" in refused.json()["error"]["fields"]


def test_the_rule_is_the_projects_own(project) -> None:
    assert project.agreement_rule.match == 1
    project.task_type = "detection"
    assert project.agreement_rule.match == 0.8
