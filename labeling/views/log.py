"""The audit log: who did what when, of one project, or of all for site admins."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from django.http import HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import content_disposition_header

from labeling import eventlog, permissions
from labeling.api.shapes import LogInput, whole_number
from labeling.models import Project
from labeling.views import SignedIn


def log(request: SignedIn, project_id: int) -> HttpResponse:
    project = permissions.project_or_404(request.user, project_id, "log")
    return log_page(request, project)


def log_file(request: SignedIn, project_id: int) -> StreamingHttpResponse:
    project = permissions.project_or_404(request.user, project_id, "log")
    return as_file(eventlog.lines(project, filters_of(request.GET)), f"{project.name} log.csv")


def site_log(request: SignedIn) -> HttpResponse:
    permissions.site_admin_or_404(request.user)
    return log_page(request, None)


def site_log_file(request: SignedIn) -> StreamingHttpResponse:
    permissions.site_admin_or_404(request.user)
    return as_file(eventlog.lines(None, filters_of(request.GET)), "Loupe log.csv")


def filters_of(given: QueryDict) -> eventlog.Filters:
    """Read filters from an address; one that makes no sense shows everything."""
    form = LogInput(data={key: value for key, value in given.items() if value})
    return eventlog.Filters(**form.validated_data) if form.is_valid() else eventlog.Filters()


def log_page(request: SignedIn, project: Project | None) -> HttpResponse:
    filters = filters_of(request.GET)
    cursor = whole_number(request.GET.get("before", ""))
    entries, older = eventlog.page(project, filters, cursor)
    query = request.GET.copy()
    query.pop("before", None)
    context: dict[str, Any] = {
        "project": project,
        "rows": [(each, address(each)) for each in entries],
        "older": older,
        "is_newest": cursor is None,
        "query": query.urlencode(),
        "filters": asdict(filters),
        "is_filtered": filters != eventlog.Filters(),
        "verbs": eventlog.verbs(project),
        "people": eventlog.people(project),
        "file": reverse("log-file", args=[project.pk]) if project else reverse("site-log-file"),
    }
    return render(request, "log/log.html", context)


def address(entry: eventlog.Entry) -> str:
    """Return where the page is that an entry is about; empty where there is none to see."""
    door, project = entry.door, entry.event.project
    if door is None or project is None or project.deleted_at is not None:
        return ""
    args = [project.pk] if door.item is None else [project.pk, door.item]
    query = f"?{door.query}" if door.query else ""
    fragment = f"#{door.fragment}" if door.fragment else ""
    return f"{reverse(door.route, args=args)}{query}{fragment}"


def as_file(lines: Iterator[str], name: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        (each.encode() for each in lines),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": content_disposition_header(True, name) or ""},
    )
