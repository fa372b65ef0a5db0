"""What people skip or do not agree on is no label, but no gap in the evidence either."""

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from labeling import answers, extensions, review, submission, worker_quality
from labeling.models import Annotation, Item, Job, Page, Project, QueueEntry, User
from mlassist import auditing, concluding, loop, proving, second_looks, steering, training
from mlassist.models import Certificate, ModelVersion, SecondLook
from tests import factories
from tests.mlassist.playing import certified, fresh_draws, give, open_proof, play, pool  # noqa: F401
from tests.mlassist.test_auditing import claim_kind, say, say_all, second, wrong  # noqa: F401

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pool")]
FEW = 3


def skip(project: Project, labeler: User, page: Page) -> None:
    item = page.claims.get().item_id
    submission.submit(page, labeler, [submission.Answer(item, uuid.uuid4(), skipped=True)])


def skipping(every: int) -> Callable[[int, Item], str | None]:
    """Skip one of so many, and answer the others rightly."""
    return lambda number, item: factories.true_class(item) if number % every else None


def contradicting(first: int) -> Callable[[int, Item], str | None]:
    """Answer the first so many wrongly, and the others rightly."""
    return lambda number, item: wrong(item) if number < first else factories.true_class(item)


def contradict(project: Project, labeler: User, page: Page) -> None:
    say(project, labeler, page, wrong(page.claims.get().item))


def test_what_is_skipped_in_a_proof_speaks_against_it_like_a_contradiction(project, labeler):
    proof = open_proof(project, labeler)
    hard = sorted(fresh_draws(project, proof))[:FEW]
    for item in hard:
        skip(project, labeler, claim_kind(project, labeler, "validation", item))
    say_all(project, labeler, "validation")
    play(project)
    proof.refresh_from_db()
    assert proof.state == "refused"
    assert proving.judged(proof).losses.sum() == FEW
    assert proof.evidence["undecided"] == FEW


def test_no_certificate_comes_from_a_blind_draw_of_which_much_is_skipped(project, labeler):
    say_all(project, labeler, "validation", skipping(6), most=180)
    give(project, labeler, 90, "manual")
    play(project)
    assert not Certificate.objects.filter(state="valid").exists()


def test_accuracy_is_of_images_that_people_could_decide(project, labeler):
    say_all(project, labeler, "validation", skipping(4), most=40)
    give(project, labeler, 90, "manual")
    play(project)
    metrics = ModelVersion.objects.get(project=project).metrics
    assert (metrics["validation_n"], metrics["accuracy"]) == (30, 1.0)


def test_a_skipped_audit_neither_holds_nor_breaks_a_certificate(project, labeler):
    project.assist_mode = "accept"
    project.save()
    certificate = certified(project, labeler)
    skipped = say_all(project, labeler, "audit", skipping(1))
    loop.check_audits(project)
    certificate.refresh_from_db()
    found = auditing.summary(certificate)
    assert certificate.state == "valid"
    assert (found.unsettled, found.wrong) == (len(skipped), 0)
    assert found.evidence == 1 and not found.proved
    assert set(Item.objects.filter(pk__in=skipped).values_list("state", flat=True)) == {"skipped"}


def test_who_skips_what_somebody_has_labeled_leaves_it_to_a_reviewer(project, labeler, second):  # noqa: F811
    give(project, second, 9, "manual")
    item = Item.objects.filter(state="labeled").first()
    QueueEntry.objects.create(item=item, project=project, kind="audit")
    skip(project, labeler, claim_kind(project, labeler, "audit", item.pk))
    item.refresh_from_db()
    assert (item.state, item.reason) == ("needs_review", "One labeler gave it a class, another skipped it.")


def test_an_attempt_waits_for_second_opinions_and_is_made_when_the_last_is_there(
    project,
    labeler,
    second,  # noqa: F811
):
    give(project, second, 9, "manual")
    say_all(project, labeler, "validation", contradicting(1), most=180)
    give(project, labeler, 81, "manual")
    play(project)
    assert not Certificate.objects.exists()
    assert "waits for a second person" in extensions.facts(project)["certificate_outlook"]["message"]
    project.refresh_from_db()
    assert project.validation_share == 0.9  # nothing else is missing
    loop.train_now(project, None)
    play(project)  # a newer model does not end the waiting
    say_all(project, second, "audit")
    assert play(project) == "round"
    assert Certificate.objects.filter(state="valid").exists()


def test_a_label_to_learn_from_that_a_sure_model_contradicts_is_looked_at_again(
    project,
    labeler,
    second,  # noqa: F811
):
    give(project, second, 9, "manual")
    page = claim_kind(project, labeler, "manual")
    slip = page.claims.get().item
    say(project, labeler, page, wrong(slip))
    give(project, labeler, 120, "manual")
    play(project)
    assert set(QueueEntry.objects.filter(kind="audit").values_list("item_id", flat=True)) == {slip.pk}
    say(project, second, claim_kind(project, second, "audit", slip.pk))
    slip.refresh_from_db()
    assert slip.state == "needs_review"  # and teaches nothing until it is decided
    loop.train_now(project, None)
    play(project)
    assert not QueueEntry.objects.filter(kind="audit").exists()


@pytest.fixture
def in_dispute(project, labeler, second):  # noqa: F811
    """Return a proof whose labels are all there; its two people do not agree on some of the images."""
    give(project, second, 9, "manual")
    proof = open_proof(project, labeler)
    slips = sorted(fresh_draws(project, proof))[:FEW]
    for item in slips:
        contradict(project, labeler, claim_kind(project, labeler, "validation", item))
    say_all(project, labeler, "validation")
    play(project)
    say_all(project, second, "audit")
    assert Item.objects.filter(project=project, state="needs_review").count() == FEW
    assert play(project) == "round"
    proof.refresh_from_db()
    return proof


def decide(project: Project, manager: User, *, for_the_model: bool) -> None:
    for item in Item.objects.filter(project=project, state="needs_review"):
        slip, right = review.answers_in_dispute(item)
        review.decide(project, item.pk, right.pk if for_the_model else slip.pk, manager)


def test_a_proof_waits_for_a_reviewer_where_people_do_not_agree(project, manager, in_dispute):
    assert in_dispute.state == "open"
    assert play(project) is None  # and makes no round after round meanwhile
    outlook = extensions.facts(project)["certificate_outlook"]
    assert (outlook["message"], outlook["in_dispute"]) == (
        "Whether all images can be certified depends on a reviewer", FEW,
    )  # fmt: skip
    assert not QueueEntry.objects.filter(
        project=project, kind="validation", item__draw__gte=project.validation_rate
    ).exists()
    decide(project, manager, for_the_model=True)
    assert play(project) == "round"
    in_dispute.refresh_from_db()
    assert set(proving.judged(in_dispute).items) == set(in_dispute.evidence["put_off"])
    assert (in_dispute.state, in_dispute.errors) == ("valid", 0)


def test_a_reviewer_who_decides_against_the_model_ends_the_proof(project, manager, in_dispute):
    decide(project, manager, for_the_model=False)
    assert play(project) == "round"
    in_dispute.refresh_from_db()
    assert in_dispute.state == "refused"


def test_a_proof_waits_a_day_for_a_reviewer_and_then_counts_disputes_as_errors(project, in_dispute):
    Annotation.objects.update(created_at=F("created_at") - timedelta(days=2))
    SecondLook.objects.update(created_at=F("created_at") - timedelta(days=2))
    assert play(project) == "round"
    in_dispute.refresh_from_db()
    assert in_dispute.state == "refused"
    assert in_dispute.evidence["undecided"] == FEW


def test_what_a_labeler_sends_again_does_not_save_a_proof(project, labeler, manager, in_dispute):
    decide(project, manager, for_the_model=False)
    for item in Item.objects.filter(project=project, reviews__isnull=False):
        say(project, labeler, Page.objects.filter(labeler=labeler, claims__item=item).latest("id"))
    play(project)
    in_dispute.refresh_from_db()
    assert in_dispute.state == "refused"


def test_an_attempt_on_the_whole_pool_waits_a_day_for_a_reviewer(project, labeler, second):  # noqa: F811
    give(project, second, 9, "manual")
    say_all(project, labeler, "validation", contradicting(2 * FEW), most=180)
    give(project, labeler, 81, "manual")
    play(project)
    say_all(project, second, "audit")
    assert play(project) is None
    assert extensions.facts(project)["certificate_outlook"]["in_dispute"] == 2 * FEW
    Annotation.objects.update(created_at=F("created_at") - timedelta(days=2))
    assert play(project) == "round"
    assert Certificate.objects.exists()


def test_an_answer_for_a_proof_that_is_undone_is_asked_blind_again(project, labeler):
    proof = open_proof(project, labeler)
    item = min(fresh_draws(project, proof))
    contradict(project, labeler, claim_kind(project, labeler, "validation", item))
    submission.undo(project, labeler)
    assert QueueEntry.objects.get(pk=item).kind == "validation"


def test_a_round_that_fails_after_it_made_a_model_is_not_repeated_for_ever(project, labeler, monkeypatch):
    open_proof(project, labeler)
    say_all(project, labeler, "validation")
    loop.advance(project)
    job = Job.objects.get(project=project, state="queued")
    monkeypatch.setattr(concluding, "tested", lambda *given: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        training.do_round(job)
    Job.objects.filter(pk=job.pk).update(state="failed", finished_at=timezone.now())
    loop.advance(project)
    assert not Job.objects.filter(project=project, state="queued").exists()


def test_images_are_counted_and_not_the_answers_that_they_take(manager, labeler):
    other = factories.make_user("other@example.com")
    project = factories.make_project(manager=manager, labeler=labeler, labels_per_item=2, validation_rate=1.0)
    factories.add_member(project, other)
    factories.open_queue(project, factories.make_unread_items(project, 10))
    for person in (labeler, other):
        factories.answer_all(project, person, lambda item: "circle")
    assert steering.blind_labels(project) == len(answers.validation(project)) == 10


def test_while_all_that_is_left_waits_for_a_proof_most_answers_go_to_it(project, labeler):
    open_proof(project, labeler)
    project.refresh_from_db()
    assert project.validation_share == proving.MOST_SHARE


def test_blind_images_that_two_labelers_dispute_stay_in_the_evidence(manager, labeler):
    other = factories.make_user("other@example.com")
    project = factories.make_project(manager=manager, labeler=labeler, labels_per_item=2, validation_rate=1.0)
    factories.add_member(project, other)
    items = factories.make_unread_items(project, 10)
    factories.open_queue(project, items)
    factories.answer_all(project, labeler, lambda item: "circle")
    factories.answer_all(project, other, lambda item: "circle" if item.pk % 2 else "square")
    given = answers.validation(project)
    assert len(given) == 10
    assert given.labels.count(answers.UNDECIDED) == 5
    assert sorted(given.items) == list(given.items)


def test_a_project_may_do_without_second_labels(project, labeler, second):  # noqa: F811
    Project.objects.filter(pk=project.pk).update(second_labels=False)
    give(project, second, 9, "manual")
    page = claim_kind(project, labeler, "manual")
    say(project, labeler, page, wrong(page.claims.get().item))
    give(project, labeler, 120, "manual")
    play(project)
    assert not QueueEntry.objects.filter(kind="audit").exists()


def test_second_labels_are_asked_a_few_at_a_time(project, labeler, second, monkeypatch):  # noqa: F811
    monkeypatch.setattr(second_looks, "FEWEST_AT_ONCE", 2)
    give(project, second, 9, "manual")
    for _ in range(6):
        page = claim_kind(project, labeler, "manual")
        say(project, labeler, page, wrong(page.claims.get().item))
    give(project, labeler, 120, "manual")
    play(project)
    most = second_looks.budget(135)
    assert 2 <= QueueEntry.objects.filter(kind="audit").count() <= most < 10


def test_people_are_measured_after_a_training(project, labeler, second):  # noqa: F811
    give(project, second, 9, "manual")
    give(project, labeler, 120, "manual")
    for item in Item.objects.filter(annotations__labeler=labeler, annotations__kind="manual")[:40]:
        factories.make_annotation(item, wrong(item), second)
    play(project)
    found = worker_quality.newest(project)
    assert found[labeler.pk].method == "crowdlab"
    assert found[labeler.pk].quality > 0.85 > 0.5 > found[second.pk].quality
