"""A project's settings."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from labeling import (
    accounts,
    changes,
    classes,
    deleting,
    extensions,
    permissions,
    projects,
    reworking,
    statistics,
)
from labeling.forms import ClassesForm, DeleteForm, QualityForm, SettingsForm
from labeling.models import Project
from labeling.source_forms import TakingForm
from labeling.views import SignedIn


def settings(request: SignedIn, project_id: int) -> HttpResponse:
    project = permissions.project_or_404(request.user, project_id, "manage")
    form = SettingsForm(request.POST or None, initial=initial_of(project), draws_shapes=project.draws_shapes)
    if request.method == "POST" and form.is_valid():
        changes = dict(form.cleaned_data)
        changes["target_error"] = changes.pop("target")
        try:
            projects.change_settings(project, request.user, **changes)
        except projects.ProjectRefused as error:
            project.refresh_from_db()
            form.add_error("name", str(error))
        else:
            messages.success(request, "Saved.")
            return redirect("settings", project.pk)
    return settings_page(request, project, form=form)


def initial_of(project: Project) -> dict[str, Any]:
    return {
        "name": project.name,
        "assist_mode": project.assist_mode,
        "promise": project.promise,
        "target": round(100 * (1 - project.target_error), 2),
        "confidence": round(100 * project.confidence, 2),
        "hidden_share": round(100 * project.hidden_share, 3),
        "hourly_cost": project.hourly_cost,
        "currency": project.currency,
    }


def settings_page(request: SignedIn, project: Project, **context: Any) -> HttpResponse:
    context.setdefault("form", SettingsForm(initial=initial_of(project), draws_shapes=project.draws_shapes))
    context.setdefault("classes_form", ClassesForm())
    context.setdefault("delete_form", DeleteForm())
    context.setdefault("quality_form", QualityForm(project=project))
    context.setdefault("taking_form", TakingForm.of(project))
    instructions = project.instructions.select_related("created_by").first()
    context |= {"project": project, "extra": extensions.settings(), "instructions": instructions}
    context |= class_table(project) | {"tokens": accounts.tokens_of(project, request.user)}
    context |= {"images": sum(statistics.items_by_state(project).values()), "busy": deleting.running(project)}
    return render(request, "projects/settings.html", context)


def class_table(project: Project) -> dict[str, Any]:
    """Return what the list of classes shows."""
    return {
        "rows": classes.tree(project),
        "retired": project.classes.exclude(retired_at=None).select_related("means"),
        "counts": statistics.images_by_class(project),
        "changes": changes.latest(project),
        "work": reworking.progress(project),
    }


@require_POST
def delete(request: SignedIn, project_id: int) -> HttpResponse:
    """Delete the project for somebody who has typed its name."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    form = DeleteForm(request.POST)
    if form.is_valid():
        try:
            deleting.delete(project, request.user, form.cleaned_data["name"])
        except projects.ProjectRefused as error:
            form.add_error("name", str(error))
        else:
            messages.success(request, f"{project.name} is deleted.")
            return redirect("projects")
    return settings_page(request, project, delete_form=form)


@require_POST
def revoke_token(request: SignedIn, project_id: int, token_id: int) -> HttpResponse:
    """Revoke a token that opens the project alone, whosever it is."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    if not accounts.revoke_project_token(project, token_id, request.user):
        raise Http404
    messages.success(request, "The token is revoked: nothing that used it gets in any more.")
    return redirect(f"{reverse('settings', args=[project.pk])}#tokens")


@require_POST
def set_state(request: SignedIn, project_id: int) -> HttpResponse:
    """Pause labeling, or let it go on."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    running = request.POST.get("state") == Project.State.RUNNING
    projects.set_state(project, Project.State.RUNNING if running else Project.State.PAUSED, request.user)
    messages.success(request, "Labeling goes on." if running else "Labeling is paused. Nothing is lost.")
    return redirect("settings", project.pk)
