"""Fine-tuning as a candidate, with the real network on small pictures."""

import numpy as np
import pytest
from django.core.files.storage import default_storage

from clustering import embeddings
from labeling import jobs
from labeling.models import Item, Job, LabelClass, Project, QueueEntry
from mlassist import featurization, finetuning, lessons, survey, switching
from mlassist.backbones import catalog
from mlassist.models import BackboneOffer, Certificate, ModelVersion, Run, TunedBackbone
from tests import factories
from tests.mlassist import hub_models
from tests.mlassist.playing import give

tuning = pytest.importorskip("mlassist.backbones.tuning", reason="needs torch")

COUNT = 130
BASE = "hub/tiny"


@pytest.fixture
def labeled(project, labeler, monkeypatch, settings, tmp_path):
    """A project whose 130 pictures a tiny network has embedded, all labeled; tries are over in seconds."""
    monkeypatch.setattr(finetuning, "EPOCHS", 1)
    monkeypatch.setattr(finetuning, "SLICE_SECONDS", 0.0)
    monkeypatch.setattr(finetuning, "FEWEST", 60)  # some of the 130 answers are blind ones
    monkeypatch.setattr(survey, "MEASURED_SECONDS", 0.1)
    settings.LOUPE_HOME = tmp_path / "home"
    settings.LOUPE_WEIGHTS_DIR = tmp_path / "weights"
    hub_models.save(settings.LOUPE_WEIGHTS_DIR / "tiny", "vit")
    project.backbone = BASE
    project.save()
    factories.make_items(project, COUNT)
    for kind in ("validation", "manual"):
        give(project, labeler, QueueEntry.objects.filter(project=project, kind=kind).count(), kind)
    while featurization.queue_chunks(project):
        factories.run_jobs("ml")
    return project


def verdict(run: Run) -> Run:
    factories.run_jobs("ml")
    run.refresh_from_db()
    return run


def frozen_is(share: float, monkeypatch) -> None:
    """Have the frozen backbone be right on that share of the labels, whatever it is."""
    make = lessons.make

    def lesson(*given):
        made = make(*given)
        made.frozen = (np.arange(len(made.items)) < share * len(made.items)).astype(float)
        return made

    monkeypatch.setattr(lessons, "make", lesson)


def slice_of(run: Run) -> Job:
    """Do the run's next slice, and nothing else."""
    run.refresh_from_db()
    jobs.run(run.job_id)
    return Job.objects.get(pk=run.job_id)


def leaves_nothing(run: Run) -> bool:
    name = finetuning.tuned_name(run)
    return not (
        default_storage.exists(f"tuning/{run.pk}")
        or default_storage.exists(catalog.stored_name(name))
        or list(finetuning.cache_folder().glob(f"{run.pk}.*"))
        or TunedBackbone.objects.filter(name=name)
        or BackboneOffer.objects.filter(name=name)
    )


def test_a_better_network_is_adopted_and_keeps_a_fifth_of_the_labels_unseen(labeled, monkeypatch):
    frozen_is(0.0, monkeypatch)
    run = verdict(finetuning.start(labeled, None))
    assert (run.state, run.metrics["adopted"]) == ("done", True), run.log
    assert run.metrics["gain"] > run.metrics["standard_error"]
    name = finetuning.tuned_name(run)
    labeled.refresh_from_db()
    assert labeled.next_backbone == name
    assert len(finetuning.learned_from(name)) == pytest.approx(0.8 * run.metrics["learned"], abs=1)
    assert catalog.base_of(name) == BASE
    assert not default_storage.exists(f"tuning/{run.pk}")
    while featurization.queue_chunks(labeled, name):
        factories.run_jobs("ml")
    assert switching.adopt(labeled)
    before, after = embeddings.load(labeled, BASE)[1], embeddings.load(labeled, name)[1]
    assert before.shape == after.shape
    assert np.abs(before - after).max() > 1e-3


def test_a_network_that_is_no_better_is_forgotten(labeled, monkeypatch):
    frozen_is(1.0, monkeypatch)
    run = verdict(finetuning.start(labeled, None))
    assert (run.state, run.metrics["adopted"]) == ("done", False)
    labeled.refresh_from_db()
    assert labeled.next_backbone == ""
    assert leaves_nothing(run)


def test_a_try_cut_into_slices_at_every_batch_learns_what_an_uncut_one_does(labeled, monkeypatch):
    monkeypatch.setattr(finetuning, "EPOCHS", 2)
    monkeypatch.setattr(finetuning, "FOLDS_TRIED", 1)
    monkeypatch.setattr(tuning, "BATCH", 8)
    frozen_is(0.0, monkeypatch)
    cut = verdict(finetuning.start(labeled, None))
    slices = Job.objects.filter(kind="finetune").count()
    switching.choose(labeled, BASE, None)
    Job.objects.filter(kind="finetune").delete()
    monkeypatch.setattr(finetuning, "SLICE_SECONDS", 600.0)
    whole = verdict(finetuning.start(labeled, None))
    assert cut.state == whole.state == "done", (cut.log, whole.log)
    assert slices > 5 > Job.objects.filter(kind="finetune").count()
    assert cut.metrics["tuned_accuracy"] == pytest.approx(whole.metrics["tuned_accuracy"], abs=0.05)
    assert losses(cut) == pytest.approx(losses(whole), abs=0.01)


def losses(run: Run) -> list[float]:
    return [float(line.rpartition(" ")[2]) for line in run.log.splitlines() if "epoch" in line]


@pytest.mark.parametrize("repeated", [0, 3])
def test_a_slice_that_the_queue_repeats_changes_nothing(labeled, monkeypatch, repeated):
    frozen_is(0.0, monkeypatch)
    run = finetuning.start(labeled, None)
    done = [slice_of(run) for _ in range(4)]
    Job.objects.filter(pk=done[repeated].pk).update(state="queued", finished_at=None)
    jobs.run(done[repeated].pk)
    finetuning.close_orphans()
    run = verdict(run)
    assert (run.state, run.metrics["adopted"]) == ("done", True), run.log
    assert run.metrics["compared"] == pytest.approx(0.6 * run.metrics["learned"], abs=2)


@pytest.mark.parametrize("slices", [0, 2, 6])
def test_a_try_that_is_stopped_leaves_nothing_behind(labeled, monkeypatch, slices):
    monkeypatch.setattr(finetuning, "EPOCHS", 2)
    frozen_is(0.0, monkeypatch)
    run = finetuning.start(labeled, None)
    for _ in range(slices):
        slice_of(run)
    finetuning.cancel(labeled)
    run.refresh_from_db()
    assert run.state == "cancelled"
    assert factories.run_jobs("ml") == 0
    assert leaves_nothing(run)


def test_a_try_that_is_stopped_at_the_very_end_changes_no_backbone(labeled, monkeypatch):
    frozen_is(0.0, monkeypatch)
    look_at = survey.look_at

    def stopped_meanwhile(offer):
        look_at(offer)
        finetuning.cancel(labeled)

    monkeypatch.setattr(survey, "look_at", stopped_meanwhile)
    run = verdict(finetuning.start(labeled, None))
    labeled.refresh_from_db()
    assert (run.state, labeled.next_backbone, labeled.backbone) == ("cancelled", "", BASE)
    assert leaves_nothing(run)


@pytest.mark.parametrize("change", ["next_backbone", "backbone", "assist_mode", "deleted_at"])
def test_a_try_gives_up_when_the_project_has_moved_on(labeled, monkeypatch, change):
    frozen_is(0.0, monkeypatch)
    run = finetuning.start(labeled, None)
    slice_of(run)
    to = {"assist_mode": "off", "deleted_at": labeled.created_at}.get(change, "file/other")
    Project.objects.filter(pk=labeled.pk).update(**{change: to})
    run = verdict(run)
    assert run.state == "cancelled"
    assert leaves_nothing(run)


def test_an_image_that_can_no_longer_be_read_is_left_out(labeled, monkeypatch):
    frozen_is(1.0, monkeypatch)
    broken = Item.objects.filter(project=labeled, draw__gte=labeled.validation_rate).first()
    Item.objects.filter(pk=broken.pk).update(path="gone.png")
    run = verdict(finetuning.start(labeled, None))
    assert run.state == "done", run.log


def test_labels_of_one_class_alone_fail_with_a_sentence(labeled):
    only = LabelClass.objects.filter(project=labeled).first()
    LabelClass.objects.filter(project=labeled).exclude(pk=only.pk).update(retired_at=labeled.created_at)
    run = finetuning.start(labeled, None)
    assert slice_of(run).state == "failed"
    run.refresh_from_db()
    assert run.state == "failed"
    assert "two classes" in run.log
    assert leaves_nothing(run)


def test_only_one_try_is_under_way(labeled, manager):
    first = finetuning.start(labeled, manager)
    assert finetuning.start(labeled, manager) == first
    assert Job.objects.filter(kind="finetune").count() == 1


def test_too_few_labels_are_refused_with_the_number(project, items, labeler, manager):
    factories.answer_all(project, labeler)
    with pytest.raises(finetuning.TuningRefused, match=r"at least 100 .* there are \d+"):
        finetuning.start(project, manager)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("labels", "pace", "due"),
    [(150, 500.0, True), (149, 500.0, False), (150, None, False), (150, 1.0, False)],
)
def test_it_is_tried_unasked_with_fifty_labels_a_class_where_it_is_quick(project, labels, pace, due):
    version = {"project": project, "number": 1, "backbone": "bundled", "head": "x", "classes": [1, 2, 3]}
    ModelVersion.objects.create(**version, labels=labels)
    BackboneOffer.objects.create(name="bundled", title="Ours", images_per_second=pace)
    assert finetuning.is_due(project) is due


@pytest.mark.django_db
def test_it_is_tried_again_when_the_labels_have_grown_by_half(project):
    version = ModelVersion.objects.create(
        project=project, number=1, backbone="bundled", head="x", classes=[1, 2], labels=200
    )
    BackboneOffer.objects.create(name="bundled", title="Ours", images_per_second=500)
    run = Run.objects.create(
        project=project, kind="fine_tuning", backbone="bundled", metrics={"labels": 150, "learned": 140}
    )
    assert not finetuning.is_due(project)
    finetuning.close(run, Run.State.DONE, "")
    assert not finetuning.is_due(project)
    ModelVersion.objects.filter(pk=version.pk).update(labels=225)
    assert finetuning.is_due(project)


@pytest.mark.django_db
def test_it_is_not_tried_unasked_again_when_it_has_seen_as_much_as_it_can(project, monkeypatch):
    monkeypatch.setattr(finetuning, "MOST_LABELS", 150)
    ModelVersion.objects.create(
        project=project, number=1, backbone="bundled", head="x", classes=[1, 2], labels=9_000
    )
    BackboneOffer.objects.create(name="bundled", title="Ours", images_per_second=500)
    assert finetuning.is_due(project)
    metrics = {"labels": 200, "learned": 150}
    run = Run.objects.create(project=project, kind="fine_tuning", backbone="bundled", metrics=metrics)
    finetuning.close(run, Run.State.DONE, "")
    assert not finetuning.is_due(project)


@pytest.mark.django_db
def test_it_is_not_tried_unasked_where_a_certificate_would_be_lost(project):
    version = ModelVersion.objects.create(
        project=project, number=1, backbone="bundled", head="x", classes=[1, 2], labels=200
    )
    BackboneOffer.objects.create(name="bundled", title="Ours", images_per_second=500)
    assert finetuning.is_due(project)
    Certificate.objects.create(
        project=project, model_version=version, attempt=1, state="valid", target_error=0.1, confidence=0.95,
        alpha=0.025, threshold=0.5, bound=0.09, allowed_error=0.1, n_validation=100,
    )  # fmt: skip
    assert not finetuning.is_due(project)


@pytest.mark.django_db
def test_a_project_whose_labels_were_rejected_does_not_keep_others_from_a_try(project, monkeypatch):
    asked = []

    def refuse(each, by):
        asked.append(each)
        raise finetuning.TuningRefused

    Project.objects.update(state="running")
    other = factories.make_project(manager=project.created_by)
    Project.objects.filter(pk=other.pk).update(state="running")
    monkeypatch.setattr(finetuning, "is_due", lambda each: True)
    monkeypatch.setattr(finetuning, "start", refuse)
    finetuning.pull()
    assert {each.pk for each in asked} == {project.pk, other.pk}


def test_the_comparison_counts_only_labels_that_no_network_has_learned_from(project):
    run = Run(project=project, kind="fine_tuning")
    lesson = lessons.Lesson(
        items=np.arange(400),
        targets=np.eye(2)[np.arange(400) % 2],
        folds=np.arange(400) % 5,
        frozen=np.zeros(400),
        judged=np.arange(400) < 200,
    )
    right = np.r_[np.ones(32), np.zeros(8), np.zeros(40)]  # of the fold's 80, forty are judged
    finetuning.compare(run, lesson, tuning.Trial(1, [np.flatnonzero(lesson.folds == 0)], [right]))
    assert (run.metrics["compared"], run.metrics["gain"], run.metrics["better"]) == (40, 0.8, True)
    assert run.metrics["standard_error"] == pytest.approx(np.std(right[:40], ddof=1) / np.sqrt(40), abs=1e-4)


@pytest.mark.parametrize(
    ("tuned", "frozen", "is_better"),
    [
        ([1] * 29, [0] * 29, False),  # too few to tell
        ([1] * 30, [0] * 30, True),
        ([1] * 500 + [0] * 500, [1] * 495 + [0] * 505, True),
        ([1, 0] * 500, [0, 1] * 499 + [1, 0], False),  # a gain within its standard error
    ],
)
def test_better_means_by_more_than_the_standard_error(tuned, frozen, is_better):
    assert finetuning.Comparison.of(np.array(tuned), np.array(frozen)).is_better is is_better


def test_a_try_whose_job_was_ended_from_outside_is_closed(labeled):
    run = finetuning.start(labeled, None)
    Job.objects.filter(pk=run.job_id).update(state="failed")
    finetuning.close_orphans()
    run.refresh_from_db()
    assert run.state == "failed"
    assert leaves_nothing(run)
    assert Project.objects.get(pk=labeled.pk).next_backbone == ""


def test_a_manager_tries_it_by_page_and_stops_it_by_api_and_a_reviewer_only_looks(
    labeled, client, manager, reviewer
):
    page, address = f"/projects/{labeled.pk}/models/fine-tuning/", f"/api/projects/{labeled.pk}/fine-tuning/"
    client.force_login(reviewer)
    assert client.post(page).status_code == client.post(address).status_code == 404
    assert client.get(address).json()["under_way"] is None
    client.force_login(manager)
    client.post(page)
    assert client.get(address).json()["under_way"]["kind"] == "fine_tuning"
    assert "Stop" in client.get(f"/projects/{labeled.pk}/models/live/").content.decode()
    assert client.delete(address).status_code == 204
    assert client.get(address).json()["under_way"] is None
    assert Run.objects.get(project=labeled, kind="fine_tuning").state == "cancelled"


def test_a_refusal_tells_the_reason_and_the_page_does_too(project, items, client, manager):
    client.force_login(manager)
    answer = client.post(f"/api/projects/{project.pk}/fine-tuning/")
    assert answer.status_code == 400
    assert "at least 100 labels" in answer.content.decode()
    assert "at least 100 labels" in client.get(f"/projects/{project.pk}/models/").content.decode()


def test_the_page_says_what_came_of_the_last_try(project, client, manager):
    metrics = {"learned": 480, "compared": 300, "tuned_accuracy": 0.812, "frozen_accuracy": 0.79,
               "standard_error": 0.011, "gain": 0.022, "adopted": True}  # fmt: skip
    run = Run.objects.create(project=project, kind="fine_tuning", metrics=metrics)
    finetuning.close(run, Run.State.DONE, "")
    client.force_login(manager)
    page = client.get(f"/projects/{project.pk}/models/").content.decode()
    for words in ("on 480 labels", "81.2 % right, against 79 %", "adopted"):
        assert words in page
