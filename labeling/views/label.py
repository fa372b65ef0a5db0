"""The Label page: a shell that the modules under static/labeling/label bring to life."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from labeling import permissions, statistics
from labeling.models import Instructions, Project, User
from labeling.templatetags.loupe import DISTINCT_COLORS
from labeling.views import SignedIn


def label(request: SignedIn, project_id: int) -> HttpResponse:
    project = permissions.project_or_404(request.user, project_id, "label")
    if not project.is_classification:
        return render(request, "label/no_canvas.html", {"project": project})
    instructions = project.instructions.first()
    config = label_config(project, request.user, instructions)
    return render(
        request, "label/label.html", {"project": project, "config": config, "instructions": instructions}
    )


def label_config(project: Project, user: User, instructions: Instructions | None) -> dict[str, Any]:
    return {
        "project": project.pk,
        "user": user.pk,
        "api": reverse("api-project", args=[project.pk]),
        "signIn": f"{reverse('sign-in')}?next={reverse('label', args=[project.pk])}",
        "multilabel": project.task_type == Project.TaskType.MULTILABEL,
        "size": user.page_size,
        "doneToday": statistics.done_today(project, user),
        "instructions": {"version": instructions.version, "text": instructions.text}
        if instructions
        else None,
        "classes": [
            {
                "id": each.pk,
                "name": each.name,
                "color": each.color,
                "hotkey": each.hotkey,
                "description": each.description,
                "striped": each.position >= DISTINCT_COLORS,
            }
            for each in project.classes.filter(retired_at=None)
        ],
    }
