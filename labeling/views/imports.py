"""Importing images, and how imports go."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render

from labeling import importing, permissions
from labeling.models import Project
from labeling.views import SignedIn


def import_page(request: SignedIn, project_id: int) -> HttpResponse:
    project = permissions.project_or_404(request.user, project_id, "manage")
    if request.method == "POST":
        if not request.user.is_superuser:  # only a site admin may read folders of the server
            raise Http404
        try:
            importing.add_path(project, request.POST.get("path", ""), request.user)
        except importing.ImportRefused as error:
            messages.error(request, str(error))
        return redirect("import", project.pk)
    return render(request, "data/import.html", {"project": project, "imports": imports_of(project)})


def import_live(request: SignedIn, project_id: int) -> HttpResponse:
    project = permissions.project_or_404(request.user, project_id, "manage")
    return render(request, "data/_imports.html", {"project": project, "imports": imports_of(project)})


def imports_of(project: Project) -> list[dict[str, Any]]:
    found = []
    for source in project.sources.order_by("-id")[:20]:
        facts = importing.summary(source)
        taken = facts["read"] - facts["broken"] - facts["duplicates"]
        found.append({**facts, "taken": taken, "problems": importing.problems(source)})
    return found
