"""Importing images, where they come from, and how imports go."""

from typing import Any

from django.contrib import messages
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from labeling import (
    completing,
    data_sets,
    importing,
    naming,
    permissions,
    projects,
    reading,
    refreshing,
    sources,
    taking_back,
    uploading,
)
from labeling.models import DataSource, Project, Upload
from labeling.source_forms import SourceForm, SourceSettingsForm, TakingForm
from labeling.views import SignedIn
from labeling.views.settings import settings_page

LISTED = 200


def import_page(request: SignedIn, project_id: int) -> HttpResponse:
    project = permissions.project_or_404(request.user, project_id, "manage")
    if "path" in request.POST:
        return import_path(request, project)
    if request.FILES or "send" in request.POST:
        return import_sent(request, project)
    form = SourceForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            add_source(project, form.cleaned_data, request)
        except importing.ImportRefused as error:
            form.add_error(None, str(error))
        else:
            return redirect("import", project.pk)
    return render(
        request,
        "data/import.html",
        {
            "project": project,
            "imports": imports_of(project),
            "uploads": uploads_of(request, project),
            "data_sets": unused_data_sets(request, project),
            "form": form,
        },
        status=400 if form.errors else 200,
    )


def unused_data_sets(request: SignedIn, project: Project) -> QuerySet[Upload]:
    """Return the complete data sets that a project has no images of yet."""
    found = permissions.data_sets(request.user).filter(state=Upload.State.COMPLETE)
    mine = data_sets.in_use(project.sources.filter(upload=OuterRef("pk")))
    return found.exclude(Exists(mine)).order_by("name")[:200]


def import_path(request: SignedIn, project: Project) -> HttpResponse:
    if not permissions.may_read_server(request.user):
        raise Http404
    try:
        every_page = "every_page" in request.POST
        importing.add_path(project, request.POST["path"], request.user, every_page=every_page)
    except importing.ImportRefused as error:
        messages.error(request, str(error))
    return redirect("import", project.pk)


def import_sent(request: SignedIn, project: Project) -> HttpResponse:
    """Import files of one form: without scripts there is no sending in parts."""
    files = [each for each in request.FILES.getlist("files") if each.name]
    try:
        if not files:
            raise importing.ImportRefused("Choose files first.")
        importing.add_uploads(project, files, request.user, every_page="every_page" in request.POST)
    except importing.ImportRefused as error:
        messages.error(request, str(error))
    return redirect("import", project.pk)


@require_POST
def upload_complete(request: SignedIn, project_id: int, upload_id: int) -> HttpResponse:
    """Import what is here of an upload."""
    upload = permissions.upload_or_404(request.user, project_id, upload_id, own=True)
    try:
        completing.complete(upload, request.user, leave_out=True)
    except (completing.NotWhole, uploading.NotOpen) as error:
        messages.error(request, str(error))
    return redirect("import", project_id)


@require_POST
def upload_cancel(request: SignedIn, project_id: int, upload_id: int) -> HttpResponse:
    """Forget an upload."""
    try:
        uploading.cancel(permissions.upload_or_404(request.user, project_id, upload_id))
    except uploading.NotOpen as error:
        messages.error(request, str(error))
    return redirect("import", project_id)


def uploads_of(request: SignedIn, project: Project) -> list[dict[str, Any]]:
    """Return what is on its way, but for what was begun and has no file."""
    found = []
    for upload in uploading.unfinished(project)[:20]:
        facts = uploading.progress(upload)
        if facts.files:
            found.append(
                {
                    "upload": upload,
                    "facts": facts,
                    "most": max(1, facts.size),
                    "by": naming.called(request.user, upload.created_by),
                    "is_mine": upload.created_by_id == request.user.pk,
                    "kept_until": upload.touched_at + uploading.KEPT_FOR,
                }
            )
    return found


def add_source(project: Project, given: dict[str, Any], request: SignedIn) -> DataSource:
    """Add a bucket, or a list by its address or as it is. Raises ImportRefused."""
    if given["urls"]:
        return sources.add_list(project, given["urls"], "", request.user, every_page=given["every_page"])
    return sources.add(project, given, request.user)


def import_live(request: SignedIn, project_id: int) -> HttpResponse:
    project = permissions.project_or_404(request.user, project_id, "manage")
    return render(request, "data/_imports.html", {"project": project, "imports": imports_of(project)})


def source_or_404(request: SignedIn, project_id: int, source_id: int) -> DataSource:
    project = permissions.project_or_404(request.user, project_id, "manage")
    source = project.sources.filter(pk=source_id).first()
    if source is None:
        raise Http404
    source.project = project  # with the role of who asks
    return source


def source_page(request: SignedIn, project_id: int, source_id: int) -> HttpResponse:
    """Show a source with what is gone and what was changed there; a POST changes how it is looked at."""
    source = source_or_404(request, project_id, source_id)
    form = SourceSettingsForm(request.POST) if request.method == "POST" else SourceSettingsForm.of(source)
    if request.method == "POST" and form.is_valid():
        try:
            sources.change(source, form.cleaned_data, request.user)
        except importing.ImportRefused as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "Saved.")
            return redirect("source", project_id, source.pk)
    context = {
        "project": source.project,
        "source": source,
        "facts": reading.summary(source),
        "form": form,
        "gone": source.items.filter(gone_at__isnull=False).order_by("path")[:LISTED],
        "changed": source.items.filter(changed_at__isnull=False, gone_at=None).order_by("path")[:LISTED],
        "under_way": refreshing.is_under_way(source),
        "untouched": taking_back.untouched(source).count(),
    }
    return render(request, "data/source.html", context, status=400 if form.errors else 200)


@require_POST
def settings_taking(request: SignedIn, project_id: int) -> HttpResponse:
    """Change how many images a project takes, and which of them models look at."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    form = TakingForm(request.POST)
    if not form.is_valid():
        return settings_page(request, project, taking_form=form)
    projects.change_settings(project, request.user, **form.cleaned_data)
    messages.success(request, "Saved.")
    return redirect("settings", project.pk)


@require_POST
def refresh(request: SignedIn, project_id: int, source_id: int) -> HttpResponse:
    """Look again what a source holds; with `again`, also read what was changed or is damaged."""
    source = source_or_404(request, project_id, source_id)
    try:
        refreshing.start(source, request.user, again="again" in request.POST)
    except refreshing.NotNow as error:
        messages.warning(request, str(error))
    if "again" in request.POST:
        return redirect("source", project_id, source_id)
    return redirect("import", project_id)


@require_POST
def take_back(request: SignedIn, project_id: int, source_id: int) -> HttpResponse:
    """Take an import back, but for what was labeled of it."""
    source = source_or_404(request, project_id, source_id)
    taking_back.start(source, request.user)
    messages.success(request, f"{source.name} is being taken back.")
    return redirect("import", project_id)


def imports_of(project: Project) -> list[dict[str, Any]]:
    found = []
    for source in project.sources.order_by("-id")[:20]:
        facts = reading.summary(source)
        taken = facts["read"] - facts["broken"] - facts["duplicates"]
        found.append(
            {
                **facts,
                "source": source,
                "taken": taken,
                "problems": reading.problems(source),
                "under_way": refreshing.is_under_way(source),
            }
        )
    return found
