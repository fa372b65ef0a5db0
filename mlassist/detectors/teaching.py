"""One detector out of several candidates: each is tried on images that it has not seen, the best is taught.

Two networks, each taught on half of the images, are tried on the other half: with the backbone at rest, and
after everything has learned together. What they find there is what thresholds, chances and confidence are
learned from. The better way is then taught on all images. A model that nobody has taught may compete: it
has seen none of the images, is judged by the same figure, and stays as it is.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mlassist.detectors import catalog, learning, matching, metrics, zoo
from mlassist.detectors.catalog import FEWEST_TO_TUNE, RESTING, TUNED
from mlassist.detectors.learning import Finder, Plan, Training
from mlassist.detectors.looking import Look, Seen, at_working_size
from mlassist.detectors.metrics import Quality
from mlassist.detectors.scaling import Ruler, ruler
from mlassist.detectors.scoring import Scoring
from mlassist.detectors.shapes import Shapes
from mlassist.detectors.views import Example

FOLDS = 2
FOLD_SHARE = 0.5  # of the steps: each fold has half of the images
FEWEST_IMAGES = 4  # to teach anything, and to tell what a model that nobody has taught is worth
FEWEST_TO_FOLD = 8
SPARSE = 2  # objects on most images, up to which any difference makes an image wrong

Say = Callable[[str], None]
Progress = Callable[[int, int], None]  # (done, in all)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Labeled:
    """Images at the working size with what people drew there; `sizes` (width, height) are those they have."""

    ruler: Ruler
    examples: list[Example]
    truth: list[Shapes]
    sizes: list[tuple[int, int]]
    scales: list[float]

    @classmethod
    def of(cls, images: Sequence[np.ndarray], truth: Sequence[Shapes], closer: float = 1.0) -> "Labeled":
        sizes = [(each.shape[1], each.shape[0]) for each in images]
        chosen = ruler(sizes, truth).closer(closer)
        small = [at_working_size(each, chosen) for each in images]
        examples = [
            Example(np.ascontiguousarray(pixels), shapes.scaled(scale))
            for (pixels, scale), shapes in zip(small, truth, strict=True)
        ]
        return cls(chosen, examples, list(truth), sizes, [scale for _, scale in small])

    def __len__(self) -> int:
        return len(self.examples)


@dataclass(slots=True)
class Taught:
    """A detector with all that using it takes; `seen` is what was found on images while held out.

    `finder` is the model that nobody has taught where that is the best; `places` are those images.
    """

    kind: str
    finder: "Finder | Rival"
    ruler: Ruler
    scoring: Scoring
    places: list[int] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    quality: Quality | None = None
    candidates: dict[str, float] = field(default_factory=dict)  # AP50 by kind, on images held out
    losses: list[float] = field(default_factory=list)  # of each image while it was held out
    strict: bool = False  # whether any difference makes an image wrong; else it loses 1 - F1


@dataclass(frozen=True, slots=True)
class Rival:
    """A model that nobody has taught: what it finds on the images that are new to it, by their places.

    `told` and `model` are what it takes to look in the same way later.
    """

    kind: str
    places: list[int]
    seen: list[Seen]
    told: dict[str, Any]
    model: bytes


@dataclass(frozen=True, slots=True)
class Tried:
    """A candidate on images that it had not seen; nothing where there were too few to hold any out."""

    ap50: float
    places: list[int]
    seen: list[Seen]
    scoring: Scoring


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is to be learned, and how."""

    labeled: Labeled
    classes: int
    stages: nn.Module
    masks: bool
    seed: int
    tuned: bool  # whether there is time for more than the head
    pretrained: tuple[catalog.Offer, ...] = ()  # detectors that have seen more than the bundled backbone
    kind: str = ""  # the only candidate; empty for all that there are
    rival: Rival | None = None
    folder: Path | None = None  # for checkpoints

    @property
    def compared(self) -> list[int]:
        """Return the places of the images on which candidates are compared: those new to all of them."""
        return list(range(len(self.labeled))) if self.rival is None else self.rival.places

    @property
    def strict(self) -> bool:
        """Whether an image is right or wrong as a whole: where there are few objects on each."""
        return float(np.median([len(each) for each in self.labeled.truth])) <= SPARSE

    def untaught(self, kind: str) -> Finder:
        for each in self.pretrained:
            if each.title == kind:
                return zoo.load(each, self.classes)
        return learning.untaught(self.stages, self.classes, masks=self.masks, seed=self.seed)

    def plan(self, kind: str, images: int, share: float) -> Plan:
        if kind == RESTING:
            return Plan.of(images, tuned=False, share=share)
        plan = Plan.of(images, tuned=True, share=share)
        return plan if kind == TUNED else Plan(0, plan.tuning)

    def checkpoint(self, name: str) -> Path | None:
        return None if self.folder is None else self.folder / f"{name}.checkpoint"


def teach(lesson: Lesson, say: Say, progress: Progress) -> Taught:
    """Try the candidates, and teach the best one on all images, unless it is the one that nobody teaches."""
    count = len(lesson.labeled)
    kinds = [RESTING]
    if lesson.tuned and count >= FEWEST_TO_TUNE:
        kinds = [RESTING, TUNED, *(each.title for each in lesson.pretrained)]
    kinds = [each for each in kinds if each == lesson.kind] or kinds
    meter = Meter(lesson, kinds, progress)
    tried = {kinds[0]: Tried(0.0, [], [], Scoring.untried(lesson.classes))}
    if count >= FEWEST_TO_FOLD:
        tried = try_all(lesson, kinds, say, meter)
    if lesson.rival is not None:
        one = lesson.rival
        tried[one.kind] = candidate(lesson, one.kind, one.places, one.seen, say)
    best = max(tried, key=lambda kind: tried[kind].ap50)
    won = tried[best]
    finder: Finder | Rival
    if lesson.rival is not None and best == lesson.rival.kind:
        finder = lesson.rival
    else:
        say(f"Taught on all {count} images: {best}")
        finder = whole(lesson, best, meter)
    made = Taught(best, finder, lesson.labeled.ruler, won.scoring, won.places, won.seen)
    if not won.seen:
        return made
    made.quality = measured(lesson, won.places, won.seen, won.scoring)
    made.candidates = {kind: round(each.ap50, 4) for kind, each in tried.items() if each.seen}
    made.strict = lesson.strict
    made.losses = [
        matching.loss(won.scoring.kept(each.found), lesson.labeled.truth[place], strict=made.strict)
        for place, each in zip(won.places, won.seen, strict=True)
    ]
    return made


class Meter:
    """How far all that has to be learned is."""

    def __init__(self, lesson: Lesson, kinds: Sequence[str], progress: Progress) -> None:
        count = len(lesson.labeled)
        own = [kind for kind in kinds if kind in (RESTING, TUNED)]
        others = [kind for kind in kinds if kind not in own]
        each = [lesson.plan(kind, count, FOLD_SHARE).steps for kind in [*own[-1:], *others]]
        last = max(lesson.plan(kind, count, 1.0).steps for kind in kinds)
        self.total = (FOLDS * sum(each) if count >= FEWEST_TO_FOLD else 0) + last
        self.before, self.progress = 0, progress

    def report(self, done: int, of: int, loss: float) -> None:
        self.progress(min(self.before + done, self.total), self.total)

    def next(self, steps: int) -> None:
        self.before += steps


def try_all(lesson: Lesson, kinds: Sequence[str], say: Say, meter: Meter) -> dict[str, Tried]:
    """Try each kind on all images, half of which its network had not seen each time."""
    labeled = lesson.labeled
    folds = fold_of_each(labeled.truth, lesson.seed)
    found: dict[str, list[Seen | None]] = {kind: [None] * len(labeled) for kind in kinds}
    for fold in range(FOLDS):
        held = np.flatnonzero(folds == fold)
        learned = [labeled.examples[place] for place in np.flatnonzero(folds != fold)]
        for kind in kinds:
            if kind == RESTING and TUNED in kinds:
                continue  # it is the first half of what follows
            for stage, seen in tried_on(lesson, kind, learned, held.tolist(), f"fold-{fold}", meter).items():
                if stage not in kinds:
                    continue
                for place, each in zip(held.tolist(), seen, strict=True):
                    found[stage][place] = each
    everywhere = list(range(len(labeled)))
    return {
        kind: candidate(lesson, kind, everywhere, [each for each in found[kind] if each is not None], say)
        for kind in kinds
    }


def candidate(lesson: Lesson, kind: str, places: list[int], seen: list[Seen], say: Say) -> Tried:
    """Learn what the scores of a kind mean, and measure it on the images on which all are compared."""
    scoring = Scoring.learned(seen, [lesson.labeled.truth[place] for place in places], lesson.classes)
    found = dict(zip(places, seen, strict=True))
    ap50 = measured(lesson, lesson.compared, [found[place] for place in lesson.compared], scoring).ap50
    say(f"Candidate, {kind}: AP50 {ap50:.3f} on {len(lesson.compared)} images that it had not seen")
    return Tried(ap50, places, seen, scoring)


def tried_on(
    lesson: Lesson, kind: str, examples: Sequence[Example], held: Sequence[int], name: str, meter: Meter
) -> dict[str, list[Seen]]:
    """Teach a candidate on some images; returns what it finds on others, also with its backbone at rest.

    What was found is kept until the end of the teaching: a killed process does not try again.
    """
    plan = lesson.plan(kind, len(lesson.labeled), FOLD_SHARE)
    checkpoint = lesson.checkpoint(f"{name}-{kind.replace(' ', '-')}")

    def find() -> dict[str, list[Seen]]:
        training = Training(
            lesson.untaught(kind),
            examples,
            plan,
            seed=lesson.seed,
            report=meter.report,
            checkpoint=checkpoint,
        )
        found = {}
        if kind == TUNED:
            look = Look(training.at_rest(), lesson.labeled.ruler)
            found[RESTING] = [seen_by(look, lesson.labeled, place) for place in held]
        look = Look(training.run(keep=True), lesson.labeled.ruler)
        found[kind] = [seen_by(look, lesson.labeled, place) for place in held]
        return found

    found = find() if checkpoint is None else remembered(checkpoint.with_suffix(".seen"), find)
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    meter.next(plan.steps)
    return found


def remembered(done: Path, find: Callable[[], dict[str, list[Seen]]]) -> dict[str, list[Seen]]:
    """Find something, or return what is kept of having found it before."""
    if done.exists():
        kept = torch.load(done, weights_only=True)
        return {name: [Seen.from_state(each) for each in seen] for name, seen in kept.items()}
    found = find()
    part = done.with_suffix(".part")
    torch.save({name: [each.to_state() for each in seen] for name, seen in found.items()}, part)
    part.replace(done)
    return found


def whole(lesson: Lesson, kind: str, meter: Meter) -> Finder:
    """Teach the chosen candidate on all images."""
    plan = lesson.plan(kind, len(lesson.labeled), 1.0)
    training = Training(
        lesson.untaught(kind),
        lesson.labeled.examples,
        plan,
        seed=lesson.seed,
        report=meter.report,
        checkpoint=lesson.checkpoint("whole"),
    )
    finder = training.run()
    meter.next(plan.steps)
    return finder


def seen_by(look: Look, labeled: Labeled, place: int) -> Seen:
    found = look.both_ways(labeled.examples[place].pixels)
    return Seen(*(each.scaled(1 / labeled.scales[place]) for each in found))


def measured(lesson: Lesson, places: Sequence[int], seen: Sequence[Seen], scoring: Scoring) -> Quality:
    """Compare what was found on some of the images with what people drew there."""
    return metrics.quality(
        [each.found for each in seen],
        [lesson.labeled.truth[place] for place in places],
        [lesson.labeled.sizes[place] for place in places],
        lesson.classes,
        np.array(scoring.shown),
    )


def fold_of_each(truth: Sequence[Shapes], seed: int) -> np.ndarray:
    """Return the fold of each image, those with many objects and with few spread evenly."""
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(len(truth)), np.array([len(each) for each in truth])))
    folds = np.zeros(len(truth), int)
    for at in range(0, len(order), FOLDS):
        part = order[at : at + FOLDS]
        folds[part] = rng.permutation(FOLDS)[: len(part)]
    return folds
