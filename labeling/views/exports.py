"""Exports: make one, follow it, fetch it."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render

from labeling import exporting, permissions, statistics
from labeling.models import Job, Project, User
from labeling.views import SignedIn
from labeling.views.data import SOURCES, filters_of


def exports(request: SignedIn, project_id: int) -> HttpResponse:
    project = permissions.project_or_404(request.user, project_id, "review")
    if request.method == "POST":
        try:
            exporting.start(project, request.user, request.POST.get("format", ""), filters_of(request.POST))
        except exporting.ExportRefused as error:
            messages.error(request, str(error))
        else:
            messages.success(request, "The export is being written. It appears below when it is ready.")
        return redirect("exports", project.pk)
    context = {
        "project": project,
        "jobs": made(project, request.user),
        "sources": SOURCES,
        "origins": statistics.labels_by_origin(project),
        "classes": project.classes.filter(means=None),
    }
    return render(request, "exports/exports.html", context)


def exports_live(request: SignedIn, project_id: int) -> HttpResponse:
    project = permissions.project_or_404(request.user, project_id, "review")
    return render(request, "exports/_exports.html", {"project": project, "jobs": made(project, request.user)})


def made(project: Project, user: User) -> list[Job]:
    return list(exporting.made(project, user).select_related("created_by").order_by("-id")[:50])
