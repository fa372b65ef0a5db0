"""Starting to auto-label with a model of the project's own, which has been measured: it needs no test."""

from django.utils.translation import gettext as _

from labeling.models import DataSource, Project, User
from mlassist.autolabel import engines, trials
from mlassist.autolabel.examples import AutoLabelRefused
from mlassist.custom import recipes
from mlassist.models import ModelVersion, Run, Trial

SURE = 0.5  # from which an own model proposes, unless somebody says otherwise


def models(project: Project) -> list[engines.Offer]:
    """Return the project's own models, the one in use first."""
    return list(engines.own_models(project))


def in_use(project: Project) -> str:
    """Return the name of the project's own model that is in use. Raises AutoLabelRefused."""
    found = models(project)
    if not found:
        raise AutoLabelRefused(_("This project has no model of its own yet."))
    return found[0].name


def begin(project: Project, by: User, engine: str, source: DataSource | None) -> Trial:
    """Return what a run of an own model hangs on, as a test would; it is measured already.

    Raises AutoLabelRefused.
    """
    offer = trials.offered(project, engine)
    if not engine.startswith("version/"):
        raise AutoLabelRefused(_("Generate test results first, and look at them."))
    seconds = seconds_of(engines.version_of(project, engine))
    if seconds is None:
        raise AutoLabelRefused(
            _("How fast this model is has not been measured yet. Generate test results first.")
        )
    return Trial.objects.create(
        project=project, source=source, engine=engine, title=offer.title, seconds=seconds, created_by=by
    )


def everywhere(version: ModelVersion, confidence: float) -> dict[int, float]:
    """Return the same threshold for each class in use that a model knows."""
    in_use = version.project.classes.filter(retired_at=None, pk__in=version.classes)
    return dict.fromkeys(in_use.values_list("pk", flat=True), confidence)


def seconds_of(version: ModelVersion) -> float | None:
    """Return how long a model takes for an image, by when it last proposed for all, or as a candidate."""
    done = Run.objects.filter(model_version=version, kind=Run.Kind.INFERENCE, state=Run.State.DONE)
    last = done.filter(total__gt=0).order_by("-id").first()
    if last is not None and last.finished_at is not None:
        return (last.finished_at - last.started_at).total_seconds() / last.total
    chosen = recipes.chosen_model(version.project)
    pace = chosen.candidate.pace if chosen and chosen.candidate.model == version.head else None
    return 1 / pace if pace else None
