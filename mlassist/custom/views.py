"""Pages of custom models: make one, choose by eye, start auto-labeling with it."""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from labeling import permissions
from labeling.api.shapes import whole_number
from labeling.models import LabelClass, Project
from labeling.refusals import Refused
from labeling.views import SignedIn
from mlassist import reports, switching
from mlassist.autolabel import engines, trials
from mlassist.autolabel.api import source_or_404
from mlassist.autolabel.examples import AutoLabelRefused
from mlassist.autolabel.views import PREFIX
from mlassist.custom import choice, making, recipes, starting, voting, ways
from mlassist.custom.api import custom_or_404
from mlassist.custom.making import CustomModelRefused
from mlassist.models import Candidate, CustomModel, Round, Trial


def custom_models(request: SignedIn, project_id: int) -> HttpResponse:
    """Show what can be trained; a POST has it trained."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    if request.method == "POST":
        classes = [whole_number(each) or 0 for each in request.POST.getlist("class")]
        try:
            made = making.start(project, request.user, classes, request.POST.getlist("way"))
        except CustomModelRefused as error:
            messages.error(request, str(error))
            context = {"project": project, **offered(project, classes, request.POST.getlist("way"))}
            return render(request, "mlassist/custom/make.html", context)
        messages.success(request, _("The candidates are being trained. You are told when they are ready."))
        return redirect("custom-model", project.pk, made.pk)
    return render(request, "mlassist/custom/make.html", {"project": project, **offered(project)})


def offered(
    project: Project, classes: Sequence[int] | None = None, names: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return what can be learned and how, and what was made so far.

    `classes` and `names` of ways are what somebody has ticked; without them all classes, and the usual ways.
    """
    labels, known = making.labels_of(project), making.learnable(project)
    return {
        "obstacle": making.obstacle(project, known),
        "classes": [
            {"row": each, "is_ticked": not each.missing and (classes is None or each.row.pk in classes)}
            for each in known
        ],
        "fewest": making.FEWEST,
        "most": making.MOST_CANDIDATES,
        "ways": ways_offered(project, labels, names),
        "labels": labels,
        "chosen": recipes.chosen_model(project),
        "made": project.custom_models.select_related("job").order_by("-pk")[:10],
        "running": making.running(project),
    }


def ways_offered(project: Project, labels: int, names: Sequence[str] | None) -> list[dict[str, Any]]:
    """Return the ways there are; as many as can be compared are ticked beforehand."""
    found = ways.ways(project, labels)
    ticked = [each.name for each in making.usual_ways(found)] if names is None else names
    return [{"row": each, "is_ticked": each.name in ticked} for each in found]


def custom_model(request: SignedIn, project_id: int, custom_id: int) -> HttpResponse:
    """Show how far it is, then the next image to compare candidates on, then what came of it."""
    made = custom_or_404(request.user, project_id, custom_id)
    context: dict[str, Any] = {"project": made.project, "made": made}
    if made.compared_at is None:
        return render(request, "mlassist/custom/progress.html", context | progress(made))
    before = voting.rounds_of(made).filter(number=whole_number(request.GET.get("round", "")) or 0).first()
    at = None if "results" in request.GET else before or voting.next_round(made, request.user)
    if at is not None:
        context |= round_shown(at) | {"rounds": made.rounds.count()}
        return render(request, "mlassist/custom/round.html", context)
    chosen = recipes.chosen_model(made.project)
    context |= {
        "outcome": voting.outcome(made),
        "chosen": chosen,
        "waiting": trials.waiting_in(made.project, None).count(),
        "left": voting.next_round(made, request.user) is not None,
        "is_certified": switching.is_certified(made.project),
    }
    return render(request, "mlassist/custom/results.html", context)


def custom_model_live(request: SignedIn, project_id: int, custom_id: int) -> HttpResponse:
    made = custom_or_404(request.user, project_id, custom_id)
    if made.compared_at is not None:
        response = HttpResponse()
        response["HX-Refresh"] = "true"
        return response
    return render(
        request,
        "mlassist/custom/_progress.html",
        {"project": made.project, "made": made, **progress(made)},
    )


def progress(made: CustomModel) -> dict[str, Any]:
    run = made.job.runs.filter(state="running").first() if made.job else None
    return {"candidates": made.candidates.all(), "run": run}


def round_shown(at: Round) -> dict[str, Any]:
    classes = {each.pk: each for each in LabelClass.objects.filter(project=at.item.project_id)}
    shown = [reports.proposed(at.found[str(each)], classes) for each in at.order]
    said = {tuple(sorted(region["class"] for region in at.found[str(each)])) for each in at.order}
    return {"round": at, "shown": shown, "is_same": len(said) == 1 and at.item.project.is_classification}


@require_POST
def custom_model_vote(request: SignedIn, project_id: int, custom_id: int, number: int) -> HttpResponse:
    made = custom_or_404(request.user, project_id, custom_id)
    at = made.rounds.filter(number=number).first()
    if at is None:
        raise Http404
    said = request.POST.get("best", "")
    try:
        voting.vote(at, request.user, None if said == "none" else place_of(said))
    except CustomModelRefused as error:
        messages.error(request, str(error))
    return redirect("custom-model", project_id, made.pk)


def place_of(said: str) -> int:
    """Return the place that a form names, -1 where it makes no sense."""
    place = whole_number(said)
    return -1 if place is None else place


@require_POST
def custom_model_change(request: SignedIn, project_id: int, custom_id: int) -> HttpResponse:
    """Stop, go on, vote anew, or choose a candidate."""
    made = custom_or_404(request.user, project_id, custom_id)
    do = request.POST.get("do")
    try:
        if do == "stop":
            making.cancel(made, request.user)
            messages.success(request, _("It stops. Candidates that are done stay."))
        elif do == "resume":
            making.resume(made, request.user)
            messages.success(request, _("It goes on where it was."))
        elif do == "again":
            voting.again(made, request.user)
        elif do == "choose":
            chosen = candidate_or_404(made, request.POST.get("candidate", ""))
            choice.choose(chosen, request.user)
            messages.success(
                request, _("“%(model)s” is chosen as the project’s model.") % {"model": chosen.title}
            )
            return redirect(f"{reverse('custom-model', args=[project_id, made.pk])}?results")
    except Refused as error:
        messages.error(request, str(error))
    return redirect("custom-model", project_id, made.pk)


@require_POST
def end_choice(request: SignedIn, project_id: int) -> HttpResponse:
    project = permissions.project_or_404(request.user, project_id, "manage")
    choice.end(project, request.user)
    messages.success(request, _("From the next training on, Loupe chooses again."))
    return redirect("custom-models", project.pk)


def auto_label_start(request: SignedIn, project_id: int) -> HttpResponse:
    """Choose the kind of model, the model, how many images; the summary that follows asks once more."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    if request.method == "POST":
        source = source_or_404(project, whole_number(request.POST.get("source", "")))
        if request.POST.get("kind") == "untaught":
            return redirect("auto-label", project.pk)
        try:
            trial = starting.begin(project, request.user, request.POST.get("model", ""), source)
        except AutoLabelRefused as error:
            messages.error(request, str(error))
            return redirect("auto-label-start", project.pk)
        return redirect(
            f"{reverse('auto-label-summary', args=[project.pk])}?{urlencode(wanted(trial, request))}"
        )
    context = {
        "project": project,
        "models": starting.models(project),
        "chosen": recipes.chosen_model(project),
        "sources": project.sources.order_by("-pk")[:100],
        "waiting": trials.waiting_in(project, None).count(),
        "certified": trials.certified(project).count(),
        "sure_from": round(100 * starting.SURE),
    }
    return render(request, "mlassist/custom/start.html", context)


def wanted(trial: Trial, request: SignedIn) -> dict[str, Any]:
    """Return the address of a summary: the same threshold for each class, and how many images."""
    percent = whole_number(request.POST.get("sure", ""))
    sure = starting.SURE if percent is None else min(99, max(1, percent)) / 100
    thresholds = starting.everywhere(engines.version_of(trial.project, trial.engine), sure)
    count = whole_number(request.POST.get("count", "")) or ""
    return {"trial": trial.pk, "count": count, **{f"{PREFIX}{each}": sure for each in thresholds}}


def candidate_or_404(made: CustomModel, said: str) -> Candidate:
    found = made.candidates.filter(pk=whole_number(said) or 0).first()
    if found is None:
        raise Http404
    found.custom_model = made
    return found
