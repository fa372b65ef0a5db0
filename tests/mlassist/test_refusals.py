"""What people refuse, skip or overturn has its weight: it does not come back, nor flatter a model."""

import uuid
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from labeling import answers, projects, queue, review, submission, suggestions
from labeling.models import Annotation, QueueEntry
from mlassist import attempts, auditing, inference, loop, proving
from mlassist.models import Audit, Certificate, RegionDraw, SecondLook
from mlassist.pool import Pool
from tests import factories
from tests.mlassist.playing import certified, fresh_draws, give, open_proof, play, pool  # noqa: F401
from tests.mlassist.test_auditing import claim_kind, say, say_all, second, wrong  # noqa: F401

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pool")]


@pytest.fixture
def accepting(project):
    project.assist_mode = "accept"
    project.save()


@pytest.mark.usefixtures("accepting")
def test_a_rejected_automatic_label_is_not_given_again(project, labeler, reviewer, manager):
    certified(project, labeler)
    given = Annotation.objects.filter(project=project, source="auto", withdrawn_at=None, item__entry=None)
    items = list(given.values_list("item_id", flat=True)[:5])
    review.reject(project, items, reviewer)
    loop.train_now(project, manager)
    play(project)
    assert not Annotation.objects.filter(source="auto", withdrawn_at=None, item__in=items).exists()


def test_an_image_whose_proposal_somebody_refused_is_not_labeled_by_the_model(project, labeler, manager):
    certified(project, labeler)
    with transaction.atomic():
        found = queue.candidates(project, labeler, "prelabeled", 4)
        page = queue.lease(project, labeler, "prelabeled", found, timezone.now())
    items = list(page.claims.values_list("item_id", flat=True))
    submission.submit(
        page, labeler, [submission.Answer(item, uuid.uuid4(), exception=True) for item in items]
    )
    projects.change_settings(project, manager, assist_mode="accept")
    play(project)
    assert items
    assert not Annotation.objects.filter(source="auto", item__in=items).exists()


def test_a_first_answer_that_two_others_overturn_is_an_error_of_the_proof(project, labeler, second):  # noqa: F811
    third = factories.make_user("third@example.com")
    factories.add_member(project, third)
    give(project, second, 9, "manual")
    give(project, third, 9, "manual")
    proof = open_proof(project, labeler)
    fresh = fresh_draws(project, proof)
    give(project, labeler, QueueEntry.objects.filter(kind="validation", item__in=fresh).count(), "validation")
    first = Annotation.objects.filter(item__in=fresh, kind="validation").first()
    suggestions.ask_again(project, [first.item_id], probability=0.1)
    SecondLook.objects.create(
        certificate=proof, item_id=first.item_id, first=first, agreed=True, probability=0.1
    )
    before = proving.judged(proof).losses
    for each in (second, third):
        say(project, each, claim_kind(project, each, "audit", first.item_id), wrong(first.item))
    after = proving.judged(proof).losses
    assert (len(after), after.sum()) == (len(before), before.sum() + 1)
    assert first.item_id not in answers.training(project).items


def test_rejected_blind_answers_are_waited_for(project, labeler, reviewer):
    give(project, labeler, 180, "validation")
    bad = list(Annotation.objects.filter(kind="validation").order_by("id")[:30])
    for each in bad:
        each.regions.update(label_class=project.classes.get(name=wrong(each.item)))
    give(project, labeler, 90, "manual")
    review.reject(project, [each.item_id for each in bad], reviewer)
    assert answers.blind_again(project) == 30
    play(project)
    assert not Certificate.objects.exists()


def test_a_proof_without_an_error_is_not_judged_before_it_can_hold(project, labeler):
    proof = open_proof(project, labeler)
    while page := claim_kind(project, labeler, "validation"):
        say(project, labeler, page)
        if proving.is_complete(project):
            break
    play(project)
    proof.refresh_from_db()
    assert proving.judged(proof).losses.sum() == 0
    assert proof.state == "valid"


@pytest.mark.usefixtures("accepting")
def test_skipped_audits_do_not_end_the_audit(project, labeler):
    certificate = certified(project, labeler)
    Audit.objects.update(created_at=timezone.now() - timedelta(days=2))
    assert auditing.draw(certificate) == 0  # as many wait as are asked in a day
    say_all(project, labeler, "audit", lambda number, item: None)
    assert auditing.draw(certificate) > 0


@pytest.mark.usefixtures("accepting")
def test_rejected_automatic_labels_speak_against_their_certificate(project, labeler, reviewer):
    certificate = certified(project, labeler)
    audited = list(Audit.objects.values_list("item_id", flat=True))
    review.reject(project, audited, reviewer)
    for item in audited:
        kind = QueueEntry.objects.get(item=item).kind
        page = claim_kind(project, labeler, kind, item)
        say(project, labeler, page, wrong(page.claims.get().item))
    loop.check_audits(project)
    certificate.refresh_from_db()
    assert certificate.state == "withdrawn"


@pytest.mark.usefixtures("accepting")
@pytest.mark.parametrize("why", ["audits", "target"])
def test_without_help_from_a_model_its_certificate_is_withdrawn_all_the_same(project, labeler, manager, why):
    certificate = certified(project, labeler)
    stricter = {"target_error": 0.01} if why == "target" else {}
    projects.change_settings(project, manager, assist_mode="off", **stricter)
    if why == "audits":
        say_all(project, labeler, "audit", lambda number, item: wrong(item))
    loop.tick()
    certificate.refresh_from_db()
    assert certificate.state == "withdrawn"


def test_a_second_certificate_leaves_out_what_its_test_left_out(project, labeler, manager):
    one = certified(project, labeler)
    Certificate.objects.filter(pk=one.pk).update(state="superseded")
    two = Certificate.objects.get(pk=one.pk)
    two.pk, two.attempt, two.state = None, 2, "valid"
    two.save(force_insert=True)
    projects.change_settings(project, manager, assist_mode="accept")
    everything = Pool.of(project)
    left_out = everything.ids[attempts.taken([one], project, everything)]
    loop.train_now(project, manager)
    play(project)
    assert len(left_out)
    assert not Annotation.objects.filter(
        source="auto", certificate=two.pk, item__in=left_out.tolist()
    ).exists()


def test_a_page_held_while_its_certificate_falls_is_not_certified_afterwards(project, labeler):
    certificate = certified(project, labeler)
    with transaction.atomic():
        found = queue.candidates(project, labeler, "prelabeled", 9)
        page = queue.lease(project, labeler, "prelabeled", found, timezone.now())
    loop.withdraw(certificate, "test")
    queue.release(page)
    assert suggestions.is_shown(project, certificate.pk)
    loop.clear_ended(project)
    assert not suggestions.is_shown(project, certificate.pk)


@pytest.mark.usefixtures("accepting")
def test_a_certificate_that_falls_during_a_round_neither_labels_nor_fails_it(
    project, labeler, manager, monkeypatch
):
    certificate = certified(project, labeler)
    accept = inference.accept

    def withdraw_first(*args):
        loop.withdraw(Certificate.objects.get(pk=certificate.pk), "test")
        return accept(*args)

    monkeypatch.setattr(inference, "accept", withdraw_first)
    loop.train_now(project, manager)
    assert play(project) == "round"
    loop.clear_ended(project)
    assert not suggestions.is_shown(project, certificate.pk)
    assert not Annotation.objects.filter(source="auto", withdrawn_at=None, item__entry=None).exists()


def test_a_certificate_that_proves_too_little_fills_no_more_pages(project, labeler, manager):
    certificate = certified(project, labeler)
    assert suggestions.is_shown(project, certificate.pk)
    Certificate.objects.filter(pk=certificate.pk).update(state="superseded", reason="It proves too little.")
    loop.train_now(project, manager)
    play(project)
    assert not suggestions.is_shown(project, certificate.pk)


def test_a_proof_for_an_import_ends_with_its_certificate(project, labeler):
    certificate = certified(project, labeler)
    free = answers.unlabeled(project)[:20].tolist()
    asked = suggestions.ask_blind(project, free, 20, probability=0.1)
    RegionDraw.objects.bulk_create(
        RegionDraw(certificate=certificate, item_id=item, score=1.0, answer=[1]) for item in asked
    )
    blind = QueueEntry.objects.filter(item__in=asked, kind="validation")
    loop.tick()
    assert blind.count() == len(asked) == 20
    Certificate.objects.filter(pk=certificate.pk).update(state="superseded", reason="It proves too little.")
    loop.tick()
    assert not blind.exists()
