"""Which models can label without being taught here, what each needs and whether that is here. No torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from labeling.models import Project
from mlassist import meanings, versions
from mlassist.models import Example, ModelVersion

EXAMPLES = "examples"
MOST_VERSIONS = 5


class NoSuchModel(Exception):
    """Why a name cannot be chosen, in a sentence for people."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A model that may be tried; `problem` says what is missing, and is empty where nothing is.

    `asks_for` is "examples" or "prompts" of each class, or empty. A `quick` one knows the images already.
    """

    name: str
    title: str
    does: str
    asks_for: str
    licence: str = ""
    megabytes: float | None = None
    problem: str = ""
    quick: bool = False


def offers(project: Project) -> list[Offer]:
    """Return what there is for a project's kind of labels: what can be used at once first."""
    found = [by_example(project), *own_models(project)]
    return sorted(found, key=lambda each: bool(each.problem))


def find(project: Project, name: str) -> Offer:
    """Return an offer by its name. Raises NoSuchModel."""
    for each in offers(project):
        if each.name == name:
            return each
    raise NoSuchModel(_("There is no model called %(name)s for this project.") % {"name": name})


def by_example(project: Project) -> Offer:
    most = Example.MOST
    if project.is_classification:
        does = _("Finds images that look like one to %(most)s examples of each class. Needs nothing else.")
    else:
        does = _("Finds objects that look like one to %(most)s boxes of each class. Needs nothing else.")
    return Offer(
        EXAMPLES,
        _("Label by example"),
        does % {"most": most},
        "examples",
        quick=project.is_classification,
    )


def own_models(project: Project) -> Iterator[Offer]:
    """Yield the models that this project's labels have taught, the newest first; never another project's."""
    for each in versions.taught(project).order_by("-number")[:MOST_VERSIONS]:
        problem = ""
        if project.is_classification and each.backbone != project.backbone:
            problem = _("It looks through another backbone than the project does now.")
        elif meanings.is_outdated(each):
            problem = _("Classes have changed since it was trained.")
        title = _("Model %(number)s of this project") % {"number": each.number}
        yield Offer(
            f"version/{each.number}",
            title,
            _("Has learned from %(count)s labels of this project.") % {"count": each.labels},
            "",
            problem=problem,
            quick=project.is_classification,
        )


def version_of(project: Project, name: str) -> ModelVersion:
    """Return the model that a name stands for. Raises NoSuchModel."""
    number = name.removeprefix("version/")
    found = versions.taught(project).filter(number=number).first() if number.isdecimal() else None
    if found is None:
        raise NoSuchModel(_("There is no model called %(name)s for this project.") % {"name": name})
    return found
