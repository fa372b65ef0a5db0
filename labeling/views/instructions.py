"""Writing what labelers are told: Markdown with a preview, and every version that there was."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from labeling import illustrations, permissions, projects, prompts
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
    context["most_bytes"] = illustrations.MAX_BYTES
    return render(request, "projects/instructions.html", context)


@require_POST
def preview(request: SignedIn, project_id: int) -> HttpResponse:
    """Show what is being written as labelers would see it; nothing is saved."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    text = request.POST.get("text", "")
    if request.headers.get("HX-Request"):
        context = {"preview": text, "project": project}
        return render(request, "projects/_instructions_preview.html", context)
    return page(request, project, InstructionsForm(request.POST), text)


@require_POST
def template(request: SignedIn, project_id: int) -> HttpResponse:
    """Add the questions of the template to what is being written; nothing is saved."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    text = request.POST.get("text", "").rstrip()
    given = {**request.POST.dict(), "text": f"{text}\n\n{prompts.template(project)}".lstrip()}
    return page(request, project, InstructionsForm(given))


@require_POST
def pictures(request: SignedIn, project_id: int) -> HttpResponse:
    """Add pictures below what is being written, where no script adds them; the text is not saved."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    parts, refused = [request.POST.get("text", "").rstrip()], []
    for file in request.FILES.getlist("pictures"):
        try:
            if (file.size or 0) > illustrations.MAX_BYTES:
                raise illustrations.PictureRefused(illustrations.too_large(file.size or 0))
            picture = illustrations.add(project, file.read(), file.name or "", request.user)
            parts.append(illustrations.markdown(picture))
        except illustrations.PictureRefused as error:
            refused.append(f"{file.name}: {error}")
    if len(parts) + len(refused) == 1:
        refused.append("Choose a picture first.")
    form = InstructionsForm({**request.POST.dict(), "text": "\n\n".join(filter(None, parts))})
    for sentence in refused:
        form.add_error("text", sentence)
    return page(request, project, form)


@require_POST
def restore(request: SignedIn, project_id: int, version: int) -> HttpResponse:
    """Make an old version the newest one again."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    old = get_object_or_404(project.instructions, version=version)
    written = projects.set_instructions(project, old.text, request.user, link=old.link)
    messages.success(request, f"Version {written.version} says what version {old.version} said.")
    return redirect("settings-instructions", project.pk)
