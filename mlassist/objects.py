"""What a detector does for a project with boxes or outlines: judged on blind answers, proposing for the pool.

Needs no torch: how to look at images is handed in by the process that can.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import numpy as np

from labeling import answers, suggestions
from labeling.answers import Answers
from labeling.models import Item, Project
from labeling.suggestions import AutoLabel, Proposal
from mlassist import accepting, asking, steering, triggers, vouching
from mlassist.autolabel import rivals
from mlassist.autolabel.looking import CannotLook
from mlassist.certificates import bounds, regions
from mlassist.detectors import matching, metrics
from mlassist.detectors.shapes import Shapes
from mlassist.models import Certificate, ModelVersion
from mlassist.ordering import refused
from mlassist.pictures import examples
from mlassist.runs import Step
from mlassist.validation import ALL_BUT_FEW, FIRST_SHARE, INTERVAL, LATER_SHARE

SHOWN_UP_TO = 0.5  # of 1 - F1 on images held out: worse proposals cost people more than they spare
CURVE_POINTS = 40


class Detector(Protocol):
    """What is asked of a detector that is ready to look (`detectors.storing.Ready`)."""

    @property
    def classes(self) -> list[int]: ...

    @property
    def scoring(self) -> Any: ...

    @property
    def held_out(self) -> Any: ...

    def regions(self, found: Shapes) -> list[dict[str, Any]]: ...

    def confidence(self, seen: Any) -> float: ...


LookAt = Callable[[Any, Sequence[int], Callable[[int], None]], Iterator[tuple[int, Any]]]


def has_news(project: Project, version: ModelVersion) -> bool:
    """Tell whether people have answered or taken back anything since a detector was taught."""
    return bool(
        answers.new_answers_since(project, version.revision)
        or triggers.withdrawn_answers(project) > version.withdrawn
    )


def readable(project: Project) -> int:
    return len(answers.ready(project))


def drawn(project: Project, given: Answers, classes: Sequence[int]) -> list[Shapes]:
    """Return what people drew on each image; nothing where they are undecided.

    Where boxes are asked for, an outline that a script has sent is its box.
    """
    found = answers.regions_of(given.annotations[given.annotations > 0].tolist())
    shapes = [Shapes.of_regions(found.get(each, []), classes) for each in given.annotations.tolist()]
    if project.task_type == Project.TaskType.DETECTION:
        return [replace(each, polygons=[]) for each in shapes]
    return shapes


@dataclass(frozen=True, slots=True)
class Blind:
    """The blind images: what was found and drawn on each, the loss, and how sure the detector is."""

    items: np.ndarray
    losses: np.ndarray
    confidences: np.ndarray
    classes: list[frozenset[int]]
    undecided: int


def judge(project: Project, version: ModelVersion, ready: Detector, look_at: LookAt, step: Step) -> Blind:
    """Compare a detector with the blind answers, and write down how good it is."""
    answered = answers.validation(project)
    # A later, larger draw may hold examples, which say nothing of a model that has learned from them.
    given = answered.without(rivals.shown(project))
    step.progress(0, max(1, len(given)))
    seen = dict(look_at(ready, given.items.tolist(), step.progress))
    places = [at for at, item in enumerate(given.items.tolist()) if item in seen]
    truth = drawn(project, given, ready.classes)
    found = [seen[int(given.items[at])] for at in places]
    undecided = np.array([given.annotations[at] == 0 for at in places], bool)
    kept = [ready.scoring.kept(each.found) for each in found]
    disagreement = np.array(
        [matching.loss(each, truth[at]) for each, at in zip(kept, places, strict=True)], float
    )
    # A label is right only with the objects of all classes, also of those that this detector has not learned.
    whole = drawn(project, given, every_class(project, ready))
    losses = np.array(
        [
            matching.loss(each, whole[at], strict=ready.held_out.strict)
            for each, at in zip(kept, places, strict=True)
        ],
        float,
    )
    losses[undecided] = 1.0
    confidences = np.array([ready.confidence(each) for each in found])
    step.metrics = measures(disagreement[~undecided])
    decided = [at for at, is_open in zip(range(len(places)), undecided, strict=True) if not is_open]
    pictures: dict[str, list[dict[str, Any]]] = {}
    if decided:
        sizes = Item.objects.in_bulk(given.items.tolist())
        items = [int(given.items[places[at]]) for at in decided]
        quality = metrics.quality(
            [found[at].found for at in decided],
            [truth[places[at]] for at in decided],
            [(sizes[item].width or 1, sizes[item].height or 1) for item in items],
            len(ready.classes),
            np.array(ready.scoring.shown),
        )
        step.metrics |= {"blind": asdict(quality)}
        pictures = examples(
            items, [disagreement[at] for at in decided], [ready.regions(found[at].found) for at in decided]
        )
        step.say(f"{len(decided)} blind images: AP50 {quality.ap50:.3f}, mean IoU {quality.mean_iou:.3f}")
    else:
        step.say("No blind answers yet.")
    # Everybody may read what a run has measured; what was proposed for blind images is not for labelers.
    noted = {"examples": pictures, "blind_labels": steering.blind_labels(project)}
    version.metrics = {**version.metrics, **step.metrics, **noted}
    version.save(update_fields=["metrics"])
    share = LATER_SHARE if len(answered) >= ALL_BUT_FEW * vouching.blind_draw(project) else FIRST_SHARE
    suggestions.set_validation_share(project, share)
    return Blind(
        np.array([given.items[at] for at in places], np.int64),
        losses,
        confidences,
        [frozenset(int(region["class"]) for region in ready.regions(each.found)) for each in found],
        int(undecided.sum()),
    )


def every_class(project: Project, ready: Detector) -> list[int]:
    """Return the classes of a detector in its order, then those in use that it does not know."""
    in_use = project.classes.filter(retired_at=None).exclude(pk__in=ready.classes).order_by("position")
    return [*ready.classes, *in_use.values_list("pk", flat=True)]


def measures(losses: np.ndarray) -> dict[str, Any]:
    """Return agreement with people (mean F1 of an image) and an interval that holds in 95 % of cases."""
    if not len(losses):
        return {"validation_n": 0}
    shuffled = np.random.default_rng(len(losses)).permutation(losses)
    return {
        "validation_n": len(losses),
        "accuracy": round(1 - float(losses.mean()), 4),
        "low": round(1 - bounds.loss_bound(shuffled, INTERVAL / 2), 4),
        "high": round(bounds.loss_bound(1 - shuffled, INTERVAL / 2), 4),
    }


@dataclass(slots=True)
class Surveyed:
    """What a detector says of images that wait: confidence, and the classes it shows."""

    items: list[int]
    confidences: list[float]
    classes: list[frozenset[int]]

    @classmethod
    def nothing(cls) -> "Surveyed":
        return cls([], [], [])

    def add(self, item: int, confidence: float, shown: Iterable[int]) -> None:
        self.items.append(item)
        self.confidences.append(confidence)
        self.classes.append(frozenset(shown))


def propose(
    project: Project,
    version: ModelVersion,
    ready: Detector,
    blind: Blind,
    look_at: LookAt,
    load: Callable[[ModelVersion], Detector],
    step: Step,
) -> None:
    """Look at what waits, attempt a certificate, label or place what is certified, and order the rest."""
    version.embedded = readable(project)
    version.save(update_fields=["embedded"])
    held = vouching.shown_by_others(project, version)
    waiting = [item for item in answers.unlabeled(project).tolist() if item not in held]
    step.progress(0, max(1, len(waiting)))
    surveyed = Surveyed.nothing()
    worth_showing = is_worth_showing(ready)

    def proposals() -> Iterator[Proposal]:
        for item, seen in look_at(ready, waiting, step.progress):
            shapes = ready.regions(seen.found)
            confidence = ready.confidence(seen)
            shown = [int(each["class"]) for each in shapes]
            surveyed.add(item, confidence, shown)
            top = max(set(shown), key=shown.count) if shown else None
            yield Proposal(item, shapes, top, confidence)

    stored = 0
    if worth_showing:
        stored = suggestions.store(project, version.number, proposals())
        step.say(f"{stored} proposals")
    else:
        surveyed = survey(ready, look_at(ready, waiting, step.progress))
        step.say("Its proposals would cost people more time than they spare, so none are shown")

    def inside(certificate: Certificate, items: list[int]) -> set[int]:
        try:
            theirs = load(certificate.model_version)
        except CannotLook:
            return set(items)  # nobody can tell any more, so that none of them speaks for the rest
        return set(vouching.covered(certificate, survey(theirs, look_at(theirs, items, lambda done: None))))

    certificate = None
    if worth_showing:
        certificate = vouching.attempt(project, version, ready, blind, surveyed, inside, step)
    note_curve(project, version, ready, surveyed)
    certified = vouching.covered(certificate, surveyed)
    accepted = 0
    if certificate is not None and project.assist_mode == Project.AssistMode.ACCEPT:
        accepted = accept(project, certificate, certified)
        step.say(f"{accepted} auto labels under certificate {certificate.pk}")
    step.metrics = {"proposals": stored, "auto_labels": accepted}
    placed = asking.place(project, version, surveyed, certificate, certified, step)
    step.metrics |= {**placed, "prelabeled": max(0, placed["prelabeled"] - accepted)}


def survey(ready: Detector, looks: Iterator[tuple[int, Any]]) -> Surveyed:
    surveyed = Surveyed.nothing()
    for item, seen in looks:
        shown = [int(each["class"]) for each in ready.regions(seen.found)]
        surveyed.add(item, ready.confidence(seen), shown)
    return surveyed


def is_worth_showing(ready: Detector) -> bool:
    losses = ready.held_out.losses
    return bool(losses) and float(np.mean(losses)) <= SHOWN_UP_TO


def note_curve(project: Project, version: ModelVersion, ready: Detector, surveyed: Surveyed) -> None:
    """Keep what is expected of the surest parts of the pool, for managers to look ahead."""
    mean = regions.expected_error(
        np.array(ready.held_out.losses),
        np.array(ready.held_out.confidences),
        np.array(surveyed.confidences),
        project.target_error,
    )
    shares = np.arange(1, CURVE_POINTS + 1) / CURVE_POINTS
    counts = np.maximum(1, (shares * len(mean)).astype(int))
    curve = [
        (round(float(share), 3), round(float(mean[count - 1]), 4))
        for share, count in zip(shares, counts, strict=True)
        if len(mean)
    ]
    version.metrics = {**version.metrics, "expected_error": curve}
    version.save(update_fields=["metrics"])


def accept(project: Project, certificate: Certificate, items: Sequence[int]) -> int:
    """Write auto labels with the shapes that were certified, but for what people sent back."""
    back = set(refused(project).tolist())
    found = vouching.proposals(certificate, [item for item in items if item not in back])
    labels = [AutoLabel(each.item_id, each.regions, each.confidence) for each in found]
    return accepting.accept(project, certificate, labels)
