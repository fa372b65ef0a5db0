"""The gallery, one item's panel, and import."""

from dataclasses import asdict, dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render

from labeling import importing, permissions, review
from labeling.api.data import filters_from
from labeling.api.shapes import FilterInput
from labeling.models import Item, Project, User

BATCH = 60
SOURCES = {
    "person": "by people",
    "confirmed": "confirmed proposals",
    "human": "by hand or confirmed",
    "auto": "auto labels",
    "imported": "imported",
}
CONFIDENCES = (0.5, 0.7, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is on, and the address without it."""

    text: str
    without: str


def gallery(request: HttpRequest, project_id: int) -> HttpResponse:
    """Show items that the address chooses; htmx asks for the next batch alone."""
    project = permissions.project_or_404(request.user, project_id, "review")
    filters = filters_of(request.GET)
    cursor = request.GET.get("cursor", "")
    items, following = review.gallery(project, filters, int(cursor) if cursor.isdigit() else None, BATCH)
    query = request.GET.copy()
    query.pop("cursor", None)
    context: dict[str, Any] = {
        "project": project,
        "items": items,
        "next": following,
        "query": query.urlencode(),
    }
    if cursor:
        return render(request, "data/_batch.html", context)
    choices = {
        "filters": asdict(filters),
        "chips": chips(project, query),
        "states": [state for state in Item.State.values if state != "labeled"],
        "sources": SOURCES,
        "confidences": CONFIDENCES,
        "classes": project.classes.all(),
        "labelers": User.objects.filter(annotations__project=project).distinct().order_by("name", "email"),
        "total": review.select(project, filters).count(),
    }
    return render(request, "data/gallery.html", context | choices)


def filters_of(given: QueryDict) -> review.Filters:
    """Read filters from an address; one that makes no sense shows everything."""
    form = FilterInput(data={key: value for key, value in given.items() if value})
    return filters_from(form.validated_data) if form.is_valid() else review.Filters()


def chips(project: Project, query: QueryDict) -> list[Chip]:
    names = {
        "class": lambda value: (
            f"class: {project.classes.filter(pk=value).values_list('name', flat=True).first()}"
        ),
        "labeler": lambda value: f"labeler: {User.objects.filter(pk=value).first().label}",
        "source": lambda value: f"origin: {SOURCES.get(value, value)}",
        "state": lambda value: f"state: {value.replace('_', ' ')}",
        "confidence_below": lambda value: f"confidence < {value}",
        "name": lambda value: f"name: {value}",
    }
    found = []
    for key, value in query.items():
        if key in names and value:
            without = query.copy()
            del without[key]
            found.append(Chip(names[key](value), without.urlencode()))
    return found


def item_panel(request: HttpRequest, project_id: int, item_id: int) -> HttpResponse:
    """Show one item large, with its whole history."""
    project = permissions.project_or_404(request.user, project_id, "review")
    item = (
        project.items.select_related("current_annotation", "suggestion", "entry").filter(pk=item_id).first()
    )
    if item is None:
        raise Http404
    history = (
        item.annotations.select_related("labeler").prefetch_related("regions__label_class").order_by("-id")
    )
    reviews = item.reviews.select_related("reviewer").order_by("-id")
    context = {"project": project, "item": item, "history": history, "reviews": reviews}
    return render(request, "data/_item.html", context)


def import_page(request: HttpRequest, project_id: int) -> HttpResponse:
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


def import_live(request: HttpRequest, project_id: int) -> HttpResponse:
    project = permissions.project_or_404(request.user, project_id, "manage")
    return render(request, "data/_imports.html", {"project": project, "imports": imports_of(project)})


def imports_of(project: Project) -> list[dict[str, Any]]:
    sources = project.sources.order_by("-id")[:20]
    return [{**importing.summary(each), "problems": importing.problems(each)} for each in sources]
