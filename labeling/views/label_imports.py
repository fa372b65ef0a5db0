"""Labels from files: sending one, its report, taking it in and back."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render

from labeling import figures, label_applying, label_classes, label_imports, permissions
from labeling.api.shapes import whole_number
from labeling.classes import ProjectRefused, in_use
from labeling.formats.incoming import READINGS
from labeling.importing import ImportRefused
from labeling.models import LabelImport, Project
from labeling.reports import lines, outcome_lines, prospect
from labeling.views import SignedIn

WORKING = (LabelImport.State.CHECKING, LabelImport.State.APPLYING, LabelImport.State.UNDOING)
SENTENCES = {
    LabelImport.State.CHECKING: "Looking at the file. Nothing changes before you say so.",
    LabelImport.State.APPLYING: "Taking the labels in. You can leave this page.",
    LabelImport.State.UNDOING: "Taking the labels back. You can leave this page.",
}


def label_imports_page(request: SignedIn, project_id: int) -> HttpResponse:
    """List the files of labels; a POST looks at the folders that the images lie in."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    if request.method == "POST":
        try:
            made = label_imports.from_folders(project, request.user)
        except ImportRefused as error:
            messages.error(request, str(error))
            return redirect("label-imports", project.pk)
        return redirect("label-import", project.pk, made.pk)
    found = project.label_imports.select_related("created_by").order_by("-id")[:50]
    context = {"project": project, "found": found, "readings": READINGS.items()}
    return render(request, "data/labels.html", context)


def label_import_page(request: SignedIn, project_id: int, label_import_id: int) -> HttpResponse:
    """Show the report of a file; a POST takes it in, back, looks at it again, or discards it."""
    project, given = found_or_404(request, project_id, label_import_id)
    if request.method == "POST":
        shown: LabelImport | None = given
        try:
            shown = act(request, given)
        except (ImportRefused, ProjectRefused) as error:
            messages.error(request, str(error))
        if shown is None:
            return redirect("label-imports", project.pk)
        return redirect("label-import", project.pk, shown.pk)
    return render(request, "data/label_import.html", context_of(project, given))


def act(request: SignedIn, given: LabelImport) -> LabelImport | None:
    """Do what a button asks for; returns what to show then. Raises ImportRefused and ProjectRefused."""
    do = request.POST.get("do")
    if do in LabelImport.Mode.values:
        answered = request.POST.get("answered", "")
        label_imports.apply(
            given,
            request.user,
            mode=str(do),
            wanted=wanted_of(request, given),
            answered=answered if answered in LabelImport.Answered.values else LabelImport.Answered.SKIP,
            takes_empty="empty" in request.POST,
        )
    elif do == "undo":
        label_imports.undo(given, request.user)
    elif do == "check":
        return label_imports.check_again(given, request.user, request.POST.get("format", ""))
    elif do == "discard":
        label_imports.discard(given)
        return None
    return given


def wanted_of(request: SignedIn, given: LabelImport) -> dict[str, int | str | None]:
    """Read what shall become of each class of a file."""
    found: dict[str, int | str | None] = {}
    for number, each in enumerate(given.classes):
        chosen = request.POST.get(f"class-{number}")
        if chosen is not None:
            found[each["name"]] = chosen if chosen == label_classes.NEW else whole_number(chosen)
    return found


def label_import_live(request: SignedIn, project_id: int, label_import_id: int) -> HttpResponse:
    """Show how far the work is; when it has ended, the page is asked for anew."""
    project, given = found_or_404(request, project_id, label_import_id)
    response = render(request, "data/_label_work.html", context_of(project, given))
    if given.state not in WORKING:
        response["HX-Refresh"] = "true"
    return response


def label_import_problems(request: SignedIn, project_id: int, label_import_id: int) -> HttpResponse:
    """Send the first problems of a file as a table."""
    _, given = found_or_404(request, project_id, label_import_id)
    rows = [(each["kind"], each["place"], each["said"]) for each in given.report.get("list", [])]
    content = figures.csv_of(("kind", "where", "problem"), rows)
    response = HttpResponse(content, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="problems-{given.pk}.csv"'
    return response


def found_or_404(request: SignedIn, project_id: int, label_import_id: int) -> tuple[Project, LabelImport]:
    project = permissions.project_or_404(request.user, project_id, "manage")
    given = project.label_imports.select_related("project", "created_by").filter(pk=label_import_id).first()
    if given is None:
        raise Http404
    return project, given


def context_of(project: Project, given: LabelImport) -> dict[str, Any]:
    report = given.report
    return {
        "project": project,
        "given": given,
        "title": READINGS[given.format].title if given.format in READINGS else "",
        "is_working": given.state in WORKING,
        "sentence": SENTENCES.get(LabelImport.State(given.state), ""),
        "job": label_imports.job_of(given),
        "report": report,
        "lines": lines(given),
        "outcomes": outcome_lines(given, label_applying.outcomes(given)),
        "theirs": label_classes.proposed(given),
        "classes": in_use(project),
        "readings": READINGS.items(),
        "forgotten": label_imports.FORGOTTEN,
        "answered": [(value, text, prospect(report, value)) for value, text in LabelImport.Answered.choices],
        "left_alone": label_applying.left_alone(given) if given.state == LabelImport.State.APPLIED else [],
        "nothing": not report.get("taken") and not report.get("empty_told") and not report.get("empty_maybe"),
    }
