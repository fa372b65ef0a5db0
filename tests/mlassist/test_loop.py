import uuid
from datetime import timedelta

import numpy as np
import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from clustering import embeddings
from labeling import answers, extensions, gallery, projects, queue, review, submission, suggestions
from labeling.models import Annotation, Item, Job, QueueEntry, Region, Suggestion
from mlassist import loop, ordering, runs, training, triggers
from mlassist.models import Audit, Certificate, ModelVersion, Run
from tests import factories
from tests.mlassist import playing
from tests.mlassist.playing import certified, fresh_draws, give, open_proof, play

pool = playing.pool  # instead of the folder's own, which two backbones have looked at


def test_first_model_needs_ten_of_each_class_or_fifty():
    assert triggers.first_model(0, [0, 0, 0]) == 30
    assert triggers.first_model(30, [10, 10, 10]) == 30
    assert triggers.first_model(12, [12, 10, 12]) == 12
    assert triggers.first_model(43, [40, 3, 0]) == 50
    assert triggers.first_model(0, [0] * 20) == 50
    assert [triggers.step_after(labels) for labels in (30, 100, 1_000)] == [25, 30, 300]


def test_queue_is_ordered_before_there_is_a_model(project, pool):
    assert play(project) == "order"
    first = QueueEntry.objects.filter(project=project, kind="manual").order_by("priority").first()
    assert first.why == ordering.TYPICAL_WHY
    assert play(project) is None  # nothing has changed


def test_rounds_follow_new_answers(project, pool, labeler):
    play(project)
    give(project, labeler, 9, "manual")
    assert play(project) is None
    give(project, labeler, 45, "manual")
    assert play(project) == "round"
    assert [run.kind for run in project.runs.order_by("id")] == ["training", "validation", "inference"]
    assert set(project.runs.values_list("state", flat=True)) == {"done"}
    assert play(project) is None
    give(project, labeler, 27, "manual")
    assert play(project) == "round"
    assert ModelVersion.objects.filter(project=project).count() == 2


def test_validation_items_are_never_trained_on_placed_or_proposed_for(project, pool, labeler):
    give(project, labeler, 30, "validation")
    give(project, labeler, 54, "manual")
    play(project)
    blind = Item.objects.filter(project=project, draw__lt=project.validation_rate)
    assert not Suggestion.objects.filter(item__in=blind).exists()
    assert not QueueEntry.objects.filter(item__in=blind).exclude(kind="validation").exists()
    version = ModelVersion.objects.get(project=project)
    assert version.labels == len(answers.training(project)) == 54
    assert version.metrics["validation_n"] == 36
    assert Suggestion.objects.filter(project=project).count() == len(answers.unlabeled(project))


def test_certificate_puts_the_sure_ones_on_prelabeled_pages(project, pool, labeler):
    give(project, labeler, 180, "validation")
    give(project, labeler, 90, "manual")
    play(project)
    certificate = Certificate.objects.get(project=project)
    assert certificate.state == "valid"
    assert certificate.bound <= 0.1
    entry = QueueEntry.objects.filter(project=project, kind="prelabeled").select_related("item").first()
    assert entry.group == entry.proposed_class_id
    right = [
        each.proposed_class.name == factories.true_class(each.item)
        for each in QueueEntry.objects.filter(project=project, kind="prelabeled")
    ]
    assert np.mean(right) >= 0.9
    assert not Annotation.objects.filter(source="auto").exists()
    facts = extensions.facts(project)
    assert facts["certificate"]["id"] == certificate.pk
    assert facts["model"]["accuracy"] > 0.9


@pytest.mark.parametrize("state", ["valid", "superseded"])
def test_accept_mode_labels_audits_and_withdraws(project, pool, labeler, state):
    project.assist_mode = "accept"
    project.save()
    give(project, labeler, 180, "validation")
    give(project, labeler, 90, "manual")
    play(project)
    certificate = Certificate.objects.get(project=project)
    auto = Annotation.objects.filter(project=project, source="auto")
    assert auto.count() > 100
    assert set(auto.values_list("certificate", "model_version")) == {(certificate.pk, 1)}
    told = Run.objects.get(project=project, kind="inference").metrics
    assert told["auto_labels"] == auto.count()
    waiting = QueueEntry.objects.filter(project=project, kind="prelabeled")
    assert told.get("prelabeled", 0) == waiting.count()
    audited = list(Audit.objects.filter(certificate=certificate).values_list("item_id", flat=True))
    assert set(audited) == set(QueueEntry.objects.filter(kind="audit").values_list("item_id", flat=True))
    assert len(audited) >= 20
    # A superseded certificate labels nothing new; what it has labeled is watched all the same.
    Certificate.objects.update(state=state)
    give(project, labeler, len(audited), "audit")
    loop.check_audits(project)
    certificate.refresh_from_db()
    assert certificate.state == state
    assert set(Audit.objects.values_list("loss", flat=True)) == {0.0}

    # Had the people contradicted it, the system would have taken it back.
    Audit.objects.update(answer=None, loss=None)
    wrong = project.classes.order_by("position").last()
    for annotation in Annotation.objects.filter(kind="audit"):
        annotation.regions.update(label_class=wrong)
    loop.check_audits(project)
    certificate.refresh_from_db()
    assert certificate.state == "withdrawn"
    assert "asked again" in certificate.reason
    assert not auto.filter(withdrawn_at=None).exists()
    assert extensions.facts(project)["certificate"]["state"] == "withdrawn"


def test_a_stricter_target_withdraws_a_certificate_that_promised_less(project, pool, labeler, manager):
    certificate = certified(project, labeler)
    projects.change_settings(project, manager, target_error=certificate.target_error / 2)
    loop.tick()
    certificate.refresh_from_db()
    assert (certificate.state, certificate.reason) == (
        "withdrawn",
        "The project asks for more than this certificate promised.",
    )


def test_a_change_of_mode_takes_effect_with_a_round_of_its_own(project, pool, labeler, manager):
    certified(project, labeler)
    loop.tick()
    assert not Job.objects.filter(kind="round", state="queued").exists()
    projects.change_settings(project, manager, assist_mode="accept")
    loop.tick()
    assert Job.objects.filter(kind="round", state="queued").count() == 1


def test_database_refuses_auto_labels_without_a_valid_certificate(project, pool, labeler):
    give(project, labeler, 180, "validation")
    give(project, labeler, 90, "manual")
    play(project)
    certificate = Certificate.objects.get(project=project)
    item = QueueEntry.objects.filter(project=project, kind="prelabeled").first().item_id
    label = suggestions.AutoLabel(item, [{"class": project.classes.first().pk}], 0.9)
    terms = {"model_version": 1, "certificate": certificate.pk, "threshold": 0.5}
    loop.withdraw(certificate, "for this test")
    with pytest.raises(IntegrityError), transaction.atomic():
        suggestions.accept(project, [label], **terms)
    with pytest.raises(IntegrityError), transaction.atomic():
        suggestions.accept(project, [label], **(terms | {"certificate": certificate.pk + 99}))


def test_rejected_labels_are_unlearned(project, pool, labeler, reviewer):
    give(project, labeler, 54, "manual")
    play(project)
    version = ModelVersion.objects.get(project=project)
    rejected = answers.training(project).items[:26].tolist()
    review.reject(project, rejected, reviewer)
    assert loop.news(project, version) == 26
    assert play(project) == "round"
    assert ModelVersion.objects.get(project=project, number=2).labels == 28


def test_sent_back_items_keep_their_place(project, pool, labeler):
    give(project, labeler, 54, "manual")
    sent_back = QueueEntry.objects.filter(project=project, kind="manual").first()
    QueueEntry.objects.filter(pk=sent_back.pk).update(
        priority=-1, why="somebody saw that the proposal is wrong"
    )
    play(project)
    sent_back.refresh_from_db()
    assert sent_back.priority == -1


def test_new_images_get_proposals_from_the_model(project, pool, labeler):
    give(project, labeler, 54, "manual")
    play(project)
    assert play(project) is None
    late = factories.make_unread_items(project, 5)
    embeddings.add(embeddings.set_of(project), [item.pk for item in late], np.eye(5, 24))
    assert play(project) == "round"


def test_labels_of_one_class_make_no_model(project, pool, labeler):
    give(project, labeler, 54, "manual")
    for annotation in Annotation.objects.filter(project=project):
        annotation.regions.update(label_class=project.classes.first())
    loop.advance(project)
    job = Job.objects.get(project=project, kind="round")
    with pytest.raises(training.NothingToLearn, match="another class"):
        training.do_round(job)
    run = Run.objects.get(project=project)
    assert (run.kind, run.state) == ("training", "failed")
    assert "another class" in run.log
    assert not Suggestion.objects.filter(project=project).exists()


def test_a_class_that_is_added_later_joins_with_its_first_label(project, pool, labeler):
    give(project, labeler, 54, "manual")
    play(project)
    added = project.classes.create(name="hexagon", position=3, color="#862e9c")
    give(project, labeler, 27, "manual")
    assert play(project) == "round"  # nobody has used it yet
    assert added.pk not in ModelVersion.objects.get(project=project, number=2).classes
    give(project, labeler, 27, "manual")
    newest = Annotation.objects.filter(project=project, source="human").order_by("-id").first()
    newest.regions.update(label_class=added)
    assert play(project) == "round"
    version = ModelVersion.objects.get(project=project, number=3)
    assert added.pk in version.classes
    assert Suggestion.objects.filter(project=project, model_version=3).exists()


def test_training_can_be_asked_for_once_there_is_something_to_learn(project, pool, labeler, manager):
    with pytest.raises(loop.TrainingRefused, match="no labels"):
        loop.train_now(project, manager)
    give(project, labeler, 9, "manual")
    job = loop.train_now(project, manager)
    assert loop.train_now(project, manager) == job
    assert extensions.facts(project)["next_run"]["running"]


def test_a_failed_round_waits_for_something_new(project, pool, labeler):
    play(project)
    give(project, labeler, 54, "manual")
    loop.advance(project)
    Job.objects.filter(kind="round").update(state="failed", finished_at=timezone.now())
    assert play(project) is None
    give(project, labeler, 27, "manual")
    assert play(project) == "round"


def test_killed_process_leaves_no_run_hanging(project, manager):
    job = Job.objects.create(
        project=project, kind="round", cluster="ml", state="failed", finished_at=timezone.now()
    )
    run = Run.objects.create(project=project, job=job, kind="training", log="so far so good\n")
    loop.close_orphans()
    run.refresh_from_db()
    assert run.state == "failed"
    assert run.log == f"so far so good\n{runs.INTERRUPTED}\n"


def test_run_whose_job_starts_it_again_is_not_called_failed(project, manager):
    job = Job.objects.create(project=project, kind="round", cluster="ml")
    run = Run.objects.create(project=project, job=job, kind="training")
    runs.close_dangling(job)
    run.refresh_from_db()
    assert run.state == "interrupted"


def test_dashboard_tells_how_long_a_training_takes_still(project, manager):
    job = Job.objects.create(project=project, kind="round", cluster="ml")
    run = Run.objects.create(project=project, job=job, kind="training", done=100, total=300)
    Run.objects.filter(pk=run.pk).update(started_at=timezone.now() - timedelta(seconds=120))
    assert extensions.facts(project)["next_run"]["seconds_left"] == pytest.approx(240, abs=10)


def test_wrong_labels_come_first_in_the_gallery_once_a_model_has_learned(project, pool, labeler):
    play(project)
    give(project, labeler, 60, "manual")
    wrong = project.classes.get(name="circle")
    labels = Region.objects.filter(annotation__project=project).exclude(label_class=wrong)
    flipped = list(labels.order_by("id")[:3].values_list("annotation__item", flat=True))
    Region.objects.filter(annotation__item__in=flipped).update(label_class=wrong)
    assert play(project) == "round"
    first = gallery.page(project, gallery.Filters(), "label_error", limit=12)[0]
    assert set(flipped) <= {each.pk for each in first}


def test_step_records_what_went_wrong(project):
    job = Job.objects.create(project=project, kind="round", cluster="ml")
    with (
        pytest.raises(ZeroDivisionError),
        runs.recorded(project, job, Run.Kind.TRAINING, total=1) as step,
    ):
        step.metrics["labels"] = 3
        raise ZeroDivisionError("no labels")
    run = Run.objects.get(project=project)
    assert (run.state, run.metrics) == ("failed", {"labels": 3})
    assert "no labels" in run.log


def test_facts_have_every_key_from_the_start(project):
    facts = extensions.facts(project)
    assert facts["model"] is None
    assert facts["certificate"] is None
    assert facts["forecast"] is None
    assert facts["runs"] == []
    assert facts["embedding"] == {
        "done": 0, "total": 0, "images_per_second": None, "seconds_left": None, "given_up": 0, "problem": "",
    }  # fmt: skip
    assert facts["next_backbone"] is None
    assert facts["next_run"] == {
        "have": 0,
        "need": 30,
        "running": False,
        "seconds_left": None,
        "message": "30 more labels until the first model",
    }
    outlook = facts["certificate_outlook"]
    assert outlook["blind_labels"] == 0
    assert outlook["message"] == f"About {outlook['blind_labels_needed']:,} more blind labels"


def test_multilabel_projects_learn_too(manager, labeler):
    project = factories.make_project(
        manager=manager, labeler=labeler, task_type="multilabel", validation_rate=0.3, target_error=0.2
    )
    items = factories.make_unread_items(project, 400)
    rng = np.random.default_rng(1)
    truth = rng.random((400, 3)) < 0.35
    vectors = np.column_stack([truth, ~truth.any(1)]) @ np.eye(4, 24) + 0.05 * rng.normal(size=(400, 24))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    own = embeddings.set_of(project)
    embeddings.add(own, [item.pk for item in items], vectors)
    factories.open_queue(project, items)
    classes = list(project.classes.order_by("position").values_list("id", flat=True))
    row_of = {item.pk: row for row, item in enumerate(items)}
    for _ in range(300):
        page = queue.claim(project, labeler, 1)
        item = page.claims.get().item_id
        regions = tuple(
            submission.RegionInput(label)
            for label, there in zip(classes, truth[row_of[item]], strict=True)
            if there
        )
        submission.submit(page, labeler, [submission.Answer(item, uuid.uuid4(), regions)])
        if play(project) == "round":
            break
    right = [
        {region["class"] for region in each.regions}
        == {label for label, there in zip(classes, truth[row_of[each.item_id]], strict=True) if there}
        for each in Suggestion.objects.filter(project=project)
    ]
    assert np.mean(right) > 0.7  # by chance 0.27
    version = ModelVersion.objects.get(project=project)
    given = answers.training(project)
    assert () in given.labels  # that no class applies is an answer as well
    assert (version.metrics["labels"], version.metrics["validation_n"]) == (
        len(given),
        len(answers.validation(project)),
    )


def test_without_any_class_there_is_nothing_to_learn(manager, labeler):
    project = factories.make_project(
        manager=manager, labeler=labeler, task_type="multilabel", validation_rate=0
    )
    items = factories.make_unread_items(project, 60)
    embeddings.add(embeddings.set_of(project), [item.pk for item in items], np.eye(60, 24, dtype=np.float32))
    factories.open_queue(project, items)
    for _ in range(50):
        page = queue.claim(project, labeler, 1)
        submission.submit(page, labeler, [submission.Answer(page.claims.get().item_id, uuid.uuid4())])
    with pytest.raises(training.NothingToLearn, match="No image has a class yet"):
        play(project)


def test_the_surest_part_is_proved_on_blind_labels_of_its_own(project, pool, labeler):
    proof = open_proof(project, labeler)
    fresh = fresh_draws(project, proof)
    assert fresh == set(
        QueueEntry.objects.filter(item__draw__gte=project.validation_rate, kind="validation").values_list(
            "item_id", flat=True
        )
    )
    # Blind labels that are there already and lie in the part count as well.
    assert 0 < proof.draws.count() - len(fresh) <= 30 + 130
    others = QueueEntry.objects.filter(project=project, priority=ordering.LAST)
    assert others.count() > len(fresh)  # the rest of the part waits at the end of the queue
    facts = extensions.facts(project)
    assert facts["certificate"] is None
    assert facts["certificate_outlook"]["blind_labels_needed"] == proof.draws.count()
    assert play(project) is None  # nothing new, and the proof waits
    give(project, labeler, len(fresh), "validation")
    trained_on = set(answers.training(project).items.tolist())
    assert not fresh & trained_on
    assert play(project) == "round"
    proof.refresh_from_db()
    assert (proof.state, proof.n_validation) == ("valid", proof.draws.count())
    assert proof.model_version.number == 1  # the one that the region belongs to, not the newest
    assert proof.bound <= proof.target_error == proof.allowed_error
    assert QueueEntry.objects.filter(kind="prelabeled").exists()
    assert project.validation_share == pytest.approx(0.2)


def test_a_proof_that_fails_certifies_nothing_and_gives_its_images_back(project, pool, labeler):
    proof = open_proof(project, labeler)
    drawn = list(proof.draws.values_list("item_id", flat=True))
    give(project, labeler, len(fresh_draws(project, proof)), "validation")
    wrong = project.classes.order_by("position").last()
    for annotation in Annotation.objects.filter(item__in=drawn):
        annotation.regions.update(label_class=wrong)
    play(project)
    proof.refresh_from_db()
    assert (proof.state, proof.threshold) == ("refused", None)
    waiting = QueueEntry.objects.filter(item__in=drawn, item__draw__gte=project.validation_rate)
    assert not waiting.filter(kind="validation").exists()
    assert not Certificate.objects.filter(state="valid").exists()


def test_a_proof_is_given_up_when_the_project_asks_for_more(project, pool, labeler, manager):
    proof = open_proof(project, labeler)
    projects.change_settings(project, manager, target_error=proof.target_error / 2)
    play(project)
    proof.refresh_from_db()
    assert proof.state == "refused"
    assert "asks for more" in proof.reason
    drawn = proof.draws.filter(item__draw__gte=project.validation_rate).values("item")
    assert not QueueEntry.objects.filter(item__in=drawn, kind="validation").exists()


def test_once_a_certificate_is_in_sight_most_answers_go_to_what_it_lacks(project, pool, labeler):
    blind = give(project, labeler, 117, "validation")
    give(project, labeler, 120, "manual")
    assert play(project) == "round"
    outlook = ModelVersion.objects.get(project=project).metrics["outlook"]
    assert (outlook["in_sight"], project.validation_share) == (True, 0.9)
    while blind + 9 < outlook["needed"]:
        blind += give(project, labeler, 9, "validation")
        assert play(project) is None
    give(project, labeler, 9, "validation")
    assert play(project) == "round"
    assert Certificate.objects.get().state == "valid"
    assert project.validation_share < 0.9
