"""What this installation can load and how fast, kept as rows."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from django.utils import timezone

from labeling import jobs
from labeling.models import Job
from mlassist import featurization, survey
from mlassist.backbones import catalog
from mlassist.backbones.catalog import Offer
from mlassist.models import BackboneOffer
from tests import factories
from tests.mlassist.eyes import Eyes, offer, open_eyes
from tests.mlassist.test_backbones import BAD, put_bad


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(survey, "MEASURED_SECONDS", 0.01)
    monkeypatch.setattr(survey, "MOST_PICTURES", 40)


@pytest.fixture
def shelf(monkeypatch, tmp_path) -> list[Offer]:
    """A catalogue with a good file, a damaged one, and one that is not here."""
    for name in ("good", "damaged"):
        (tmp_path / name).write_bytes(b"weights")
    offers = [
        Offer("file/good", "Good", "Free.", tmp_path / "good"),
        Offer("file/damaged", "Damaged", "Free.", tmp_path / "damaged"),
        Offer("torchvision/resnet50", "ResNet-50", "Research.", None, "Not here."),
    ]
    monkeypatch.setattr(catalog, "offers", lambda: offers)
    return offers


@pytest.fixture
def loaded(monkeypatch) -> list[str]:
    """The names that workers load, in order."""
    from mlassist.backbones import loading

    names: list[str] = []

    def load(name):
        names.append(name)
        if name == "file/damaged":
            raise loading.CannotLoad("damaged cannot be read as Damaged: no header")
        return Eyes(name)

    open_eyes(monkeypatch, load)
    return names


def run(**payload):
    job = jobs.enqueue("survey", payload=payload)
    factories.run_jobs("ml")
    job.refresh_from_db()
    return job.result


def rows():
    return {row.name: row for row in BackboneOffer.objects.all()}


@pytest.mark.django_db
def test_every_offer_gets_a_row_with_its_speed_or_its_problem(shelf, loaded):
    assert run() == {"offers": 3, "measured": 2}
    found = rows()
    good = found["file/good"]
    assert (good.title, good.side, good.dimension, good.device, good.problem) == ("Good", 8, 3, "cpu", "")
    assert good.images_per_second > 0
    assert good.megabytes == pytest.approx(7e-6)
    assert found["file/damaged"].problem == "damaged cannot be read as Damaged: no header"
    assert found["torchvision/resnet50"].problem == "Not here."


@pytest.mark.django_db
def test_weights_are_measured_once_until_their_file_changes_or_somebody_asks(shelf, loaded):
    run()
    assert run() == {"offers": 3, "measured": 0}
    Path(shelf[0].place).write_bytes(b"other weights")
    assert run() == {"offers": 3, "measured": 1}
    assert loaded == ["file/good", "file/damaged", "file/good"]
    assert run(anew=True) == {"offers": 3, "measured": 2}


@pytest.mark.django_db
def test_a_network_that_fails_in_use_is_a_problem_and_not_a_failed_survey(shelf, monkeypatch):
    class Blind(Eyes):
        def embed(self, images):
            raise RuntimeError("out of memory")

    open_eyes(monkeypatch, Blind)
    run()
    assert rows()["file/good"].problem == "It fails when it is used: out of memory"


@pytest.mark.django_db
def test_a_network_that_makes_no_numbers_cannot_be_used(shelf, monkeypatch):
    class Damaged(Eyes):
        def embed(self, images):
            return np.full((len(images), 3), np.nan, np.float32)

    open_eyes(monkeypatch, Damaged)
    run()
    assert "weights are damaged" in rows()["file/good"].problem


@pytest.mark.django_db
def test_an_offer_that_cannot_be_looked_at_costs_only_itself(shelf, loaded, tmp_path):
    shelf.insert(0, Offer("file/vanished", "Vanished", "Free.", tmp_path / "vanished"))
    assert run() == {"offers": 4, "measured": 2}
    assert set(rows()) == {"file/good", "file/damaged", "torchvision/resnet50"}


@pytest.mark.django_db
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_entry_among_the_weights_gets_a_row_with_its_problem(kind, monkeypatch, settings, tmp_path):
    settings.LOUPE_WEIGHTS_DIR = tmp_path / "weights"
    settings.LOUPE_WEIGHTS_DIR.mkdir()
    monkeypatch.setenv("HF_HOME", str(tmp_path / "none"))
    put_bad(settings.LOUPE_WEIGHTS_DIR, kind)
    monkeypatch.setattr(catalog, "HUB", {})
    monkeypatch.setattr(catalog, "offers", lambda: [*catalog.own_files(), *catalog.hub_models()])
    assert run() == {"offers": 1, "measured": 0}
    assert BackboneOffer.objects.get().problem


@pytest.mark.django_db
def test_a_worker_that_dies_of_a_network_passes_over_it_the_next_time(shelf, loaded, monkeypatch):
    class Killed(BaseException):
        pass

    kept = survey.write

    def die(name):
        monkeypatch.setattr(survey, "write", lambda *args, **fields: None)  # the dead write nothing
        raise Killed

    monkeypatch.setattr(survey, "measure", die)
    job = jobs.enqueue("survey", payload={"anew": True})
    with pytest.raises(Killed):
        jobs.run(job.pk)
    monkeypatch.undo()
    monkeypatch.setattr(catalog, "offers", lambda: shelf)
    assert survey.write is kept
    assert rows()["file/good"].problem == survey.CUT_SHORT
    names: list[str] = []
    open_eyes(monkeypatch, lambda name: names.append(name) or Eyes(name))
    monkeypatch.setattr(survey, "MOST_PICTURES", 40)
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(minutes=1))
    jobs.sweep()
    factories.run_jobs("ml")
    assert names == ["file/damaged"]
    assert rows()["file/good"].problem == survey.CUT_SHORT
    run(anew=True)
    assert rows()["file/good"].problem == ""


@pytest.mark.django_db
def test_a_survey_that_is_told_to_stop_blames_nobody(shelf, loaded, monkeypatch):
    class Told(BaseException):
        pass

    def stop(name):
        raise Told

    with monkeypatch.context() as patched:
        patched.setattr(survey, "measure", stop)
        with pytest.raises(Told):
            survey.look_at(shelf[0])
    assert rows()["file/good"].signature == ""
    run()
    assert rows()["file/good"].problem == ""


def test_rows_of_what_is_gone_go_too_unless_a_project_uses_it(shelf, loaded, project):
    project.backbone = "file/in-use"
    project.next_backbone = "file/good"
    project.save()
    offer("file/forgotten")
    offer("file/in-use", title="In use")
    run()
    assert "file/forgotten" not in rows()
    assert rows()["file/in-use"].problem == catalog.GONE
    assert rows()["file/in-use"].title == "In use"


def test_a_used_backbone_without_a_row_gets_one(shelf, loaded, project):
    project.backbone = "file/lost"
    project.save()
    run()
    assert (rows()["file/lost"].title, rows()["file/lost"].problem) == ("file/lost", catalog.GONE)


def test_a_fine_tuned_backbone_is_measured_while_its_weights_are_there(
    shelf, loaded, project, tmp_path, monkeypatch
):
    name = f"tuned/{project.pk}/1"
    tuned = Offer(name, "Fine-tuned here", "As before.", tmp_path / "good")
    monkeypatch.setattr(catalog, "find", lambda wanted: tuned)
    survey.look_at(tuned)
    run()
    assert rows()[name].images_per_second > 0
    monkeypatch.setattr(catalog, "find", lambda wanted: Offer(name, "", "", None, "Its weights are gone."))
    run()
    assert name not in rows()


def test_chunks_that_were_given_up_go_on_when_weights_come_back(shelf, loaded, project, items, monkeypatch):
    project.backbone = "file/good"
    project.save()
    offer("file/good", problem=catalog.GONE, signature="")
    Job.objects.create(
        project=project, kind="featurize", cluster="ml", state="failed", finished_at=timezone.now(),
        payload={"backbone": "file/good", "items": [item.pk for item in items]},
    )  # fmt: skip
    run()
    assert Job.objects.get(kind="featurize").state == "done"
    assert featurization.queue_chunks(project) == 0


@pytest.mark.parametrize(("name", "state"), [("file/damaged", "failed"), ("file/good", "cancelled")])
def test_chunks_stay_given_up_while_the_problem_stays_or_when_somebody_cancelled_them(
    shelf, loaded, project, name, state
):
    offer(name, problem=catalog.GONE, signature="")
    job = Job.objects.create(
        project=project, kind="featurize", cluster="ml", state=state, finished_at=timezone.now(),
        payload={"backbone": name, "items": [1]},
    )  # fmt: skip
    run()
    job.refresh_from_db()
    assert job.state == state


@pytest.mark.django_db
def test_a_survey_starts_by_itself_after_a_quiet_minute_and_then_every_hour(monkeypatch):
    monkeypatch.setattr(survey, "_started_at", timezone.now())
    survey.keep_current()
    assert not Job.objects.filter(kind="survey").exists()
    monkeypatch.setattr(survey, "_started_at", timezone.now() - timedelta(hours=5))
    survey.keep_current()
    survey.keep_current()
    job = Job.objects.get(kind="survey")
    Job.objects.update(state="done", finished_at=timezone.now())
    survey.keep_current()
    assert Job.objects.filter(kind="survey").count() == 1
    Job.objects.filter(pk=job.pk).update(created_at=timezone.now() - timedelta(hours=2))
    survey.keep_current()
    assert Job.objects.filter(kind="survey").count() == 2


@pytest.mark.django_db
def test_asking_hurries_a_survey_that_waits():
    waiting = jobs.enqueue("survey")
    survey.look_again(None)
    waiting.refresh_from_db()
    assert (waiting.payload, waiting.priority) == ({"anew": True}, survey.FOR_SOMEBODY)
    assert Job.objects.count() == 1


def test_the_bundled_backbone_is_measured_for_real():
    seen = survey.measure("bundled")
    assert seen["problem"] == ""
    assert seen["images_per_second"] > 1
    assert seen["dimension"] > 100
