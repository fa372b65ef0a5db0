"""How well people label: agreement, known images, who is paused, and the rules for all of it."""

from datetime import date
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST
from django.views.decorators.vary import vary_on_headers

from labeling import concord, figures, gold, naming, pausing, permissions, projects
from labeling.forms import QualityForm
from labeling.models import Decoy, Project, User
from labeling.views import SignedIn
from labeling.views.log import as_file
from labeling.views.settings import settings_page

SHOWN = 200  # known images on the page


@vary_on_headers("HX-Request")
def agreement(request: SignedIn, project_id: int) -> HttpResponse:
    """Show how much people agree; htmx looks again while that is being counted."""
    project = permissions.project_or_404(request.user, project_id, "review")
    report, is_counting = concord.report_of(project)
    context = {"project": project, "report": report, "counting": is_counting}
    if report is not None:
        context |= named(project, report.data, request.user)
    template = "quality/_agreement.html" if request.headers.get("HX-Request") else "quality/agreement.html"
    return render(request, template, context)


def named(project: Project, data: dict[str, Any], viewer: User) -> dict[str, Any]:
    """Return the report's tables with people and classes in place of their ids."""
    wanted = {row[side] for row in data["pairs"] for side in ("one", "other")}
    people = User.objects.in_bulk(wanted)
    classes = project.classes.in_bulk()
    pairs = {(row["one"], row["other"]): row for row in data["pairs"]}
    names = {pk: naming.called(viewer, user) for pk, user in people.items()}
    order = sorted(people.values(), key=lambda user: names[user.pk].lower())
    matrix = [
        (one, [pairs.get((min(one.pk, other.pk), max(one.pk, other.pk))) for other in order]) for one in order
    ]
    return {
        "data": data,
        "people": order,
        "matrix": matrix,
        "pairs": [
            {**row, "first": names[row["one"]], "second": names[row["other"]]}
            for row in data["pairs"]
            if row["one"] in people and row["other"] in people
        ],
        "weeks": [{**row, "day": date.fromisoformat(row["week"])} for row in data["weeks"]],
        "by_class": [
            {**row, "named": classes[row["class"]]} for row in data["classes"] if row["class"] in classes
        ],
    }


def agreement_file(request: SignedIn, project_id: int, table: str) -> StreamingHttpResponse:
    """Send one of the report's tables as CSV."""
    project = permissions.project_or_404(request.user, project_id, "review")
    report, _ = concord.report_of(project)
    if table not in concord.TABLES:
        raise Http404
    rows = report.data[table] if report else []
    members = User.objects.filter(memberships__project=project)
    people = {user.pk: naming.address(request.user, user) for user in members}
    classes = dict(project.classes.values_list("id", "name"))
    names = {"one": people, "other": people, "class": classes}
    columns = concord.TABLES[table]
    named = [[names.get(column, {}).get(row[column], row[column]) for column in columns] for row in rows]
    return as_file(iter([figures.csv_of(columns, named)]), f"{project.name} agreement {table}.csv")


def gold_page(request: SignedIn, project_id: int) -> HttpResponse:
    """Show the known images; a POST adds some, lets Loupe choose, or takes some out."""
    project = permissions.project_or_404(request.user, project_id, "review")
    if request.method == "POST":
        items = [int(each) for each in request.POST.getlist("item") if each.isdecimal() and len(each) < 19]
        change_gold(request, project, request.POST.get("do", ""), items)
        return redirect("gold", project.pk)
    return render(request, "quality/gold.html", {"project": project, **pool_of(project)})


def change_gold(request: SignedIn, project: Project, do: str, items: list[int]) -> None:
    try:
        if do == "choose":
            added = gold.choose(project, gold.CHOOSE, request.user)
            said = f"{len(added)} more known images." if added else NONE_LEFT
            messages.success(request, said)
        elif do == "add":
            gold.add(project, items, request.user)
            messages.success(request, "From now on it is shown to people as any other, to measure them.")
        elif do == "remove":
            gold.remove(project, items, request.user)
            messages.success(request, "It is not a known image any more.")
    except gold.GoldRefused as error:
        messages.error(request, str(error))


NONE_LEFT = (
    "There is no image left to choose: none that a reviewer has approved or decided, or that three people "
    "labeled the same."
)


def pool_of(project: Project) -> dict[str, Any]:
    """Return the known images with how they were answered, the ones that were retired first."""
    rows = gold.pool(project)
    answers = Decoy.objects.filter(page__project=project, gold__isnull=False, found__isnull=False)
    return {
        "rows": rows[:SHOWN],
        "more": max(0, len(rows) - SHOWN),
        "serving": gold.serving(project).count(),
        "wanted": gold.POOL,
        "choose": gold.CHOOSE,
        "can_choose": gold.can_choose(project),
        "answers": answers.count(),
    }


@require_POST
def pause_member(request: SignedIn, project_id: int, membership_id: int) -> HttpResponse:
    """Pause a member, or let them go on."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    membership = project.memberships.select_related("user", "project").filter(pk=membership_id).first()
    if membership is None:
        raise Http404
    if request.POST.get("do") == "pause":
        pausing.pause(membership, request.user)
        messages.success(request, f"{membership.user.label} gets no more images. Nothing is lost.")
    else:
        pausing.lift(membership, request.user)
        messages.success(request, f"{membership.user.label} goes on, and is measured anew.")
    return redirect("team", project.pk)


@require_POST
def settings_quality(request: SignedIn, project_id: int) -> HttpResponse:
    """Change how many people answer an image, when they agree, and what known images do."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    form = QualityForm(request.POST, project=project)
    if not form.is_valid():
        return settings_page(request, project, quality_form=form)
    try:
        projects.change_settings(project, request.user, **form.changes())
    except projects.ProjectRefused as error:
        project.refresh_from_db()
        form.add_error(error.field if error.field in form.fields else None, str(error))
        return settings_page(request, project, quality_form=form)
    messages.success(request, "Saved.")
    return redirect("settings", project.pk)
