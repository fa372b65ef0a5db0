"""Judging a model on the blind labels, and attempting a certificate on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import transaction

from labeling import answers, suggestions
from labeling.models import Annotation, Event, Item, Project
from mlassist.certificates import bounds, guards, prospects, sequence
from mlassist.finetuning import learned_from
from mlassist.heads import Head
from mlassist.models import Certificate, ModelVersion
from mlassist.pool import Pool, load_head
from mlassist.predictions import Predictions
from mlassist.runs import Step

LATER_SHARE = 0.05  # of the answers, once the blind labels suffice
ALL_BUT_FEW = 0.95  # of the validation items: the rest may be skipped or in somebody's hands
INTERVAL = 0.05


@dataclass(frozen=True, slots=True)
class Trained:
    """A model version with its out-of-fold probabilities for the training rows.

    `unprompted` (n,) marks the labels that people gave without seeing a proposal.
    """

    version: ModelVersion
    head: Head
    out_of_fold: np.ndarray
    rows: np.ndarray
    labels: list[tuple[int, ...]]
    unprompted: np.ndarray

    @property
    def unprompted_predictions(self) -> Predictions:
        """What the model says, out of fold, of images that people labeled by themselves."""
        return Predictions.from_probabilities(self.head, self.out_of_fold[self.unprompted])

    @property
    def unprompted_labels(self) -> list[tuple[int, ...]]:
        return [label for label, own in zip(self.labels, self.unprompted, strict=True) if own]


def judge(project: Project, pool: Pool, trained: Trained, step: Step) -> None:
    """Measure accuracy and calibration, then attempt a certificate if it is time."""
    blind = answers.validation(project)
    # A later, larger draw may hold items that the backbone itself has learned from.
    rows, labels = pool.labeled(project, blind.without(learned_from(project.backbone)))
    seen = Predictions.of(trained.head, pool.features[rows])
    wrong = seen.wrong(labels)
    step.metrics = measures(wrong, seen.confidence)
    step.say(f"{len(rows)} blind labels, {int(wrong.sum())} errors")
    step.progress(1)
    version = trained.version
    version.metrics = {**version.metrics, **step.metrics}
    version.metrics["outlook"] = certify(project, pool, trained, rows, labels, step)
    version.save(update_fields=["metrics"])
    if len(blind) >= ALL_BUT_FEW * drawn(project):
        suggestions.set_validation_share(project, LATER_SHARE)


def measures(wrong: np.ndarray, confidence: np.ndarray) -> dict[str, Any]:
    """Return accuracy with its 95 % interval, and the expected calibration error."""
    n, errors = len(wrong), int(wrong.sum())
    if not n:
        return {"validation_n": 0}
    bins = np.minimum((confidence * 10).astype(int), 9)
    gaps = np.abs(np.bincount(bins, (1.0 - wrong) - confidence, minlength=10))
    return {
        "validation_n": n,
        "accuracy": round(1 - errors / n, 4),
        "low": round(1 - bounds.upper_bound(errors, n, INTERVAL / 2), 4),
        "high": round(1 - bounds.lower_bound(errors, n, INTERVAL / 2), 4),
        "calibration_error": round(float(gaps.sum()) / n, 4),
    }


def drawn(project: Project) -> int:
    """Return how many items the blind draw holds."""
    chosen = Item.objects.filter(project=project, draw__lt=project.validation_rate, read_at__isnull=False)
    return chosen.exclude(state__in=("broken", "removed", "skipped")).count()


def certify(
    project: Project,
    pool: Pool,
    trained: Trained,
    rows: np.ndarray,
    labels: Sequence[tuple[int, ...]],
    step: Step,
) -> dict[str, Any]:
    """Attempt a certificate when it is time and likely to hold; returns the outlook for the next one."""
    earlier = list(
        Certificate.objects.filter(project=project).select_related("model_version").order_by("attempt")
    )
    number = len(earlier) + 1
    attempts = sum(each.model_version.backbone == project.backbone for each in earlier)
    delta, target = 1 - project.confidence, project.target_error
    # What earlier certificates have taken is no longer in the pool, so neither may it speak for the rest.
    taken = np.zeros(len(pool), bool)
    for each in earlier:
        if each.state in (Certificate.State.VALID, Certificate.State.SUPERSEDED):
            taken |= taken_by(each, project, pool)
    if taken.all():
        return {"needed": None, "message": "All that the model proposes is certified"}
    left = ~taken[rows]
    labels = [label for label, is_left in zip(labels, left, strict=True) if is_left]
    problem = too_early(project, trained.version, earlier, len(labels), len(rows))
    spent = bounds.alpha(delta, number)
    whole = Predictions.of(trained.head, pool.features[~taken])
    blocked = guarded(trained, whole, target, len(labels), spent)
    own = trained.unprompted_predictions
    evidence = (own.wrong(trained.unprompted_labels), own.without(blocked), whole.without(blocked))
    chance = prospects.chance_to_pass(*evidence, len(labels), target, spent)
    if problem is None and chance < prospects.WORTH_TRYING:
        problem = f"it would succeed with a chance of only {chance:.0%}"
    if problem is not None:
        step.say(f"No certificate attempt: {problem}")
    else:
        seen = Predictions.of(trained.head, pool.features[rows[left]])
        outcome = sequence.attempt(
            seen.without(blocked),
            seen.wrong(labels).astype(float),
            seen.top,
            sequence.over_the_pool(whole.without(blocked), len(labels), target, spent),
            target=target,
            delta=delta,
            number=number,
            blocked=blocked,
        )
        certificate = keep(project, trained, outcome, len(rows), whole)
        step.say(f"Certificate attempt {number}: {certificate.sentence}")
        step.metrics["certificate"] = certificate.sentence
        number, attempts = number + 1, attempts + 1
    least = max(len(labels), sequence.needed(target, delta, number))
    needed = prospects.labels_to_succeed(*evidence, least, target, bounds.alpha(delta, number))
    return outlook(project, attempts, needed, len(rows), len(rows) - len(labels))


def too_early(
    project: Project, version: ModelVersion, earlier: Sequence[Certificate], left: int, n: int
) -> str | None:
    """Return why an attempt cannot be made now; attempts are few, and each must have something new.

    Another backbone is something new, with attempts of its own. They go on being numbered, and so go on
    spending from the same budget: the blind labels are the same.
    """
    own = [each for each in earlier if each.model_version.backbone == version.backbone]
    if len(own) >= bounds.MOST_ATTEMPTS:
        return f"all {bounds.MOST_ATTEMPTS} are used"
    wait = sequence.needed(project.target_error, 1 - project.confidence, len(earlier) + 1)
    if left < wait:
        return f"{left} of {wait} blind labels"
    if not own:
        return None
    last = own[-1]
    if (
        n < bounds.GROWTH * last.evidence["blind_labels"]
        and version.labels < bounds.GROWTH * last.model_version.labels
    ):
        return "blind labels and training labels have hardly grown since the last one"
    return None


def guarded(trained: Trained, whole: Predictions, target: float, n: int, spent: float) -> dict[int, str]:
    """Return the class columns that training data alone warns of, with the reason."""
    counts = np.array([sum(int(label) in row for row in trained.labels) for label in trained.head.classes])
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


def keep(
    project: Project, trained: Trained, outcome: sequence.Outcome, blind: int, whole: Predictions
) -> Certificate:
    """Write an attempt down; a certificate that holds takes the place of the one before."""
    classes = trained.head.classes
    certified = Certificate(
        project=project,
        model_version=trained.version,
        attempt=outcome.attempt,
        state=Certificate.State.VALID if outcome.passed else Certificate.State.REFUSED,
        target_error=outcome.target,
        confidence=1 - outcome.delta,
        alpha=outcome.alpha,
        threshold=outcome.threshold,
        n=outcome.n,
        errors=outcome.errors,
        bound=outcome.bound,
        n_validation=outcome.n_validation,
        sentence=outcome.sentence,
        evidence={
            "steps": [
                {
                    "coverage": each.coverage,
                    "threshold": each.threshold,
                    "n": each.n,
                    "errors": each.errors,
                    "bound": round(each.bound, 5),
                    "passed": each.passed,
                }
                for each in outcome.steps
            ],
            "blind_labels": blind,
            "blocked": {str(classes[column]): reason for column, reason in outcome.blocked.items()},
        },
    )
    if outcome.passed:
        certified.coverage = float((whole.without(outcome.blocked) >= outcome.threshold).mean())
    with transaction.atomic():
        if outcome.passed:
            Certificate.objects.filter(project=project, state=Certificate.State.VALID).update(
                state=Certificate.State.SUPERSEDED
            )
        certified.save()
        Event.record(
            "certificate",
            project,
            certificate=certified.pk,
            state=certified.state,
            sentence=certified.sentence,
        )
    return certified


def taken_by(certificate: Certificate, project: Project, pool: Pool) -> np.ndarray:
    """Return which rows of the pool a certificate has taken out of what is left to certify.

    One from before a change of backbone labels nothing more, so it has taken only what it has labeled; where
    it has labeled, its whole region is left out, since blind labels must be drawn like the images they speak
    for.
    """
    version = certificate.model_version
    if version.backbone == project.backbone:
        return region(certificate, pool.features)[0]
    taken = np.zeros(len(pool), bool)
    labeled = Annotation.objects.filter(
        project=project, certificate=certificate.pk, source=Annotation.Source.AUTO, withdrawn_at=None
    )
    if labeled.exists():
        before = Pool.of(project, version.backbone)
        rows, _ = pool.find(before.ids[region(certificate, before.features)[0]])
        taken[rows] = True
    return taken


def region(certificate: Certificate, features: np.ndarray) -> tuple[np.ndarray, Predictions]:
    """Return (whether each row is in what the certificate covers, what its own model says of the rows)."""
    head = load_head(certificate.model_version)
    seen = Predictions.of(head, features)
    blocked = [
        column for column, label in enumerate(head.classes) if str(label) in certificate.evidence["blocked"]
    ]
    return seen.without(blocked) >= certificate.threshold, seen


def outlook(project: Project, attempts: int, needed: int | None, n: int, spoken: int) -> dict[str, Any]:
    """Return {needed, message}: what the next attempt takes; an empty message leaves it to the count.

    `attempts` were made with this backbone; `n` blind labels are there, `spoken` of them have served a
    certificate already.
    """
    if attempts >= bounds.MOST_ATTEMPTS:
        return {"needed": None, "message": "All attempts are used; the last certificate stands"}
    if needed is None:
        return {"needed": None, "message": "The model errs too often: more labels to learn from help most"}
    available = drawn(project)
    if needed + spoken > available:
        message = (
            f"It would take about {needed + spoken} blind labels, and {available} images are drawn for them:"
            " more labels to learn from help sooner"
        )
        return {"needed": needed + spoken, "message": message}
    return {"needed": needed + spoken, "message": ""}
