"""The gallery, one item's panel, and import."""

from dataclasses import asdict, dataclass
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.vary import vary_on_headers

from labeling import importing, permissions, review
from labeling.api.data import filters_from
from labeling.api.shapes import FilterInput, whole_number
from labeling.models import Item, Project, User
from labeling.templatetags.loupe import kind_name, words
from labeling.views import SignedIn

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


def gallery(request: SignedIn, project_id: int) -> HttpResponse:
    """Show items that the address chooses; htmx asks for the next batch alone."""
    project = permissions.project_or_404(request.user, project_id, "review")
    filters = filters_of(request.GET)
    cursor = request.GET.get("cursor", "")
    items, following = review.gallery(project, filters, whole_number(cursor), BATCH)
    query = request.GET.copy()
    query.pop("cursor", None)
    opened = whole_number(query.pop("item", [""])[-1])
    context = {"project": project, "items": items, "next": following, "query": query.urlencode()}
    if cursor:
        return render(request, "data/_batch.html", context)
    context |= choices(project, filters) | {"chips": chips(project, filters, query), "opened": opened}
    return render(request, "data/gallery.html", context)


def choices(project: Project, filters: review.Filters) -> dict[str, Any]:
    """Return what can be filtered by, and how many items there are."""
    return {
        "filters": asdict(filters),
        "states": [state for state in Item.State.values if state != "labeled"],
        "sources": SOURCES,
        "confidences": CONFIDENCES,
        "classes": project.classes.filter(means=None),
        "labelers": labelers(project),
        "total": review.select(project, filters).count(),
    }


def filters_of(given: QueryDict) -> review.Filters:
    """Read filters from an address; one that makes no sense shows everything."""
    form = FilterInput(data={key: value for key, value in given.items() if value})
    return filters_from(form.validated_data) if form.is_valid() else review.Filters()


def chips(project: Project, filters: review.Filters, query: QueryDict) -> list[Chip]:
    """Return the filters that are on, in words."""
    texts = {
        "kind": filters.kind and f"waiting: {kind_name(filters.kind)}",
        "state": filters.state and f"state: {words(filters.state)}",
        "class": filters.label_class and f"class: {name_in(project.classes, filters.label_class)}",
        "source": filters.source and f"origin: {SOURCES.get(filters.source, filters.source)}",
        "labeler": filters.labeler and f"labeler: {name_in(labelers(project), filters.labeler)}",
        "confidence_below": filters.confidence_below and f"confidence < {filters.confidence_below}",
        "assignment": filters.assignment and assignment_words(project, filters.assignment),
        "name": filters.name and f"name: {filters.name}",
    }
    found = []
    for key, text in texts.items():
        if text:
            without = query.copy()
            without.pop(key, None)
            found.append(Chip(str(text), without.urlencode()))
    return found


def assignment_words(project: Project, pk: int) -> str:
    found = project.assignments.filter(pk=pk).select_related("team", "labeler").first()
    if found is None:
        return "assigned: unknown"
    return f"assigned to {found.team or found.labeler.label}"  # type: ignore[union-attr]


def labelers(project: Project) -> QuerySet[User]:
    return User.objects.filter(annotations__project=project).distinct().order_by("name", "email")


def name_in(rows: Any, pk: int) -> str:
    """Return how a row of the project is called; other projects' names stay theirs."""
    row = rows.filter(pk=pk).first()
    return "unknown" if row is None else getattr(row, "label", row.__str__())


@vary_on_headers("HX-Request")
def item_panel(request: SignedIn, project_id: int, item_id: int) -> HttpResponse:
    """Show one item large, with its whole history: the gallery's panel, or the gallery with it open."""
    project = permissions.project_or_404(request.user, project_id, "review")
    item = (
        project.items.select_related("current_annotation", "suggestion", "entry")
        .prefetch_related("current_annotation__regions__label_class__means")
        .filter(pk=item_id)
        .first()
    )
    if item is None:
        raise Http404
    if not request.headers.get("HX-Request"):
        state = "" if item.state == Item.State.LABELED else f"state={item.state}&"
        return redirect(f"{reverse('data', args=[project.pk])}?{state}item={item.pk}")
    history = (
        item.annotations.select_related("labeler")
        .prefetch_related("regions__label_class__means")
        .order_by("-id")
    )
    reviews = item.reviews.select_related("reviewer").order_by("-id")
    disputed = item.state == Item.State.NEEDS_REVIEW
    standing = review.answers_in_dispute(item).select_related("labeler")
    dispute = standing.prefetch_related("regions__label_class__means") if disputed else None
    context = {"project": project, "item": item, "history": history, "reviews": reviews, "dispute": dispute}
    return render(request, "data/_item.html", context)


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
