"""Exports: make one, follow it, fetch it, compare it with another one."""

from dataclasses import asdict
from math import isfinite

from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse

from labeling import changed, exporting, permissions, shares, statistics
from labeling.api.shapes import newest, whole_number
from labeling.formats import catalog
from labeling.models import Project
from labeling.views import SignedIn
from labeling.views.data import CONFIDENCES, REVIEWED, SOURCES, filters_of

SHOWN = 50
SHARES = {"train": "80", "val": "10", "test": "10"}


def exports(request: SignedIn, project_id: int) -> HttpResponse:
    project = permissions.project_or_404(request.user, project_id, "review")
    given = request.GET
    if request.method == "POST":
        given = request.POST
        try:
            exporting.start(project, request.user, choice_of(given), filters_of(given))
        except exporting.ExportRefused as error:
            messages.error(request, str(error))
        else:
            messages.success(request, "The export is being written. It appears below when it is ready.")
            return redirect(f"{reverse('exports', args=[project.pk])}?{kept(given)}")
    context = {
        "project": project,
        **listed(project, request),
        "asked": SHARES | given.dict(),
        "filters": asdict(filters_of(given)),
        "formats": catalog.offered(project.task_type),
        "missing": [each for each in catalog.FORMATS.values() if project.task_type not in each.task_types],
        "images": exporting.IMAGES,
        "sources": SOURCES,
        "reviewed": REVIEWED,
        "confidences": CONFIDENCES,
        "origins": statistics.labels_by_origin(project),
        "classes": project.classes.filter(means=None),
    }
    return render(request, "exports/exports.html", context)


def kept(given: QueryDict) -> str:
    """Return what a form chose as an address has it, so that the next export begins with it."""
    query = given.copy()
    query.pop("csrfmiddlewaretoken", None)
    return query.urlencode()


def choice_of(given: QueryDict) -> exporting.Choice:
    """Read what is to be exported from a form. Raises ExportRefused."""
    split: tuple[float, ...] = ()
    if given.get("divided"):
        try:
            split = tuple(float(given.get(each) or 0) for each in shares.SPLITS)
            if not all(map(isfinite, split)):
                raise ValueError(split)
        except ValueError as error:
            raise exporting.ExportRefused("The shares of train, val and test are numbers.") from error
    name = given.get("format", "")
    # Image folders are copies; a page asks nothing else of them.
    is_images = name in catalog.FORMATS and catalog.FORMATS[name].is_images
    return exporting.Choice(name, "" if is_images else given.get("images", ""), split)


def exports_live(request: SignedIn, project_id: int) -> HttpResponse:
    project = permissions.project_or_404(request.user, project_id, "review")
    return render(request, "exports/_exports.html", {"project": project, **listed(project, request)})


def export_preview(request: SignedIn, project_id: int) -> HttpResponse:
    """Say what an export would hold that a form asks for."""
    project = permissions.project_or_404(request.user, project_id, "review")
    try:
        found = exporting.preview(project, choice_of(request.GET), filters_of(request.GET))
    except exporting.ExportRefused as error:
        return render(request, "exports/_preview.html", {"refused": str(error)})
    return render(request, "exports/_preview.html", {"preview": found})


def export_changes(request: SignedIn, project_id: int, job_id: int) -> HttpResponse:
    """Show what differs between an export and another one, the one before it if none is named."""
    project = permissions.project_or_404(request.user, project_id, "review")
    comparable = changed.comparable(exporting.made(project, request.user))
    job = comparable.filter(pk=job_id).first()
    if job is None:
        raise Http404
    others = list(comparable.exclude(pk=job_id).order_by("-pk")[:SHOWN])
    chosen = whole_number(request.GET.get("since", ""))
    before = comparable.filter(pk=chosen).exclude(pk=job_id).first() if chosen else None
    before = before or comparable.filter(pk__lt=job.pk).order_by("-pk").first()
    if before and before not in others:
        others.append(before)
    context = {"project": project, "job": job, "others": others, "before": before}
    if before:
        context |= differences(project, exporting.changes(before, job))
    return render(request, "exports/changes.html", context)


def differences(project: Project, changes: changed.Changes) -> dict[str, object]:
    """Return what a page shows of changes: counts, classes, and the first images of each kind."""
    titles = {each.pk: each for each in project.classes.all()}
    return {
        "counts": changes.counts(),
        "by_class": [
            {"class": titles[key], "before": before, "after": after, "more": after - before}
            for key, (before, after) in changes.by_class().items()
        ],
        "parts": {name: changed.named(project, changes.part(name, 0, SHOWN)) for name in changed.PARTS},
        "shown": SHOWN,
    }


def listed(project: Project, request: SignedIn) -> dict[str, object]:
    """Return the exports that a page lists, and where the older ones begin."""
    made = exporting.made(project, request.user).select_related("created_by")
    jobs, older = newest(made, request.GET)
    return {"jobs": jobs, "older": older, "cursor": request.GET.get("cursor", "")}
