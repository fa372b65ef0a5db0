"""Fine-tuning as a candidate, with the real network on small pictures."""

import numpy as np
import pytest
from django.core.files.storage import default_storage

from clustering import embeddings
from labeling import jobs
from labeling.models import Job, Project
from mlassist import featurization, finetuning, loop, survey, switching
from mlassist.backbones import catalog
from mlassist.models import BackboneOffer, ModelVersion, Run
from tests import factories
from tests.mlassist import hub_models

pytest.importorskip("torch")

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
    factories.answer_all(project, labeler)
    while featurization.queue_chunks(project):
        factories.run_jobs("ml")
    return project


def verdict(run: Run) -> Run:
    factories.run_jobs("ml")
    run.refresh_from_db()
    return run


def frozen_is(share: float, monkeypatch) -> None:
    """Have the frozen backbone be right on that share of the labels, whatever it is."""
    make = finetuning.make_lesson

    def lesson(project):
        made = make(project)
        made.frozen = (np.arange(len(made.items)) < share * len(made.items)).astype(float)
        return made

    monkeypatch.setattr(finetuning, "make_lesson", lesson)


def kept_files(run: Run) -> list[str]:
    return default_storage.listdir(f"tuning/{run.pk}")[1]


def test_a_better_network_is_adopted_and_keeps_a_fifth_of_the_labels_unseen(labeled, monkeypatch):
    frozen_is(0.0, monkeypatch)
    run = verdict(finetuning.start(labeled, None))
    assert (run.state, run.metrics["adopted"]) == ("done", True)
    assert run.metrics["gain"] > run.metrics["standard_error"]
    name = finetuning.tuned_name(run)
    labeled.refresh_from_db()
    assert labeled.next_backbone == name
    assert len(catalog.learned_from(name)) == pytest.approx(0.8 * run.metrics["labels"], abs=1)
    assert catalog.base_of(name) == BASE
    assert not kept_files(run)
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
    assert not default_storage.exists(catalog.stored_name(finetuning.tuned_name(run)))
    assert not kept_files(run)


def test_a_slice_that_is_done_twice_changes_nothing(labeled, monkeypatch):
    frozen_is(0.0, monkeypatch)
    run = finetuning.start(labeled, None)
    for _ in range(2):
        jobs.run(Job.objects.get(kind="finetune", state="queued").pk)
    again = Job.objects.filter(kind="finetune", state="done").latest("id")
    Job.objects.filter(pk=again.pk).update(state="queued", finished_at=None)
    run = verdict(run)
    assert run.metrics["compared"] == pytest.approx(0.6 * run.metrics["labels"], abs=2)
    steps = Job.objects.filter(kind="finetune").values_list("payload__step", flat=True)
    assert sorted(steps) == list(range(len(steps)))


def test_only_one_try_is_under_way(labeled, manager):
    first = finetuning.start(labeled, manager)
    assert finetuning.start(labeled, manager) == first
    assert Job.objects.filter(kind="finetune").count() == 1


def test_a_try_can_be_stopped_while_it_waits_and_another_one_started(labeled, manager):
    run = finetuning.start(labeled, manager)
    finetuning.cancel(labeled)
    run.refresh_from_db()
    assert run.state == "cancelled"
    assert factories.run_jobs("ml") == 0
    assert finetuning.start(labeled, manager) != run


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
    run = Run.objects.create(project=project, kind="fine_tuning", metrics={"labels": 150})
    assert not finetuning.is_due(project)
    finetuning.close(run, Run.State.DONE, "")
    assert not finetuning.is_due(project)
    ModelVersion.objects.filter(pk=version.pk).update(labels=225)
    assert finetuning.is_due(project)


def test_the_comparison_counts_only_labels_that_no_network_has_learned_from(project):
    run = Run(project=project, kind="fine_tuning")
    lesson = finetuning.Lesson(
        items=np.arange(100),
        targets=np.eye(2)[np.arange(100) % 2],
        folds=np.arange(100) % 5,
        frozen=np.zeros(100),
        judged=np.arange(100) < 50,
    )
    right = np.r_[np.ones(8), np.zeros(2), np.zeros(10)]  # of the fold's 20, ten are judged
    finetuning.compare(run, lesson, [right])
    assert (run.metrics["compared"], run.metrics["gain"]) == (10, 0.8)
    assert run.metrics["standard_error"] == pytest.approx(np.std(right[:10], ddof=1) / np.sqrt(10), abs=1e-4)


def test_a_try_whose_job_was_ended_from_outside_is_closed(labeled):
    run = finetuning.start(labeled, None)
    Job.objects.filter(pk=run.job_id).update(state="failed")
    loop.close_orphans()
    run.refresh_from_db()
    assert run.state == "failed"
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
    metrics = {"labels": 500, "compared": 300, "tuned_accuracy": 0.812, "frozen_accuracy": 0.79,
               "standard_error": 0.011, "gain": 0.022, "adopted": True}  # fmt: skip
    run = Run.objects.create(project=project, kind="fine_tuning", metrics=metrics)
    finetuning.close(run, Run.State.DONE, "")
    client.force_login(manager)
    page = client.get(f"/projects/{project.pk}/models/").content.decode()
    for words in ("on 500 labels", "81.2 % right, against 79 %", "adopted"):
        assert words in page
