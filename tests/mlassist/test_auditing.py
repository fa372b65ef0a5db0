"""Audits for ever, second opinions, and what managers are told when a certificate falls."""

import uuid
from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from labeling import answers, queue, review, submission
from labeling.models import Annotation, Item, QueueEntry
from mlassist import auditing, audits, loop, proving, second_looks
from mlassist.models import Audit, Certificate, ModelVersion, SecondLook
from tests import factories
from tests.mlassist.playing import NAMES, certified, give, open_proof, play, pool  # noqa: F401

pytestmark = pytest.mark.django_db


@pytest.fixture
def second(project):
    """A second labeler, at work."""
    user = factories.make_user("second@example.com")
    factories.add_member(project, user)
    return user


def later(**span):
    """Let time pass for all that was answered and drawn."""
    past = timezone.now() - timedelta(**span)
    Annotation.objects.update(created_at=past)
    Audit.objects.update(created_at=past)


def claim_kind(project, labeler, kind, item=None, most=1):
    """Claim an entry of a kind as the queue would, that of an item if asked; None when there is none."""
    with transaction.atomic():
        found = queue.candidates(project, labeler, kind, 1_000)
        found = [each for each in found if item in (None, each.item)][:most]
        return queue.lease(project, labeler, kind, found, timezone.now()) if found else None


def say(project, labeler, page, name=None):
    """Answer a page of one image, rightly unless a class is named; returns the item."""
    item = page.claims.select_related("item").get().item
    label = project.classes.get(name=name or factories.true_class(item))
    answer = submission.Answer(item.pk, uuid.uuid4(), (submission.RegionInput(label.pk),))
    submission.submit(page, labeler, [answer])
    return Item.objects.get(pk=item.pk)


def say_all(project, labeler, kind, name=lambda number, item: factories.true_class(item), most=1_000):
    """Answer all entries of a kind on one page, each with the class that `name` has for it; None skips."""
    page = claim_kind(project, labeler, kind, most=most)
    classes = dict(project.classes.values_list("name", "id"))
    answered = []
    for number, claim in enumerate(page.claims.select_related("item").order_by("position")):
        given = name(number, claim.item)
        regions = () if given is None else (submission.RegionInput(classes[given]),)
        answered.append(submission.Answer(claim.item_id, uuid.uuid4(), regions, skipped=given is None))
    submission.submit(page, labeler, answered)
    return [each.item for each in answered]


def wrong(item):
    return NAMES[(NAMES.index(factories.true_class(item)) + 1) % 3]


def rightly_labeled(asked):
    """Return an item whose label is right, of some audits."""
    rows = asked.select_related("item").prefetch_related("label__regions__label_class")
    return next(
        each.item
        for each in rows
        if each.label.regions.get().label_class.name == factories.true_class(each.item)
    )


def test_confirmed_proposals_are_asked_again_of_somebody_else(project, pool, labeler, second):  # noqa: F811
    certificate = certified(project, labeler)
    give(project, second, 9, "validation")
    give(project, labeler, 60, "prelabeled")
    confirmed = Annotation.objects.filter(kind="prelabeled", agreed=True)
    assert set(confirmed.values_list("certificate", flat=True)) == {certificate.pk}
    loop.draw_audits()
    assert not Audit.objects.exists()  # they might still be undone
    later(minutes=11)
    loop.draw_audits()
    drawn = list(Audit.objects.select_related("label"))
    assert len(drawn) == audits.due(confirmed.count(), 0, 0, rested=True)
    assert {each.probability for each in drawn} == {len(drawn) / confirmed.count()}
    assert claim_kind(project, labeler, "audit") is None
    agreed = say(project, second, claim_kind(project, second, "audit"))
    assert agreed.current_annotation.labeler == labeler
    assert agreed.current_annotation_id == Audit.objects.get(item=agreed).label_id
    page = claim_kind(project, second, "audit")
    disputed = say(project, second, page, wrong(page.claims.get().item))
    assert (disputed.state, disputed.current_annotation) == ("needs_review", None)
    assert Annotation.objects.filter(item=disputed, withdrawn_at=None, counted=True).count() == 2
    loop.check_audits(project)
    assert Audit.objects.get(item=agreed).loss == 0
    found = auditing.summary(certificate)
    assert (found.answered, found.wrong, found.unsettled) == (2, 0, 1)
    assert found.at_most >= audits.excluded_above([0.0, 0.0], certificate.confidence)
    later(days=8)  # no reviewer has come
    loop.check_audits(project)
    assert Audit.objects.get(item=disputed).loss == 1


def test_a_lone_labeler_is_asked_nothing_twice(project, pool, labeler):  # noqa: F811
    certified(project, labeler)
    give(project, labeler, 60, "prelabeled")
    later(minutes=11)
    loop.draw_audits()
    assert not QueueEntry.objects.filter(kind="audit").exists()
    assert not SecondLook.objects.exists()


def test_auto_labels_are_drawn_every_day_and_a_contradiction_gets_second_opinions(
    project,
    pool,  # noqa: F811
    labeler,
    second,
):
    project.assist_mode = "accept"
    project.save()
    certificate = certified(project, labeler)
    give(project, second, 9, "validation")
    first = Audit.objects.count()
    loop.draw_audits()
    assert Audit.objects.count() == first
    give(project, labeler, first, "audit")
    later(hours=25)
    loop.check_audits(project)
    loop.draw_audits()
    asked = Audit.objects.filter(answer=None)
    assert asked.count() == audits.FEWEST
    assert Audit.objects.values("item").distinct().count() == first + audits.FEWEST

    item = rightly_labeled(asked)
    say(project, labeler, claim_kind(project, labeler, "audit", item.pk), wrong(item))
    loop.check_audits(project)
    audit = Audit.objects.get(item=item)
    assert audit.loss is None
    assert not SecondLook.objects.get(item=item).agreed
    third = factories.make_user("third@example.com")
    factories.add_member(project, third)
    give(project, third, 1, "validation")
    item = say(project, second, claim_kind(project, second, "audit", item.pk))
    assert item.state == "labeled"  # one against one: a third person is asked
    item = say(project, third, claim_kind(project, third, "audit", item.pk))
    assert item.current_annotation.labeler == second
    loop.check_audits(project)
    audit.refresh_from_db()
    assert audit.loss == 0
    certificate.refresh_from_db()
    assert certificate.state == "valid"


def test_an_undone_answer_to_an_audit_is_forgotten(project, pool, labeler):  # noqa: F811
    project.assist_mode = "accept"
    project.save()
    certified(project, labeler)
    chosen = rightly_labeled(Audit.objects.all())
    item = say(project, labeler, claim_kind(project, labeler, "audit", chosen.pk))
    loop.check_audits(project)
    assert Audit.objects.get(item=item).loss == 0
    page, _ = submission.undo(project, labeler)
    say(project, labeler, page, wrong(item))
    loop.check_audits(project)
    assert Audit.objects.get(item=item).loss == 1


def test_a_proof_waits_for_second_opinions_and_counts_the_undecided_as_wrong(
    project,
    pool,  # noqa: F811
    labeler,
    second,
):
    give(project, second, 9, "manual")
    proof = open_proof(project, labeler)
    drawn = list(proof.draws.order_by("id").values_list("item_id", flat=True))
    doubtful = Item.objects.get(pk=drawn[0])
    say(project, labeler, claim_kind(project, labeler, "validation", doubtful.pk), wrong(doubtful))
    give(project, labeler, QueueEntry.objects.filter(kind="validation", item__in=drawn).count(), "validation")
    assert play(project) == "round"
    proof.refresh_from_db()
    assert proof.state == "open"
    assert ModelVersion.objects.latest("number").metrics["expected_error"]  # the preview goes on
    looks = SecondLook.objects.filter(certificate=proof)
    assert list(looks.filter(agreed=False).values_list("item_id", "probability")) == [(doubtful.pk, 1.0)]
    assert set(looks.filter(agreed=True).values_list("probability", flat=True)) == {second_looks.SHARE}
    assert not claim_kind(project, labeler, "audit")
    assert play(project) is None
    say_all(project, second, "audit", most=looks.count())
    doubtful.refresh_from_db()
    assert doubtful.state == "needs_review"
    assert play(project) == "round"
    proof.refresh_from_db()
    assert proof.state != "open"
    assert proof.n_validation == len(drawn)
    assert proving.judged(proof).losses.sum() == 1
    assert answers.blind(project, drawn).labels.count(answers.UNDECIDED) == 1
    assert proof.evidence["undecided"] == 1
    # The reviewer sends it back, and it is asked blind again although it is not of the blind draw.
    manager = project.created_by
    review.reject(project, [doubtful.pk], manager)
    assert QueueEntry.objects.get(pk=doubtful.pk).kind == "validation"


def test_an_overturned_agreement_has_all_agreements_looked_at(project, pool, labeler, second):  # noqa: F811
    third = factories.make_user("third@example.com")
    factories.add_member(project, third)
    give(project, labeler, 90, "validation")
    give(project, second, 9, "manual")
    give(project, third, 9, "manual")
    firsts = list(Annotation.objects.filter(kind="validation").values_list("id", flat=True))
    agreed = dict.fromkeys(firsts, True)
    few = second_looks.ask(project, agreed)
    assert 0 < few < len(firsts)
    page = claim_kind(project, second, "audit")
    item = page.claims.get().item
    say(project, second, page, wrong(item))
    assert second_looks.ask(project, agreed) == 0  # one against one may be either's slip
    say(project, third, claim_kind(project, third, "audit", item.pk), wrong(item))
    assert few + second_looks.ask(project, agreed) == len(firsts)
    assert second_looks.ask(project, agreed) == 0


def test_managers_are_told_of_a_withdrawal_until_they_have_read_it(project, pool, labeler, manager):  # noqa: F811
    project.assist_mode = "accept"
    project.save()
    certificate = certified(project, labeler)
    give(project, labeler, 9, "audit")
    right = set(Annotation.objects.filter(kind="audit").values_list("item_id", flat=True))
    before = Annotation.objects.filter(source="auto").count()
    back = loop.withdraw(certificate, "The audit contradicts it.")
    assert back == before
    assert set(Item.objects.filter(pk__in=right).values_list("state", flat=True)) == {"labeled"}
    sent_back = QueueEntry.objects.filter(why="its automatic label was withdrawn").order_by("priority")
    sure = dict(Annotation.objects.filter(source="auto").values_list("item_id", "confidence"))
    order = [sure[item] for item in sent_back.values_list("item_id", flat=True)]
    assert order == sorted(order)
    assert not QueueEntry.objects.filter(kind="prelabeled").exists()

    other = factories.make_user("other@example.com")
    factories.add_member(project, other, "manager")
    page = f"/projects/{project.pk}/"
    for user, sees in ((manager, True), (other, True), (labeler, False)):
        client = Client()
        client.force_login(user)
        assert ("I have read this" in client.get(page).content.decode()) == sees
    client = Client()
    client.force_login(manager)
    assert client.post(f"/projects/{project.pk}/certificate/{certificate.pk}/read/").status_code == 302
    assert "I have read this" not in client.get(page).content.decode()
    assert client.post(f"/projects/{project.pk}/certificate/{certificate.pk + 9}/read/").status_code == 404
    client.force_login(labeler)
    assert client.post(f"/projects/{project.pk}/certificate/{certificate.pk}/read/").status_code == 404
    client.force_login(other)
    assert "I have read this" in client.get(page).content.decode()
    evidence = client.get(f"/projects/{project.pk}/certificate/").content.decode()
    assert "By itself the audit shows so far" not in evidence  # no answer was taken in yet
    assert Certificate.objects.get().state == "withdrawn"
