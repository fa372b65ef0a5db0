"""Pages submitted before: listed, looked at, corrected; blind ones and hidden outliers stay unseen."""

import uuid

import pytest

from labeling import decoys, queue, review, submission
from labeling.models import Annotation, Item, Page, Project, QueueEntry, Recheck
from mlassist.models import Certificate, ModelVersion
from tests import factories
from tests.labeling.test_rechecks import answer, grid

pytestmark = pytest.mark.django_db


@pytest.fixture
def many(project) -> list[Item]:
    project.validation_rate = 0
    project.save(update_fields=["validation_rate"])
    items = factories.make_unread_items(project, 100)
    factories.open_queue(project, items)
    return items


def submitted(project, labeler, label: int, size: int = 1) -> Page:
    page = queue.claim(project, labeler, size)
    items = page.claims.order_by("position").values_list("item_id", flat=True)
    submission.submit(page, labeler, [answer(item, label) for item in items])
    return page


def listed(client, project) -> list[dict]:
    return client.get(f"/api/projects/{project.pk}/pages/").json()["pages"]


def looked_at(client, page) -> dict:
    response = client.get(f"/api/projects/{page.project_id}/pages/{page.pk}/")
    assert response.status_code == 200, response.content
    return response.json()


def corrected(client, page, label: int) -> list[str]:
    """Send the page again as the screen does: what is on it, with UUIDs of its own."""
    body = looked_at(client, page)
    answers = [
        {"item": each["id"], "uuid": str(uuid.uuid4()), "regions": [{"class": label}]}
        for each in body["items"]
    ]
    url = f"/api/projects/{page.project_id}/pages/{page.pk}/submit/"
    sent = client.post(url, {"answers": answers}, format="json")
    assert sent.status_code == 200, sent.content
    return [each["status"] for each in sent.json()["saved"]]


def test_the_latest_pages_are_listed_newest_first_at_a_bounded_price(
    project, labeler, many, circle, api, django_assert_max_num_queries
) -> None:
    pages = [submitted(project, labeler, circle, 4) for _ in range(22)]
    with django_assert_max_num_queries(9):
        found = listed(api(labeler), project)
    assert [each["page"] for each in found] == [page.pk for page in reversed(pages)][:20]
    assert [each["labels"] for each in found[0]["items"]] == [["circle"]] * 4
    assert set(found[0]) == {"page", "kind", "submitted_at", "items"}
    assert set(found[0]["items"][0]) == {"id", "file_name", "thumbnail", "labels", "skipped"}
    with django_assert_max_num_queries(12):
        looked_at(api(labeler), pages[0])


def test_a_page_is_looked_at_and_corrected_and_the_history_keeps_both(
    project, labeler, many, circle, square, api
) -> None:
    page, later = submitted(project, labeler, circle, 4), submitted(project, labeler, circle)
    body = looked_at(api(labeler), page)
    assert [each["id"] for each in body["items"]] == list(
        page.claims.order_by("position").values_list("item_id", flat=True)
    )
    assert body["answers"][str(body["items"][0]["id"])]["regions"] == [{"class": circle}]
    assert not Annotation.objects.exclude(withdrawn_at=None).exists()
    assert corrected(api(labeler), page, square) == ["counted"] * 4
    item = Item.objects.get(pk=body["items"][0]["id"])
    assert [each.label_class_id for each in item.current_annotation.regions.all()] == [square]
    assert [each.withdrawal for each in item.annotations.order_by("id")] == ["corrected", ""]
    assert [each["page"] for each in listed(api(labeler), project)] == [later.pk, page.pk]
    assert looked_at(api(labeler), page)["answers"][str(item.pk)]["regions"] == [{"class": square}]


@pytest.mark.parametrize("kind", ["validation", "audit"])
def test_a_blind_page_stays_blind_and_can_be_corrected(
    project, labeler, reviewer, circle, square, api, kind
) -> None:
    item = factories.make_unread_items(project, 1)[0]
    factories.open_queue(project, [item])
    if kind == "audit":
        submitted(project, reviewer, circle)
        QueueEntry.objects.create(item=item, project=project, kind="audit")
        Recheck.objects.create(
            project=project, item=item, first=Annotation.objects.get(), probability=0.5
        )  # fmt: skip
    else:
        QueueEntry.objects.update(kind="validation", inclusion_probability=0.2)
    page = submitted(project, labeler, square)
    assert page.kind == kind
    body = looked_at(api(labeler), page)
    assert (body["kind"], body["why"], body["items"][0]["suggestion"]) == ("manual", "", None)
    assert listed(api(labeler), project)[0]["kind"] == "manual"
    assert kind not in str(body) + str(listed(api(labeler), project))
    if kind == "audit":
        assert Item.objects.get().state == "needs_review"
    assert corrected(api(labeler), page, circle) == ["counted"]
    item.refresh_from_db()
    assert item.state == "labeled"
    standing = Annotation.objects.get(item=item, labeler=labeler, withdrawn_at=None)
    assert (standing.kind, standing.suggestion_visible) == (kind, False)


@pytest.mark.parametrize("seen", [False, True])
def test_a_hidden_outlier_stays_hidden(project, labeler, circle, square, api, monkeypatch, seen) -> None:
    monkeypatch.setattr(decoys, "SHARE", 1.0)
    other = factories.make_user()
    factories.add_member(project, other)
    factories.make_items(project, 1)
    project.validation_rate = 0
    project.save(update_fields=["validation_rate"])
    QueueEntry.objects.update(kind="manual")
    known = Item.objects.get()
    submitted(project, other, square)
    grid(project, 9, circle)
    page = queue.claim(project, labeler, 9)
    asked = [*page.claims.values_list("item_id", flat=True), known.pk]
    submission.submit(
        page, labeler, [answer(item, None if seen and item == known.pk else circle) for item in asked]
    )
    shown = [each["id"] for each in looked_at(api(labeler), page)["items"]]
    assert [each["id"] for each in listed(api(labeler), project)[0]["items"]] == shown
    assert sorted(shown) == sorted(set(asked) - {known.pk} if seen else asked)
    assert corrected(api(labeler), page, circle) == ["counted"] * len(shown)
    known.refresh_from_db()
    assert known.current_annotation.labeler == other


def test_what_was_given_back_is_not_shown_and_what_a_reviewer_has_seen_is_kept_as_it_is(
    project, labeler, reviewer, many, circle, square, api
) -> None:
    QueueEntry.objects.update(kind="prelabeled", group=1, proposed_class=circle)
    page = queue.claim(project, labeler, 4)
    returned, seen, *others = page.claims.order_by("position").values_list("item_id", flat=True)
    submission.submit(
        page, labeler, [answer(returned, None), *[answer(each, circle) for each in (seen, *others)]]
    )
    review.approve(project, [seen], reviewer)
    assert [each["id"] for each in looked_at(api(labeler), page)["items"]] == [seen, *others]
    assert corrected(api(labeler), page, square) == ["kept", "counted", "counted"]
    assert looked_at(api(labeler), page)["answers"][str(seen)]["regions"] == [{"class": circle}]


@pytest.mark.parametrize("kind", ["manual", "validation"])
def test_a_correction_does_not_bring_back_what_a_reviewer_rejected(
    project, labeler, reviewer, many, circle, square, kind
) -> None:
    QueueEntry.objects.update(kind=kind)
    page = submitted(project, labeler, circle)
    item = page.claims.get().item_id
    review.reject(project, [item], reviewer)
    for _ in range(2):
        assert submission.submit(page, labeler, [answer(item, circle)])[0]["status"] == "kept"
    assert Item.objects.get(pk=item).state == "unlabeled"
    assert QueueEntry.objects.get(pk=item).open_slots == 1
    submission.undo(project, labeler)  # shows the page anew, and holds the item again
    assert submission.submit(page, labeler, [answer(item, square)])[0]["status"] == "counted"
    assert submission.submit(page, labeler, [answer(item, circle)])[0]["status"] == "counted"


def test_only_submitted_pages_of_ones_own_are_shown(project, labeler, reviewer, many, circle, api) -> None:
    page = submitted(project, labeler, circle)
    held = queue.claim(project, labeler, 1)
    assert listed(api(reviewer), project) == []
    for person, other in ((reviewer, page), (labeler, held)):
        assert api(person).get(f"/api/projects/{project.pk}/pages/{other.pk}/").status_code == 404


def test_looking_at_a_page_again_takes_nothing_from_others(
    project, labeler, reviewer, many, circle, api
) -> None:
    page = queue.claim(project, labeler, 4)
    first, *lost = page.claims.order_by("position").values_list("item_id", flat=True)
    page.claims.filter(item__in=lost).update(state="expired")
    QueueEntry.objects.filter(item__in=lost).update(open_slots=1)
    submission.submit(page, labeler, [answer(first, circle)])
    looked_at(api(labeler), page)
    assert extended(api(labeler), page) == ("submitted", lost)
    assert not page.claims.filter(state="live").exists()


def extended(client, page) -> tuple[str, list[int]]:
    body = client.post(f"/api/projects/{page.project_id}/pages/{page.pk}/extend/").json()
    return body["state"], body["lost"]


def test_a_page_that_was_left_is_had_again_but_for_what_others_took(
    project, labeler, reviewer, many, circle, api
) -> None:
    page = queue.claim(project, labeler, 4)
    items = list(page.claims.order_by("position").values_list("item_id", flat=True))
    queue.release(page)
    taken = queue.claim(project, reviewer, 1).claims.get().item_id
    assert extended(api(labeler), page) == ("open", [taken])
    mine = page.claims.filter(state="live").values_list("item_id", flat=True)
    assert sorted(mine) == sorted(set(items) - {taken})
    assert not QueueEntry.objects.filter(item__in=items, open_slots=1).exists()


def test_a_correction_of_a_confirmed_label_keeps_what_its_proposal_rested_on(
    project, labeler, many, circle, square, api
) -> None:
    QueueEntry.objects.update(kind="prelabeled", group=1, proposed_class=circle)
    page = submitted(project, labeler, circle, 4)
    version = ModelVersion.objects.create(
        project=project, number=1, backbone="bundled", head="x", classes=[circle], labels=200
    )
    certificate = Certificate.objects.create(
        project=project, model_version=version, attempt=1, state="valid", target_error=0.1, confidence=0.95,
        alpha=0.025, threshold=0.5, bound=0.09, allowed_error=0.1, n_validation=100,
    )  # fmt: skip
    Annotation.objects.update(certificate=certificate.pk)
    corrected(api(labeler), page, square)
    standing = Annotation.objects.filter(page=page, withdrawn_at=None)
    assert {(each.certificate, each.agreed) for each in standing} == {(certificate.pk, False)}


def test_a_reason_for_skipping_travels_to_the_item(project, labeler, reviewer, many, api, client) -> None:
    page = queue.claim(project, labeler, 1)
    item = page.claims.get().item_id
    url = f"/api/projects/{project.pk}/pages/{page.pk}/submit/"
    given = {"item": item, "uuid": str(uuid.uuid4()), "skip_reason": "Too dark to tell."}
    refused = api(labeler).post(url, {"answers": [given]}, format="json")
    assert (refused.status_code, Project.objects.get().annotations.count()) == (400, 0)
    sent = api(labeler).post(url, {"answers": [given | {"skipped": True}]}, format="json")
    assert sent.json()["saved"] == [{"item": item, "status": "skipped"}]
    assert Item.objects.get(pk=item).reason == "Too dark to tell."
    assert looked_at(api(labeler), page)["answers"][str(item)] == {
        "skipped": True, "skip_reason": "Too dark to tell.", "regions": [],
    }  # fmt: skip
    history = api(reviewer).get(f"/api/projects/{project.pk}/items/{item}/").json()["history"]
    assert history[0]["skip_reason"] == "Too dark to tell."
    client.force_login(reviewer)
    panel = client.get(f"/projects/{project.pk}/data/{item}/", headers={"HX-Request": "true"})
    assert "Too dark to tell." in panel.content.decode()
