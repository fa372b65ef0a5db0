"""Reviewing: what is wrong goes back to people, and nothing is forgotten."""

import uuid

import pytest
from django.urls import reverse
from django.utils import timezone

from labeling import answers, comparing, gallery, gold, queue, review, submission, suggestions
from labeling.models import Annotation, Item, Listing, Page, QueueEntry, Review
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def labeled(project, labeler, items) -> list[Item]:
    assert factories.answer_all(project, labeler) == len(items)
    return list(Item.objects.filter(project=project, state="labeled").order_by("id"))


def test_a_rejected_label_is_withdrawn_kept_in_history_and_asked_again(project, reviewer, labeled) -> None:
    item = labeled[0]
    answer = item.current_annotation
    assert review.reject(project, [item.pk], reviewer, "that is a square") == [item.pk]
    item.refresh_from_db()
    answer.refresh_from_db()
    assert (item.state, item.current_annotation) == ("unlabeled", None)
    assert (answer.withdrawal, answer.withdrawn_by) == ("rejected", reviewer)
    assert QueueEntry.objects.get(pk=item.pk).why == "a reviewer sent it back"
    assert Review.objects.get().comment == "that is a square"


def test_models_no_longer_learn_from_a_rejected_label(project, reviewer, labeled) -> None:
    training = [item for item in labeled if item.draw >= project.validation_rate]
    known = answers.training(project)
    review.reject(project, [training[0].pk], reviewer)
    assert set(known.items) - set(answers.training(project).items) == {training[0].pk}


def test_rejecting_twice_changes_nothing_more(project, reviewer, labeled) -> None:
    assert review.reject(project, [labeled[0].pk], reviewer)
    assert review.reject(project, [labeled[0].pk], reviewer) == []
    assert Review.objects.count() == 1


def test_items_of_other_projects_cannot_be_rejected(project, manager, reviewer, labeled) -> None:
    other = factories.make_project(manager=manager)
    assert review.reject(other, [labeled[0].pk], reviewer) == []
    assert Item.objects.get(pk=labeled[0].pk).state == "labeled"


def skip_one(project, labeler) -> int:
    page = queue.claim(project, labeler, 1)
    item = page.claims.get().item_id
    submission.submit(page, labeler, [submission.Answer(item, uuid.uuid4(), skipped=True)])
    return item


def test_a_skipped_item_is_sent_back_or_dropped(project, labeler, reviewer, items) -> None:
    item = skip_one(project, labeler)
    assert Item.objects.get(pk=item).state == "skipped"
    review.reject(project, [item], reviewer)
    assert Item.objects.get(pk=item).state == "unlabeled"
    other = skip_one(project, labeler)
    review.approve(project, [other], reviewer)
    assert Item.objects.get(pk=other).state == "removed"
    assert not QueueEntry.objects.filter(pk=other).exists()


def test_the_gallery_filters_by_class_labeler_source_and_name(project, labeler, manager, labeled) -> None:
    circle = project.classes.get(name="circle")

    def found(**fields) -> set[str]:
        return {factories.true_class(item) for item in gallery.page(project, review.Filters(**fields))[0]}

    assert found(classes=(circle.pk,)) == {"circle"}
    assert found(labeler=labeler.pk) == {"circle", "square", "triangle"}
    assert found(labeler=manager.pk) == set()
    assert found(source="human") == found(source="person") == {"circle", "square", "triangle"}
    assert found(source="auto") == found(source="confirmed") == found(source="imported") == set()
    assert found(name="triangle/") == found(name="TRI") == found(name="riang") == {"triangle"}
    assert found(name="square triangle") == found(name="%") == set()
    assert found(state="skipped") == set()


def test_the_gallery_pages_through_everything_once(project, labeled) -> None:
    seen: list[int] = []
    cursor = None
    while True:
        page, cursor = gallery.page(project, review.Filters(), cursor=cursor, limit=5)
        seen += [item.pk for item in page]
        if cursor is None:
            break
    assert seen == sorted((item.pk for item in labeled), reverse=True)


def test_history_names_every_answer_with_its_fate(project, labeler, reviewer, labeled) -> None:
    review.reject(project, [labeled[0].pk], reviewer)
    factories.answer_all(project, labeler)
    fates = list(
        Annotation.objects.filter(item=labeled[0]).order_by("id").values_list("withdrawal", flat=True)
    )
    assert fates == ["rejected", ""]


@pytest.fixture
def disputed(project, labeler, reviewer) -> Item:
    """Return an image that two people have given different classes."""
    project.labels_per_item = 2
    project.save()
    items = factories.make_items(project, 1)
    for person, name in ((labeler, "circle"), (reviewer, "square")):
        page = queue.claim(project, person, 1)
        chosen = project.classes.get(name=name)
        region = submission.RegionInput(chosen.pk)
        given = submission.Answer(items[0].pk, uuid.uuid4(), (region,))
        submission.submit(page, person, [given])
    return Item.objects.get(pk=items[0].pk)


def test_a_reviewer_says_which_of_two_answers_is_right(project, manager, disputed) -> None:
    first, second = review.answers_in_dispute(disputed)
    review.decide(project, disputed.pk, second.pk, manager)
    disputed.refresh_from_db()
    assert (disputed.state, disputed.current_annotation) == ("labeled", second)
    verdict = Review.objects.get()
    assert (verdict.annotation, verdict.reviewer, verdict.verdict) == (second, manager, "approve")
    with pytest.raises(review.ReviewRefused, match="not in dispute"):
        review.decide(project, disputed.pk, first.pk, manager)


def test_a_decision_is_taken_back_and_can_be_given_anew(api, project, manager, disputed) -> None:
    first, second = review.answers_in_dispute(disputed)
    decide = reverse("api-decision", args=[project.pk, disputed.pk])
    reply = api(manager).post(decide, {"annotation": second.pk}, format="json").json()
    assert gold.candidates(project) == ([disputed.pk], [disputed.pk])
    undone = api(manager).post(reverse("api-review-undo", args=[project.pk, reply["batch"]]))
    assert undone.json()["items"] == [disputed.pk]
    disputed.refresh_from_db()
    assert (disputed.state, disputed.current_annotation) == ("needs_review", None)
    assert not Listing.objects.get(pk=disputed.pk).reviewed
    assert gold.candidates(project) == ([], [])
    assert list(review.answers_in_dispute(disputed)) == [first, second]
    review.decide(project, disputed.pk, first.pk, manager)
    disputed.refresh_from_db()
    assert (disputed.state, disputed.current_annotation) == ("labeled", first)


def test_answers_of_people_asked_independently_are_no_edits_of_each_other(disputed) -> None:
    second, first = comparing.history(list(disputed.annotations.order_by("-id")))
    assert first.is_first and second.is_first and not second.changes
    assert second.is_beside and not first.is_beside


def test_an_answer_that_does_not_stand_cannot_be_chosen(project, manager, disputed) -> None:
    first, _ = review.answers_in_dispute(disputed)
    Annotation.objects.filter(pk=first.pk).update(withdrawn_at=timezone.now(), withdrawal="corrected")
    with pytest.raises(review.ReviewRefused, match="withdrawn meanwhile"):
        review.decide(project, disputed.pk, first.pk, manager)
    disputed.refresh_from_db()
    assert disputed.state == "needs_review"


def test_the_model_has_no_say_in_what_a_reviewer_decides(client, project, manager, disputed) -> None:
    suggestions.store(project, 1, [suggestions.Proposal(disputed.pk, [], None, 0.9)])
    client.force_login(manager)
    address = reverse("item-panel", args=[project.pk, disputed.pk])
    shown = client.get(address, headers={"HX-Request": "true"}).content.decode()
    assert "Which answer is right?" in shown and "version 1" not in shown


def test_who_sends_a_page_again_does_not_overturn_a_reviewer(project, labeler, manager, disputed) -> None:
    first, second = review.answers_in_dispute(disputed)
    review.decide(project, disputed.pk, second.pk, manager)
    page = Page.objects.get(labeler=labeler)
    triangle = submission.RegionInput(project.classes.get(name="triangle").pk)
    again = submission.Answer(disputed.pk, uuid.uuid4(), (triangle,))
    for _ in range(2):  # a repeat hears the same
        assert submission.submit(page, labeler, [again]) == [{"item": disputed.pk, "status": "kept"}]
    submission.undo(project, labeler)
    disputed.refresh_from_db()
    assert (disputed.state, disputed.current_annotation) == ("labeled", second)
    assert set(review.answers_in_dispute(disputed)) == {first, second}
