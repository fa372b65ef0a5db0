"""Fine-tuning a project's backbone on its labels, as a candidate that must prove itself.

Networks tuned on four fifths of the labels are compared with the frozen backbone's head on the fifth that
neither has seen. Only when they are better by more than the standard error of the difference is the first of
them adopted, and the project's images are embedded anew. Its own fifth of the labels stays unseen, so that
what is built on it can be judged.

The work is done in slices of some seconds, each a job with a state to go on from: rounds go first, and a
crash costs one slice.
"""

import io
import os
import time
from concurrent.futures import ThreadPoolExecutor
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
from labeling import answers, images, jobs
from labeling.models import Event, Item, Project, User
from mlassist import embedding, survey, switching
from mlassist.backbones import catalog
from mlassist.models import BackboneOffer, ModelVersion, Run

if TYPE_CHECKING:
    from mlassist.backbones.loading import Backbone

PER_CLASS = 50  # labels on average before it is tried unasked
FEWEST = 100  # labels that it can be tried with at all
GROWTH = 1.5  # times the labels of the last try
MOST_LABELS = 5_000
FOLDS_TRIED = 3  # of five: enough to compare, and the rest would cost as much again
EPOCHS = 8
COST = 4.0  # learning from an image takes as long as embedding that many
MOST_SECONDS = 20 * 60  # that it may take to be tried unasked, and to embed all images anew
SLICE_SECONDS = 20.0
HOPELESS = -2.0  # standard errors behind the frozen backbone after a fold: give up


class TuningRefused(Exception):
    """Why fine-tuning cannot be tried, in a sentence for people."""


@jobs.periodic(10)
def pull() -> None:
    """Try fine-tuning where there are labels enough and it does not take too long."""
    for project in Project.objects.filter(
        deleted_at=None, state=Project.State.RUNNING, next_backbone=""
    ).exclude(assist_mode=Project.AssistMode.OFF):
        if project.is_classification and is_due(project):
            start(project, None)


def is_due(project: Project) -> bool:
    version = ModelVersion.objects.filter(project=project).order_by("-number").first()
    if version is None or version.backbone != project.backbone or running(project) is not None:
        return False
    last = Run.objects.filter(project=project, kind=Run.Kind.FINE_TUNING).order_by("-id").first()
    wanted = max(PER_CLASS * len(version.classes), GROWTH * last.metrics["labels"] if last else FEWEST)
    if version.labels < wanted or len(version.classes) < 2:
        return False
    seconds, again = seconds_to_try(project, version.labels), seconds_to_embed(project)
    return seconds is not None and again is not None and max(seconds, again) <= MOST_SECONDS


def seconds_to_try(project: Project, labels: int) -> float | None:
    """Return about how long a try takes here; None before the backbone's speed is known."""
    pace = speed(catalog.base_of(project.backbone))
    return COST * min(labels, MOST_LABELS) * 0.8 * EPOCHS * FOLDS_TRIED / pace if pace else None


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


def start(project: Project, by: User | None) -> Run:
    """Queue a try; returns the one under way if there is one. Raises TuningRefused."""
    with transaction.atomic():
        locked = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        under_way = running(locked)
        if under_way is not None:
            return under_way
        labels = len(answers.training(locked))
        reason = obstacle(locked, labels)
        if reason:
            raise TuningRefused(reason)
        run = Run.objects.create(
            project=locked,
            kind=Run.Kind.FINE_TUNING,
            backbone=catalog.base_of(locked.backbone),
            total=FOLDS_TRIED * EPOCHS,
            metrics={"labels": labels},
        )
        if by is not None:
            Event.record("fine_tune", locked, by)
        hand_on(run, 0, by)
    return run


def obstacle(project: Project, labels: int) -> str:
    """Return in a sentence what keeps a project with so many labels from trying; empty if nothing does."""
    if not project.is_classification:
        return "Models for this task type cannot be trained yet."
    if project.assist_mode == Project.AssistMode.OFF:
        return "The model's help is switched off. Switch it on in the settings first."
    if project.next_backbone:
        return "The backbone is being changed. Try again when that is done."
    if labels < FEWEST:
        return f"Fine-tuning needs at least {FEWEST} labels to learn from; there are {labels}."
    return ""


def cancel(project: Project) -> None:
    """Stop the try under way."""
    run = running(project)
    if run is not None:
        if run.job is not None:
            jobs.cancel(run.job)
        close(run, Run.State.CANCELLED, "Stopped.")


def hand_on(run: Run, step: int, by: User | None = None) -> None:
    """Queue the next slice and make it the run's job, in the caller's transaction."""
    job = jobs.enqueue(
        "finetune",
        run.project,
        {"run": run.pk, "step": step},
        key=f"finetune-{run.pk}-{step}",
        created_by=by,
    )
    run.job = job
    run.save(update_fields=["job"])


def close(run: Run, state: Run.State, line: str) -> None:
    Run.objects.filter(pk=run.pk, state=Run.State.RUNNING).update(
        state=state, finished_at=Now(), metrics=run.metrics, log=f"{run.log}{line}\n"
    )


@dataclass(slots=True)
class Lesson:
    """What a try learns from and is compared on; the same for all its slices.

    `frozen` (n,) is how right the frozen backbone's head is, out of fold; `judged` marks the rows to compare.
    """

    items: np.ndarray
    targets: np.ndarray
    folds: np.ndarray
    frozen: np.ndarray
    judged: np.ndarray

    def to_bytes(self) -> bytes:
        buffer = io.BytesIO()
        np.savez(buffer, **{name: getattr(self, name) for name in self.__slots__})
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Lesson":
        with np.load(io.BytesIO(data)) as arrays:
            return cls(**{name: arrays[name] for name in cls.__slots__})


def make_lesson(project: Project) -> Lesson:
    """Choose the labels to learn from, and measure the frozen backbone on them."""
    # Here: SciPy has no place in the web process.
    from mlassist import heads, training
    from mlassist.pool import Pool

    pool = Pool.of(project)
    rows, labels = pool.labeled(project, answers.training(project))
    rng = np.random.default_rng(project.seed % 2**32)
    chosen = np.sort(rng.permutation(len(rows))[:MOST_LABELS])
    rows, labels = rows[chosen], [labels[at] for at in chosen]
    if not len(rows):
        raise jobs.JobFailed("None of the labels belongs to an image that the backbone has looked at.")
    multilabel = project.task_type == Project.TaskType.MULTILABEL
    fit = heads.train(pool.features[rows], labels, pool.features, multilabel=multilabel)
    targets = heads.one_hot(labels, fit.head.classes)
    folds = heads.assign_folds(targets, multilabel, int(project.seed % 2**32))
    known = np.concatenate([training.prompted(project), catalog.learned_from(project.backbone)])
    return Lesson(
        items=pool.ids[rows],
        targets=targets,
        folds=folds,
        frozen=rightness(fit.out_of_fold, targets, multilabel),
        judged=~np.isin(pool.ids[rows], known),
    )


def rightness(probabilities: np.ndarray, targets: np.ndarray, multilabel: bool) -> np.ndarray:
    """Return (n,) the share of each row that is right: 0 or 1 for one class, per class for several."""
    if multilabel:
        return ((probabilities > 0.5) == (targets > 0.5)).mean(1)
    return (probabilities.argmax(1) == targets.argmax(1)).astype(float)


@jobs.handler("finetune", cluster="ml", priority=7)
def finetune(job: jobs.RunningJob) -> dict[str, Any]:
    """Do one slice of a try, and queue the next or come to a verdict."""
    run = Run.objects.select_related("project").get(pk=job.payload["run"])
    if run.state != Run.State.RUNNING:
        return {}
    step = job.payload["step"]
    try:
        if step == 0:
            lesson = make_lesson(run.project)
            write(run, "lesson", lesson.to_bytes())
            run.metrics["labels"] = len(lesson.items)
            over = False
        else:
            lesson = Lesson.from_bytes(read(run, "lesson"))
            over = study(job, run, lesson)
        Run.objects.filter(pk=run.pk).update(done=run.done, log=run.log, metrics=run.metrics)
        if over:
            conclude(run)
        else:
            with transaction.atomic():
                hand_on(run, step + 1)
    except jobs.Cancelled:
        close(run, Run.State.CANCELLED, "Stopped.")
        forget(run)
        raise
    except (jobs.Interrupted, OperationalError):
        raise  # the queue tries this slice again
    except Exception as error:
        close(run, Run.State.FAILED, f"Failed: {error}")
        forget(run)
        raise
    return {}


def study(job: jobs.RunningJob, run: Run, lesson: Lesson) -> bool:
    """Learn for a slice's time from where the last one ended; returns whether all is known."""
    # Loaded here and not at import: the web process must never load torch.
    from mlassist.backbones import loading, tuning

    backbone = loading.load(run.backbone)
    step = job.payload["step"]
    trial = tuning.Trial.from_bytes(read(run, f"state-{step}")) if step > 1 else tuning.Trial()
    multilabel = run.project.task_type == Project.TaskType.MULTILABEL
    student = tuning.Tuning(
        backbone,
        prepared(run, lesson, backbone),
        lesson.targets,
        np.flatnonzero(lesson.folds != trial.fold),
        epochs=EPOCHS,
        multilabel=multilabel,
        seed=trial.fold,
    )
    if trial.student is not None:
        student.restore(trial.student)
    ends = time.monotonic() + SLICE_SECONDS
    while True:
        loss = student.learn()
        run.done = trial.fold * EPOCHS + student.epoch
        run.log += f"Fold {trial.fold + 1}, epoch {student.epoch}: loss {loss:.3f}\n"
        job.progress(run.done, run.total)
        if student.epoch == EPOCHS or time.monotonic() >= ends:
            break
    trial.student = student.state()
    over = False
    if student.epoch == EPOCHS:
        if trial.fold == 0:
            put(catalog.stored_name(tuned_name(run)), student.to_bytes(lesson.items[student.learned]))
        held = np.flatnonzero(lesson.folds == trial.fold)
        trial.right.append(rightness(student.probabilities(held), lesson.targets[held], multilabel))
        over = compare(run, lesson, trial.right)
        trial.fold, trial.student = trial.fold + 1, None
    if not over:
        write(run, f"state-{step + 1}", trial.to_bytes())
        default_storage.delete(file_of(run, f"state-{step - 1}"))
    return over


def compare(run: Run, lesson: Lesson, right: list[np.ndarray]) -> bool:
    """Note how the folds so far compare with the frozen backbone; returns whether a verdict is due."""
    gains, tuned, frozen = [], [], []
    for fold, theirs in enumerate(right):
        held = np.flatnonzero(lesson.folds == fold)
        counts = lesson.judged[held]
        tuned.append(theirs[counts])
        frozen.append(lesson.frozen[held][counts])
        gains.append(tuned[-1] - frozen[-1])
    difference = np.concatenate(gains)
    gain = float(difference.mean()) if len(difference) else 0.0
    error = float(difference.std(ddof=1) / np.sqrt(len(difference))) if len(difference) > 1 else 1.0
    run.metrics |= {
        "tuned_accuracy": round(float(np.concatenate(tuned).mean()), 4) if len(difference) else 0.0,
        "frozen_accuracy": round(float(np.concatenate(frozen).mean()), 4) if len(difference) else 0.0,
        "compared": len(difference),
        "gain": round(gain, 4),
        "standard_error": round(error, 4),
    }
    run.log += (
        f"After {len(right)} of {FOLDS_TRIED} folds: {gain:+.1%} against the frozen backbone on"
        f" {len(difference)} labels, standard error {error:.1%}\n"
    )
    return len(right) == FOLDS_TRIED or gain < HOPELESS * error


def conclude(run: Run) -> None:
    """Adopt the tuned backbone if it is better by more than the standard error, else forget it."""
    name = tuned_name(run)
    better = run.metrics["gain"] > run.metrics["standard_error"]
    run.metrics["adopted"] = better
    if better:
        survey.look_at(catalog.find(name))
        try:
            switching.choose(run.project, name, None)
        except switching.SwitchRefused as refusal:
            better, run.metrics["adopted"] = False, False
            run.log += f"It was better, and yet is not adopted: {refusal}\n"
    if not better:
        default_storage.delete(catalog.stored_name(name))
    run.done = run.total
    close(run, Run.State.DONE, "It is adopted." if better else "The backbone stays as it is.")
    forget(run)


def tuned_name(run: Run) -> str:
    return f"tuned/{run.project_id}/{run.pk}"


def prepared(run: Run, lesson: Lesson, backbone: "Backbone") -> np.ndarray:
    """Return the pictures as the backbone takes them, kept on this machine between slices."""
    kept = cache_of(run)
    if not kept.exists():
        items = {
            item.pk: item
            for item in Item.objects.filter(pk__in=lesson.items.tolist()).select_related("source")
        }

        def picture(pk: int) -> np.ndarray:
            return backbone.prepare(images.open_upright(items[pk], at_least=backbone.side))

        with ThreadPoolExecutor(embedding.cores()) as pool:
            pictures = np.stack(list(pool.map(picture, lesson.items.tolist())))
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".{os.getpid()}.npy")
        np.save(part, pictures)
        part.replace(kept)
    return np.load(kept, mmap_mode="r")


def cache_of(run: Run) -> Path:
    return settings.LOUPE_HOME / "cache" / "tuning" / f"{run.pk}.npy"


def file_of(run: Run, name: str) -> str:
    return f"tuning/{run.pk}/{name}"


def write(run: Run, name: str, data: bytes) -> None:
    put(file_of(run, name), data)


def put(name: str, data: bytes) -> None:
    default_storage.delete(name)  # of a slice that was interrupted
    default_storage.save(name, ContentFile(data))


def read(run: Run, name: str) -> bytes:
    with default_storage.open(file_of(run, name)) as stored:
        return stored.read()


def forget(run: Run) -> None:
    """Delete what a try has kept for itself."""
    cache_of(run).unlink(missing_ok=True)
    _, files = default_storage.listdir(f"tuning/{run.pk}")
    for name in files:
        default_storage.delete(file_of(run, name))
