"""Model versions, numbered one by one within their project, and which of them is in use."""

from typing import Any

from django.db import transaction
from django.db.models import Max, QuerySet

from labeling.answers import Answers
from labeling.models import Project
from mlassist.models import ModelVersion


def taught(project: Project) -> QuerySet[ModelVersion]:
    """Return the versions that have learned from people's answers."""
    return ModelVersion.objects.filter(project=project, taught=True)


def newest(project: Project) -> ModelVersion | None:
    """Return the version in use; None before there is one."""
    return taught(project).order_by("-number").first()


def numbers(project: Project) -> list[int]:
    """Return the numbers of all versions of a project."""
    return list(ModelVersion.objects.filter(project=project).values_list("number", flat=True))


def add(project: Project, given: Answers, **fields: Any) -> ModelVersion:
    """Keep what was learned from some answers as the project's newest version."""
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        newest = ModelVersion.objects.filter(project=project).aggregate(number=Max("number"))["number"]
        return ModelVersion.objects.create(
            project=project,
            number=(newest or 0) + 1,
            labels=len(given),
            revision=given.revision,
            **fields,
        )
