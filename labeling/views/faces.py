"""What is hidden in a project's images: turned on, looked at, added to, taken back."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from labeling import face_boxes, faces, hiding, permissions, projects
from labeling.face_forms import DiscardForm, FacesForm
from labeling.models import MaskedImage, Project
from labeling.views import SignedIn


def faces_page(request: SignedIn, project_id: int) -> HttpResponse:
    """Show what was found; where faces are shown, let a manager have them hidden."""
    project = permissions.project_or_404(request.user, project_id, "review")
    if not project.faces:
        return begin_page(request, project, FacesForm(project=project, initial={"style": "mosaic"}))
    return grid_page(request, project, DiscardForm(project=project))


def grid_page(request: SignedIn, project: Project, form: DiscardForm) -> HttpResponse:
    kind, after = request.GET.get("show", ""), request.GET.get("after", "")
    rows, following = face_boxes.page(project, kind, after)
    context = {
        "project": project,
        "rows": rows,
        "next": following,
        "kind": kind,
        "kinds": face_boxes.KINDS,
        "totals": face_boxes.totals(project),
        "kept": hiding.kept_originals(project),
        "form": form,
        "work": hiding.work(project),
    }
    return render(request, "faces/faces.html", context, status=400 if form.errors else 200)


def begin_page(request: SignedIn, project: Project, form: FacesForm) -> HttpResponse:
    context = {
        "project": project,
        "form": form,
        "stake": hiding.stake(project),
        "problem": faces.problem(),
    }
    return render(request, "faces/begin.html", context, status=400 if form.errors else 200)


@require_POST
def begin(request: SignedIn, project_id: int) -> HttpResponse:
    """Have faces hidden from now on."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    form = FacesForm(request.POST, project=project)
    if not form.is_valid():
        return begin_page(request, project, form)
    try:
        hiding.begin(project, request.user, **form.cleaned_data)
    except projects.ProjectRefused as error:
        form.add_error("name" if error.field == "name" else None, str(error))
        return begin_page(request, project, form)
    messages.success(request, _("From now on faces are hidden before anybody is shown an image."))
    return redirect("faces" if hiding.stake(project).images else "import", project.pk)


@require_POST
def change(request: SignedIn, project_id: int) -> HttpResponse:
    """Hide in another way from now on, discard the originals, or go on with what stopped."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    if "go_on" in request.POST:
        hiding.go_on(project)
    elif request.POST.get("style") in Project.Faces.values[1:]:
        hiding.change_style(project, request.user, request.POST["style"])
        messages.success(request, _("Saved. It holds for images that come, or are changed, from now on."))
    else:
        form = DiscardForm(request.POST, project=project)
        try:
            if not form.is_valid():
                return grid_page(request, project, form)
            hiding.discard(project, request.user, form.cleaned_data["name"])
        except projects.ProjectRefused as error:
            form.add_error("name", str(error))
            return grid_page(request, project, form)
        messages.success(request, _("The originals that were kept are being deleted."))
    return redirect("faces", project.pk)


def progress(request: SignedIn, project_id: int) -> HttpResponse:
    """Say how far hiding is in images from before."""
    project = permissions.project_or_404(request.user, project_id, "review")
    context = {"project": project, "work": hiding.work(project)}
    return render(request, "faces/_work.html", context)


def face_item(request: SignedIn, project_id: int, item_id: int) -> HttpResponse:
    """Show one image with what is hidden in it."""
    project = permissions.project_or_404(request.user, project_id, "review")
    rows = MaskedImage.objects.select_related("item__source", "item__project")
    row = get_object_or_404(rows, item=item_id, project=project)
    if row.item.is_withheld:
        raise Http404
    before, after = face_boxes.neighbours(project, row)
    return render(
        request,
        "faces/item.html",
        {
            "project": project,
            "row": row,
            "item": row.item,
            "before": before,
            "after": after,
            "margin": face_boxes.UNSURE,
            **boxes_of(row),
        },
    )


def boxes_of(row: MaskedImage) -> dict[str, Any]:
    all_of_it = row.item.faces.select_related("added_by", "removed_by")
    return {
        "boxes": [each for each in all_of_it if each.removed_at is None],
        "removed": [each for each in all_of_it if each.removed_at is not None],
        "can_remove": face_boxes.can_remove(row, row.item),
    }
