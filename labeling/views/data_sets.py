"""Data sets: the list of them, and one more; they are sent by the page's script."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from labeling import completing, data_sets, naming, permissions, uploading
from labeling.api.shapes import whole_number
from labeling.importing import ImportRefused
from labeling.views import SignedIn


def data_set_list(request: SignedIn) -> HttpResponse:
    permissions.creator_or_404(request.user)
    return render(request, "data/data_sets.html", {"data_sets": listed(request)})


def data_sets_live(request: SignedIn) -> HttpResponse:
    """Return the list, for polling."""
    permissions.creator_or_404(request.user)
    return render(request, "data/_data_sets.html", {"data_sets": listed(request)})


def listed(request: SignedIn) -> list[dict[str, Any]]:
    found = data_sets.with_uses(permissions.data_sets(request.user)).select_related("created_by")
    return [
        {
            "data_set": each,
            "facts": uploading.progress(each),
            "by": naming.called(request.user, each.created_by),
            "is_mine": each.created_by_id == request.user.pk,
            "kept_until": each.touched_at + uploading.KEPT_FOR,
        }
        for each in found.order_by("-id")[:200]
    ]


@require_POST
def data_set_complete(request: SignedIn, upload_id: int) -> HttpResponse:
    """Make a data set of what is here."""
    data_set = permissions.data_set_or_404(request.user, upload_id, own=True)
    try:
        completing.complete(data_set, request.user, leave_out=True)
    except (completing.NotWhole, uploading.NotOpen) as error:
        messages.error(request, str(error))
    return redirect("data-sets")


@require_POST
def data_set_delete(request: SignedIn, upload_id: int) -> HttpResponse:
    data_set = permissions.data_set_or_404(request.user, upload_id)
    try:
        data_sets.delete(data_set)
    except (data_sets.InUse, uploading.NotOpen) as error:
        messages.error(request, str(error))
    return redirect("data-sets")


@require_POST
def import_data_set(request: SignedIn, project_id: int) -> HttpResponse:
    """Take a data set into a project."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    chosen = whole_number(request.POST.get("data_set", ""))
    data_set = permissions.data_set_or_404(request.user, chosen or 0)
    try:
        data_sets.use(data_set, project, request.user, every_page="every_page" in request.POST)
    except ImportRefused as error:
        messages.error(request, str(error))
    return redirect("import", project_id)
