"""What the dashboard and the API say about learning. A handful of small queries."""

from datetime import timedelta
from typing import Any

from django.db.models import Avg, Count, QuerySet, StdDev, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from clustering import embeddings
from labeling import figures, statistics, validation
from labeling.extensions import register_facts
from labeling.models import Annotation, Item, Job, Project, QueueEntry
from labeling.models.queueing import QueueKind
from mlassist import (
    batches,
    featurization,
    forecasting,
    loop,
    proving,
    second_looks,
    steering,
    switching,
    versions,
)
from mlassist.autolabel import proposing
from mlassist.custom import making
from mlassist.models import BackboneOffer, Certificate, ModelVersion, Run

RUNS_SHOWN = 12
PACE_OVER = timedelta(hours=24)
CHANCE_OF_CERTIFICATE = 0.7  # that an outlook comes true
MOST_DAYS = 3_650
LEAST_TOLD_FROM = 0.03  # of a training: before, its pace says nothing


@register_facts
def learning(project: Project) -> dict[str, Any]:
    """Return next_run, model, certificate, certificate_outlook, runs, embedding, next_backbone, what people
    have asked for (custom_model, auto_labeling), and forecast.
    """
    made = list(versions.taught(project).order_by("number"))
    newest = made[-1] if made else None
    return {
        "next_run": next_run(project, newest),
        "model": model(made),
        "certificate": certificate(project),
        "certificate_outlook": certificate_outlook(project, newest),
        "different_imports": batches.told(project),
        "runs": [run_facts(run) for run in Run.objects.filter(project=project).order_by("-id")[:RUNS_SHOWN]],
        "embedding": {**embedding(project, project.backbone), **given_up(project, project.backbone)},
        "next_backbone": next_backbone(project),
        "custom_model": custom_model(project),
        "auto_labeling": auto_labeling(project),
        "forecast": forecast(project, made),
    }


def next_run(project: Project, version: ModelVersion | None) -> dict[str, Any]:
    job = loop.unfinished(project, *loop.ROUNDS)
    running = job is not None
    none = {"have": 0, "need": 0, "running": running, "seconds_left": None}
    if project.task_type == Project.TaskType.SEMANTIC:
        return {**none, "message": "Models for this task type come later"}
    if project.assist_mode == Project.AssistMode.OFF:
        return {**none, "message": "The model's help is switched off"}
    if version is None:
        have, need = loop.labels_for_first_model(project)
        goal = "the first model"
    else:
        have, need = loop.news(project, version), loop.step_after(project, version)
        goal = "the next model"
    left = max(0, need - have)
    if running:
        message = "A model is being trained"
    elif left:
        what = "label" if project.is_classification else "answered image"
        message = f"{left} more {what}{'' if left == 1 else 's'} until {goal}"
    else:
        message = "Training starts in a moment"
    return {
        "have": min(have, need),
        "need": need,
        "running": running,
        "message": message,
        "seconds_left": training_left(job) if job else None,
    }


def custom_model(project: Project) -> dict[str, Any] | None:
    """Return how far the candidates are that are being trained now."""
    made = making.running(project)
    if made is None or made.job is None:
        return None
    return {"id": made.pk, "done": made.job.done, "total": made.job.total, "message": made.job.message}


def auto_labeling(project: Project) -> dict[str, Any] | None:
    """Return how far a model is that proposes labels now because somebody asked for it."""
    made = proposing.running(project)
    if made is None or made.job is None:
        return None
    return {"id": made.pk, "model": made.trial.title, "done": made.job.done, "total": made.total}


def training_left(job: Job) -> int | None:
    """Return for how many seconds a job will train still, None before it can be told."""
    run = Run.objects.filter(job=job, kind=Run.Kind.TRAINING, state=Run.State.RUNNING).order_by("-id").first()
    if run is None or run.done < LEAST_TOLD_FROM * run.total or not run.done:
        return None
    taken = (timezone.now() - run.started_at).total_seconds()
    return round(taken * (run.total - run.done) / run.done)


def model(made: list[ModelVersion]) -> dict[str, Any] | None:
    """Return the newest model with the accuracy of all, measured on the blind labels.

    A model from before the first blind label has only its cross-validated accuracy, and no interval; one from
    too few images to hold some out has none. The accuracy of a detector is its agreement with people, the
    mean F1 of an image.
    """
    if not made:
        return None
    newest = made[-1]
    history = [
        {"labels": each.labels, **known} for each in made if (known := accuracy(each))["accuracy"] is not None
    ]
    return {
        "number": newest.number,
        **accuracy(newest),
        "labels": newest.labels,
        "backbone": newest.backbone,
        "created_at": newest.created_at,
        "history": history,
    }


def accuracy(version: ModelVersion) -> dict[str, float | None]:
    metrics = version.metrics
    estimate = metrics.get("out_of_fold_accuracy")
    return {
        "accuracy": metrics.get("accuracy", estimate),
        "low": metrics.get("low", 0.0),
        "high": metrics.get("high", 1.0),
    }


def certificate(project: Project) -> dict[str, Any] | None:
    """Return the certificate that holds, else the newest that held until it was withdrawn."""
    held = Certificate.objects.filter(project=project).exclude(
        state__in=(Certificate.State.REFUSED, Certificate.State.OPEN)
    )
    newest = held.order_by("-attempt").first()
    if newest is None:
        return None
    return {
        "id": newest.pk,
        "state": newest.state,
        "reason": newest.reason,
        "sentence": newest.sentence if newest.state != Certificate.State.WITHDRAWN else newest.reason,
        **{
            field: getattr(newest, field)
            for field in (
                "threshold",
                "promise",
                "allowed_error",
                "n",
                "errors",
                "bound",
                "target_error",
                "confidence",
                "coverage",
                "attempt",
                "created_at",
            )
        },
    }


def certificate_outlook(project: Project, version: ModelVersion | None) -> dict[str, Any]:
    """Return what the next certificate takes; the count of blind labels is that of this moment."""
    proof = proving.open_one(project)
    if proof is not None:
        return outlook_of_proof(project, proof)
    blind = steering.blind_labels(project)
    goal = validation.goal(project.target_error, project.confidence)
    known = (version.metrics.get("outlook") if version else None) or {"needed": goal, "message": ""}
    needed = known["needed"]
    if project.is_classification and validation.is_out_of_reach(project):
        return outlook("Once the model is sure of a part of the images, that part is proved by itself", blind)
    if version is None and project.draws_shapes and validation.is_out_of_reach(project):
        return outlook("The first detector tells how many blind labels a certificate takes", blind)
    if version is not None and version.backbone != project.backbone:
        message = "The first model on the new backbone tries for a certificate of its own"
        return outlook(message, blind, needed or goal)
    if known["message"]:
        return outlook(known["message"], blind)
    elsewhere, in_dispute = second_looks.waiting(project), len(second_looks.disputed(project))
    message = "The next model tries for a certificate"
    if needed > blind:
        message = f"About {needed - blind:,} more blind labels"
    elif elsewhere:
        message = f"An attempt waits for a second person, who looks at {elsewhere} blind labels"
    elif known.get("waits") and in_dispute:
        message = "An attempt waits for a reviewer"
    return outlook(message, blind, needed, in_dispute)


def outlook_of_proof(project: Project, proof: Certificate) -> dict[str, Any]:
    """Return what an open proof waits for."""
    done, drawn = proving.progress(proof)
    share = round(100 * proof.evidence["region"]["coverages"][-1])
    part = "All images" if share == 100 else f"The surest {share} % of the images"
    in_dispute = len(second_looks.disputed(project, proof))
    if "put_off" in proof.evidence:
        message = f"Whether {part[0].lower()}{part[1:]} can be certified depends on a reviewer"
        return outlook(message, done, in_dispute=in_dispute)
    message = f"{part} are being proved on labels of their own"
    elsewhere = second_looks.waiting(project, proof)
    if elsewhere:
        message += f"; a second person looks at {elsewhere} of these"
    return outlook(message, done, drawn, in_dispute)


def outlook(message: str, blind: int, needed: int = 0, in_dispute: int = 0) -> dict[str, Any]:
    return {
        "message": message,
        "blind_labels": blind,
        "blind_labels_needed": needed,
        "in_dispute": in_dispute,
    }


def run_facts(run: Run) -> dict[str, Any]:
    seconds = ((run.finished_at or timezone.now()) - run.started_at).total_seconds()
    return {
        "id": run.pk,
        "kind": run.kind,
        "title": run.get_kind_display(),
        "state": run.state,
        "started_at": run.started_at,
        "seconds": round(seconds, 1),
        "done": run.done,
        "total": run.total,
        "metrics": run.metrics,
    }


def embedding(project: Project, backbone: str) -> dict[str, Any]:
    """Return how many images a backbone has looked at, and while it does, how fast and for how long still."""
    done, left = embeddings.count(project, backbone), embeddings.count_missing(project, backbone)
    found: dict[str, Any] = {
        "done": done,
        "total": done + left,
        "images_per_second": None,
        "seconds_left": None,
    }
    run = featurization.running(project, backbone).select_related("job").first()
    if run is None or not left:
        return found
    in_hand = run.job.done if run.job is not None and run.job.state == Job.State.RUNNING else 0
    looked_at = run.done + in_hand
    if looked_at:
        pace = looked_at / max((timezone.now() - run.started_at).total_seconds(), 1e-3)
    else:
        measured = BackboneOffer.objects.filter(name=backbone).values_list("images_per_second", flat=True)
        pace = measured.first() or 0.0
    if pace:
        found["images_per_second"] = round(pace, 1)
        found["seconds_left"] = round(max(0, left - in_hand) / pace)
    return found


def next_backbone(project: Project) -> dict[str, Any] | None:
    """Return how far a change of backbone is, and what keeps it from going on."""
    name = project.next_backbone
    if not name:
        return None
    titles = BackboneOffer.objects.filter(name=name).values_list("title", flat=True)
    return {
        "name": name,
        "title": titles.first() or name,
        **embedding(project, name),
        **given_up(project, name),
    }


def given_up(project: Project, backbone: str) -> dict[str, Any]:
    """Return how many images a backbone could not look at, and why."""
    obstacle = switching.obstacle(project, backbone)
    return {
        "given_up": obstacle.images if obstacle else 0,
        "problem": obstacle.reason if obstacle else "",
    }


def forecast(project: Project, made: list[ModelVersion]) -> dict[str, Any] | None:
    """Return when people will be done at their pace of late; None before there is a pace.

    `taken_over` is the share of what is left that the next certificate may take off them.
    """
    pace = pace_of(project)
    if not pace.is_known:
        return None
    left = statistics.items_by_state(project)[Item.State.UNLABELED]
    curve = made[-1].metrics.get("expected_error", []) if made else []
    taken_over = 0.0
    if project.assist_mode == Project.AssistMode.ACCEPT:
        whole = project.promise == Project.Promise.WHOLE_SET
        share = steering.reach(curve, project.target_error, whole_set=whole)
        taken_over = steering.likely_taken(project, share) / max(left, 1)
    asked = answers_left(project) if project.labels_per_item > 1 else left
    seen = forecasting.forecast(asked, taken_over, CHANCE_OF_CERTIFICATE, pace)
    now = timezone.now()
    history = [(each.labels, right) for each in made if (right := accuracy(each)["accuracy"]) is not None]
    step = loop.step_after(project, made[-1]) if made else 0
    known = made[-1].metrics if made else {}
    width = known.get("high", 1.0) - known.get("low", 0.0)
    return {
        "items_left": left,
        "labels": round(seen.labels.likely),
        "labels_low": round(seen.labels.low),
        "labels_high": round(seen.labels.high),
        "hours": round(seen.hours.likely, 4),
        "hours_low": round(seen.hours.low, 4),
        "hours_high": round(seen.hours.high, 4),
        "date": (now + timedelta(days=min(seen.days.likely, MOST_DAYS))).date(),
        "date_low": (now + timedelta(days=min(seen.days.low, MOST_DAYS))).date(),
        "date_high": (now + timedelta(days=min(seen.days.high, MOST_DAYS))).date(),
        "taken_over": round(taken_over, 4),
        "advice": forecasting.advice(history, step, width, agreement=not project.is_classification),
    }


def answers_left(project: Project) -> int:
    """Count the answers that are asked for, where several people answer each image."""
    waiting = QueueEntry.objects.filter(project=project).exclude(kind=QueueKind.AUDIT)
    return int(waiting.aggregate(all=Coalesce(Sum("needed"), 0))["all"])


def pace_of(project: Project) -> forecasting.Pace:
    found = recent_labels(project).aggregate(
        count=Count("id"), mean=Avg("seconds"), deviation=StdDev("seconds")
    )
    return forecasting.Pace(found["count"], found["mean"] or 0.0, found["deviation"] or 0.0)


def recent_labels(project: Project) -> QuerySet[Annotation]:
    since = timezone.now() - PACE_OVER
    return Annotation.objects.filter(
        project=project, labeler__isnull=False, created_at__gt=since, withdrawn_at=None
    )


def models_table(project: Project) -> list[tuple[Any, ...]]:
    """Return all models with their accuracy, for a file."""
    rows = []
    for each in versions.taught(project).order_by("number"):
        known = accuracy(each)
        rows.append((each.number, each.created_at, each.labels, *known.values(), each.backbone))
    return rows


def runs_table(project: Project) -> list[tuple[Any, ...]]:
    rows = map(run_facts, Run.objects.filter(project=project).order_by("id"))
    return [tuple(row[name] for name in RUN_COLUMNS) for row in rows]


RUN_COLUMNS = ("id", "kind", "state", "started_at", "seconds", "done", "total")
MODEL_COLUMNS = ("number", "made_at", "labels", "accuracy", "low", "high", "backbone")
figures.register("models", MODEL_COLUMNS, models_table)
figures.register("runs", RUN_COLUMNS, runs_table)
