"""Reviewing together: filters, undo, locks, comments, and what a random sample proves."""

import pytest
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labeling import (
    binomial,
    bulk,
    commenting,
    comparing,
    gallery,
    locks,
    review,
    sampling,
    saved,
    suggestions,
    undoing,
)
from labeling.models import (
    Annotation,
    Claim,
    Comment,
    Event,
    Item,
    Listing,
    Notification,
    QueueEntry,
    Review,
    ReviewBatch,
    ReviewLock,
    SavedFilter,
)
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def labeled(project, labeler, items) -> list[Item]:
    assert factories.answer_all(project, labeler) == len(items)
    return list(Item.objects.filter(project=project, state="labeled").order_by("id"))


def found(project, sort="newest", **fields) -> list[int]:
    return [item.pk for item in gallery.page(project, gallery.Filters(**fields), sort)[0]]


def test_filters_narrow_and_their_total_is_what_they_show(project, labeler, reviewer, labeled) -> None:
    circle = project.classes.get(name="circle").pk
    approved, doubted = labeled[0], labeled[1]
    review.approve(project, [approved.pk], reviewer)
    suggestions.set_label_errors(project, {doubted.pk: -0.4, approved.pk: 0.9}, {doubted.pk: circle})
    suggestions.store(project, 1, [suggestions.Proposal(labeled[2].pk, [], circle, 0.55)])
    commenting.add(labeled[3], reviewer, "Look here.", point=(3, 4))
    today = timezone.now().date().isoformat()
    everything = [item.pk for item in reversed(labeled)]
    circles = [item.pk for item in reversed(labeled) if factories.true_class(item) == "circle"]
    for fields, expected in (
        ({"reviewed": "yes"}, [approved.pk]),
        ({"reviewed": "no", "classes": (circle,)}, [pk for pk in circles if pk != approved.pk]),
        ({"disagreement": "model"}, [doubted.pk]),
        ({"disagreement": "people"}, []),
        ({"confidence_above": 0.5, "confidence_below": 0.6}, [labeled[2].pk]),
        ({"comments": "open"}, [labeled[3].pk]),
        ({"since": today, "until": today}, everything),
        ({"since": "2030-01-01" if today < "2030" else "2999-01-01"}, []),
        ({"instructions": 1, "labeler": labeler.pk, "source": "human"}, everything),
        ({"instructions": 7}, []),
        ({"name": "circ 0000"}, circles),
        ({"name": "ircle"}, circles),
        ({"name": "ircles"}, []),
        ({"answered": labeler.pk}, everything),
        ({"answered": reviewer.pk}, []),
        ({"assignment": 1}, []),
    ):  # fmt: skip
        assert found(project, **fields) == expected, fields
        assert gallery.total(project, gallery.Filters(**fields)) == gallery.Total(len(expected), True), fields
    assert found(project, "label_error") == [doubted.pk, approved.pk]
    assert found(project, "uncertain") == [labeled[2].pk]


@pytest.mark.parametrize("sort", gallery.SORTS)
def test_every_order_pages_through_everything_once(project, labeled, sort) -> None:
    suggestions.set_label_errors(project, {item.pk: item.pk % 3 for item in labeled})
    suggestions.store(
        project, 1, [suggestions.Proposal(item.pk, [], None, 0.5 + item.pk % 2 / 4) for item in labeled]
    )
    for filters in (gallery.Filters(), gallery.Filters(source="person")):
        whole = [item.pk for item in gallery.page(project, filters, sort)[0]]
        pages, cursor = [], None
        while cursor is not None or not pages:
            page, cursor = gallery.page(project, filters, sort, cursor, 5)
            pages += [item.pk for item in page]
        assert pages == whole and sorted(pages) == [item.pk for item in labeled]


def test_a_listing_follows_its_item(project, labeler, reviewer, labeled) -> None:
    item = labeled[0]
    suggestions.set_label_errors(project, {item.pk: -1.0})
    row = Listing.objects.get(pk=item.pk)
    assert (row.annotation_id, row.labeler, row.origin) == (item.current_annotation_id, labeler, "person")
    assert list(row.classes) == [project.classes.get(name=factories.true_class(item)).pk]
    review.reject(project, [item.pk], reviewer)
    assert not Listing.objects.filter(pk=item.pk).exists()
    factories.answer_all(project, labeler)
    again = Listing.objects.get(pk=item.pk)
    assert (again.label_error, again.reviewed) == (None, False)
    assert again.draw != row.draw


def standing(project) -> dict[str, object]:
    """Return all that a verdict could change."""
    return {
        "items": list(Item.objects.filter(project=project).order_by("id").values()),
        "entries": list(QueueEntry.objects.filter(project=project).order_by("item_id").values()),
        "answers": list(Annotation.objects.filter(project=project).order_by("id").values()),
        "claims": list(Claim.objects.filter(project=project).order_by("id").values("id", "state")),
        "listing": list(Listing.objects.filter(project=project).order_by("item_id").values()),
        "total": gallery.total(project, gallery.Filters()).count,
    }  # fmt: skip


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    picks=st.lists(st.integers(0, 11), min_size=1, max_size=12),
    verdict=st.sampled_from(["reject", "approve"]),
    skips=st.integers(0, 2),
    twice=st.booleans(),
)
def test_a_verdict_and_its_undo_change_nothing(
    project, labeler, reviewer, manager, items, picks, verdict, skips, twice
) -> None:
    from django.db import transaction

    with transaction.atomic():
        for _ in range(skips):
            skip_one(project, labeler)
        factories.answer(project, labeler, size=4)
        suggestions.ask_again(
            project, [i.pk for i in Item.objects.filter(state="labeled")[:2]], probability=0.5
        )
        before = standing(project)
        batches = [review.judge(project, reviewer, verdict, {items[pick].pk for pick in picks}).batch]
        if twice:
            batches.append(review.judge(project, manager, "approve", [items[picks[0]].pk]).batch)
        for batch in reversed(batches):
            assert undoing.undo(batch, reviewer).refused == []
        assert standing(project) == before
        assert not Review.objects.filter(undone_at=None).exists()
        transaction.set_rollback(True)


def skip_one(project, labeler) -> None:
    import uuid

    from labeling import queue, submission

    page = queue.claim(project, labeler, 1)
    submission.submit(
        page, labeler, [submission.Answer(page.claims.get().item_id, uuid.uuid4(), skipped=True)]
    )


def test_what_was_answered_since_is_not_undone(project, labeler, reviewer, labeled) -> None:
    chosen = [labeled[0].pk, labeled[1].pk]
    batch = review.judge(project, reviewer, "reject", chosen, "blurred").batch
    assert Notification.objects.get(user=labeler, kind="rejected").count == 2
    factories.answer(project, labeler, size=1)
    undone = undoing.undo(batch, reviewer)
    assert len(undone.items) == len(undone.refused) == 1
    assert undone.sentence == "1 image was answered or changed since, and stays as it is."
    assert Notification.objects.get(user=labeler, kind="rejected").count == 1
    assert set(Item.objects.filter(pk__in=chosen).values_list("state", flat=True)) == {"labeled"}
    with pytest.raises(review.ReviewRefused, match="taken back already"):
        undoing.undo(batch, reviewer)
    assert Event.objects.filter(verb="undo_review").count() == 1


def test_all_that_a_filter_chooses_is_rejected_by_a_job_when_it_is_much(
    project, reviewer, labeled, monkeypatch
) -> None:
    monkeypatch.setattr(bulk, "AT_ONCE", 5)
    circle = project.classes.get(name="circle").pk
    outcome, job = bulk.judge_all(
        project, reviewer, "reject", gallery.Filters(classes=(circle,)), "no circle"
    )
    assert job is None and len(outcome.done) == 4
    outcome, job = bulk.judge_all(project, reviewer, "reject", gallery.Filters())
    assert job is not None and not outcome.done
    factories.run_jobs("quick")
    batch = ReviewBatch.objects.get(pk=outcome.batch.pk)
    assert (batch.state, batch.count) == ("done", 8)
    assert not found(project)
    undone, job = bulk.undo(batch, reviewer)
    assert undone is None and job is not None
    factories.run_jobs("quick")
    assert len(found(project)) == 8
    assert review.last_reasons(project, reviewer) == ["no circle"]


def test_what_another_reviewer_has_open_is_left_out(project, manager, reviewer, labeled) -> None:
    mine = labeled[0].pk
    assert locks.hold(project, manager, [mine]) == {}
    assert locks.hold(project, reviewer, [mine]) == {mine: manager.label}
    outcome = review.judge(project, reviewer, "reject", [item.pk for item in labeled[:3]])
    assert mine not in outcome.done and len(outcome.done) == 2
    assert locks.sentence(outcome.looked_at) == f"1 is being looked at by {manager.label} and was left out."
    ReviewLock.objects.update(until=timezone.now())
    assert locks.hold(project, reviewer, [mine]) == {}
    assert review.reject(project, [mine], reviewer) == [mine]


def test_a_thread_is_told_to_those_whom_it_concerns(project, labeler, reviewer, manager, labeled) -> None:
    item = labeled[0]
    begun = commenting.add(item, reviewer, "Is this a circle?", point=(5, 6))
    assert Notification.objects.filter(kind="comment").values_list("user", flat=True).get() == labeler.pk
    commenting.add(item, labeler, "It is.", parent=begun)
    assert set(Notification.objects.filter(kind="comment").values_list("user", flat=True)) == {
        labeler.pk,
        reviewer.pk,
    }
    with pytest.raises(commenting.CommentRefused, match="outside"):
        commenting.add(item, reviewer, "There?", point=(5, 6_000))
    assert found(project, comments="open") == [item.pk]
    commenting.resolve(begun, manager, resolved=True)
    assert found(project, comments="open") == []
    assert found(project, comments="any") == [item.pk]
    assert Comment.objects.get(pk=begun.pk).resolved_by == manager


def test_who_gets_a_rejected_image_reads_why(project, labeler, reviewer, labeled, api) -> None:
    item = next(each for each in labeled if each.draw >= project.validation_rate)
    review.reject(project, [item.pk], reviewer, "it has no corners")
    commenting.add(item, reviewer, "Look at the edge.", point=(1, 1))
    QueueEntry.objects.filter(pk=item.pk).update(kind="manual")
    page = api(labeler).post(f"/api/projects/{project.pk}/pages/", {"size": 1}, format="json").json()
    assert page["items"][0]["why"] == "a reviewer sent it back “it has no corners” “Look at the edge.”"
    assert page["why"] == ("a reviewer sent it back" if len(page["items"]) == 1 else "")


def test_saved_filters_are_ones_own_or_shared(project, manager, reviewer, api) -> None:
    url = f"/api/projects/{project.pk}/saved-filters/"
    mine = api(reviewer).post(url, {"name": "Doubtful", "query": "sort=label_error"}, format="json").json()
    shared = (
        api(reviewer).post(url, {"name": "Dogs", "query": "class=1", "shared": True}, format="json").json()
    )
    again = api(reviewer).post(url, {"name": "Dogs"}, format="json")
    assert again.status_code == 400 and "already" in again.json()["error"]["message"]
    assert [each["name"] for each in api(manager).get(url).json()["results"]] == ["Dogs"]
    assert api(manager).delete(f"{url}{mine['id']}/").status_code == 404
    assert (
        api(manager).patch(f"{url}{shared['id']}/", {"name": "Hounds"}, format="json").json()["name"]
        == "Hounds"
    )
    assert api(reviewer).delete(f"{url}{mine['id']}/").status_code == 204
    assert SavedFilter.objects.get().name == "Hounds"
    assert saved.visible(project, reviewer).count() == 1


def test_history_says_what_each_revision_changed(project, labeler, reviewer, labeled) -> None:
    item = labeled[0]
    review.reject(project, [item.pk], reviewer)
    QueueEntry.objects.exclude(pk=item.pk).delete()
    factories.answer_all(project, labeler, label=lambda each: "triangle")
    newest, first = comparing.history(list(item.annotations.order_by("-id")))
    said = {(change.verb, change.label_class.name) for change in newest.changes}
    assert said == {("added", "triangle"), ("removed", factories.true_class(item))}
    assert first.is_first and not first.changes


def test_binomial_bounds_are_exact() -> None:
    from scipy.special import betaincinv

    for errors, n in ((0, 10), (1, 59), (3, 200), (17, 400)):
        assert binomial.upper_bound(errors, n) == pytest.approx(
            betaincinv(errors + 1, n - errors, 0.95), abs=1e-6
        )
    assert binomial.upper_bound(0, 0) == binomial.upper_bound(3, 3) == 1.0
    assert [binomial.more_needed(0, 0, each) for each in sampling.TARGETS] == [299, 149, 59, 29]
    assert binomial.more_needed(0, 11, 0.02) == 138
    assert binomial.more_needed(0, 149, 0.02) == 0
    for errors, n in ((1, 20), (4, 90)):
        more = binomial.more_needed(errors, n, 0.05)
        assert binomial.upper_bound(errors, n + more) <= 0.05 < binomial.upper_bound(errors, n + more - 1)


def test_newcomers_are_reviewed_first_and_only_the_draw_counts(
    project, labeler, reviewer, manager, labeled, monkeypatch
) -> None:
    assert sampling.waiting(project, reviewer) == 12  # all of a newcomer's
    assert sampling.waiting(project, labeler) == 0  # nobody reviews their own
    monkeypatch.setattr(sampling, "NEWCOMER", 2)
    sampling.set_rate(project, labeler, 0.5, manager)
    below = set(Listing.objects.filter(draw__lt=0.5).values_list("item", flat=True))
    first = set(Annotation.objects.order_by("created_at").values_list("item", flat=True)[:2])
    queue = sampling.next_ones(project, reviewer, limit=20)
    assert {each.item for each in queue[:2]} == first
    assert {each.item for each in queue[2:]} == below - first
    assert [each.draw for each in queue[2:]] == sorted(each.draw for each in queue[2:])
    sampling.judge(project, reviewer, queue[0].item, "approve")
    assert (sampling.newcomers_reviewed(project), sampling.claims(project)[0].reviewed) == (1, 0)
    verdicts = {each.item: "reject" if number == 0 else "approve" for number, each in enumerate(queue[2:])}
    batches = [sampling.judge(project, reviewer, item, verdict).batch for item, verdict in verdicts.items()]
    of_all, (mine,) = sampling.claims(project)
    assert (
        (mine.reviewed, mine.wrong, mine.rate)
        == (of_all.reviewed, of_all.wrong, of_all.rate)
        == (len(verdicts), 1, 0.5)
    )
    assert mine.bound == binomial.upper_bound(1, len(verdicts))
    undoing.undo(batches[0], reviewer)
    assert sampling.claims(project)[0].wrong == 0
    assert [each.item for each in sampling.next_ones(project, reviewer, [queue[1].item])] == [queue[2].item]
    review.approve(project, [queue[2].item], reviewer)  # looked up, not drawn
    assert sampling.claims(project)[0].reviewed == len(verdicts) - 1


def test_pages_of_reviewers_show_what_there_is(client, project, reviewer, manager, labeled) -> None:
    suggestions.set_label_errors(
        project, {labeled[0].pk: -0.5}, {labeled[0].pk: project.classes.get(name="square").pk}
    )
    commenting.add(labeled[0], manager, "Hm.", point=(2, 2))
    locks.hold(project, manager, [labeled[0].pk])
    client.force_login(reviewer)
    shown = client.get(reverse("data", args=[project.pk]), {"sort": "label_error"}).content.decode()
    assert "the model says square" in shown and f"being looked at by {manager.label}" in shown
    panel = client.get(
        reverse("item-panel", args=[project.pk, labeled[0].pk]), headers={"HX-Request": "true"}
    )
    assert "Hm." in panel.content.decode() and "data-pin=" in panel.content.decode()
    page = client.get(reverse("review", args=[project.pk])).content.decode()
    assert "Review 299 more without an error to claim at most 1 % error at 95 %." in page
    alike = client.get(reverse("item-look-alikes", args=[project.pk, labeled[0].pk])).content.decode()
    assert "No backbone has looked" in alike
    total = client.get(reverse("data-count", args=[project.pk]), {"reviewed": "no"}).json()
    assert total == {"count": 12, "exact": True}
