"""The backbones and their fine-tuning as pages show them: what each would cost, what can be done with it."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Sum

from clustering.models import EmbeddingSet
from labeling import answers
from labeling.models import Job, Project
from mlassist import featurization, finetuning, survey, switching, versions
from mlassist.models import BackboneOffer, Run, TunedBackbone

IN_USE, PREPARED, STOPPED, READY = "in use", "being prepared", "stopped", "ready"
MEASURED, UNUSABLE = "being measured", "cannot be used"
ORDER = {IN_USE: 0, PREPARED: 1, STOPPED: 1, READY: 2, MEASURED: 2, UNUSABLE: 3}


@dataclass(frozen=True, slots=True)
class Choice:
    """An offer from a project's point of view.

    `images` are those that it has not seen yet, `seconds` how long that takes at the measured speed.
    """

    offer: BackboneOffer
    state: str
    images: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Backbones:
    """`here` begins with the one in use and ends with what is damaged; `absent` say what to put where."""

    here: list[Choice]
    absent: list[Choice]
    in_use: BackboneOffer
    is_under_survey: bool


def backbones(project: Project, images: int) -> Backbones:
    """Return what a project with so many readable images may choose from."""
    embedded = dict(
        EmbeddingSet.objects.filter(project=project)
        .annotate(count=Sum("shards__count"))
        .values_list("backbone", "count")
    )
    offers = list(switching.offers(project))
    in_use = next((each for each in offers if each.name == project.backbone), None)
    if in_use is None:  # before the first survey
        in_use = BackboneOffer(name=project.backbone, title=project.backbone)
        offers.append(in_use)
    choices = []
    for offer in offers:
        state = state_of(project, offer)
        if survey.is_being_measured(offer):
            offer.problem = ""  # so far nothing is known to be wrong with it
        left = max(0, images - (embedded.get(offer.name) or 0))
        seconds = left / offer.images_per_second if offer.images_per_second else None
        choices.append(Choice(offer, state, left, seconds))
    choices.sort(key=lambda each: ORDER[each.state])
    return Backbones(
        here=[each for each in choices if not is_absent(each)],
        absent=[each for each in choices if is_absent(each)],
        in_use=in_use,
        is_under_survey=survey.is_under_way(),
    )


def is_absent(choice: Choice) -> bool:
    """Tell whether a choice cannot be used because nothing is there, and not because what is there is bad."""
    offer = choice.offer
    return choice.state == UNUSABLE and offer.megabytes is None and not offer.name.startswith("file/")


def state_of(project: Project, offer: BackboneOffer) -> str:
    if offer.name == project.backbone:
        return IN_USE
    if offer.name == project.next_backbone:
        return STOPPED if switching.obstacle(project, offer.name) else PREPARED
    if survey.is_being_measured(offer):
        return MEASURED
    return UNUSABLE if offer.problem else READY


def titles(names: Iterable[str]) -> dict[str, str]:
    """Return what to call backbones, also such as are no longer here."""
    wanted = set(names)
    stems = {name: name.rpartition("~")[0] for name in wanted if "~" in name}
    tuned = TunedBackbone.objects.filter(name__in={*wanted, *stems.values()})
    bases = dict(tuned.values_list("name", "base"))
    known = dict(
        BackboneOffer.objects.filter(name__in={*wanted, *bases.values(), *stems.values()}).values_list(
            "name", "title"
        )
    )

    def title(name: str) -> str:
        if name in bases:
            return f"Fine-tuned from {title(bases[name])}"
        if name in stems and name not in known:
            return f"{title(stems[name])}, with its former weights"
        return known.get(name, name)

    return {name: title(name) for name in wanted}


def outcome(project: Project) -> str:
    """Say what a choice has led to."""
    titles = dict(BackboneOffer.objects.values_list("name", "title"))
    in_use = titles.get(project.backbone, project.backbone)
    if not project.next_backbone:
        waiting = featurization.chunks_of(project, project.backbone).filter(state=Job.State.QUEUED)
        goes_on = " and goes on looking at images" if waiting.exists() else ""
        return f"{in_use} stays in use{goes_on}."
    new = titles.get(project.next_backbone, project.next_backbone)
    return f"{new} is being prepared. Until it has seen all images, {in_use} stays in use."


@dataclass(frozen=True, slots=True)
class FineTuning:
    """How fine-tuning stands: the try under way, what came of the last one, what keeps one from starting.

    `seconds` is how long a try takes, or the one under way still takes; None before that is known.
    """

    under_way: Run | None
    last: Run | None
    obstacle: str
    seconds: float | None


def fine_tuning(project: Project) -> FineTuning:
    tries = Run.objects.filter(project=project, kind=Run.Kind.FINE_TUNING).order_by("-id")
    under_way = tries.filter(state=Run.State.RUNNING).first()
    last = tries.filter(state=Run.State.DONE).first()
    if under_way is not None:
        return FineTuning(under_way, last, "", finetuning.seconds_left(under_way))
    version = versions.newest(project)
    labels = version.labels if version is not None else answers.new_answers_since(project, 0)
    return FineTuning(
        None, last, finetuning.obstacle(project, labels), finetuning.seconds_to_try(project, labels)
    )
