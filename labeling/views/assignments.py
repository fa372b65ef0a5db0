"""What is assigned to whom in a project."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from labeling import assigning, permissions
from labeling.models import Assignment, Project
from labeling.people_forms import AssignForm, WhoForm, assignees
from labeling.views import SignedIn

SHOWN = 20  # names that fit nothing, of which a message tells


def assignments(request: SignedIn, project_id: int) -> HttpResponse:
    """Show what is assigned and how far it is; a POST assigns."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    form = AssignForm(project, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = assigning.assign(project, request.user, form.part(), **form.assignee())
        except assigning.AssignmentRefused as error:
            form.add_error(None, str(error))
        else:
            tell(request, project, made)
            return redirect("assignments", project.pk)
    context: dict[str, Any] = {
        "project": project,
        "form": form,
        "rows": assigning.progress(project),
        "people": assignees(project),
        "ways": [
            ("class", "By proposed class"),
            ("list", "A list"),
            ("name", "By name"),
            ("share", "A share"),
        ],
    }
    return render(request, "people/assignments.html", context)


def tell(request: SignedIn, project: Project, made: assigning.Made) -> None:
    who = made.assignment.team or made.assignment.labeler.label  # type: ignore[union-attr]
    undo = reverse("assignment-end", args=[project.pk, made.assignment.pk])
    images = f"{made.count:,} image{' is' if made.count == 1 else 's are'}"
    messages.success(request, f"{images} assigned to {who}.", undo)
    if made.unknown:
        names = ", ".join(made.unknown[:SHOWN]) + (" …" if len(made.unknown) > SHOWN else "")
        messages.warning(
            request,
            f"{len(made.unknown):,} of the list fit no image that waits, is free: {names}",
        )


def assignment_or_404(request: SignedIn, project_id: int, assignment_id: int) -> Assignment:
    project = permissions.project_or_404(request.user, project_id, "manage")
    rows = project.assignments.select_related("labeler", "team", "project")
    return get_object_or_404(rows, pk=assignment_id)


@require_POST
def change(request: SignedIn, project_id: int, assignment_id: int) -> HttpResponse:
    """Give what is left to somebody else."""
    assignment = assignment_or_404(request, project_id, assignment_id)
    form = WhoForm(assignment.project, request.POST)
    if form.is_valid():
        try:
            assigning.change(assignment, request.user, **form.assignee())
            messages.success(request, "What is left is theirs now.")
        except assigning.AssignmentRefused as error:
            messages.error(request, str(error))
    return redirect("assignments", project_id)


@require_POST
def end(request: SignedIn, project_id: int, assignment_id: int) -> HttpResponse:
    """Let what is left wait for everybody."""
    assignment = assignment_or_404(request, project_id, assignment_id)
    if assigning.end(assignment, request.user):
        undo = reverse("assignment-resume", args=[project_id, assignment.pk])
        messages.success(request, "The assignment has ended: what is left waits for everybody.", undo)
    return redirect("assignments", project_id)


@require_POST
def resume(request: SignedIn, project_id: int, assignment_id: int) -> HttpResponse:
    """Take back the end of an assignment."""
    assignment = assignment_or_404(request, project_id, assignment_id)
    try:
        count = assigning.resume(assignment, request.user)
        messages.success(request, f"Assigned again: {count:,} image{'' if count == 1 else 's'}.")
    except assigning.AssignmentRefused as error:
        messages.error(request, str(error))
    return redirect("assignments", project_id)
