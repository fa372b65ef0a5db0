"""The loop: looks every two seconds at what has changed, and queues the next step.

It pulls from the tables, so a crash anywhere loses nothing: the next look sees the same state.
"""

import logging
import sys
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.db.models.functions import Now

from clustering import embeddings
from labeling import announcing, answers, hiding, jobs, suggestions
from labeling.models import Event, Job, Project, User
from labeling.refusals import Refused
from mlassist import (
    auditing,
    batches,
    featurization,
    proving,
    runs,
    second_looks,
    steering,
    switching,
    triggers,
    versions,
)
from mlassist.models import Certificate, ModelVersion, Run

ROUNDS = ("round", "objects")

log = logging.getLogger(__name__)


class TrainingRefused(Refused):
    """Why there is nothing to train on, in a sentence for people."""


@jobs.periodic(2)
def tick() -> None:
    """Look at every project that is being labeled."""
    close_orphans()
    switching.adopt_ready()  # before a next round is queued that it would have to wait for
    for project in running():
        check_promise(project)
        check_audits(project)
        clear_ended(project)
        proving.release_left_over(project)
        if project.assist_mode != Project.AssistMode.OFF:
            advance(project)


@jobs.periodic(60)
def draw_audits() -> None:
    """Have labels asked again as long as a certificate stands, whether or not new ones are made."""
    for project in running():
        for certificate in standing(project):
            auditing.draw(certificate)


def running() -> list[Project]:
    """Return the projects that are being labeled; labels are audited also where no model helps now."""
    found = Project.objects.filter(deleted_at=None, state=Project.State.RUNNING).exclude(hiding.HIDING)
    return list(found.exclude(task_type=Project.TaskType.SEMANTIC))


def advance(project: Project) -> None:
    """Queue a round or a first ordering when one is due."""
    if unfinished(project) is not None:
        return
    version, embedded = versions.newest(project), embeddings.count(project)
    if version is not None:
        if embedded and round_is_due(project, version):
            jobs.enqueue(round_of(project), project)
        return
    if embedded and first_model_is_due(project):
        jobs.enqueue(round_of(project), project)
    elif embedded:
        ordered = (
            Job.objects.filter(project=project, kind="order")
            .order_by("-id")
            .values_list("payload", flat=True)
        )
        before = ordered.first()
        ordered_before = before["embedded"] if before and before["backbone"] == project.backbone else 0
        if triggers.order_is_due(embedded, ordered_before, complete=not is_featurizing(project)):
            jobs.enqueue("order", project, {"embedded": embedded, "backbone": project.backbone})


def round_of(project: Project) -> str:
    """Return the kind of job that a round of the project is: detectors take minutes, heads take seconds."""
    return "round" if project.is_classification else "objects"


def train_now(project: Project, by: User | None) -> Job:
    """Train because somebody asks for it; returns the job, also one that is under way.

    Raises TrainingRefused.
    """
    if project.task_type == Project.TaskType.SEMANTIC:
        raise TrainingRefused("Models for masks cannot be trained yet.")
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        waiting = unfinished(project, *ROUNDS)
        if waiting is not None:
            return waiting
        if not embeddings.count(project):
            raise TrainingRefused(
                "No image has been looked at by the backbone yet. Import images, or wait a moment."
            )
        if not answers.new_answers_since(project, 0):
            raise TrainingRefused("There are no labels to learn from yet. Label some images first.")
        Event.record("train", project, by)
        return jobs.enqueue(round_of(project), project, created_by=by)


def unfinished(project: Project, *kinds: str) -> Job | None:
    """Return the project's round or ordering that is queued or running."""
    return (
        Job.objects.filter(project=project, kind__in=kinds or (*ROUNDS, "order"), state__in=Job.UNFINISHED)
        .order_by("id")
        .first()
    )


def is_featurizing(project: Project) -> bool:
    return featurization.running(project, project.backbone).exists()


def first_model_is_due(project: Project) -> bool:
    # A round that failed is not tried again before there is something new to learn from.
    failed = Job.objects.filter(
        project=project, kind__in=ROUNDS, state__in=(Job.State.FAILED, Job.State.CANCELLED)
    )
    step = triggers.SMALLEST_STEP * failed.count()
    have, need = labels_for_first_model(project)
    return have >= need + step


def labels_for_first_model(project: Project) -> tuple[int, int]:
    """Return (labels so far, labels that the first model needs)."""
    counts = dict.fromkeys(project.classes.filter(retired_at=None).values_list("id", flat=True), 0)
    if answers.new_answers_since(project, 0) >= triggers.FIRST_IN_ALL:
        return answers.new_answers_since(project, 0), triggers.FIRST_IN_ALL
    given = answers.training(project)
    for labels in given.labels:
        for label in labels:
            counts[label] = counts.get(label, 0) + 1
    return len(given), triggers.first_model(len(given), list(counts.values()))


def news(project: Project, version: ModelVersion) -> int:
    """Return how much the newest model has not seen: new answers, and labels that were rejected."""
    rejected = triggers.withdrawn_answers(project) - version.withdrawn
    return answers.new_answers_since(project, version.revision) + max(0, rejected)


def step_after(project: Project, version: ModelVersion) -> int:
    """Return how many new answers the next model needs."""
    return triggers.step_after(version.labels, slow=not project.is_classification)


def round_is_due(project: Project, version: ModelVersion) -> bool:
    """Tell whether there is enough new to learn, or images or a backbone that the model does not know."""
    swap = switching.last_swap(project) if version.backbone != project.backbone else None
    # One that failed after it had made the version counts as well.
    since = Job.objects.filter(
        project=project, kind__in=ROUNDS, finished_at__gt=swap.created_at if swap else version.created_at
    )
    setbacks = since.filter(state__in=(Job.State.FAILED, Job.State.CANCELLED)).count()
    if swap and not setbacks:
        return not is_featurizing(project)
    if version.meaning != project.meaning and not setbacks:
        have, need = labels_for_first_model(project)
        return have >= need
    if news(project, version) >= step_after(project, version) * (1 + setbacks):
        return True
    if setbacks:
        return False
    if was_steered(project, used_last(project, version)) or proving.is_complete(project):
        return True
    if not project.is_classification:
        return steering.has_enough_blind_labels(project, version) or has_grown(project, version)
    if steering.has_enough_blind_labels(project, version):
        return True
    if second_looks.are_settled(project, version) or batches.are_answered(project):
        return True
    return has_grown(project, version)


def has_grown(project: Project, version: ModelVersion) -> bool:
    """Tell whether there are images that the newest model has not looked at."""
    return embeddings.count(project) > version.embedded and not is_featurizing(project)


def used_last(project: Project, version: ModelVersion) -> datetime:
    """Return when a model began to propose for the last time: detectors do so again without learning anew."""
    runs_of = Run.objects.filter(model_version=version, kind=Run.Kind.INFERENCE, state=Run.State.DONE)
    last = runs_of.aggregate(last=Max("started_at"))["last"]
    return last if last is not None and not project.is_classification else version.created_at


def was_steered(project: Project, since: datetime) -> bool:
    """Tell whether a manager has changed the mode, the target, the model, or the classes since then."""
    changes = Event.objects.filter(project=project, created_at__gt=since)
    steering = ["assist_mode", "promise", "target_error", "confidence", "withheld"]
    return changes.filter(
        Q(verb="settings", data__has_any_keys=steering)
        | Q(verb__in=("retire_class", "restore_class", "model_choice_ended"))
        | Q(verb="model_chosen", data__backbone=project.backbone)
    ).exists()


@jobs.handler("round", cluster="ml", priority=2, ended=runs.announce_training)
def run_round(job: jobs.RunningJob) -> dict[str, Any]:
    """Train, validate and infer in a process of their own."""
    return supervised(job)


@jobs.handler("objects", cluster="long", priority=2, ended=runs.announce_training)
def run_objects(job: jobs.RunningJob) -> dict[str, Any]:
    """Teach a detector, validate and infer in a process of their own."""
    return supervised(job, "mlassist.detecting")


@jobs.handler("order", cluster="ml", priority=3)
def run_order(job: jobs.RunningJob) -> dict[str, Any]:
    """Order the queue before there is a model, in a process of its own."""
    return supervised(job)


def supervised(job: jobs.RunningJob, module: str = "mlassist.training") -> dict[str, Any]:
    runs.close_dangling(job.row)  # of an attempt whose worker was killed
    try:
        job.supervise([sys.executable, "-m", module, "--job", str(job.row.pk)])
    finally:
        runs.close_dangling(job.row)
    return {}


def close_orphans() -> None:
    """Close runs whose job has ended without them, by a kill that nobody could catch."""
    open_runs = Run.objects.filter(state=Run.State.RUNNING).exclude(
        kind__in=(Run.Kind.FEATURIZATION, Run.Kind.FINE_TUNING)
    )
    for run in open_runs.exclude(job__state__in=Job.UNFINISHED).select_related("job"):
        if run.job is not None:
            runs.close_dangling(run.job)


def check_promise(project: Project) -> None:
    """Withdraw a certificate that promises less than the project asks for by now."""
    for certificate in standing(project):
        if not certificate.promises_enough(project):
            withdraw(certificate, "The project asks for more than this certificate promised.")


def clear_ended(project: Project) -> None:
    """Take back what a round placed while its certificate ended, or what somebody held then."""
    for certificate in Certificate.objects.filter(project=project).exclude(
        state__in=(Certificate.State.VALID, Certificate.State.OPEN)
    ):
        if not suggestions.is_shown(project, certificate.pk):
            continue
        if certificate.state == Certificate.State.WITHDRAWN:
            suggestions.withdraw(project, certificate.pk)
        elif certificate.reason:  # it was not followed by another one
            suggestions.take_off_pages(project, certificate.pk)


def standing(project: Project) -> QuerySet[Certificate]:
    """Return the certificates that labels rest on; a superseded one labels nothing new and is kept to."""
    return Certificate.objects.filter(
        project=project, state__in=(Certificate.State.VALID, Certificate.State.SUPERSEDED)
    )


def check_audits(project: Project) -> None:
    """Take in new answers to audits, and withdraw the certificates that they contradict."""
    for certificate in standing(project).select_related("project"):
        with transaction.atomic():
            reason = auditing.objection(certificate)
            if reason:
                withdraw(certificate, reason)


def withdraw(certificate: Certificate, reason: str, by: User | None = None) -> int:
    """Withdraw a certificate and send its labels back to people; returns how many."""
    with transaction.atomic():
        ended = Certificate.objects.filter(pk=certificate.pk).exclude(state="withdrawn")
        if not ended.update(state=Certificate.State.WITHDRAWN, withdrawn_at=Now(), reason=reason):
            return 0
        back = suggestions.withdraw(certificate.project, certificate.pk)
        drawn = certificate.draws.values_list("item_id", flat=True)
        suggestions.stop_asking_blind(certificate.project, list(drawn))
        Event.record(
            "certificate_withdrawn",
            certificate.project,
            by,
            certificate=certificate.pk,
            attempt=certificate.attempt,
            labels=back,
            reason=reason,
        )
        announcing.announce(
            "certificate_withdrawn",
            certificate.project,
            by,
            key=f"withdrawn:{certificate.pk}",
            certificate=certificate.pk,
            attempt=certificate.attempt,
            labels=back,
            reason=reason,
        )
    log.warning("Certificate %s was withdrawn: %s", certificate.pk, reason)
    return back
