"""Certifying what a model says: when an attempt is made, on which labels, and what the next one takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labeling import answers
from labeling.models import Item, Project
from mlassist import adjudication, attempts, concluding, proving
from mlassist.autolabel import examples
from mlassist.certificates import (
    bounds,
    dataset,
    guards,
    prospects,
    regions,
    sequence,
)
from mlassist.models import Certificate
from mlassist.pool import Pool
from mlassist.predictions import Predictions, chosen
from mlassist.runs import Step
from mlassist.trained import Trained

MOSTLY = 0.5  # of the pool: an attempt that could not cover so much comes too early
SHOWN = 40  # points of the curve of expected errors
WAITING: dict[str, Any] = {"needed": None, "message": "", "in_sight": False}


def drawn(project: Project) -> int:
    """Return how many items the blind draw holds."""
    chosen_items = Item.objects.filter(
        answers.assisted(project), project=project, draw__lt=project.validation_rate, read_at__isnull=False
    )
    return chosen_items.exclude(state__in=("broken", "removed")).count()


@dataclass(frozen=True, slots=True)
class Case:
    """What an attempt goes by: a fresh model, the uniform blind labels, what is certified already.

    `rows` and `labels` are the blind labels; `taken` marks rows of the pool.
    """

    project: Project
    pool: Pool
    trained: Trained
    rows: np.ndarray
    labels: Sequence[tuple[int, ...]]
    earlier: list[Certificate]
    taken: np.ndarray

    @classmethod
    def of(
        cls,
        project: Project,
        pool: Pool,
        trained: Trained,
        rows: np.ndarray,
        labels: Sequence[tuple[int, ...]],
    ) -> "Case":
        earlier = attempts.made_so_far(project)
        return cls(project, pool, trained, rows, labels, earlier, attempts.taken(earlier, project, pool))

    @property
    def number(self) -> int:
        return len(self.earlier) + 1

    @property
    def on_this_backbone(self) -> int:
        return sum(each.model_version.backbone == self.project.backbone for each in self.earlier)

    @property
    def delta(self) -> float:
        return 1 - self.project.confidence

    @property
    def spent(self) -> float:
        return bounds.alpha(self.delta, self.number)

    @property
    def target(self) -> float:
        return self.project.target_error

    @property
    def undecided(self) -> int:
        """How many of the blind images people skipped or do not agree on."""
        return list(self.labels).count(answers.UNDECIDED)

    @property
    def left(self) -> "Case":
        """Return the same without what is certified already."""
        kept = ~self.taken[self.rows]
        labels = [label for label, is_kept in zip(self.labels, kept, strict=True) if is_kept]
        return Case(self.project, self.pool, self.trained, self.rows[kept], labels, self.earlier, self.taken)

    def hindrance(self, blind: int) -> str | None:
        """Return why an attempt makes no sense now; attempts are few, and each must have something new.

        Another backbone is something new, with attempts of its own. They go on being numbered, and so go on
        spending from the same budget: the blind labels are the same.
        """
        version = self.trained.version
        own = [each for each in self.earlier if each.model_version.backbone == version.backbone]
        again = answers.blind_again(self.project)
        if again:
            return f"{again} blind labels were sent back and wait for another answer"
        if len(own) >= bounds.MOST_ATTEMPTS:
            return f"all {bounds.MOST_ATTEMPTS} are used"
        if not own:
            return None
        last = own[-1]
        if (
            blind < bounds.GROWTH * last.evidence["blind_labels"]
            and version.labels < bounds.GROWTH * last.model_version.labels
        ):
            return "blind labels and training labels have hardly grown since the last one"
        return None

    def too_few(self) -> str | None:
        wait = sequence.needed(self.target, self.delta, self.number)
        return f"{len(self.labels)} of {wait} blind labels" if len(self.labels) < wait else None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What training labels and pool say, with classes left out that they warn of: losses and scores."""

    blocked: dict[int, str]
    own_losses: np.ndarray
    own_scores: np.ndarray
    pool: Predictions
    pool_scores: np.ndarray
    counts: np.ndarray
    prospects: prospects.Prospects

    @classmethod
    def of(cls, case: Case) -> "Evidence":
        trained = case.trained
        pool = Predictions.of(trained.head, case.pool.features[~case.taken])
        counts = np.array([sum(int(each) in row for row in trained.labels) for each in trained.head.classes])
        blocked = guarded(trained, counts, pool, case.target, len(case.labels), case.spent)
        blocked |= attempts.withheld_columns(case.project, trained.head.classes)
        own = trained.unprompted_predictions
        losses = own.losses(trained.unprompted_labels)
        scores, pool_scores = own.without(blocked), pool.without(blocked)
        seen = prospects.Prospects.of(losses, scores, pool_scores, case.target)
        return cls(blocked, losses, scores, pool, pool_scores, counts, seen)

    @property
    def unlearned(self) -> str | None:
        """Return why an attempt would be wasted: classes that most images may be of have too few labels."""
        few = np.flatnonzero(self.counts < guards.FEWEST_LABELS)
        share = float(np.isin(self.pool.top, few).mean()) if len(self.pool.top) else 0.0
        if share <= MOSTLY:
            return None
        return f"{share:.0%} of the images look like classes with fewer than {guards.FEWEST_LABELS} labels"

    @property
    def for_prospects(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.own_losses, self.own_scores, self.pool_scores


def certify(
    project: Project,
    pool: Pool,
    trained: Trained,
    rows: np.ndarray,
    labels: Sequence[tuple[int, ...]],
    step: Step,
) -> dict[str, Any]:
    """Attempt a certificate when it is time and likely to hold; returns the outlook for the next one."""
    concluding.recheck(project, pool, rows, labels, step)
    step.metrics["expected_error"] = expected_error(project, pool, trained)
    proof = proving.open_one(project)
    if proof is not None and not concluding.conclude(proof, project, pool, rows, labels, step):
        return WAITING
    case = Case.of(project, pool, trained, rows, labels)
    if case.taken.all():
        return WAITING | {"message": "All that the model proposes is certified"}
    if project.promise == Project.Promise.WHOLE_SET:
        return for_the_whole_set(case, step)
    return for_each_label(case.left, len(rows), step)


def expected_error(project: Project, pool: Pool, trained: Trained) -> list[tuple[float, float]]:
    """Return (share of the pool, error expected among it), surest first, for managers to look ahead.

    Classes that they leave to people are left out.
    """
    own = trained.unprompted_predictions
    whole = Predictions.of(trained.head, pool.features)
    withheld = attempts.withheld_columns(project, trained.head.classes)
    losses = own.losses(trained.unprompted_labels)
    mean = regions.expected_error(
        losses, own.without(withheld), whole.without(withheld), project.target_error
    )
    shares = np.arange(1, SHOWN + 1) / SHOWN
    counts = np.maximum(1, (shares * len(pool)).astype(int))
    known = counts <= len(mean)
    return [
        (round(share, 3), round(error, 4))
        for share, error in zip(shares[known].tolist(), mean[counts[known] - 1].tolist(), strict=True)
    ]


def for_the_whole_set(case: Case, step: Step) -> dict[str, Any]:
    """Attempt the promise that all labels together keep the target, people's counting as right."""
    known = Evidence.of(case)
    problem = case.hindrance(len(case.labels)) or known.unlearned or case.too_few()
    number, made = case.number, case.on_this_backbone
    waits = second_opinions(case, known) if problem is None else None
    problem = problem or waits
    if problem is None:
        head = case.trained.head
        covered, losses = attempts.losses_under(case.earlier, case.project, case.pool, case.rows, case.labels)
        seen = Predictions.of(head, case.pool.features[case.rows])
        scores = np.where(covered, np.inf, seen.without(known.blocked))
        losses = np.where(covered, losses, seen.losses(case.labels))
        pool_scores = np.full(len(case.pool), np.inf)
        pool_scores[~case.taken] = known.pool_scores
        outcome = dataset.attempt(
            scores,
            losses,
            pool_scores,
            target=case.target,
            delta=case.delta,
            number=number,
            blocked=known.blocked,
        )
        threshold = np.inf if outcome.threshold is None else outcome.threshold
        added = (pool_scores >= threshold) & (pool_scores < np.inf)
        attempts.settle(
            attempts.new(case.project, case.trained, number, len(case.rows)),
            outcome,
            head,
            coverage=float(added.mean()),
            allowed_error=dataset.allowed_error(scores, losses, pool_scores, threshold, case.target),
            step=step,
            shown=attempts.shown_beside(scores, losses, pool_scores, case.target)
            | {"undecided": case.undecided}
            | {"classes": attempts.by_class(known.pool.top, added[~case.taken], head.classes)},
        )
        number, made = number + 1, made + 1
    else:
        step.say(f"No certificate attempt: {problem}")
    needed = max(len(case.labels), sequence.needed(case.target, case.delta, number))
    return outlook(case, made, needed, 0) | {"waits": waits is not None}


def for_each_label(case: Case, blind: int, step: Step) -> dict[str, Any]:
    """Attempt the promise that of the labels given, enough are right; `blind` labels are there in all."""
    known = Evidence.of(case)
    number, made = case.number, case.on_this_backbone
    hindrance = case.hindrance(blind) or known.unlearned
    problem = hindrance or case.too_few()
    ladder, chance = known.prospects.ladder(len(case.labels), case.spent)
    if problem is None and chance < prospects.WORTH_TRYING:
        problem = f"it would succeed with a chance of only {chance:.0%}"
    waits = second_opinions(case, known) if problem is None else None
    problem = problem or waits
    if problem is None:
        attempt_uniformly(case, known, ladder, blind, step)
        number, made, hindrance = number + 1, made + 1, "an attempt was just made"
    else:
        step.say(f"No certificate attempt: {problem}")
    least = max(len(case.labels), sequence.needed(case.target, case.delta, number))
    spent = bounds.alpha(case.delta, number)
    needed = known.prospects.labels_to_succeed(least, spent)
    spoken = blind - len(case.labels)
    within_reach = needed is not None and needed + spoken <= drawn(case.project)
    if hindrance is None and not proving.is_too_early(case.trained.version):
        plan = plan_of(case, known, spent)
        # Labels from the whole pool serve to measure the model too, so they are the first choice.
        if plan is not None and (
            needed is None or not within_reach or needed - len(case.labels) > plan.wanted
        ):
            certificate = attempts.new(case.project, case.trained, number, blind)
            certificate.evidence["blocked"] = attempts.reasons(known.blocked, case.trained.head)
            if proving.begin(case.project, certificate, plan.region, plan.free, plan.given, plan.wanted):
                proving.say_begun(step, certificate)
                return WAITING
    return outlook(case, made, needed, spoken) | {"waits": waits is not None}


def second_opinions(case: Case, known: Evidence) -> str | None:
    """Return why an attempt has to wait for second opinions on blind answers."""
    tested, _ = known.prospects.ladder(len(case.labels), case.spent)
    likely = regions.candidate(*known.for_prospects, case.target)
    scores = Predictions.of(case.trained.head, case.pool.features[case.rows]).without(known.blocked)
    return adjudication.of_stream(
        case.project,
        case.pool,
        case.trained,
        case.rows,
        case.labels,
        scores,
        min([*tested.thresholds[:1], *(likely.ladder.thresholds if likely else ())], default=np.inf),
        case.target,
    )


def attempt_uniformly(case: Case, known: Evidence, ladder: sequence.Ladder, blind: int, step: Step) -> None:
    """Test the surest parts of what is left on the labels that were drawn from all of it."""
    head = case.trained.head
    seen = Predictions.of(head, case.pool.features[case.rows])
    scores, losses = seen.without(known.blocked), seen.losses(case.labels)
    outcome = sequence.attempt(
        scores,
        losses,
        seen.top,
        ladder,
        target=case.target,
        delta=case.delta,
        number=case.number,
        blocked=known.blocked,
    )
    attempts.settle_region(
        attempts.new(case.project, case.trained, case.number, blind),
        outcome,
        case.pool,
        known.pool,
        step,
        attempts.shown_beside(scores, losses, known.pool_scores, case.target) | {"undecided": case.undecided},
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """A region to prove, the unlabeled images in it, its blind labels so far, and how many it takes."""

    region: regions.Region
    free: proving.Candidates
    given: proving.Candidates
    wanted: int


def plan_of(case: Case, known: Evidence, spent: float) -> Plan | None:
    """Return the region to prove next; None if none is in reach or worth its labels."""
    region = regions.candidate(known.own_losses, known.own_scores, known.pool_scores, case.target)
    if region is None:
        return None
    items = np.setdiff1d(answers.unlabeled(case.project), examples.items(case.project))
    rows, places = case.pool.find(items)
    open_rows = ~case.taken[rows]
    lowest = float(region.ladder.thresholds[-1])
    free = candidates(case, rows[open_rows], items[places][open_rows], known.blocked, lowest)
    budget = (1 - proving.EARLY) * spent
    planned = regions.plan(region, len(free.items), case.target, budget)
    if planned is None:
        return None
    given = candidates(case, case.rows, case.pool.ids[case.rows], known.blocked, lowest)
    return Plan(planned.region, free, given, planned.labels)


def candidates(
    case: Case, rows: np.ndarray, items: np.ndarray, blocked: dict[int, str], lowest: float
) -> proving.Candidates:
    """Return the items whose score is in a region, with what the model says of them."""
    seen = Predictions.of(case.trained.head, case.pool.features[rows])
    scores = seen.without(blocked)
    inside = scores >= lowest
    said = [tuple(each) for each, is_in in zip(chosen(seen), inside, strict=True) if is_in]
    return proving.Candidates(items[inside], scores[inside], said)


def guarded(
    trained: Trained, counts: np.ndarray, whole: Predictions, target: float, n: int, spent: float
) -> dict[int, str]:
    """Return the class columns that training data alone warns of, with the reason."""
    size = len(counts)
    if trained.head.multilabel:
        return guards.guard(counts, np.zeros(size), np.zeros(size), target)
    own, wrong = (
        trained.unprompted_predictions,
        trained.unprompted_predictions.wrong(trained.unprompted_labels),
    )
    shares = sequence.coverages(n, bounds.fewest(target, spent))
    sure = own.confidence >= np.quantile(whole.confidence, 1 - (shares[0] if len(shares) else 1.0))
    return guards.guard(
        counts,
        np.bincount(own.top[sure], minlength=size),
        np.bincount(own.top[sure & wrong], minlength=size),
        target,
    )


def outlook(case: Case, made: int, needed: int | None, spoken: int) -> dict[str, Any]:
    """Return {needed, message, in_sight}: what the next attempt takes; without a message the count tells it.

    So many attempts were made with this backbone; `spoken` blind labels have served a certificate already.
    `in_sight`: nothing but blind labels is missing.
    """
    if made >= bounds.MOST_ATTEMPTS:
        return WAITING | {"message": "All attempts are used; the last certificate stands"}
    if needed is None:
        message = (
            "On labels that it learns from, each held out once, the model errs too often for a certificate to"
            " be in sight: more of them help most"
        )
        return WAITING | {"message": message}
    available = drawn(case.project)
    if needed + spoken > available:
        message = (
            f"It would take about {needed + spoken:,} blind labels, and {available:,} images are drawn for"
            " them: after more labels to learn from, a part is proved on labels of its own"
        )
        return WAITING | {"needed": needed + spoken, "message": message}
    return WAITING | {"needed": needed + spoken, "in_sight": needed > len(case.labels)}
