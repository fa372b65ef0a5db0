"""Managers follow trainings and certificates: in the log, in their notifications, by e-mail."""

import pytest

from labeling import announcing, eventlog, jobs, notifications, telling
from labeling.models import Announcement, Event, Job
from mlassist import finetuning, loop, runs
from mlassist.models import Run
from tests.mlassist.playing import certified

pytestmark = pytest.mark.django_db


def told(user) -> list[str]:
    """Return what somebody sees, oldest first."""
    found, _ = notifications.page(user)
    return [announcing.kind_of(each.kind).say(each.data, each.count) for each in reversed(found)]


def test_managers_follow_a_model_from_its_training_to_its_withdrawal(project, pool, labeler, manager) -> None:
    notifications.choose(manager, {"training_started": "app"})
    certificate = certified(project, labeler)
    runs.announce_training(Job.objects.get(project=project, kind="round"))
    loop.withdraw(certificate, "Audits found 9 wrong of 120.")
    loop.withdraw(certificate, "again")
    started, earned, finished, withdrawn = told(manager)
    assert started == "A training has started."
    assert earned.startswith("The model has earned a certificate, for ")
    assert finished == "A training is finished: model 1 is in use."
    assert withdrawn.startswith("A certificate was withdrawn; ")
    assert told(labeler) == []
    words = [each.words for each in eventlog.page(project, eventlog.Filters())[0]]
    assert words[0].endswith("back to people: Audits found 9 wrong of 120")
    assert any(each.startswith("earned a certificate: ") for each in words)


def test_a_failed_training_says_why(project, manager) -> None:
    job = Job.objects.create(
        kind="round",
        cluster="ml",
        project=project,
        state="failed",
        error="Traceback\nmlassist.training.NothingToLearn: All labels are of one class.\n",
    )
    runs.announce_training(job)  # nothing was trained
    assert told(manager) == []
    Run.objects.create(project=project, job=job, kind="training")
    runs.announce_training(job)
    assert told(manager) == ["A training failed: All labels are of one class."]


def test_a_round_that_ends_in_a_worker_is_announced(project, manager, monkeypatch) -> None:
    job = jobs.enqueue("round", project)
    Run.objects.create(project=project, job=job, kind="training", state="done", finished_at=job.created_at)
    monkeypatch.setattr(jobs.RunningJob, "supervise", lambda self, argv: None)
    jobs.run(job.pk)
    assert Announcement.objects.get().data["run"] == Run.objects.get().pk
    assert told(manager) == ["A training is finished."]


def test_every_verb_of_models_has_its_words(project) -> None:
    for verb in (
        "train",
        "fine_tune",
        "fine_tune_stopped",
        "backbone_chosen",
        "backbone_cancelled",
        "backbone_adopted",
        "certificate",
        "certificate_withdrawn",
        "certificate_notice_read",
    ):
        event = Event.record(verb, project)
        assert not telling.words(event.verb, event.data, {}).startswith("did “")


def test_fine_tuning_is_announced_with_what_came_of_it(project, manager) -> None:
    notifications.choose(manager, {"fine_tuning_started": "app"})
    ends = [
        (Run.State.DONE, True, "It is adopted."),
        (Run.State.DONE, False, "The backbone stays as it is."),
        (Run.State.FAILED, False, "Failed: All labels are of one class."),
        (Run.State.CANCELLED, False, "Stopped."),
    ]
    for state, adopted, line in ends:
        run = Run.objects.create(project=project, kind="fine_tuning", metrics={"adopted": adopted})
        if adopted:
            announcing.announce("fine_tuning_started", project, key=f"fine_tuning:{run.pk}", run=run.pk)
        finetuning.close(run, state, line)
        finetuning.close(run, state, line)  # a slice that the queue repeats
    assert told(manager) == [
        "Fine-tuning of the backbone has started.",
        "Fine-tuning is finished: the tuned backbone is better, and is adopted.",
        "Fine-tuning is finished: the backbone stays as it is.",
        "Fine-tuning failed: All labels are of one class.",
    ]
