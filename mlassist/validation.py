"""Judging a model on the blind labels, and attempting a certificate on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import transaction

from labeling import answers, suggestions
from labeling.models import Event, Item, Project
from mlassist import certificates
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


def judge(project: Project, pool: Pool, trained: Trained, step: Step, *, requested: bool) -> None:
    """Measure accuracy and calibration, then attempt a certificate if it is time."""
    rows, labels = pool.labeled(project, answers.validation(project))
    seen = Predictions.of(trained.head, pool.features[rows])
    wrong = seen.wrong(labels)
    step.metrics = measures(wrong, seen.confidence)
    step.say(f"{len(rows)} blind labels, {int(wrong.sum())} errors")
    step.progress(1)
    version = trained.version
    version.metrics = {**version.metrics, **step.metrics}
    outcome = certify(project, pool, trained, rows, labels, step, requested=requested)
    version.metrics["outlook"] = outlook(project, outcome, len(rows))
    version.save(update_fields=["metrics"])
    if len(rows) >= ALL_BUT_FEW * drawn(project):
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
        "low": round(1 - certificates.upper_bound(errors, n, INTERVAL / 2), 4),
        "high": round(1 - certificates.lower_bound(errors, n, INTERVAL / 2), 4),
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
    *,
    requested: bool,
) -> certificates.Outcome | None:
    """Attempt a certificate when it is time and likely to hold; returns the outcome of an attempt."""
    earlier = list(
        Certificate.objects.filter(project=project).select_related("model_version").order_by("attempt")
    )
    number = len(earlier) + 1
    delta, target = 1 - project.confidence, project.target_error
    # What earlier certificates have taken is no longer in the pool, so neither may it speak for the rest.
    taken = np.zeros(len(pool), bool)
    for each in earlier:
        if each.state in (Certificate.State.VALID, Certificate.State.SUPERSEDED):
            taken |= region(each, pool.features)[0]
    left = ~taken[rows]
    problem = too_early(project, trained.version, earlier, int(left.sum()), len(rows))
    if problem:
        step.say(f"No certificate attempt: {problem}")
        return None
    spent = certificates.alpha(delta, number)
    labels = [label for label, is_left in zip(labels, left, strict=True) if is_left]
    seen = Predictions.of(trained.head, pool.features[rows[left]])
    whole = Predictions.of(trained.head, pool.features[~taken])
    blocked = guarded(trained, whole, target, len(labels), spent)
    own = Predictions.from_probabilities(trained.head, trained.out_of_fold)
    chance = certificates.chance_to_pass(
        own.wrong(trained.labels), own.without(blocked), whole.without(blocked), len(labels), target, spent
    )
    if chance < certificates.WORTH_TRYING and not requested:
        step.say(f"No certificate attempt yet: it would succeed with a chance of only {chance:.0%}")
        return None
    outcome = certificates.attempt(
        seen.without(blocked),
        seen.wrong(labels),
        seen.top,
        whole.without(blocked),
        target=target,
        delta=delta,
        number=number,
        blocked=blocked,
    )
    outcome_row = keep(project, trained, outcome, len(rows), whole)
    step.say(f"Certificate attempt {number}: {outcome_row.sentence}")
    step.metrics["certificate"] = outcome_row.sentence
    return outcome


def too_early(
    project: Project, version: ModelVersion, earlier: Sequence[Certificate], left: int, n: int
) -> str | None:
    """Return why an attempt cannot be made now; attempts are few, and each must have something new."""
    if len(earlier) >= certificates.MOST_ATTEMPTS:
        return f"all {certificates.MOST_ATTEMPTS} are used"
    wait = certificates.needed(project.target_error, 1 - project.confidence, len(earlier) + 1)
    if left < wait:
        return f"{left} of {wait} blind labels"
    if not earlier:
        return None
    last = earlier[-1]
    if (
        n < certificates.GROWTH * last.evidence["blind_labels"]
        and version.labels < certificates.GROWTH * last.model_version.labels
    ):
        return "blind labels and training labels have hardly grown since the last one"
    return None


def guarded(trained: Trained, whole: Predictions, target: float, n: int, spent: float) -> dict[int, str]:
    """Return the class columns that training data alone warns of, with the reason."""
    own = Predictions.from_probabilities(trained.head, trained.out_of_fold)
    counts = np.array([sum(int(label) in row for row in trained.labels) for label in trained.head.classes])
    size = len(counts)
    if trained.head.multilabel:
        return certificates.guard(counts, np.zeros(size), np.zeros(size), target)
    shares = certificates.coverages(n, certificates.fewest(target, spent))
    sure = own.confidence >= np.quantile(whole.confidence, 1 - shares[0])
    wrong = own.wrong(trained.labels)
    return certificates.guard(
        counts,
        np.bincount(own.top[sure], minlength=size),
        np.bincount(own.top[sure & wrong], minlength=size),
        target,
    )


def keep(
    project: Project, trained: Trained, outcome: certificates.Outcome, blind: int, whole: Predictions
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


def region(certificate: Certificate, features: np.ndarray) -> tuple[np.ndarray, Predictions]:
    """Return (whether each row is in what the certificate covers, what its own model says of the rows)."""
    head = load_head(certificate.model_version)
    seen = Predictions.of(head, features)
    blocked = [
        column for column, label in enumerate(head.classes) if str(label) in certificate.evidence["blocked"]
    ]
    return seen.without(blocked) >= certificate.threshold, seen


def outlook(project: Project, outcome: certificates.Outcome | None, n: int) -> dict[str, Any]:
    """Return {needed, message}: how many blind labels the next attempt takes, or what else it waits for."""
    attempts = Certificate.objects.filter(project=project).count()
    if attempts >= certificates.MOST_ATTEMPTS:
        return {"needed": None, "message": "All attempts are used; the last certificate stands"}
    least = certificates.needed(project.target_error, 1 - project.confidence, attempts + 1)
    if outcome is not None and not outcome.passed:
        estimate = certificates.more_labels(outcome)
        if estimate is None:
            return {"needed": None, "message": "The model errs too often: labels to learn from help most"}
        least = max(least, estimate)
    message = "" if least > n else "The model must become surer before the next attempt"
    return {"needed": least, "message": message}
