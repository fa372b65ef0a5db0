"""The gallery, and one item's panel."""

from dataclasses import asdict, dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.vary import vary_on_headers

from labeling import commenting, comparing, extensions, naming, permissions, review, saved, workforce
from labeling import gallery as browsing
from labeling.api.filtering import FilterInput, filters_from
from labeling.api.shapes import whole_number
from labeling.models import Item, LabelClass, Project, ReviewLock, User
from labeling.templatetags.loupe import kind_name, words
from labeling.views import SignedIn

MOST = 600  # items at once, when somebody comes back to where they were
ALIKE = 20
SOURCES = {
    "person": "by people",
    "confirmed": "confirmed proposals",
    "human": "by hand or confirmed",
    "auto": "auto labels",
    "imported": "imported",
}
CONFIDENCES = (0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
DISAGREEMENTS = {"people": "people gave different answers", "model": "the model says another class"}
REVIEWED = {"yes": "approved by a reviewer", "no": "not reviewed"}
COMMENTS = {"open": "open comments", "any": "any comments"}


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is on, and the address without it."""

    text: str
    without: str


def gallery(request: SignedIn, project_id: int) -> HttpResponse:
    """Show items that the address chooses; a script asks for the next ones alone."""
    project = permissions.project_or_404(request.user, project_id, "review")
    filters, sort = filters_of(request.GET), sort_of(request.GET)
    cursor = request.GET.get("cursor", "")
    limit = min(whole_number(request.GET.get("limit", "")) or browsing.PAGE, MOST)
    items, following = browsing.page(project, filters, sort, cursor or None, limit)
    query = address_of(request.GET)
    opened = whole_number(request.GET.get("item", ""))
    context = {"project": project, "items": items, "next": following, "sort": sort} | beside(project, items)
    if cursor or "part" in request.GET:
        return render(request, "data/_batch.html", context)
    context |= choices(project, filters, request.user) | {
        "query": query.urlencode(),
        "chips": chips(project, filters, query, request.user),
        "opened": opened,
        "reasons": review.last_reasons(project, request.user),
    }
    return render(request, "data/gallery.html", context)


def count(request: SignedIn, project_id: int) -> HttpResponse:
    """Say how many items the address chooses."""
    project = permissions.project_or_404(request.user, project_id, "review")
    total = browsing.total(project, filters_of(request.GET))
    return JsonResponse({"count": total.count, "exact": total.exact})


def address_of(given: QueryDict) -> QueryDict:
    """Return what of an address chooses a view, so that it can be sent and saved."""
    query = given.copy()
    for name in ("cursor", "item", "limit", "part"):
        query.pop(name, None)
    return query


def beside(project: Project, items: list[Item]) -> dict[str, Any]:
    """Return what the cells of items need besides them: who has them open, and classes by id."""
    pks = [item.pk for item in items]
    open_now = ReviewLock.objects.filter(item__in=pks, until__gte=timezone.now())
    said = {item.listing.model_class for item in items if getattr(item, "listing", None)}
    return {
        "held": {each.item_id: each.reviewer for each in open_now.select_related("reviewer")},
        "model_classes": LabelClass.objects.select_related("means").in_bulk(said - {None}),
    }


def choices(project: Project, filters: browsing.Filters, user: User) -> dict[str, Any]:
    """Return what can be filtered and sorted by."""
    role = getattr(project, "role", None)
    mine = list(saved.visible(project, user))
    return {
        "filters": asdict(filters),
        "states": [state for state in Item.State.values if state != "labeled"],
        "sources": SOURCES,
        "confidences": CONFIDENCES,
        "disagreements": disagreements(project, filters.disagreement, user),
        "reviewed": REVIEWED,
        "comments": COMMENTS,
        "sorts": browsing.SORTS,
        "classes": project.classes.filter(means=None),
        "labelers": labelers(project),
        "versions": project.instructions.values_list("version", flat=True)[:50],
        "saved": mine,
        "changeable": {each.pk for each in mine if saved.may_change(each, user, role)},
    }


def filters_of(given: QueryDict) -> browsing.Filters:
    """Read filters from an address; one that makes no sense shows everything."""
    known = FilterInput().fields
    fields: dict[str, Any] = {key: value for key, value in given.items() if value and key in known}
    classes = [each for each in given.getlist("class") if each]
    form = FilterInput(data=fields | ({"class": classes} if classes else {}))
    return filters_from(form.validated_data) if form.is_valid() else browsing.Filters()


def sort_of(given: QueryDict) -> str:
    chosen = given.get("sort", "")
    return chosen if chosen in browsing.SORTS else "newest"


def chips(project: Project, filters: browsing.Filters, query: QueryDict, viewer: User) -> list[Chip]:
    """Return the filters that are on, in words."""
    texts = {
        "kind": filters.kind and f"waiting: {kind_name(filters.kind)}",
        "state": filters.state and f"state: {words(filters.state)}",
        "class": filters.classes
        and f"class: {', '.join(name_in(project.classes, each) for each in filters.classes)}",
        "source": filters.source and f"origin: {SOURCES.get(filters.source, filters.source)}",
        "labeler": filters.labeler and f"labeler: {person_in(project, filters.labeler, viewer)}",
        "confidence_above": filters.confidence_above is not None
        and f"confidence ≥ {filters.confidence_above}",
        "confidence_below": filters.confidence_below is not None
        and f"confidence < {filters.confidence_below}",
        "since": filters.since and f"labeled since {filters.since}",
        "until": filters.until and f"labeled until {filters.until}",
        "disagreement": filters.disagreement and disagreement_words(project, filters.disagreement, viewer),
        "group": filters.group is not None and f"look-alikes: group {filters.group}",
        "instructions": filters.instructions and f"instructions: version {filters.instructions}",
        "reviewed": REVIEWED.get(filters.reviewed, ""),
        "comments": COMMENTS.get(filters.comments, ""),
        "assignment": filters.assignment and assignment_words(project, filters.assignment, viewer),
        "answered": filters.answered and f"answered by {person_in(project, filters.answered, viewer)}",
        "name": filters.name and f"name: {filters.name}",
    }
    found = []
    for key, text in texts.items():
        if text:
            without = query.copy()
            without.pop(key, None)
            found.append(Chip(str(text), without.urlencode()))
    return found


def disagreements(project: Project, which: str, viewer: User) -> dict[str, str]:
    """Return the disagreements to choose from: also the one that is shown."""
    return DISAGREEMENTS | ({which: disagreement_words(project, which, viewer)} if which else {})


def disagreement_words(project: Project, which: str, viewer: User) -> str:
    """Say which disagreements are shown."""
    if which in DISAGREEMENTS:
        return DISAGREEMENTS[which]
    kind, _, value = which.partition(":")
    if kind == "pair":
        people = [person_in(project, whole_number(each) or 0, viewer) for each in value.split("-")]
        return f"answered differently by {' and '.join(people)}"
    if kind == "class":
        return f"people disagree on {name_in(project.classes, whole_number(value) or 0)}"
    return f"people disagree, week of {value}" if kind == "week" else "people disagree"


def assignment_words(project: Project, pk: int, viewer: User) -> str:
    found = project.assignments.filter(pk=pk).select_related("team", "labeler").first()
    if found is None:
        return "assigned: unknown"
    if found.team is not None:
        is_known = viewer.vendor_id in (None, found.team.pk)
        return f"assigned to {found.team if is_known else 'another team'}"
    return f"assigned to {naming.called(viewer, found.labeler)}"


def labelers(project: Project) -> QuerySet[User]:
    return User.objects.filter(pk__in=workforce.who_labeled(project)).order_by("name", "email")


def name_in(rows: Any, pk: int) -> str:
    """Return how a row of the project is called; other projects' names stay theirs."""
    row = rows.filter(pk=pk).first()
    return "unknown" if row is None else str(row)


def person_in(project: Project, pk: int, viewer: User) -> str:
    return naming.called(viewer, labelers(project).filter(pk=pk).first()) or "unknown"


@vary_on_headers("HX-Request")
def item_panel(request: SignedIn, project_id: int, item_id: int) -> HttpResponse:
    """Show one item large, with its whole history: the gallery's panel, or the gallery with it open."""
    project = permissions.project_or_404(request.user, project_id, "review")
    items = project.items.select_related("current_annotation", "suggestion", "entry", "listing", "gold")
    shown = items.prefetch_related("current_annotation__regions__label_class__means").filter(pk=item_id)
    item = shown.first()
    if item is None:
        raise Http404
    if not request.headers.get("HX-Request"):
        state = "" if item.state == Item.State.LABELED else f"state={item.state}&"
        return redirect(f"{reverse('data', args=[project.pk])}?{state}item={item.pk}")
    return render(request, "data/_item.html", {"project": project, "item": item} | told_of(item))


def told_of(item: Item) -> dict[str, Any]:
    """Return what a panel tells of an item: history, verdicts, answers beside each other, comments."""
    answers = item.annotations.select_related("labeler", "instructions").prefetch_related(
        "regions__label_class__means"
    )
    history = comparing.history(list(answers.order_by("-id")))
    disputed = item.state == Item.State.NEEDS_REVIEW
    standing = review.answers_in_dispute(item).select_related("labeler")
    sides = comparing.sides(list(standing.prefetch_related("regions__label_class__means")))
    listing = getattr(item, "listing", None)
    instead = listing.model_class if listing else None
    return {
        "history": history,
        "reviews": item.reviews.select_related("reviewer").order_by("-id"),
        "sides": sides if disputed or len(sides) > 1 else [],
        "disputed": disputed,
        "threads": list(commenting.threads(item)),
        "instead": LabelClass.objects.select_related("means").filter(pk=instead).first() if instead else None,
    }


def look_alikes(request: SignedIn, project_id: int, item_id: int) -> HttpResponse:
    """Show what looks most like an item."""
    project = permissions.project_or_404(request.user, project_id, "review")
    if not project.items.filter(pk=item_id).exists():
        raise Http404
    found = extensions.look_alikes(project, item_id, ALIKE)
    items = [each for each in browsing.load(found or []) if each.project_id == project.pk]
    return render(
        request, "data/_alike.html", {"project": project, "items": items, "known": found is not None}
    )


def thread(request: SignedIn, project_id: int, item_id: int) -> HttpResponse:
    """Show what is said of an item to somebody who may see it; who reviews sees it in the gallery."""
    project = permissions.project_or_404(request.user, project_id, "label")
    if permissions.may(getattr(project, "role", None), "review"):
        return redirect("item-panel", project.pk, item_id)
    item = permissions.item_or_404(request.user, item_id)
    if item.project_id != project.pk:
        raise Http404
    problem = ""
    if request.method == "POST":
        parent = item.comments.filter(
            pk=whole_number(request.POST.get("parent", "")) or 0, parent=None
        ).first()
        try:
            commenting.add(item, request.user, request.POST.get("text", ""), parent=parent)
            return redirect("item-thread", project.pk, item.pk)
        except commenting.CommentRefused as error:
            problem = str(error)
    said = {"threads": list(commenting.threads(item)), "problem": problem}
    back = item.reviews.filter(verdict="reject", undone_at=None).exclude(comment="").order_by("-id").first()
    return render(request, "data/thread.html", {"project": project, "item": item, "back": back} | said)
