"""Attempts to certify as rows: what each covers, and what came of it."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from django.db import transaction

from labeling import announcing
from labeling.models import Annotation, Event, Project
from mlassist import meanings, proving
from mlassist.certificates import bounds, comparison, sequence
from mlassist.heads import Head
from mlassist.models import Certificate, ModelVersion, WithheldClass
from mlassist.pool import Pool, load_head
from mlassist.predictions import Predictions, is_strict
from mlassist.runs import Step
from mlassist.trained import Trained

WITHHELD = "left to people by a manager"


def made_so_far(project: Project) -> list[Certificate]:
    attempts = Certificate.objects.filter(project=project).select_related("model_version")
    return list(attempts.order_by("attempt"))


def new(project: Project, trained: Trained, number: int, blind: int) -> Certificate:
    """Return an unsaved attempt to certify what a model says."""
    return begun(project, trained.version, number, blind, strict=is_strict(trained.head))


def begun(project: Project, version: ModelVersion, number: int, blind: int, *, strict: bool) -> Certificate:
    """Return an unsaved attempt; `strict` if a label is right or wrong as a whole."""
    return Certificate(
        project=project,
        model_version=version,
        attempt=number,
        state=Certificate.State.OPEN,
        promise=project.promise,
        target_error=project.target_error,
        confidence=project.confidence,
        alpha=bounds.alpha(1 - project.confidence, number),
        n_validation=blind,
        sentence="Its blind labels are being given.",
        evidence={"blind_labels": blind, "strict": strict},
    )


def reasons(blocked: dict[int, str], head: Head) -> dict[str, str]:
    return {str(head.classes[column]): reason for column, reason in blocked.items()}


def blocked_columns(certificate: Certificate, head: Head) -> dict[int, str]:
    """Return the class columns that a certificate leaves out, with the reasons."""
    known: dict[str, str] = certificate.evidence["blocked"]
    return {column: known[str(label)] for column, label in enumerate(head.classes) if str(label) in known}


def withheld_columns(project: Project, classes: np.ndarray) -> dict[int, str]:
    """Return the class columns that a manager leaves to people, with that as the reason."""
    return {int(column): WITHHELD for column in np.flatnonzero(np.isin(classes, withheld_ids(project)))}


def withheld_ids(project: Project) -> list[int]:
    """Return the ids of the classes that a manager leaves to people, and of those that nobody can choose."""
    withheld = WithheldClass.objects.filter(project=project).values_list("label_class_id", flat=True)
    return [*withheld, *project.classes.exclude(retired_at=None).values_list("id", flat=True)]


def settle(
    attempt: Certificate,
    outcome: sequence.Outcome,
    head: Head,
    *,
    coverage: float,
    allowed_error: float,
    step: Step,
    shown: dict[str, Any],
) -> None:
    """Write down what came of an attempt of a head."""
    record(
        attempt,
        outcome,
        reasons(outcome.blocked, head),
        coverage=coverage,
        allowed_error=allowed_error,
        step=step,
        shown=shown,
    )


def record(
    attempt: Certificate,
    outcome: sequence.Outcome,
    blocked: dict[str, str],
    *,
    coverage: float,
    allowed_error: float,
    step: Step,
    shown: dict[str, Any],
) -> None:
    """Write down what came of an attempt; a certificate that holds takes the place of the one before.

    `blocked` are reasons by class id, `shown` is what people see beside the test.
    """
    attempt.threshold, attempt.bound = outcome.threshold, outcome.bound
    attempt.n, attempt.errors = outcome.n, outcome.errors
    attempt.n_validation, attempt.sentence = outcome.n_validation, outcome.sentence
    attempt.evidence |= {
        "steps": [asdict(each) | {"bound": round(each.bound, 5)} for each in outcome.steps],
        "blocked": blocked,
        **shown,
    }
    if outcome.passed:
        attempt.coverage, attempt.allowed_error = coverage, allowed_error
    with transaction.atomic():
        # A change of classes meanwhile waits for this, and ends the certificate; or it has come before.
        Project.objects.select_for_update(no_key=True).get(pk=attempt.project_id)
        holds = outcome.passed and not meanings.is_outdated(attempt.model_version)
        attempt.state = Certificate.State.VALID if holds else Certificate.State.REFUSED
        if outcome.passed and not holds:
            attempt.reason = attempt.sentence = meanings.ENDED
        if holds:
            Certificate.objects.filter(project=attempt.project, state=Certificate.State.VALID).update(
                state=Certificate.State.SUPERSEDED
            )
        attempt.save()
        Event.record(
            "certificate",
            attempt.project,
            certificate=attempt.pk,
            attempt=attempt.attempt,
            state=attempt.state,
            sentence=attempt.sentence,
        )
        if outcome.passed:
            announcing.announce(
                "certificate_passed",
                attempt.project,
                key=f"certificate:{attempt.pk}",
                certificate=attempt.pk,
                attempt=attempt.attempt,
                coverage=coverage,
                sentence=attempt.sentence,
            )
    step.say(f"Certificate attempt {attempt.attempt}: {attempt.sentence}")
    step.metrics["certificate"] = attempt.sentence


def settle_region(
    attempt: Certificate,
    outcome: sequence.Outcome,
    pool: Pool,
    left: Predictions,
    step: Step,
    shown: dict[str, Any],
) -> None:
    """Settle an attempt on a region of what is left of the pool."""
    threshold = np.inf if outcome.threshold is None else outcome.threshold
    accepted = left.without(outcome.blocked) >= threshold
    settle(
        attempt,
        outcome,
        load_head(attempt.model_version),
        coverage=float(accepted.sum()) / len(pool),
        allowed_error=attempt.target_error,
        step=step,
        shown=shown | {"classes": by_class(left.top, accepted, left.classes)},
    )


def shown_beside(
    scores: np.ndarray, losses: np.ndarray, pool_scores: np.ndarray, target: float
) -> dict[str, Any]:
    """Return what uniform blind labels say at every threshold, and what the usual rule would have done."""
    return {
        "curve": comparison.curve(scores, losses, pool_scores),
        "naive": comparison.naive(scores, losses, pool_scores, target),
    }


def by_class(top: np.ndarray, accepted: np.ndarray, classes: np.ndarray) -> dict[str, dict[str, int]]:
    """Return per class id how many images of the pool are said to be it, and how many of them accepted."""
    said = np.bincount(top, minlength=len(classes))
    taken = np.bincount(top[accepted], minlength=len(classes))
    return {
        str(label): {"images": int(images), "accepted": int(inside)}
        for label, images, inside in zip(classes, said, taken, strict=True)
    }


def taken(attempts: Collection[Certificate], project: Project, pool: Pool) -> np.ndarray:
    """Return which rows earlier certificates have taken: out of the pool, they cannot speak for the rest."""
    found = np.zeros(len(pool), bool)
    for each in standing(attempts):
        found |= taken_by(each, project, pool)
    return found


def standing(attempts: Collection[Certificate]) -> list[Certificate]:
    """Return the attempts that labels rest on."""
    return [
        each for each in attempts if each.state in (Certificate.State.VALID, Certificate.State.SUPERSEDED)
    ]


def taken_by(certificate: Certificate, project: Project, pool: Pool) -> np.ndarray:
    """Return which rows of the pool a certificate has taken out of what is left to certify.

    One from before a change of backbone labels nothing more, so it has taken only what it has labeled; where
    it has labeled, its whole region is left out, since blind labels must be drawn like the images they speak
    for.
    """
    version = certificate.model_version
    if version.backbone == project.backbone:
        return region(certificate, pool.features)[0]
    found = np.zeros(len(pool), bool)
    if has_labeled(certificate):
        before = Pool.of(project, version.backbone)
        rows, _ = pool.find(before.ids[region(certificate, before.features)[0]])
        found[rows] = True
    return found


def has_labeled(certificate: Certificate) -> bool:
    """Tell whether automatic labels rest on a certificate."""
    labeled = Annotation.objects.filter(
        project=certificate.project_id, certificate=certificate.pk, source="auto", withdrawn_at=None
    )
    return labeled.exists()


def region(certificate: Certificate, features: np.ndarray) -> tuple[np.ndarray, Predictions]:
    """Return (whether each row is in what the certificate covers, what its own model says of the rows)."""
    head = load_head(certificate.model_version)
    seen = Predictions.of(head, features)
    threshold = certificate.threshold
    if threshold is None:  # it is still being proved
        threshold = certificate.evidence["region"]["thresholds"][-1]
    withheld = withheld_columns(certificate.project, head.classes)
    return seen.without(blocked_columns(certificate, head) | withheld) >= threshold, seen


def being_proved(project: Project, features: np.ndarray) -> np.ndarray:
    """Return which rows lie in the region of an open proof, (n,)."""
    proof = proving.open_one(project)
    return np.zeros(len(features), bool) if proof is None else region(proof, features)[0]


def losses_under(
    attempts: Sequence[Certificate],
    project: Project,
    pool: Pool,
    rows: np.ndarray,
    labels: Sequence[tuple[int, ...]],
) -> tuple[np.ndarray, np.ndarray]:
    """Return (which of the rows standing certificates cover, the losses there of the one that came first).

    Each through its own backbone; one that labels nothing more covers only where it has labeled.
    """
    covered, losses = np.zeros(len(rows), bool), np.zeros(len(rows))
    for each in standing(attempts):
        if each.state == Certificate.State.SUPERSEDED and not has_labeled(each):
            continue
        backbone = each.model_version.backbone
        own = pool if backbone == project.backbone else Pool.of(project, backbone)
        found, known = own.find(pool.ids[rows])
        inside, seen = region(each, own.features[found])
        fresh = inside & ~covered[known]
        losses[known[fresh]] = seen.losses([labels[at] for at in known])[fresh]
        covered[known[inside]] = True
    return covered, losses
