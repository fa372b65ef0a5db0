"""Answers are taken once and never lost, whatever happens around them."""

import random
import threading
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from labeling import queue, review, submission
from labeling.models import Annotation, Claim, Item, Page, Project, QueueEntry, Suggestion
from tests import factories

pytestmark = pytest.mark.django_db


def answers_for(page, label_class: int) -> list[submission.Answer]:
    regions = (submission.RegionInput(label_class),)
    items = page.claims.filter(state="live").values_list("item_id", flat=True)
    return [submission.Answer(item, uuid.uuid4(), regions, seconds=1.5) for item in items]


@pytest.fixture
def circle(project) -> int:
    return project.classes.get(name="circle").pk


@pytest.fixture
def many(project) -> list[Item]:
    items = factories.make_unread_items(project, 12)
    factories.open_queue(project, items)
    return items


def test_an_answer_after_the_lease_counts_while_nobody_else_has_the_item(
    project, labeler, many, circle
) -> None:
    page = queue.claim(project, labeler, 4)
    answers = answers_for(page, circle)
    Claim.objects.filter(page=page).update(expires_at=timezone.now() - timedelta(seconds=1))
    queue.reclaim_expired(project, timezone.now())
    assert {each["status"] for each in submission.submit(page, labeler, answers)} == {"counted"}


def test_an_answer_after_somebody_else_took_the_item_is_kept_but_not_counted(
    project, labeler, reviewer, many, circle
) -> None:
    page = queue.claim(project, labeler, 9)
    answers = answers_for(page, circle)
    Claim.objects.filter(page=page).update(expires_at=timezone.now() - timedelta(seconds=1))
    while queue.claim(project, reviewer, 9, holding=range(10_000)):
        if not QueueEntry.objects.filter(open_slots__gt=0).exists():
            break
    assert {each["status"] for each in submission.submit(page, labeler, answers)} == {"kept"}
    assert Annotation.objects.filter(labeler=labeler, counted=False).count() == 9


def test_two_tabs_that_answer_the_same_item_leave_one_standing_answer(project, labeler, many, circle) -> None:
    square = project.classes.get(name="square").pk
    page = queue.claim(project, labeler, 1)
    first = answers_for(page, circle)
    second = [submission.Answer(each.item, uuid.uuid4(), (submission.RegionInput(square),)) for each in first]
    submission.submit(page, labeler, first)
    submission.submit(page, labeler, second)
    item = Item.objects.get(pk=first[0].item)
    assert item.current_annotation.uuid == second[0].uuid
    assert Annotation.objects.get(uuid=first[0].uuid).withdrawal == "corrected"


def test_correcting_an_answer_takes_no_slot_of_another_labeler(project, labeler, reviewer, circle) -> None:
    Project.objects.update(labels_per_item=2)
    project.refresh_from_db()
    factories.open_queue(project, factories.make_unread_items(project, 1))
    page = queue.claim(project, labeler, 1)
    item, regions = page.claims.get().item_id, (submission.RegionInput(circle),)
    for _ in range(2):
        submission.submit(page, labeler, [submission.Answer(item, uuid.uuid4(), regions)])
    assert Item.objects.get().state == "unlabeled"
    assert queue.claim(project, reviewer, 1) is not None


def test_a_uuid_of_somebody_else_is_refused_not_acknowledged(
    project, labeler, reviewer, many, circle
) -> None:
    first, second = queue.claim(project, labeler, 1), queue.claim(project, reviewer, 1)
    answer = answers_for(first, circle)[0]
    submission.submit(first, labeler, [answer])
    stolen = submission.Answer(second.claims.get().item_id, answer.uuid, answer.regions)
    with pytest.raises(submission.InvalidAnswer, match="belongs to another answer"):
        submission.submit(second, reviewer, [stolen])


def test_a_repeat_after_undo_says_that_the_answer_was_withdrawn(project, labeler, many, circle) -> None:
    page = queue.claim(project, labeler, 1)
    answers = answers_for(page, circle)
    submission.submit(page, labeler, answers)
    submission.undo(project, labeler)
    assert submission.submit(page, labeler, answers)[0]["status"] == "withdrawn"
    page.refresh_from_db()
    assert page.state == "open"
    assert page.claims.get().state == "live"


def test_an_exception_for_an_item_that_has_its_answer_changes_nothing(project, labeler, many, circle) -> None:
    page = queue.claim(project, labeler, 1)
    answer = answers_for(page, circle)[0]
    submission.submit(page, labeler, [answer])
    late = submission.Answer(answer.item, uuid.uuid4(), exception=True)
    assert submission.submit(page, labeler, [late])[0]["status"] == "kept"


def test_a_shape_outside_its_image_is_refused(manager, labeler) -> None:
    project = factories.make_project(manager=manager, labeler=labeler, task_type="detection")
    factories.open_queue(project, factories.make_unread_items(project, 1))
    page = queue.claim(project, labeler, 1)
    box = submission.RegionInput(project.classes.first().pk, [4, 4, 40, 2])
    with pytest.raises(submission.InvalidAnswer, match="outside its image"):
        submission.submit(page, labeler, [submission.Answer(page.claims.get().item_id, uuid.uuid4(), (box,))])


def test_none_of_the_classes_is_an_answer_where_several_are_allowed(manager, labeler) -> None:
    project = factories.make_project(manager=manager, labeler=labeler, task_type="multilabel")
    factories.open_queue(project, factories.make_unread_items(project, 1))
    page = queue.claim(project, labeler, 1)
    answer = submission.Answer(page.claims.get().item_id, uuid.uuid4())
    assert submission.submit(page, labeler, [answer])[0]["status"] == "counted"


def test_what_is_not_answered_goes_back_at_once(project, labeler, many, circle) -> None:
    page = queue.claim(project, labeler, 9)
    submission.submit(page, labeler, answers_for(page, circle)[:2])
    assert QueueEntry.objects.filter(open_slots=1).count() == 10


def test_a_page_of_a_lost_tab_is_handed_out_again_when_the_queue_is_empty(project, labeler, many) -> None:
    lost = queue.claim(project, labeler, 9)
    queue.claim(project, labeler, 9)
    assert queue.claim(project, labeler, 9) == lost
    held = list(labeler.pages.values_list("id", flat=True))
    assert queue.claim(project, labeler, 9, holding=held) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda each, classes: {"item": 10**9}, "not on this page"),
        (lambda each, classes: {"regions": ()}, "exactly one class"),
        (lambda each, classes: {"regions": (submission.RegionInput(10**9),)}, "not in use"),
        (
            lambda each, classes: {"regions": tuple(map(submission.RegionInput, classes[:2]))},
            "exactly one class",
        ),
        (
            lambda each, classes: {"regions": (submission.RegionInput(classes[0], [0, 0, 1, 1]),)},
            "not for boxes",
        ),
    ],
)
def test_answers_that_make_no_sense_are_refused_and_nothing_is_written(
    project, labeler, many, circle, change, message
) -> None:
    page = queue.claim(project, labeler, 1)
    good = answers_for(page, circle)[0]
    classes = list(project.classes.values_list("id", flat=True))
    fields = {"item": good.item, "uuid": good.uuid, "regions": good.regions} | change(good, classes)
    with pytest.raises(submission.InvalidAnswer, match=message):
        submission.submit(page, labeler, [submission.Answer(**fields)])
    assert not Annotation.objects.exists()


def test_undo_gives_the_page_back_with_its_answers(project, labeler, many, circle) -> None:
    page = queue.claim(project, labeler, 4)
    submission.submit(page, labeler, answers_for(page, circle))
    undone, answers = submission.undo(project, labeler)
    assert undone == page
    assert len(answers) == 4
    assert Item.objects.filter(state="labeled").count() == 0
    again = answers_for(undone, circle)
    assert {each["status"] for each in submission.submit(undone, labeler, again)} == {"counted"}
    assert Annotation.objects.filter(withdrawal="undone").count() == 4


def test_undo_leaves_alone_what_a_reviewer_has_touched(project, labeler, reviewer, many, circle) -> None:
    page = queue.claim(project, labeler, 4)
    answers = answers_for(page, circle)
    submission.submit(page, labeler, answers)
    review.approve(project, [answers[0].item], reviewer)
    _, taken_back = submission.undo(project, labeler)
    assert answers[0].item not in taken_back
    assert Item.objects.get(pk=answers[0].item).state == "labeled"


def test_a_skip_that_is_undone_leaves_no_more_room_than_there_are_answers_wanted(
    project, labeler, reviewer
) -> None:
    Project.objects.filter(pk=project.pk).update(labels_per_item=2, most_labels_per_item=2, validation_rate=0)
    project.refresh_from_db()
    (item,) = factories.make_unread_items(project, 1)
    factories.open_queue(project, [item])
    mine, theirs = (queue.claim(project, person, 1) for person in (labeler, reviewer))
    assert mine and theirs
    submission.submit(mine, labeler, [submission.Answer(item.pk, uuid.uuid4(), (), skipped=True)])
    submission.undo(project, labeler)
    entry = QueueEntry.objects.get(pk=item.pk)
    assert Claim.objects.filter(item=item, state="live").count() == 2
    assert (entry.needed, entry.open_slots) == (2, 0)


def test_confirming_a_proposal_is_told_apart_from_answering(project, labeler, many, circle) -> None:
    square = project.classes.get(name="square").pk
    for item in many:
        Suggestion.objects.create(
            item=item, project=project, model_version=1, confidence=0.9, top_class_id=circle,
            regions=[{"class": circle, "confidence": 0.9}],
        )  # fmt: skip
    QueueEntry.objects.update(kind="prelabeled", group=circle, proposed_class=circle)
    page = queue.claim(project, labeler, 4)
    answers = answers_for(page, circle)
    answers[0] = submission.Answer(answers[0].item, uuid.uuid4(), (submission.RegionInput(square),))
    answers[1] = submission.Answer(answers[1].item, uuid.uuid4(), exception=True)
    statuses = [each["status"] for each in submission.submit(page, labeler, answers)]
    assert statuses == ["counted", "returned", "counted", "counted"]
    origins = [each.origin for each in Annotation.objects.order_by("id")]
    assert origins == ["person", "confirmed", "confirmed"]
    returned = QueueEntry.objects.get(pk=answers[1].item)
    assert (returned.kind, returned.open_slots, returned.group) == ("manual", 1, None)


def test_disagreeing_labelers_send_the_item_to_a_reviewer(project, labeler, reviewer) -> None:
    Project.objects.update(labels_per_item=2)
    project.refresh_from_db()
    items = factories.make_unread_items(project, 2)
    factories.open_queue(project, items)
    factories.answer(project, labeler, lambda item: "circle", size=4)
    factories.answer(project, reviewer, lambda item: "circle" if item.pk == items[0].pk else "square", size=4)
    assert Item.objects.get(pk=items[0].pk).state == "labeled"
    assert Item.objects.get(pk=items[1].pk).state == "needs_review"


def test_a_paused_project_hands_out_nothing_but_takes_what_was_begun(project, labeler, many, circle) -> None:
    page = queue.claim(project, labeler, 1)
    project.state = "paused"
    project.save(update_fields=["state"])
    with pytest.raises(queue.NotRunning):
        queue.claim(project, labeler, 1)
    assert submission.submit(page, labeler, answers_for(page, circle))[0]["status"] == "counted"


@pytest.mark.django_db(transaction=True)
def test_sixteen_threads_claim_a_thousand_items_without_a_duplicate(project) -> None:
    items = factories.make_unread_items(project, 1_000)
    factories.open_queue(project, items)
    people = [factories.make_user() for _ in range(16)]
    for person in people:
        factories.add_member(project, person)
    taken: list[int] = []
    failures: list[BaseException] = []

    def work(labeler) -> None:
        try:
            held: list[int] = []
            while page := queue.claim(project, labeler, 9, holding=held):
                held.append(page.pk)
                taken.extend(page.claims.values_list("item_id", flat=True))
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(taken) == sorted(item.pk for item in items)


@pytest.mark.django_db(transaction=True)
def test_a_submission_and_an_expiry_at_the_same_moment_do_not_deadlock(project, labeler) -> None:
    items = factories.make_unread_items(project, 200)
    factories.open_queue(project, items)
    circle = project.classes.get(name="circle").pk
    pages = [queue.claim(project, labeler, 9) for _ in range(15)]
    batches = [(page, answers_for(page, circle)) for page in pages]
    Claim.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    failures: list[BaseException] = []

    def submit_all() -> None:
        try:
            for page, answers in batches:
                submission.submit(page, labeler, answers)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    def reclaim() -> None:
        from django.db import transaction

        try:
            for _ in range(30):
                with transaction.atomic():
                    queue.reclaim_expired(project, timezone.now())
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=submit_all),
        threading.Thread(target=reclaim),
        threading.Thread(target=reclaim),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert Annotation.objects.filter(counted=True).count() == sum(len(answers) for _, answers in batches)
    assert not QueueEntry.objects.filter(open_slots=0).exists()


@pytest.mark.django_db(transaction=True)
def test_a_storm_of_everything_at_once_neither_deadlocks_nor_miscounts(project, labeler, reviewer) -> None:
    items = factories.make_unread_items(project, 60)
    factories.open_queue(project, items)
    circle = project.classes.get(name="circle").pk
    failures: list[BaseException] = []

    acts = [
        lambda page, person, some: submission.submit(page, person, answers_for(page, circle)),
        lambda page, person, some: submission.submit(page, person, answers_for(page, circle)[3:5]),
        lambda page, person, some: submission.undo(project, person),
        lambda page, person, some: review.reject(project, some, reviewer),
        lambda page, person, some: queue.extend(page),
        lambda page, person, some: queue.release(page),
    ]

    def storm(person, seed: int) -> None:
        chance = random.Random(seed)
        pages = [queue.claim(project, person, 9)]
        try:
            for _ in range(40):
                pages.append(queue.claim(project, person, 9) or pages[-1])
                page = Page.objects.select_related("project").get(pk=chance.choice(pages).pk)
                some = [item.pk for item in chance.sample(items, 5)]
                chance.choice([acts[0], *acts])(page, person, some)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=storm, args=(person, seed))
        for seed, person in enumerate([labeler, labeler, labeler, reviewer, reviewer, reviewer])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for entry in QueueEntry.objects.all():
        live = Claim.objects.filter(item=entry.pk, state="live").count()
        assert (entry.needed, entry.open_slots) == (1, 1 - live)
