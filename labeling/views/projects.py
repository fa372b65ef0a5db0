"""The list of projects, a new one, and a project's dashboard."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from labeling import (
    data_sets,
    extensions,
    faces,
    figures,
    hiding,
    importing,
    permissions,
    portal,
    projects,
    prompts,
    statistics,
    workforce,
)
from labeling.forms import ProjectForm, parse_classes
from labeling.models import Invitation, Job, Project, Upload, User
from labeling.people_forms import InviteForm, WorkforceForm
from labeling.source_forms import DataSetForm
from labeling.views import SignedIn
from labeling.views.log import as_file
from labeling.views.people import team_page, to_copy


def project_list(request: SignedIn) -> HttpResponse:
    """Show the projects to those who manage or review some, and to others what work waits for them."""
    found = list(permissions.visible_projects(request.user).order_by("name"))
    creates = permissions.may_create(request.user)
    if permissions.only_labels(request.user) or not creates:
        cards = portal.cards(found, request.user)
        return render(request, "projects/portal.html", {"cards": cards, "creates": creates})
    return render(request, "projects/list.html", {"cards": [card(request, each) for each in found]})


def card(request: SignedIn, project: Project) -> dict[str, Any]:
    project.role = permissions.role_of(request.user, project)  # type: ignore[attr-defined]
    items = statistics.items_by_state(project)
    return {
        "project": project,
        "origins": statistics.labels_by_origin(project),
        "labeled": items["labeled"],
        "total": countable(items),
        "waiting": statistics.waiting_for(project, request.user),
    }


def countable(items: dict[str, int]) -> int:
    """Return how many items can ever get a label."""
    return sum(count for state, count in items.items() if state not in ("broken", "removed"))


def project_new(request: SignedIn) -> HttpResponse:
    permissions.creator_or_404(request.user)
    form = ProjectForm(request.POST or None)
    people = WorkforceForm(request.user, request.POST or None)
    images = DataSetForm(complete_data_sets(request), request.POST or None, initial=request.GET.dict())
    if request.method == "POST" and form.is_valid() and people.is_valid() and images.is_valid():
        try:
            made, sent = make(request.user, form, people, images)
        except projects.ProjectRefused as error:
            form.add_error(error.field or None, str(error))
        except importing.ImportRefused as error:
            images.add_error("data_set", str(error))
        except workforce.WorkforceRefused as error:
            people.add_error("email", str(error))
        else:
            return made_page(request, made, sent)
    return render(request, "projects/new.html", wizard(form, people, images))


def wizard(form: ProjectForm, people: WorkforceForm, images: DataSetForm) -> dict[str, Any]:
    return {"form": form, "people": people, "images": images, "hides_faces": not faces.problem()}


def complete_data_sets(request: SignedIn) -> QuerySet[Upload]:
    return permissions.data_sets(request.user).filter(state=Upload.State.COMPLETE).order_by("name")


def make(
    user: User, form: ProjectForm, people: WorkforceForm, images: DataSetForm
) -> tuple[Project, list[Invitation]]:
    """Make a project with its images and people, or none of it.

    Raises ProjectRefused, WorkforceRefused and ImportRefused.
    """
    fields = dict(form.cleaned_data)
    target_error = fields.pop("target")
    with transaction.atomic():
        made = projects.create_project(user, target_error=target_error, **fields)
        if style := images.cleaned_data["faces"]:
            hiding.begin(made, user, style, Project.Originals.KEEP)
        if (chosen := images.cleaned_data["data_set"]) is not None:
            data_sets.use(chosen, made, user)
        with_password = people.cleaned_data["with_password"]
        given, invitees = people.chosen_teams(), people.invitees()
        return made, workforce.staff(made, user, given, invitees, with_password=with_password)


def made_page(request: SignedIn, made: Project, sent: list[Invitation]) -> HttpResponse:
    """Go on to the images of a new project; first, passwords are shown that no mail server brings."""
    if passwords := to_copy(sent):
        messages.success(request, f"{made.name} is there. Hand the passwords on; then give it images.")
        made.role = "manager"  # type: ignore[attr-defined]
        return team_page(request, made, form=InviteForm(), passwords=passwords)
    invited = f" Invited: {len(sent)}. What to hand on is on the Team page." if sent else ""
    if made.sources.exists():
        messages.success(request, f"{made.name} is there, and its images are being read.{invited}")
        return redirect("project", made.pk)
    messages.success(request, f"{made.name} is there. Now give it images.{invited}")
    return redirect("import", made.pk)


def project_new_name(request: SignedIn) -> JsonResponse:
    """Say why a new project cannot have a name; an empty text when it can."""
    permissions.creator_or_404(request.user)
    try:
        projects.refuse_taken(request.GET.get("name", ""))
    except projects.ProjectRefused as error:
        return JsonResponse({"problem": str(error)})
    return JsonResponse({"problem": ""})


@require_POST
def project_new_template(request: SignedIn) -> HttpResponse:
    """Add the questions of the template to the instructions of a project that is being made."""
    permissions.creator_or_404(request.user)
    typed = request.POST.dict()
    try:
        classes = [(each["name"], each["description"]) for each in parse_classes(typed.get("classes", ""))]
    except ValidationError:
        classes = []
    written = typed.get("instructions", "").rstrip()
    typed["instructions"] = f"{written}\n\n{prompts.outline(typed.get('task_type', ''), classes)}".lstrip()
    form = ProjectForm(initial=typed)
    people = WorkforceForm(request.user, request.POST)
    images = DataSetForm(complete_data_sets(request), initial=typed)
    is_part = bool(request.headers.get("HX-Request"))
    return render(
        request,
        f"projects/{'_new_instructions' if is_part else 'new'}.html",
        wizard(form, people, images),
    )


def dashboard(request: SignedIn, project_id: int) -> HttpResponse:
    project = permissions.project_or_404(request.user, project_id, "see")
    return render(request, "projects/dashboard.html", dashboard_facts(project, request.user))


def dashboard_live(request: SignedIn, project_id: int) -> HttpResponse:
    """Return the dashboard's changing part, for polling."""
    project = permissions.project_or_404(request.user, project_id, "see")
    return render(request, "projects/_dashboard.html", dashboard_facts(project, request.user))


def figures_file(request: SignedIn, project_id: int, name: str) -> StreamingHttpResponse:
    """Return one of the dashboard's tables as CSV."""
    project = permissions.project_or_404(request.user, project_id, "review")
    content = figures.as_file(project, name, request.user)
    if content is None:
        raise Http404
    return as_file(iter([content]), f"{project.name} {name}.csv")


def dashboard_facts(project: Project, user: User) -> dict[str, Any]:
    role = permissions.role_of(user, project)
    facts = statistics.for_visitor(statistics.overview(project), user, role)
    items = facts["items"]
    total = countable(items)
    return {
        "project": project,
        "facts": facts,
        "items": items,
        "total": total,
        "labeled": items["labeled"],
        "done_share": items["labeled"] / total if total else 0,
        "unaided": facts["labels_by_origin"]["auto"] / items["labeled"] if items["labeled"] else 0,
        "waiting": sum(facts["queue"].values()),
        "queue": [(kind, count) for kind, count in facts["queue"].items() if count],
        "longest_queue": max(facts["queue"].values()),
        "own_grids": next(iter(statistics.grids_by_labeler(project, user)), None),
        "series": statistics.progress_over_time(project),
        "importing": Job.objects.filter(project=project, kind="import", state__in=("queued", "running")),
        "panels": extensions.panels(),
        "notices": extensions.notices(),
    }
