"""Which models can label without being taught here, what each needs and whether that is here. No torch."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from django.utils.translation import gettext as _

from labeling.models import Project
from mlassist import meanings, versions
from mlassist.backbones import catalog
from mlassist.models import Example, ModelVersion

EXAMPLES = "examples"
MOST_VERSIONS = 5
# Worth fetching; others of these kinds are found where they lie.
CLASSIFIERS = {
    "openai/clip-vit-base-patch32": "CLIP ViT-B/32",
    "google/siglip-base-patch16-224": "SigLIP Base",
}
FINDERS = {
    "IDEA-Research/grounding-dino-tiny": "Grounding DINO Tiny",
    "google/owlv2-base-patch16-ensemble": "OWLv2 Base",
}
OUTLINERS = {"facebook/sam-vit-base": "SAM Base", "facebook/sam2.1-hiera-tiny": "SAM 2.1 Tiny"}
WORTH_FETCHING = {**CLASSIFIERS, **FINDERS, **OUTLINERS}


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
    found = [by_example(project), *own_models(project), *hub_models(project)]
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


def hub_models(project: Project) -> Iterator[Offer]:
    """Yield models of images and words: those that lie here, then those that are worth fetching."""
    here = {name: catalog.model_type(folder) for name, folder in catalog.hub_folders()}
    folders = dict(catalog.hub_folders())
    outliners = [name for name, kind in here.items() if kind in catalog.OUTLINERS]
    known, fitting = FINDERS, catalog.FINDERS
    if project.is_classification:
        known, fitting = CLASSIFIERS, frozenset({"clip", "siglip", "siglip2"})
    for name, kind in here.items():
        if kind in fitting:
            parts = [name]
            if project.task_type == Project.TaskType.SEGMENTATION:
                parts += outliners[:1]
            yield here_offer(project, parts, folders)
    last_parts = {last_part(name) for name in here}  # copied folders may lie here without their owner
    for name, title in known.items():
        if last_part(name) not in last_parts:
            yield Offer(f"hub/{name}", title, does_of(project), "prompts", problem=to_fetch(name))


def here_offer(project: Project, parts: list[str], folders: dict[str, Path]) -> Offer:
    """Return the offer of a model that is here, with what outlines its boxes."""
    titles = {last_part(name): title for name, title in WORTH_FETCHING.items()}
    title = " + ".join(titles.get(last_part(each), each) for each in parts)
    files = [file for each in parts for file in catalog.weight_files(folders[each])]
    problem = ""
    if not files:
        problem = _("Its folder has no weights.")
    elif find_spec("transformers") is None:
        problem = _("Needs transformers: pip install -r deploy/requirements-hub.txt")
    elif project.task_type == Project.TaskType.SEGMENTATION and len(parts) == 1:
        problem = _("Finds boxes only. Outlines need SAM as well: %(how)s") % {
            "how": to_fetch(next(iter(OUTLINERS)))
        }
    return Offer(
        f"hub/{'+'.join(parts)}",
        title,
        does_of(project),
        "prompts",
        licence=" ".join(dict.fromkeys(catalog.licence_of(folders[each]) for each in parts)),
        megabytes=sum(file.stat().st_size for file in files) / 1e6,
        problem=problem,
        quick=project.is_classification and project.backbone == f"hub/{parts[0]}",
    )


def last_part(name: str) -> str:
    return name.rpartition("/")[2]


def does_of(project: Project) -> str:
    if project.is_classification:
        return _("Compares images with words.")
    return _("Finds what words describe.")


def to_fetch(name: str) -> str:
    """Say how a model gets here."""
    return _("Not here. To see its size and licence, and fetch it: manage.py fetch_model %(name)s") % {
        "name": name
    }
