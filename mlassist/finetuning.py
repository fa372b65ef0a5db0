"""Fine-tuning a project's backbone on its labels, as a candidate that must prove itself.

Networks tuned on four fifths of the labels are compared with the frozen backbone's head on the fifth that
neither has seen. Only when they are better by more than the standard error of the difference is the first of
them adopted, and the project's images are embedded anew. Its own fifth of the labels stays unseen, so that
what is built on it can be judged.

The work is done in slices of a few seconds, each a job with a state to go on from: rounds go first, and a
crash costs one slice.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import OperationalError, transaction
from django.db.models.functions import Now
from django.utils import timezone

from clustering import embeddings
from labeling import announcing, answers, extensions, jobs
from labeling.models import Event, Job, Project, User
from labeling.refusals import Refused
from mlassist import lessons, runs, survey, switching, versions
from mlassist.backbones import catalog
from mlassist.custom import recipes
from mlassist.lessons import Lesson
from mlassist.models import BackboneOffer, Run, TunedBackbone

if TYPE_CHECKING:
    from mlassist.backbones.tuning import Trial

PER_CLASS = 50  # labels on average before it is tried unasked
FEWEST = 100  # labels that it can be tried with at all
GROWTH = 1.5  # times the labels of the last try
MOST_LABELS = 5_000
MOST_BYTES = 1_000_000_000  # of the pictures, which are kept on disk between slices
FOLDS_TRIED = 3  # of five: enough to compare, and the rest would cost as much again
EPOCHS = 8
COST = 4.0  # learning from an image takes as long as embedding that many
MOST_SECONDS = 20 * 60  # that it may take to be tried unasked, and to embed all images anew
SLICE_SECONDS = 5.0  # a round that becomes due waits for no longer
FEWEST_COMPARED = 30
HOPELESS = -2.0  # standard errors behind the frozen backbone after a fold: give up


class TuningRefused(Refused):
    """Why fine-tuning cannot be tried, in a sentence for people."""


# When


@jobs.periodic(10)
def pull() -> None:
    """Try fine-tuning where there are labels enough and it does not take too long."""
    close_orphans()
    for project in Project.objects.filter(
        deleted_at=None, state=Project.State.RUNNING, next_backbone=""
    ).exclude(assist_mode=Project.AssistMode.OFF):
        if project.is_classification and not project.is_hiding_faces and is_due(project):
            try:
                start(project, None)
            except TuningRefused:
                continue  # labels were rejected since the model was made


def is_due(project: Project) -> bool:
    """Tell whether to try unasked: never where a certificate or somebody's choice would be lost by it."""
    version = versions.newest(project)
    if version is None or version.backbone != project.backbone or running(project) is not None:
        return False
    if switching.is_certified(project) or recipes.chosen_model(project) is not None:
        return False
    last = (
        Run.objects.filter(
            project=project, kind=Run.Kind.FINE_TUNING, backbone=catalog.base_of(project.backbone)
        )
        .order_by("-id")
        .first()
    )
    if last is not None and last.metrics.get("learned", 0) >= most_labels(last.backbone):
        return False
    wanted = max(PER_CLASS * len(version.classes), GROWTH * last.metrics["labels"] if last else FEWEST)
    if version.labels < wanted or len(version.classes) < 2:
        return False
    seconds, again = seconds_to_try(project, version.labels), seconds_to_embed(project)
    return seconds is not None and again is not None and max(seconds, again) <= MOST_SECONDS


def most_labels(backbone: str) -> int:
    """Return how many labels a try takes into account, so that their pictures fit on the disk."""
    side = BackboneOffer.objects.filter(name=backbone).values_list("side", flat=True).first()
    return min(MOST_LABELS, MOST_BYTES // (3 * side**2)) if side else MOST_LABELS


def seconds_to_try(project: Project, labels: int) -> float | None:
    """Return about how long a try takes here; None before the backbone's speed is known."""
    base = catalog.base_of(project.backbone)
    pace = speed(base)
    return COST * min(labels, most_labels(base)) * 0.8 * EPOCHS * FOLDS_TRIED / pace if pace else None


def seconds_to_embed(project: Project) -> float | None:
    pace = speed(project.backbone)
    return embeddings.count(project) / pace if pace else None


def speed(backbone: str) -> float | None:
    return BackboneOffer.objects.filter(name=backbone).values_list("images_per_second", flat=True).first()


def seconds_left(run: Run) -> float | None:
    """Return for how long a try that is under way goes on, as far as it has come."""
    if not run.done:
        return None
    return (timezone.now() - run.started_at).total_seconds() / run.done * (run.total - run.done)


def running(project: Project) -> Run | None:
    return Run.objects.filter(project=project, kind=Run.Kind.FINE_TUNING, state=Run.State.RUNNING).first()


# Starting and stopping


def start(project: Project, by: User | None) -> Run:
    """Queue a try; returns the one under way if there is one. Raises TuningRefused."""
    with transaction.atomic():
        locked = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        under_way = running(locked)
        if under_way is not None:
            return under_way
        labels = answers.new_answers_since(locked, 0)
        reason = obstacle(locked, labels)
        if reason:
            raise TuningRefused(reason)
        run = Run.objects.create(
            project=locked,
            kind=Run.Kind.FINE_TUNING,
            backbone=catalog.base_of(locked.backbone),
            total=FOLDS_TRIED * EPOCHS,
            metrics={"labels": labels, "instead_of": locked.backbone, "asked_by": by.pk if by else None},
        )
        if by is not None:
            Event.record("fine_tune", locked, by)
        queue(run, 0, "", by)
        announcing.announce("fine_tuning_started", locked, by, key=f"fine_tuning:{run.pk}", run=run.pk)
    return run


def obstacle(project: Project, labels: int) -> str:
    """Return in a sentence what keeps a project with so many labels from trying; empty if nothing does."""
    if not project.is_classification:
        return "A backbone is fine-tuned for classes of whole images only, not for this task type."
    if project.assist_mode == Project.AssistMode.OFF:
        return "The model's help is switched off. Switch it on in the settings first."
    if project.next_backbone:
        return "The backbone is being changed. Try again when that is done."
    if labels < FEWEST:
        return f"Fine-tuning needs at least {FEWEST} labels to learn from; there are {labels}."
    return ""


@extensions.register_repainting
def stop_learning(project: Project) -> None:
    """Forget the pictures of a try: nobody may see them any more."""
    cancel(project)


def cancel(project: Project, by: User | None = None) -> None:
    """Stop the try under way."""
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        run = running(project)
        if run is None:
            return
        close(run, Run.State.CANCELLED, "Stopped.")
        if by is not None:
            Event.record("fine_tune_stopped", project, by)
        if run.job is not None:
            jobs.cancel(run.job)
    discard(run)


def queue(run: Run, step: int, state: str, by: User | None = None) -> None:
    """Queue the next slice and make it the run's job, in the caller's transaction.

    `state` is the storage name of where the last one has stopped.
    """
    payload = {"run": run.pk, "step": step, "state": state}
    run.job = jobs.enqueue("finetune", run.project, payload, created_by=by)
    run.save(update_fields=["job"])


def close(run: Run, state: Run.State, line: str) -> None:
    """End a try, and tell the managers how it ended, unless somebody stopped it and knows."""
    with transaction.atomic():
        still_open = Run.objects.filter(pk=run.pk, state=Run.State.RUNNING)
        ended = still_open.update(
            state=state, finished_at=Now(), metrics=run.metrics, done=run.done, log=f"{run.log}{line}\n"
        )
        if ended and state in (Run.State.DONE, Run.State.FAILED):
            announcing.announce(
                "fine_tuning_finished",
                run.project,
                key=f"fine_tuned:{run.pk}",
                run=run.pk,
                adopted=bool(run.metrics.get("adopted")),
                error=runs.sentence_of(line) if state == Run.State.FAILED else "",
            )


def close_orphans() -> None:
    """Close tries whose job has ended without them: cancelled from outside, or killed too often."""
    open_runs = Run.objects.filter(kind=Run.Kind.FINE_TUNING, state=Run.State.RUNNING)
    for run in open_runs.exclude(job__state__in=Job.UNFINISHED).select_related("job"):
        cancelled = run.job is not None and run.job.state == Job.State.CANCELLED
        error = run.job.error if run.job is not None else ""
        close(
            run,
            Run.State.CANCELLED if cancelled else Run.State.FAILED,
            "Stopped." if cancelled else f"Failed: {error or 'the process doing it was stopped.'}",
        )
        discard(run)


# A slice


@jobs.handler("finetune", cluster="ml", priority=7)
def finetune(job: jobs.RunningJob) -> dict[str, Any]:
    """Do one slice of a try, and queue the next or come to a verdict."""
    run = Run.objects.select_related("project").get(pk=job.payload["run"])
    if not is_current(run, job.row):
        return {}
    try:
        if not is_wanted(run, run.project):
            close(run, Run.State.CANCELLED, "Stopped: nobody waits for it any more.")
        elif job.payload["step"] == 0:
            lesson = lessons.make(
                run.project, most_labels(run.backbone), FOLDS_TRIED, learned_from(run.project.backbone)
            )
            default_storage.delete(file_of(run, "lesson"))  # of an attempt that was interrupted
            write(run, "lesson", lesson.to_bytes())
            run.metrics["learned"] = len(lesson.items)
            go_on(run, job, "")
        else:
            study(job, run, Lesson.from_bytes(read(file_of(run, "lesson"))))
    except jobs.Cancelled:
        close(run, Run.State.CANCELLED, "Stopped.")
        discard(run)
        raise
    except (jobs.Interrupted, OperationalError):
        raise  # the queue tries this slice again
    except Exception as error:
        close(run, Run.State.FAILED, f"Failed: {error}")
        discard(run)
        raise
    run.refresh_from_db(fields=["state"])
    if run.state != Run.State.RUNNING:
        discard(run)
    return {}


def is_current(run: Run, job: Job) -> bool:
    """Tell whether a job is the run's newest slice; an older one has been done, whatever its row says."""
    return run.state == Run.State.RUNNING and run.job_id == job.pk


def is_wanted(run: Run, project: Project) -> bool:
    """Tell whether what a try finds out would still be of use."""
    return (
        project.deleted_at is None
        and project.assist_mode != Project.AssistMode.OFF
        and not project.next_backbone
        and project.backbone == run.metrics["instead_of"]
    )


def go_on(run: Run, job: jobs.RunningJob, state: str) -> None:
    """Note how far the run is and queue its next slice, unless it was stopped in the meantime."""
    with transaction.atomic():
        now = Run.objects.select_for_update().get(pk=run.pk)
        if is_current(now, job.row):
            Run.objects.filter(pk=run.pk).update(done=run.done, log=run.log, metrics=run.metrics)
            queue(run, job.payload["step"] + 1, state)


def study(job: jobs.RunningJob, run: Run, lesson: Lesson) -> None:
    """Learn for a slice's time from where the last one ended, and conclude when all is known."""
    # Loaded here and not at import: the web process must never load torch.
    from mlassist.backbones import loading, tuning

    backbone = loading.load(run.backbone)
    before = job.payload["state"]
    trial = tuning.Trial.from_bytes(read(before)) if before else tuning.Trial()
    ends = time.monotonic() + SLICE_SECONDS

    def sign_of_life() -> None:
        job.progress(run.done, run.total)

    pictures, readable = lessons.pictures(lesson.items, backbone, cache_of(run), sign_of_life)
    multilabel = run.project.task_type == Project.TaskType.MULTILABEL
    student = tuning.Tuning(
        backbone,
        pictures,
        lesson.targets,
        np.flatnonzero(readable & (lesson.folds != trial.fold)),
        epochs=EPOCHS,
        multilabel=multilabel,
        seed=trial.fold,
        sign_of_life=sign_of_life,
    )
    if trial.student is not None:
        student.restore(trial.student)
    while student.epoch < EPOCHS:
        loss = student.learn(ends)
        if loss is None:
            break
        run.done = trial.fold * EPOCHS + student.epoch
        run.log += f"Fold {trial.fold + 1}, epoch {student.epoch}: loss {loss:.3f}\n"
    if student.epoch < EPOCHS:
        trial.student = student.state()
    else:
        if trial.fold == 0:
            keep_candidate(run, student.to_bytes(), lesson.items[student.learned])
        held = np.flatnonzero(readable & (lesson.folds == trial.fold))
        trial.rows.append(held)
        trial.right.append(lessons.rightness(student.probabilities(held), lesson.targets[held], multilabel))
        trial.fold, trial.student = trial.fold + 1, None
        if compare(run, lesson, trial):
            conclude(run, job)
            return
    go_on(run, job, write(run, f"state-{job.payload['step'] + 1}", trial.to_bytes()))
    if before:
        default_storage.delete(before)


def keep_candidate(run: Run, weights: bytes, learned: np.ndarray) -> None:
    name = tuned_name(run)
    TunedBackbone.objects.update_or_create(
        name=name, defaults={"project": run.project, "base": run.backbone, "learned_from": learned.tolist()}
    )
    default_storage.delete(catalog.stored_name(name))  # of a slice that was interrupted
    default_storage.save(catalog.stored_name(name), ContentFile(weights))


# The verdict


def compare(run: Run, lesson: Lesson, trial: "Trial") -> bool:
    """Note how the folds so far compare with the frozen backbone; returns whether a verdict is due."""
    rows, right = np.concatenate(trial.rows), np.concatenate(trial.right)
    counts = lesson.judged[rows]
    tuned, frozen = right[counts], lesson.frozen[rows][counts]
    verdict = Comparison.of(tuned, frozen)
    run.metrics |= {
        "tuned_accuracy": round(verdict.tuned, 4),
        "frozen_accuracy": round(verdict.frozen, 4),
        "compared": verdict.n,
        "gain": round(verdict.gain, 4),
        "standard_error": round(verdict.error, 4),
        "better": verdict.is_better,
    }
    run.log += (
        f"After {trial.fold} of {FOLDS_TRIED} folds: {verdict.gain:+.1%} against the frozen backbone on"
        f" {verdict.n} labels, standard error {verdict.error:.1%}\n"
    )
    return trial.fold == FOLDS_TRIED or verdict.gain < HOPELESS * verdict.error


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two ways on the same labels: how right each is, and the standard error of their difference."""

    n: int
    tuned: float
    frozen: float
    gain: float
    error: float

    @classmethod
    def of(cls, tuned: np.ndarray, frozen: np.ndarray) -> "Comparison":
        if len(tuned) < 2:
            return cls(len(tuned), 0.0, 0.0, 0.0, 1.0)
        difference = tuned - frozen
        return cls(
            len(tuned),
            float(tuned.mean()),
            float(frozen.mean()),
            float(difference.mean()),
            float(difference.std(ddof=1) / np.sqrt(len(difference))),
        )

    @property
    def is_better(self) -> bool:
        return self.n >= FEWEST_COMPARED and self.gain > self.error


def conclude(run: Run, job: jobs.RunningJob) -> None:
    """Adopt the tuned backbone if it is better by more than the standard error."""
    name = tuned_name(run)
    better = run.metrics["better"]
    if better:
        survey.look_at(catalog.find(name))  # takes seconds, so before anything is locked
    with transaction.atomic():
        project = Project.objects.select_for_update(no_key=True).get(pk=run.project_id)
        if not is_current(Run.objects.get(pk=run.pk), job.row):
            return
        if not is_wanted(run, project):
            close(run, Run.State.CANCELLED, "Nobody waits for it any more: the project has moved on.")
            return
        line = "The backbone stays as it is."
        if better:
            try:
                asker = User.objects.filter(pk=run.metrics.get("asked_by")).first()
                if asker is None and switching.is_certified(project):
                    raise switching.SwitchRefused("A certificate stands, and a change would end it.")
                switching.choose(project, name, asker)
                line = "It is adopted."
            except switching.SwitchRefused as refusal:
                better, line = False, f"It was better, and yet is not adopted: {refusal}"
        run.metrics["adopted"] = better
        run.done = run.total
        close(run, Run.State.DONE, line)


def learned_from(backbone: str) -> np.ndarray:
    """Return the ids of the items that a fine-tuned backbone has learned from; empty for any other."""
    known = TunedBackbone.objects.filter(name=backbone).values_list("learned_from", flat=True).first()
    return np.array(known or [], np.int64)


def tuned_name(run: Run) -> str:
    return f"tuned/{run.project_id}/{run.pk}"


# Files


def discard(run: Run) -> None:
    """Delete what a try that has ended leaves behind: all but a backbone that was adopted."""
    folder = file_of(run, "")
    if default_storage.exists(folder):
        for name in default_storage.listdir(folder)[1]:
            default_storage.delete(f"{folder}{name}")
        default_storage.delete(folder)
    kept = cache_of(run)
    for each in kept.parent.glob(f"{run.pk}.*"):
        each.unlink(missing_ok=True)
    ended = Run.objects.get(pk=run.pk)
    if not ended.metrics.get("adopted"):
        name = tuned_name(run)
        TunedBackbone.objects.filter(name=name).delete()
        BackboneOffer.objects.filter(name=name).delete()
        default_storage.delete(catalog.stored_name(name))


@jobs.periodic(3_600)
def tidy() -> None:
    """Delete what slices have left on this machine that ended after their run did."""
    for each in cache_folder().glob("*.*"):
        number = each.name.partition(".")[0]
        if not Run.objects.filter(pk=number, state=Run.State.RUNNING).exists():
            each.unlink(missing_ok=True)


def cache_folder() -> Path:
    return settings.LOUPE_HOME / "cache" / "tuning"


def cache_of(run: Run) -> Path:
    return cache_folder() / f"{run.pk}.npy"


def file_of(run: Run, name: str) -> str:
    return f"tuning/{run.pk}/{name}"


def write(run: Run, name: str, data: bytes) -> str:
    """Store a file of the run's; returns the name that it got."""
    return default_storage.save(file_of(run, name), ContentFile(data))


def read(name: str) -> bytes:
    with default_storage.open(name) as stored:
        return stored.read()
