"""What a whole project of boxes costs people, replayed: Loupe's detector, proposals and certificates.

    python -m tests.benchmarks.detection_project --data ../shared/data/bccd.zip

A fifth of the images is the blind draw, answered unprompted between the others. After 50 answers, and each
time that they have grown by half, a detector (the backbone at rest) is taught and judged, as in the product;
what it finds is proposed from then on, and images that a certificate covers are labeled by it. The target is
a mean 1 - F1 of at most 0.10, promised for the automatic labels or for the whole data set.

Seconds: 2 for an image, 4 to draw an object; where objects are proposed 0.35 to look at each, 1.5 to take one
away, 4 to draw one that is missing.

auto                  share of the images that the detector has labeled in the end
auto_iou, auto_loss   mean overlap of those labels with the truth, and their mean 1 - F1
seconds_per_image     beside `everything`, all drawn by hand, and `confirm`, proposals without certificates

The last line of output is one JSON object.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks import datasets
from tests.benchmarks.backbone import DATA, say

datasets.set_up()

from labeling.models import Project  # noqa: E402
from labeling.validation import FEW_IMAGES_SHARE  # noqa: E402
from mlassist.backbones.loading import bundled_stages  # noqa: E402
from mlassist.certificates import bounds  # noqa: E402
from mlassist.certificates.prospects import WORTH_TRYING  # noqa: E402
from mlassist.detectors import learning, matching, teaching  # noqa: E402
from mlassist.detectors.looking import Look  # noqa: E402
from mlassist.detectors.shapes import Shapes  # noqa: E402
from mlassist.detectors.storing import HeldOut, Ready  # noqa: E402
from mlassist.objects import is_worth_showing  # noqa: E402
from mlassist.triggers import FIRST_IN_ALL, SLOW_GROWTH  # noqa: E402
from mlassist.vouching import Case, within  # noqa: E402
from tests.benchmarks.pictures import Pictures, load  # noqa: E402

IMAGE, DRAW, GLANCE, DISCARD = 2.0, 4.0, 0.35, 1.5
CONFIDENCE = 0.95
TAUGHT: dict[tuple[int, ...], teaching.Taught] = {}
MOST_VIEWS = 3_200  # a replay teaches many times


def cost(shown: Shapes | None, truth: Shapes) -> float:
    """Return the seconds that a person takes for an image, with or without a proposal."""
    if shown is None:
        return IMAGE + DRAW * len(truth)
    right = int((matching.pairs(shown, truth) >= 0).sum())
    return IMAGE + GLANCE * len(shown) + DISCARD * (len(shown) - right) + DRAW * (len(truth) - right)


class Replay:
    """One project; `promise` is None where nothing is certified and a person sees every proposal."""

    def __init__(self, pictures: Pictures, promise: str | None, target: float, seed: int) -> None:
        self.pictures, self.promise, self.target, self.seed = pictures, promise, target, seed
        order = np.random.default_rng(seed).permutation(len(pictures))
        count = round(FEW_IMAGES_SHARE * len(pictures))
        self.blind, self.waiting = order[:count].tolist(), order[count:].tolist()
        self.blind_answered: list[int] = []
        self.learned: list[int] = []
        self.labels: dict[int, Shapes] = {}  # automatic ones
        self.seconds, self.attempts, self.taught_with = 0.0, 0, 0
        self.shown: dict[int, Shapes] = {}
        self.last_blind, self.last_labels = 0, 0

    def run(self) -> dict[str, Any]:
        due = FIRST_IN_ALL
        while self.waiting or self.blind:
            self.answer_next()
            if len(self.learned) >= due and self.waiting:
                self.round()
                due = round((1 + SLOW_GROWTH) * len(self.learned))
        total = len(self.pictures)
        truth = [self.pictures.truth[row] for row in self.labels]
        return {
            "seconds_per_image": round(self.seconds / total, 2),
            "auto": round(len(self.labels) / total, 4),
            "auto_iou": round(matching.mean_overlap(list(self.labels.values()), truth), 4) if truth else None,
            "auto_loss": round(float(np.mean(list(map(matching.loss, self.labels.values(), truth)))), 4)
            if truth
            else None,
            "attempts": self.attempts,
        }

    def answer_next(self) -> None:
        """Answer an image, every fifth one blindly as long as there are any."""
        answered = len(self.learned) + len(self.blind_answered)
        blindly = self.blind and (answered % 5 == 4 or not self.waiting)
        row = (self.blind if blindly else self.waiting).pop(0)
        (self.blind_answered if blindly else self.learned).append(row)
        self.seconds += cost(None if blindly else self.shown.get(row), self.pictures.truth[row])

    def round(self) -> None:
        taught = self.taught()
        confidences = [taught.scoring.confidence(each) for each in taught.seen]
        held = HeldOut(list(self.learned), taught.losses, confidences)
        assert not isinstance(taught.finder, teaching.Rival)  # nothing else competes here
        look = Look(taught.finder, taught.ruler)
        ready = Ready(taught.kind, look, taught.scoring, list(range(len(self.pictures.classes))), held)
        if not is_worth_showing(ready):
            return
        seen = {row: look.at(self.pictures.images[row]) for row in self.waiting}
        self.shown = {row: ready.scoring.kept(each.found) for row, each in seen.items()}
        sure = {row: ready.confidence(each) for row, each in seen.items()}
        if self.promise is not None:
            self.certify(ready, look, sure)

    def taught(self) -> teaching.Taught:
        """Teach a detector from what was answered; ways that have the same answers share it."""
        key = (self.seed, *self.learned)
        if key not in TAUGHT:
            some = self.pictures.at(np.array(self.learned))
            lesson = teaching.Lesson(
                teaching.Labeled.of(some.images, some.truth),
                len(some.classes),
                bundled_stages(),
                masks=False,
                seed=self.seed,
                tuned=False,
            )
            TAUGHT[key] = teaching.teach(lesson, say, lambda done, of: None)
        return TAUGHT[key]

    def certify(self, ready: Ready, look: Look, sure: dict[int, float]) -> None:
        grown = bounds.GROWTH * self.last_blind <= len(self.blind_answered)
        if self.attempts >= bounds.MOST_ATTEMPTS or not (
            grown or bounds.GROWTH * self.last_labels <= len(self.learned)
        ):
            return
        case = self.case(ready, look, sure)
        number = self.attempts + 1
        chance = case.chance(number)
        say(
            f"{len(self.learned)} answers, {len(case.losses)} blind with a mean 1 - F1 of "
            f"{case.losses.mean():.3f}: chance {chance:.0%}"
        )
        if chance < WORTH_TRYING:
            return
        self.attempts, self.last_blind, self.last_labels = number, len(self.blind_answered), len(self.learned)
        outcomes = case.outcomes(number)
        thresholds = {name: each.threshold for name, each in outcomes.items()}
        inside = within(thresholds, case.whole, case.pool_scores, case.pool_empty)
        for row, is_in in zip(list(sure), inside.tolist(), strict=True):
            if is_in:
                self.labels[row] = self.shown[row]
                self.waiting.remove(row)
        say(f"attempt {number}: {int(inside.sum())} of {len(sure)} images labeled")

    def case(self, ready: Ready, look: Look, sure: dict[int, float]) -> Case:
        found = [look.at(self.pictures.images[row]) for row in self.blind_answered]
        kept = [ready.scoring.kept(each.found) for each in found]
        losses = [
            matching.loss(each, self.pictures.truth[row])
            for each, row in zip(kept, self.blind_answered, strict=True)
        ]
        shown = list(sure)
        return Case(
            Project(
                target_error=self.target,
                confidence=CONFIDENCE,
                promise=self.promise or Project.Promise.EACH_LABEL,
            ),
            ready,
            {},
            np.array(self.blind_answered),
            np.array(losses),
            np.array([ready.confidence(each) for each in found]),
            np.array([not len(each) for each in kept]),
            0,
            np.array(list(sure.values())),
            np.array([not len(self.shown[row]) for row in shown]),
            [frozenset(self.shown[row].classes.tolist()) for row in shown],
            len(self.labels),
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA / "bccd.zip")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--target", type=float, default=0.10)
    parser.add_argument("--ways", nargs="+", default=["each", "whole", "confirm"])
    parser.add_argument("--quick", action="store_true", help="80 images and few steps: shows that it works")
    options = parser.parse_args()
    pictures = load(options.data)
    learning.MOST_VIEWS = MOST_VIEWS
    if options.quick:
        pictures, learning.FEWEST_VIEWS, learning.MOST_VIEWS = pictures.at(range(80)), 160, 160
    everything = float(np.mean([cost(None, each) for each in pictures.truth]))
    line: dict[str, Any] = {
        "data": pictures.name,
        "images": len(pictures),
        "target": options.target,
        "everything": round(everything, 2),
    }
    for way in options.ways:
        promise = None if way == "confirm" else way
        line[way] = [Replay(pictures, promise, options.target, seed).run() for seed in range(options.seeds)]
        say(f"{way}: {line[way]}")
    print(json.dumps(line))


if __name__ == "__main__":
    main()
