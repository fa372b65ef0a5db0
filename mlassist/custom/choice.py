"""The chosen model: from now on the project's models are made like it, until somebody changes that."""

import numpy as np
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling import jobs
from labeling.answers import Answers
from labeling.models import Event, Job, Project, User
from mlassist import loop, switching, versions
from mlassist.custom.making import CustomModelRefused
from mlassist.models import Candidate, ChosenModel, ModelVersion


def choose(candidate: Candidate, by: User) -> Job | None:
    """Have a project's models made like a candidate; returns the job that makes the first, if it begins now.

    Raises CustomModelRefused, SwitchRefused.

    What it looks through is prepared beside the backbone in use where that is another one.
    """
    with transaction.atomic():
        project = Project.objects.select_for_update(no_key=True).get(pk=candidate.custom_model.project_id)
        if project.assist_mode == Project.AssistMode.OFF:
            raise CustomModelRefused(
                _("The model’s help is switched off. Switch it on in the settings first.")
            )
        if project.is_hiding_faces:
            raise CustomModelRefused(_("Faces are being hidden. Wait until that is done."))
        if not candidate.model:
            raise CustomModelRefused(_("This candidate could not be trained."))
        if project.is_classification:
            switching.choose(project, candidate.backbone, by)
        ChosenModel.objects.update_or_create(
            project=project,
            defaults={"candidate": candidate, "chosen_by": by, "created_at": timezone.now()},
        )
        Event.record("model_chosen", project, by, model=candidate.title, backbone=candidate.backbone)
        newest = versions.newest(project)
        if not project.is_classification and (newest is None or newest.head != candidate.model):
            keep(project, candidate)
        if candidate.backbone == project.backbone:
            # What is being trained in another way would come after what was chosen.
            under_way = loop.unfinished(project, *loop.ROUNDS)
            if under_way is not None:
                jobs.cancel(under_way)
            return jobs.enqueue(loop.round_of(project), project)
    return None


def keep(project: Project, candidate: Candidate) -> ModelVersion:
    """Make a detector that was taught as a candidate the project's newest version: minutes of work."""
    made_from = candidate.metrics["made_from"]
    given = Answers(np.empty(0, np.int64), [()] * made_from["labels"], made_from["revision"])
    metrics = {"labels": candidate.metrics["labels"], "head": candidate.metrics["head"]}
    metrics |= {"candidates": candidate.metrics["candidates"], "chosen": candidate.title}
    measured = {name: candidate.metrics.get(name) for name in ("out_of_fold", "out_of_fold_accuracy")}
    return versions.add(
        project,
        given,
        backbone=candidate.backbone,
        head=candidate.model,
        classes=candidate.metrics["classes"],
        metrics=metrics | {name: value for name, value in measured.items() if value is not None},
        withdrawn=made_from["withdrawn"],
        embedded=made_from["embedded"],
        meaning=made_from["meaning"],
    )


def end(project: Project, by: User) -> None:
    """Let Loupe choose again how models are made, from the next training on."""
    if ChosenModel.objects.filter(project=project).delete()[0]:
        Event.record("model_choice_ended", project, by)
