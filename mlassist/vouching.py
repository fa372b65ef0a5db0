"""Certificates for whole images of boxes or outlines: what a detector shows agrees with people.

The loss of an image is 1 - F1 at an overlap of one half; its mean is bounded by betting on blind answers. If
there are few objects on each image, any difference makes it wrong, and the bound of such losses is exact.
Images on which nothing is found are another kind of claim, so that they are tested by themselves, with half
of the attempt's budget.
"""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from labeling import answers, suggestions
from labeling.models import Item, LabelClass, Project, QueueEntry, Suggestion
from mlassist import attempts
from mlassist.certificates import bounds, comparison, dataset, sequence
from mlassist.certificates.guards import FEWEST_LABELS
from mlassist.certificates.prospects import WORTH_TRYING
from mlassist.certificates.sequence import Ladder, Outcome
from mlassist.models import Certificate, ModelVersion
from mlassist.runs import Step

if TYPE_CHECKING:
    from mlassist.objects import Blind, Detector, Surveyed

Inside = Callable[[Certificate, list[int]], set[int]]

EMPTY_FROM = 0.01  # of the pool: fewer images without anything are left to people
TRIALS = 200  # draws of held-out losses that tell how likely a test passes
FEWEST_BLIND = 1.6  # times the fewest that could prove the target


def blind_draw(project: Project) -> int:
    """Return how many readable items the blind draw holds."""
    drawn = Item.objects.filter(
        answers.assisted(project), project=project, draw__lt=project.validation_rate, read_at__isnull=False
    )
    return drawn.exclude(state__in=("broken", "removed")).count()


def shown_by_others(project: Project, version: ModelVersion) -> set[int]:
    """Return the items that wait as certified by another version's certificate: their proposals stay."""
    others = Certificate.objects.filter(project=project, state=Certificate.State.VALID).exclude(
        model_version=version
    )
    waiting = QueueEntry.objects.filter(
        project=project, kind="prelabeled", certificate__in=list(others.values_list("id", flat=True))
    )
    return set(waiting.values_list("item_id", flat=True))


def attempt(
    project: Project,
    version: ModelVersion,
    ready: "Detector",
    blind: "Blind",
    surveyed: "Surveyed",
    inside: Inside,
    step: Step,
) -> Certificate | None:
    """Attempt a certificate when it is time and likely to hold; returns the one that this version has.

    `inside` tells which of some items an earlier certificate covers.
    """
    own = Certificate.objects.filter(
        project=project, model_version=version, state=Certificate.State.VALID
    ).first()
    if own is not None:
        return own if own.promises_enough(project) else None
    earlier = attempts.made_so_far(project)
    number = len(earlier) + 1
    spent = bounds.alpha(1 - project.confidence, number)
    needed = math.ceil(FEWEST_BLIND * bounds.fewest(project.target_error, spent))
    problem = hindrance(project, version, earlier, blind)
    if problem is None and len(blind.items) < needed:
        problem = f"{len(blind.items)} of {needed} blind labels"
    case = Case.of(project, ready, blind, surveyed, taken(earlier, blind, inside))
    chance = 0.0
    if problem is None:
        chance = case.chance(number)
        if chance < WORTH_TRYING:
            problem = f"it would succeed with a chance of only {chance:.0%}"
    note(version, needed, len(blind.items), problem)
    if problem is not None:
        step.say(f"No certificate attempt: {problem}")
        return None
    row = case.settle(version, number, step)
    return row if row.state == Certificate.State.VALID else None


def note(version: ModelVersion, needed: int, blind: int, problem: str | None) -> None:
    """Keep what the next attempt takes, for dashboards, and for the loop to know when it is time."""
    outlook = {"needed": needed, "message": "", "in_sight": blind < needed, "waits": False}
    if problem and "chance" in problem:
        outlook["message"] = "The model does not agree with people well enough yet"
    elif needed > (drawn := blind_draw(version.project)):
        outlook["message"] = (
            f"It would take {needed:,} blind labels, and {drawn:,} images are drawn for them: import more, or"
            " promise less"
        )
    version.metrics = {**version.metrics, "outlook": outlook}
    version.save(update_fields=["metrics"])


def hindrance(
    project: Project, version: ModelVersion, earlier: Sequence[Certificate], blind: "Blind"
) -> str | None:
    """Return why an attempt makes no sense now; attempts are few, and each must have something new."""
    again = answers.blind_again(project)
    if again:
        return f"{again} blind labels were sent back and wait for another answer"
    if len(earlier) >= bounds.MOST_ATTEMPTS:
        return f"all {bounds.MOST_ATTEMPTS} are used"
    if not earlier:
        return None
    last = earlier[-1]
    if (
        len(blind.items) < bounds.GROWTH * last.evidence["blind_labels"]
        and version.labels < bounds.GROWTH * last.model_version.labels
    ):
        return "blind labels and training labels have hardly grown since the last one"
    return None


def taken(earlier: Sequence[Certificate], blind: "Blind", inside: Inside) -> set[int]:
    """Return the blind items that earlier certificates cover: what these have labeled is out of the pool."""
    found: set[int] = set()
    for each in attempts.standing(earlier):
        found |= set(each.evidence["inside"])
        later = np.setdiff1d(blind.items, each.evidence["judged"]).tolist()
        found |= inside(each, later) if later else set()
    return found


@dataclass(frozen=True, slots=True)
class Case:
    """What an attempt goes by: the blind images in random order, and those that wait (`pool_…`).

    Images that show a class left to people have a score of -inf. `empty` are those on which nothing is found.
    """

    project: Project
    ready: "Detector"
    blocked: dict[int, str]
    items: np.ndarray
    losses: np.ndarray
    scores: np.ndarray
    empty: np.ndarray
    undecided: int
    pool_scores: np.ndarray
    pool_empty: np.ndarray
    pool_classes: list[frozenset[int]]
    labeled: int = 0  # images that earlier certificates have labeled

    @classmethod
    def of(
        cls,
        project: Project,
        ready: "Detector",
        blind: "Blind",
        surveyed: "Surveyed",
        gone: Collection[int],
    ) -> "Case":
        blocked = blocked_classes(project, ready)
        kept = np.flatnonzero([item not in gone for item in blind.items.tolist()])
        order = np.random.default_rng(project.seed % 2**32).permutation(kept)
        return cls(
            project,
            ready,
            blocked,
            blind.items[order],
            blind.losses[order],
            scores_of(blind.confidences.tolist(), blind.classes, blocked)[order],
            np.array([not each for each in blind.classes], bool)[order],
            blind.undecided,
            scores_of(surveyed.confidences, surveyed.classes, blocked),
            np.array([not each for each in surveyed.classes], bool),
            surveyed.classes,
            suggestions.count_auto_labels(project),
        )

    @property
    def target(self) -> float:
        return self.project.target_error

    @property
    def delta(self) -> float:
        return 1 - self.project.confidence

    @property
    def whole(self) -> bool:
        return self.project.promise == Project.Promise.WHOLE_SET

    @property
    def strata(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return which blind and which waiting images belong to each claim."""
        found = {"objects": (~self.empty, ~self.pool_empty)}
        if self.pool_empty.mean() >= EMPTY_FROM:
            found["empty"] = (self.empty, self.pool_empty)
        return found

    def ladder(self, own: np.ndarray, of_pool: np.ndarray, spent: float) -> tuple[Ladder, float]:
        """Return (the regions to test, the chance that any passes), beginning with the likeliest.

        Images held out of training choose it, so that it is fixed before the blind answers are looked at.
        """
        whole = sequence.over_the_pool(self.pool_scores[of_pool], int(own.sum()), self.target, spent)
        held = self.ready.held_out
        losses, confidences = np.array(held.losses), np.array(held.confidences)
        chances = [
            chance(losses[confidences >= threshold], round(share * own.sum()), self.target, spent)
            for threshold, share in zip(whole.thresholds.tolist(), whole.coverages.tolist(), strict=True)
        ]
        if not chances:
            return whole, 0.0
        first = int(np.argmax(chances))
        return Ladder(whole.thresholds[first:], whole.coverages[first:]), chances[first]

    def chance(self, number: int) -> float:
        spent = bounds.alpha(self.delta, number)
        if self.whole:
            held = self.ready.held_out
            return chance_of_whole(
                np.array(held.losses), np.array(held.confidences), len(self.losses), self.target, spent
            )
        strata = self.strata
        return max(self.ladder(own, of_pool, spent / len(strata))[1] for own, of_pool in strata.values())

    def settle(self, version: ModelVersion, number: int, step: Step) -> Certificate:
        """Test, and write down what came of it."""
        strict = self.ready.held_out.strict
        row = attempts.begun(self.project, version, number, len(self.losses), strict=strict)
        outcomes = self.outcomes(number)
        thresholds = {name: each.threshold for name, each in outcomes.items()}
        best = next((each for each in outcomes.values() if each.passed), next(iter(outcomes.values())))
        inside = self.inside(thresholds, self.scores, self.empty)
        accepted = self.inside(thresholds, self.pool_scores, self.pool_empty)
        if best.passed:
            best.n, best.errors = int(inside.sum()), int((self.losses[inside] > 0).sum())
            best.bound = max(each.bound or 0.0 for each in outcomes.values() if each.passed)
            best.threshold = min(each for each in thresholds.values() if each is not None)
        best.fractional = not strict
        names = dict(LabelClass.objects.filter(project=self.project).values_list("id", "name"))
        coverage = float(accepted.mean()) if len(accepted) else 0.0
        attempts.record(
            row,
            best,
            {str(label): reason for label, reason in self.blocked.items() if label in names},
            coverage=coverage,
            allowed_error=min(0.5, self.target / max(coverage, 1e-9)) if self.whole else self.target,
            step=step,
            shown={
                "curve": comparison.curve(self.scores, self.losses, self.pool_scores),
                "naive": comparison.naive(self.scores, self.losses, self.pool_scores, self.target),
                "thresholds": thresholds,
                "undecided": self.undecided,
                "mean_loss": round(float(self.losses[inside].mean()), 4) if inside.any() else None,
                "inside": self.items[inside].tolist(),
                "judged": self.items.tolist(),
                "classes": self.by_class(accepted),
                "strata": {
                    name: [asdict(each) | {"bound": round(each.bound, 5)} for each in outcome.steps]
                    for name, outcome in outcomes.items()
                },
            },
        )
        return row

    def outcomes(self, number: int) -> dict[str, Outcome]:
        """Return what the tests of an attempt find, by claim."""
        if self.whole:
            return {"objects": self.test_whole(number)}
        strata = self.strata
        return {
            name: self.test(own, of_pool, number, 1 / len(strata)) for name, (own, of_pool) in strata.items()
        }

    def test(self, own: np.ndarray, of_pool: np.ndarray, number: int, share: float) -> Outcome:
        spent = share * bounds.alpha(self.delta, number)
        ladder, _ = self.ladder(own, of_pool, spent)
        return sequence.attempt(
            self.scores[own],
            self.losses[own],
            np.zeros(int(own.sum()), int),
            ladder,
            target=self.target,
            delta=self.delta,
            number=number,
            share=share,
        )

    def test_whole(self, number: int) -> Outcome:
        pool = np.concatenate([np.full(self.labeled, np.inf), self.pool_scores])
        return dataset.attempt(
            self.scores, self.losses, pool, target=self.target, delta=self.delta, number=number
        )

    def inside(
        self, thresholds: dict[str, float | None], scores: np.ndarray, empty: np.ndarray
    ) -> np.ndarray:
        return within(thresholds, self.whole, scores, empty)

    def by_class(self, accepted: np.ndarray) -> dict[str, dict[str, int]]:
        """Return per class id on how many waiting images it is shown, and on how many of those accepted."""
        counts = {str(each): {"images": 0, "accepted": 0} for each in self.ready.classes}
        for shown, is_in in zip(self.pool_classes, accepted.tolist(), strict=True):
            for each in shown:
                counts[str(each)]["images"] += 1
                counts[str(each)]["accepted"] += int(is_in)
        return counts


def scores_of(
    confidences: Sequence[float], classes: Sequence[frozenset[int]], blocked: Collection[int]
) -> np.ndarray:
    """Return how sure the detector is of each image, -inf where it shows a class that is left to people."""
    left = set(blocked)
    both = zip(confidences, classes, strict=True)
    return np.array([-np.inf if shown & left else confidence for confidence, shown in both], float)


def within(
    thresholds: dict[str, float | None], whole: bool, scores: np.ndarray, empty: np.ndarray
) -> np.ndarray:
    """Return which images are certified, (n,): those with objects and those without by a threshold each."""
    least = {name: np.inf if value is None else value for name, value in thresholds.items()}
    if whole:
        return scores >= least["objects"]
    return np.where(empty, scores >= least.get("empty", np.inf), scores >= least["objects"])


def chance(losses: np.ndarray, count: int, target: float, spent: float) -> float:
    """Return how often so many losses like those held out prove a target."""
    if not len(losses) or count < bounds.fewest(target, spent):
        return 0.0
    rng = np.random.default_rng(0)
    draws = rng.choice(losses, (TRIALS, count))
    return float(np.mean([bounds.fortune(each, target, spent) >= 1 / spent for each in draws]))


def chance_of_whole(
    losses: np.ndarray, confidences: np.ndarray, count: int, target: float, spent: float
) -> float:
    """Return how often the surest tenth, at least, is proved for the whole set."""
    if not len(losses):
        return 0.0
    sure = confidences >= np.quantile(confidences, 0.9)
    return chance(np.where(sure, losses, 0.0), count, target, spent)


def blocked_classes(project: Project, ready: "Detector") -> dict[int, str]:
    """Return the classes whose images are left to people, with the reason."""
    few = answers.objects_of(project)
    blocked = {
        label: f"fewer than {FEWEST_LABELS} objects to learn from"
        for label in ready.classes
        if few.get(label, 0) < FEWEST_LABELS
    }
    withheld = attempts.withheld_columns(project, np.array(ready.classes))
    return blocked | {ready.classes[column]: reason for column, reason in withheld.items()}


def covered(certificate: Certificate | None, surveyed: "Surveyed") -> list[int]:
    """Return the waiting items that a certificate covers.

    Images of a later import were not among those that it was proved on: they wait for the next one.
    """
    if certificate is None:
        return []
    blocked = {int(label) for label in certificate.evidence["blocked"]}
    left = blocked | set(attempts.withheld_ids(certificate.project))
    scores = scores_of(surveyed.confidences, surveyed.classes, left)
    empty = np.array([not each for each in surveyed.classes], bool)
    whole = certificate.promise == Project.Promise.WHOLE_SET
    inside = within(certificate.evidence["thresholds"], whole, scores, empty)
    later = Item.objects.filter(
        project=certificate.project, created_at__gt=certificate.created_at
    ).values_list("id", flat=True)
    foreign = set(later)
    return [
        item
        for item, is_in in zip(surveyed.items, inside.tolist(), strict=True)
        if is_in and item not in foreign
    ]


def proposals(certificate: Certificate, items: Collection[int]) -> list[Suggestion]:
    """Return the stored proposals of a certificate's own version."""
    own = Suggestion.objects.filter(item__in=list(items), model_version=certificate.model_version.number)
    return list(own)
