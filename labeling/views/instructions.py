"""Writing what labelers are told: Markdown with a preview, and every version that there was."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from labeling import permissions, projects, prompts
from labeling.forms import InstructionsForm
from labeling.models import Project
from labeling.views import SignedIn


def instructions(request: SignedIn, project_id: int) -> HttpResponse:
    project = permissions.project_or_404(request.user, project_id, "manage")
    newest = project.instructions.first()
    initial = {"text": newest.text, "link": newest.link} if newest else {}
    form = InstructionsForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        written = projects.set_instructions(
            project, form.cleaned_data["text"], request.user, link=form.cleaned_data["link"]
        )
        messages.success(request, f"Version {written.version} is what labelers read now.")
        return redirect("settings-instructions", project.pk)
    return page(request, project, form)


def page(
    request: SignedIn, project: Project, form: InstructionsForm, preview: str | None = None
) -> HttpResponse:
    versions = project.instructions.select_related("created_by")
    context = {"project": project, "form": form, "versions": versions, "preview": preview}
    return render(request, "projects/instructions.html", context)


@require_POST
def preview(request: SignedIn, project_id: int) -> HttpResponse:
    """Show what is being written as labelers would see it; nothing is saved."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    text = request.POST.get("text", "")
    if request.headers.get("HX-Request"):
        return render(request, "projects/_instructions_preview.html", {"preview": text})
    return page(request, project, InstructionsForm(request.POST), text)


@require_POST
def template(request: SignedIn, project_id: int) -> HttpResponse:
    """Add the questions of the template to what is being written; nothing is saved."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    text = request.POST.get("text", "").rstrip()
    given = {**request.POST.dict(), "text": f"{text}\n\n{prompts.template(project)}".lstrip()}
    return page(request, project, InstructionsForm(given))


@require_POST
def restore(request: SignedIn, project_id: int, version: int) -> HttpResponse:
    """Make an old version the newest one again."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    old = get_object_or_404(project.instructions, version=version)
    written = projects.set_instructions(project, old.text, request.user, link=old.link)
    messages.success(request, f"Version {written.version} says what version {old.version} said.")
    return redirect("settings-instructions", project.pk)
