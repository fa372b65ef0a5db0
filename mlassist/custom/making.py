"""Making a custom model: from how many labels, in which ways; asked for by people, done by a job."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clustering import embeddings
from labeling import announcing, answers, jobs
from labeling.models import Event, Job, LabelClass, Project, User
from labeling.refusals import Refused
from mlassist import loop, runs
from mlassist.custom import ways, workplaces
from mlassist.custom.ways import Way
from mlassist.models import Candidate, CustomModel

FEWEST = 10  # labels of each class
MOST_CANDIDATES = 4


class CustomModelRefused(Refused):
    """Why something about a custom model cannot be done, in a sentence for people."""


@dataclass(frozen=True, slots=True)
class Learnable:
    """A class, how many labels it has that may be learned from, and how many are missing."""

    row: LabelClass
    labels: int

    @property
    def missing(self) -> int:
        return max(0, FEWEST - self.labels)


def learnable(project: Project) -> list[Learnable]:
    """Return the classes in use. Blind labels do not count: they are kept to measure models."""
    counts = answers.objects_of(project)
    in_use = project.classes.filter(retired_at=None).order_by("position")
    return [Learnable(each, counts.get(each.pk, 0)) for each in in_use]


def labels_of(project: Project) -> int:
    """Return how many answers there are to learn from."""
    return answers.new_answers_since(project, 0)


def obstacle(project: Project, known: Sequence[Learnable]) -> str:
    """Return in a sentence why no custom model can be made at all now; empty where one can."""
    if project.task_type == Project.TaskType.SEMANTIC:
        return _("Models for masks cannot be trained yet.")
    if project.assist_mode == Project.AssistMode.OFF:
        return _("The model’s help is switched off. Switch it on in the settings first.")
    if project.is_hiding_faces:
        return _("Faces are being hidden. Nothing learns from the images before that is done.")
    if running(project) is not None:
        return _("A custom model is being made already. Wait for it, or stop it.")
    if not embeddings.count(project):
        return _("No image has been looked at by the backbone yet. Import images, or wait a moment.")
    enough = [each for each in known if not each.missing]
    if not enough or (len(enough) < 2 and project.task_type == Project.TaskType.MULTICLASS):
        fewest = 2 if project.task_type == Project.TaskType.MULTICLASS else 1
        return ngettext(
            "At least %(classes)s class needs %(labels)s labels by people first.",
            "At least %(classes)s classes need %(labels)s labels by people each first.",
            fewest,
        ) % {"classes": fewest, "labels": FEWEST}
    return ""


def running(project: Project) -> CustomModel | None:
    under_way = CustomModel.objects.filter(project=project, job__state__in=Job.UNFINISHED)
    return under_way.select_related("job").first()


def start(project: Project, by: User, classes: Sequence[int], names: Sequence[str]) -> CustomModel:
    """Have candidates trained on some classes, in the ways that are named. Raises CustomModelRefused."""
    with transaction.atomic():
        locked = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        known = learnable(locked)
        reason = obstacle(locked, known)
        if reason:
            raise CustomModelRefused(reason)
        wanted = chosen_classes(locked, known, classes)
        labels = labels_of(locked)
        chosen = chosen_ways(ways.ways(locked, labels), names)
        is_all = len(wanted) == len(known)
        made = CustomModel.objects.create(
            project=locked, classes=[] if is_all else wanted, labels=labels, created_by=by
        )
        Candidate.objects.bulk_create(
            Candidate(
                custom_model=made,
                position=position,
                way=way.name,
                title=way.title,
                kind=way.kind,
                closer=way.closer,
                backbone=way.backbone,
            )
            for position, way in enumerate(chosen)
        )
        made.job = jobs.enqueue(
            "custom_model", locked, {"custom_model": made.pk}, total=len(chosen), created_by=by
        )
        made.save(update_fields=["job"])
        Event.record("custom_model", locked, by, custom_model=made.pk, candidates=len(chosen), labels=labels)
        announcing.announce(
            "custom_model_started", locked, by, key=f"custom_model:{made.pk}", custom_model=made.pk
        )
    return made


def chosen_classes(project: Project, known: Sequence[Learnable], classes: Sequence[int]) -> list[int]:
    """Return the classes to learn, in the project's order. Raises CustomModelRefused."""
    wanted = [each for each in known if each.row.pk in set(classes)]
    if not wanted or len(wanted) < len(set(classes)):
        raise CustomModelRefused(_("Choose the classes that it is to learn."))
    short = [each for each in wanted if each.missing]
    if short:
        names = ", ".join(f"{each.row.name} ({each.labels})" for each in short)
        raise CustomModelRefused(
            _("Each class needs %(fewest)s labels by people. Too few: %(names)s.")
            % {"fewest": FEWEST, "names": names}
        )
    others = sum(each.labels for each in known if each not in wanted)
    if project.task_type == Project.TaskType.MULTICLASS and len(wanted) < 2 and others < FEWEST:
        raise CustomModelRefused(
            _("To tell one class, it needs %(fewest)s labels of others besides.") % {"fewest": FEWEST}
        )
    return [each.row.pk for each in wanted]


def usual_ways(known: Sequence[Way]) -> list[Way]:
    """Return the ways to make candidates where nobody says in which: the first that are possible."""
    return [each for each in known if not each.problem][:MOST_CANDIDATES]


def chosen_ways(known: Sequence[Way], names: Sequence[str]) -> list[Way]:
    """Return the ways that are named, in their own order. Raises CustomModelRefused."""
    chosen = [each for each in known if each.name in set(names)]
    if not chosen or len(chosen) != len(set(names)):
        raise CustomModelRefused(_("Choose in which ways candidates are made."))
    if len(chosen) > MOST_CANDIDATES:
        raise CustomModelRefused(
            _("At most %(most)s candidates can be compared by eye.") % {"most": MOST_CANDIDATES}
        )
    for each in chosen:
        if each.problem:
            raise CustomModelRefused(each.problem)
    return chosen


def cancel(made: CustomModel, by: User) -> None:
    """Stop the training; candidates that are done stay, and the rest can follow later."""
    if made.job is not None and made.job.state in Job.UNFINISHED:
        jobs.cancel(made.job)
        Event.record("custom_model_stopped", made.project, by, custom_model=made.pk)


def resume(made: CustomModel, by: User) -> None:
    """Go on where it was stopped or has failed. Raises CustomModelRefused."""
    with transaction.atomic():
        project = Project.objects.select_for_update(no_key=True).get(pk=made.project_id)
        reason = obstacle(project, learnable(project))
        if reason:
            raise CustomModelRefused(reason)
        if made.compared_at is not None or made.job is None:
            raise CustomModelRefused(_("There is nothing left of it to do."))
        made.candidates.filter(model="").update(problem="")  # what has failed may be possible by now
        jobs.retry(made.job)


def announce_end(job: Job) -> None:
    """Tell the managers how it ended, also who asked for it; who has stopped it knows."""
    if job.project is None:
        return
    if job.project.faces:
        workplaces.forget_plain(job.project)
    if job.state == Job.State.CANCELLED:
        return
    made = CustomModel.objects.get(pk=job.payload["custom_model"])
    tried = made.candidates.exclude(model="", problem="").count()
    announcing.announce(
        "custom_model_finished",
        job.project,
        key=f"custom_model_done:{job.pk}:{job.state}:{tried}",
        custom_model=made.pk,
        candidates=made.candidates.exclude(model="").count(),
        error=runs.sentence_of(job.error) if job.state == Job.State.FAILED else "",
    )


@jobs.handler("custom_model", cluster="long", priority=3, ended=announce_end)
def make(job: jobs.RunningJob) -> dict[str, Any]:
    """Train the candidates in a process of their own."""
    return loop.supervised(job, "mlassist.custom.work")
