"""The Label page: a shell that the modules under static/labeling/label bring to life."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import translation

from labeling import checks, languages, permissions, statistics
from labeling.models import Instructions, Project, User
from labeling.views import SignedIn

TEMPLATES = {
    Project.TaskType.MULTICLASS: "label/grid.html",
    Project.TaskType.MULTILABEL: "label/grid.html",
    Project.TaskType.DETECTION: "label/canvas.html",
    Project.TaskType.SEGMENTATION: "label/canvas.html",
    Project.TaskType.SEMANTIC: "label/no_canvas.html",
}


def label(request: SignedIn, project_id: int) -> HttpResponse:
    project = permissions.project_or_404(request.user, project_id, "label")
    instructions = project.instructions.first()
    config = label_config(project, request.user, instructions)
    template = TEMPLATES[Project.TaskType(project.task_type)]
    context = {"project": project, "config": config, "instructions": instructions}
    return render(request, template, context | {"texts": languages.page_texts()})


def label_config(project: Project, user: User, instructions: Instructions | None) -> dict[str, Any]:
    return {
        "project": project.pk,
        "user": user.pk,
        "api": reverse("api-project", args=[project.pk]),
        "signIn": f"{reverse('sign-in')}?next={reverse('label', args=[project.pk])}",
        "task": project.task_type,
        "size": user.page_size,
        "checks": 0 if project.is_classification else checks.waiting(project, user),
        "doneToday": statistics.done_today(project, user),
        "keys": user.keys,
        "singleKeys": user.single_keys,
        "keysUrl": reverse("keys"),
        "language": translation.get_language(),
        "instructions": {"version": instructions.version, "text": instructions.text or instructions.link}
        if instructions
        else None,
        "classes": [
            {
                "id": each.pk,
                "name": each.name,
                "color": each.color,
                "hotkey": each.hotkey,
                "description": each.description,
                "striped": each.striped,
                "parent": each.parent_id,
            }
            for each in project.classes.filter(retired_at=None)
        ],
    }
