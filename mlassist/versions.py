"""New model versions, numbered one by one within their project."""

from typing import Any

from django.db import transaction
from django.db.models import Max

from labeling.answers import Answers
from labeling.models import Project
from mlassist.models import ModelVersion


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
