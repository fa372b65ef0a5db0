"""The Auto-label page: try models, choose thresholds, let one propose."""

import re
from collections import Counter
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from labeling import permissions
from labeling.api.shapes import whole_number
from labeling.models import Project
from labeling.views import SignedIn
from mlassist import versions
from mlassist.autolabel import engines, proposing, script, sentences, trials
from mlassist.autolabel.api import run_or_404, source_or_404
from mlassist.autolabel.examples import AutoLabelRefused
from mlassist.models import AutoLabeling, Example, Trial

PREFIX = "t"  # of a threshold in an address, before the id of its class
THRESHOLD = re.compile(r"[01](\.[0-9]{1,8})?")


def auto_label(request: SignedIn, project_id: int) -> HttpResponse:
    project = permissions.project_or_404(request.user, project_id, "manage")
    source = source_or_404(project, whole_number(request.GET.get("source", "")))
    offers = engines.offers(project)
    earlier = [each for each in offers if each.name.startswith("version/") and not each.problem][1:]
    context = {
        "project": project,
        "source": source,
        "sources": project.sources.order_by("-pk")[:100],
        "models": [each for each in offers if not each.problem and each not in earlier],
        "earlier": earlier,
        "missing": [each for each in offers if each.problem],
        "config": config_of(project),
        "texts": texts(),
        "most_examples": Example.MOST,
        "script": script.of(project, settings.LOUPE_URL, proposing.thresholds_before(project)),
        "is_at_work": proposing.running(project) is not None,
        "is_off": project.assist_mode == Project.AssistMode.OFF,
        **made_so_far(project),
    }
    return render(request, "mlassist/auto_label.html", context)


def config_of(project: Project) -> dict[str, Any]:
    """Return what the page's script has to know."""
    at = [project.pk]
    return {
        "setup": reverse("api-auto-label", args=at),
        "examples": reverse("api-auto-label-examples", args=at),
        "trials": reverse("api-auto-label-tests", args=at),
        "summary": reverse("auto-label-summary", args=at),
        "exclusive": project.task_type == Project.TaskType.MULTICLASS,
        "shapes": not project.is_classification,
        "shown": trials.SHOWN,
        "others": trials.OTHERS,
        "most": Example.MOST,
    }


def texts() -> dict[str, str]:
    """Return what the script says."""
    return {
        "working": _("Generating test results…"),
        "waiting": _("Waiting for a worker…"),
        "failed": _("The test failed: %s"),
        "replaced": _("Another test was begun since. Load the page again to see it."),
        "broken": _("The connection broke. Try again."),
        "stale": _("What the model is told has changed since the test. Generate test results again."),
        "none": _("nothing above the threshold"),
        "looking": _("looking…"),
        "all": _("of all: %(shown)s / %(total)s"),
        "overall": _("About %(shown)s of %(total)s waiting images would get a suggestion."),
        "pace": _("about %(images)s images a second"),
        "slowPace": _("%(seconds)s s per image"),
        "add": _("Add examples of %s"),
        "adding": _("Click images that show “%s”, then press Done."),
        "drawing": _("Draw a box around a “%s” on an image, then press Done."),
        "done": _("Done"),
        "remove": _("Remove this example of %s"),
        "threshold": _("Threshold of %s"),
        "prompt": _("What %s looks like, in words"),
        "open": _("Look at %s"),
    }


def made_so_far(project: Project) -> dict[str, Any]:
    made = project.auto_labelings.select_related("trial__source", "model_version", "job").order_by("-pk")[:10]
    waiting = proposing.waiting_of(project, [each.model_version.number for each in made])
    return {"made": [told(each, waiting[each.model_version.number]) for each in made]}


def told(made: AutoLabeling, waiting: int) -> dict[str, Any]:
    return {
        "row": made,
        "state": proposing.state_of(made),
        "waiting": waiting,
        "error": sentences.said(made.job.error) if made.job else "",
    }


def auto_label_live(request: SignedIn, project_id: int) -> HttpResponse:
    project = permissions.project_or_404(request.user, project_id, "manage")
    return render(request, "mlassist/_auto_labelings.html", {"project": project, **made_so_far(project)})


def auto_label_summary(request: SignedIn, project_id: int) -> HttpResponse:
    """Show what would be done before it is; a POST does it."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    given = request.POST if request.method == "POST" else request.GET
    trial = (
        project.trials.filter(pk=whole_number(given.get("trial", "")) or 0).select_related("project").first()
    )
    if trial is None:
        messages.error(request, _("Generate test results first, and look at them."))
        return redirect("auto-label", project.pk)
    wanted = thresholds_of(given)
    try:
        proposing.refuse(trial)
        if request.method == "POST":
            count = whole_number(given.get("count", ""))
            if count is None and "count" in given:
                raise AutoLabelRefused(_("Say for how many images, as a whole number."))
            proposing.start(trial, request.user, wanted, count)
            messages.success(request, _("Auto label is on its way. You are told when it is done."))
            return redirect(page_of(trial))
    except AutoLabelRefused as error:
        messages.error(request, str(error))
        return redirect(address_of(trial))
    context = summary(project, trial, wanted) | {"count": whole_number(given.get("count", ""))}
    return render(request, "mlassist/auto_label_summary.html", context)


def thresholds_of(given: Any) -> dict[int, float]:
    """Read thresholds from an address or a form; what makes no sense is left out."""
    found = {}
    for name, value in given.items():
        label = whole_number(name.removeprefix(PREFIX)) if name.startswith(PREFIX) else None
        if label is not None and THRESHOLD.fullmatch(value) and float(value) <= 1:
            found[label] = float(value)
    return found


def summary(project: Project, trial: Trial, wanted: dict[int, float]) -> dict[str, Any]:
    waiting = trials.waiting_in(project, trial.source).count()
    labeled = project.items.exclude(state="unlabeled")
    if trial.source:
        labeled = labeled.filter(source=trial.source)
    given = Counter(each["class"] for each in trial.examples)
    return {
        "project": project,
        "trial": trial,
        "classes": [
            {
                "row": each,
                "threshold": wanted[each.pk],
                "prompt": trial.prompts.get(str(each.pk), each.name),
                "examples": given[each.pk],
            }
            for each in project.classes.filter(retired_at=None)
            if each.pk in wanted
        ],
        "prefix": PREFIX,
        "waiting": waiting,
        "seconds": waiting * (trial.seconds or 0.0),
        "labeled": labeled.count(),
        "certified": trials.certified(project).count(),
        "newest": versions.newest(project),
        "is_own": trial.engine.startswith("version/"),
        "back": address_of(trial),
    }


def address_of(trial: Trial) -> str:
    """Return where somebody comes from who is shown a summary."""
    if trial.job_id is None and not trial.images.exists():  # of an own model, which needed no test
        return reverse("auto-label-start", args=[trial.project_id])
    return page_of(trial)


def page_of(trial: Trial) -> str:
    page = reverse("auto-label", args=[trial.project_id])
    return f"{page}?source={trial.source_id}" if trial.source_id else page


@require_POST
def auto_label_change(request: SignedIn, project_id: int, run_id: int) -> HttpResponse:
    """Stop, go on, or take back what nobody has answered."""
    found = run_or_404(request.user, project_id, run_id)
    try:
        if request.POST.get("do") == "stop":
            proposing.stop(found, request.user)
            messages.success(request, _("It stops. What it has proposed stays."))
        elif request.POST.get("do") == "resume":
            proposing.resume(found, request.user)
            messages.success(request, _("It goes on where it was."))
        elif request.POST.get("do") == "take_back":
            gone = proposing.take_back(found, request.user)
            messages.success(request, _("Its suggestions are taken back: %(count)s.") % {"count": gone})
    except AutoLabelRefused as error:
        messages.error(request, str(error))
    return redirect(page_of(found.trial))
