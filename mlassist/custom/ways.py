"""In which ways a project's candidates can be made, what each costs, and what is missing. No torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from labeling.models import Project
from mlassist import choices, finetuning, switching
from mlassist.backbones import catalog
from mlassist.backbones.recipe import OWN
from mlassist.detectors import catalog as detectors
from mlassist.detectors.catalog import FEWEST_TO_TUNE
from mlassist.models import BackboneOffer

USUAL, OTHER_HEAD, RESOLUTION, TUNED, BACKBONE = "usual", "other head", "resolution", "tuned", "backbone"
AT_REST, WHOLE, CLOSER = "at rest", "whole", "closer"
CLOSER_BY = 1.5  # times as large, for 2.25 times as many pixels
SIDE_STEP = 32  # pixels, the coarsest stride of our network


@dataclass(frozen=True, slots=True)
class Way:
    """One way to make a candidate. `problem` says what is missing, and is empty where nothing is.

    `backbone` is what it looks through, `kind` the fixed kind of head or detector, `closer` how many times
    as large it looks at images.
    """

    name: str
    title: str
    does: str
    backbone: str
    kind: str = ""
    closer: float = 1.0
    problem: str = ""
    seconds: float | None = None


def ways(project: Project, labels: int) -> list[Way]:
    """Return all ways there are for a project with so many answers, the usual one first."""
    found = of_heads(project, labels) if project.is_classification else of_detectors(project, labels)
    return list(found)


def of_heads(project: Project, labels: int) -> Iterator[Way]:
    backbone = project.backbone
    offers = {each.name: each for each in switching.offers(project)}
    title = title_of(backbone)
    yield Way(
        USUAL,
        _("As Loupe trains by itself"),
        _("%(backbone)s as it is, and the best of several kinds of heads.") % {"backbone": title},
        backbone,
    )
    yield Way(
        OTHER_HEAD,
        _("Another kind of head"),
        _("%(backbone)s as it is, and the best head of another kind than the first.") % {"backbone": title},
        backbone,
        problem=""
        if project.task_type == Project.TaskType.MULTICLASS
        else _("Where images have several classes there is one kind of head only."),
    )
    other = other_side(backbone)
    if other:
        yield Way(
            RESOLUTION,
            _("Another resolution"),
            _("The same backbone, which looks at images with other pixels: %(backbone)s.")
            % {"backbone": title_of(other)},
            other,
            seconds=pace(offers.get(other), labels),
        )
    yield Way(
        TUNED,
        _("Fine-tuned"),
        _("The backbone itself goes on learning, from this project’s labels."),
        backbone,
        problem=""
        if labels >= finetuning.FEWEST
        else _("Fine-tuning needs at least %(fewest)s labels to learn from; there are %(labels)s.")
        % {"fewest": finetuning.FEWEST, "labels": labels},
        seconds=seconds_to_tune(project, labels),
    )
    for name, offer in offers.items():
        if name not in (backbone, other) and not offer.problem:
            yield Way(
                f"{BACKBONE}/{name}",
                offer.title,
                _("Another backbone, as it is, and the best of several kinds of heads."),
                name,
                seconds=pace(offer, labels),
            )


def other_side(backbone: str) -> str:
    """Return a backbone with another resolution; empty where it takes one only."""
    plain = backbone.partition("@")[0]
    if plain != backbone:
        return plain
    if not catalog.can_look_closer(plain):
        return ""
    return catalog.at_side(plain, round(OWN.side * CLOSER_BY / SIDE_STEP) * SIDE_STEP)


def title_of(name: str) -> str:
    """Return what to call a backbone, also before this installation was surveyed."""
    return choices.titles([name])[name] if "tuned/" in name else catalog.title_of(name)


def seconds_to_tune(project: Project, labels: int) -> float | None:
    """Return how long one fold takes, and to look at the labels anew; None before the pace is known."""
    learning, speed = finetuning.seconds_to_try(project, labels), finetuning.speed(project.backbone)
    return learning / finetuning.FOLDS_TRIED + labels / speed if learning and speed else None


def pace(offer: BackboneOffer | None, labels: int) -> float | None:
    return labels / offer.images_per_second if offer and offer.images_per_second else None


def of_detectors(project: Project, labels: int) -> Iterator[Way]:
    few = ""
    if labels < FEWEST_TO_TUNE:
        few = _("This needs at least %(fewest)s answered images; there are %(labels)s.") % {
            "fewest": FEWEST_TO_TUNE,
            "labels": labels,
        }
    yield Way(
        AT_REST,
        _("Head alone"),
        _("The backbone stays as it is; only what finds objects learns. Quickest."),
        "bundled",
        detectors.RESTING,
    )
    yield Way(
        WHOLE,
        _("Whole network"),
        _("The head first, then the backbone learns along. Takes longer."),
        "bundled",
        detectors.TUNED,
        problem=few,
    )
    yield Way(
        CLOSER,
        _("Whole network, closer"),
        _("The same, looking at images %(times)s times as large: for small objects. Slowest.")
        % {"times": CLOSER_BY},
        "bundled",
        detectors.TUNED,
        CLOSER_BY,
        problem=few,
    )
    masks = project.task_type == Project.TaskType.SEGMENTATION
    for each in detectors.offers(masks=masks):
        yield Way(
            f"coco/{each.kind.name}",
            each.title,
            _("Has learned to find the objects of COCO before, and goes on with these."),
            "bundled",
            each.title,
            problem=few,
        )
