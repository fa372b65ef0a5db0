"""Attempts to certify what a model says: when, on which labels, and what came of each."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from django.db import transaction

from labeling import answers
from labeling.models import Annotation, Event, Item, Project
from mlassist import adjudication, proving, second_looks
from mlassist.certificates import bounds, guards, prospects, regions, sequence
from mlassist.heads import Head
from mlassist.models import Certificate, ModelVersion, RegionDraw
from mlassist.pool import Pool, load_head
from mlassist.predictions import Predictions
from mlassist.runs import Step
from mlassist.trained import Trained


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
    proof = proving.open_one(project)
    if proof is not None and not conclude(project, pool, proof, step):
        return {"needed": None, "message": ""}
    earlier = list(
        Certificate.objects.filter(project=project).select_related("model_version").order_by("attempt")
    )
    number = len(earlier) + 1
    attempts = sum(each.model_version.backbone == project.backbone for each in earlier)
    delta, target = 1 - project.confidence, project.target_error
    taken = all_taken(earlier, project, pool)
    if taken.all():
        return {"needed": None, "message": "All that the model proposes is certified"}
    left = ~taken[rows]
    labels = [label for label, is_left in zip(labels, left, strict=True) if is_left]
    spent = bounds.alpha(delta, number)
    whole = Predictions.of(trained.head, pool.features[~taken])
    blocked = guarded(trained, whole, target, len(labels), spent)
    own = trained.unprompted_predictions
    evidence = (own.wrong(trained.unprompted_labels), own.without(blocked), whole.without(blocked))
    hindrance = nothing_new(trained.version, earlier, len(rows))
    problem = hindrance or too_few(project, number, len(labels))
    chance = prospects.chance_to_pass(*evidence, len(labels), target, spent)
    if problem is None and chance < prospects.WORTH_TRYING:
        problem = f"it would succeed with a chance of only {chance:.0%}"
    if problem is None:
        likely = regions.candidate(*evidence, target)
        problem = adjudication.of_stream(project, pool, trained, rows[left], labels, likely, blocked)
    if problem is None:
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
        certificate = attempt_of(project, trained, number, len(rows))
        settle(certificate, outcome, trained.head, whole, step)
        number, attempts, hindrance = number + 1, attempts + 1, "an attempt was just made"
    else:
        step.say(f"No certificate attempt: {problem}")
    least = max(len(labels), sequence.needed(target, delta, number))
    needed = prospects.labels_to_succeed(*evidence, least, target, bounds.alpha(delta, number))
    within_reach = needed is not None and needed + int((~left).sum()) <= drawn(project)
    if hindrance is None and not proving.is_too_early(trained.version):
        plan = plan_of(*evidence, target, spent)
        # Labels from the whole pool serve to measure the model too, so they are the first choice.
        if plan is not None and (needed is None or not within_reach or needed - len(labels) > plan[1]):
            certificate = attempt_of(project, trained, number, len(rows))
            certificate.evidence["blocked"] = reasons(blocked, trained.head)
            if open_proof(project, pool, trained.head, certificate, plan, taken, blocked):
                proving.say_begun(step, certificate)
                return {"needed": None, "message": ""}
    return outlook(project, attempts, needed, len(rows), len(rows) - len(labels))


def all_taken(earlier: Sequence[Certificate], project: Project, pool: Pool) -> np.ndarray:
    """Return which rows earlier certificates have taken: out of the pool, they cannot speak for the rest."""
    taken = np.zeros(len(pool), bool)
    for each in earlier:
        if each.state in (Certificate.State.VALID, Certificate.State.SUPERSEDED):
            taken |= taken_by(each, project, pool)
    return taken


def open_proof(
    project: Project,
    pool: Pool,
    head: Head,
    certificate: Certificate,
    plan: tuple[regions.Region, int],
    taken: np.ndarray,
    blocked: dict[int, str],
) -> bool:
    """Draw blind items from the unlabeled ones in a region; returns whether that pays and was done."""
    region, wanted = plan
    items = answers.unlabeled(project)
    rows, known = pool.find(items)
    free = ~taken[rows]
    seen = Predictions.of(head, pool.features[rows[free]])
    inside = seen.without(blocked) >= region.ladder.thresholds[-1]
    candidates = items[known][free][inside]
    return len(candidates) >= proving.WORTH * wanted and proving.begin(
        project, certificate, region, candidates, wanted
    )


def conclude(project: Project, pool: Pool, proof: Certificate, step: Step) -> bool:
    """Judge a proof whose labels are in, or end one that has lost its sense; returns whether it is over."""
    asks_more = proof.target_error > project.target_error or proof.confidence < project.confidence
    if asks_more or proof.model_version.backbone != project.backbone:
        reason = "The project asks for more by now." if asks_more else "The backbone was changed."
        Certificate.objects.filter(pk=proof.pk).update(state=Certificate.State.REFUSED, reason=reason)
        proving.release(project, proof)
        step.say(f"Certificate attempt {proof.attempt} was given up: {reason}")
        return True
    adjudication.of_proof(project, pool, proof)
    if not proving.is_complete(project):
        step.say("The labels for the open certificate attempt are not all there yet")
        return False
    head = load_head(proof.model_version)
    whole = Predictions.of(head, pool.features)
    settle(proof, judged(proof, project, pool), head, whole, step)
    proving.release(project, proof)
    return True


def nothing_new(version: ModelVersion, earlier: Sequence[Certificate], n: int) -> str | None:
    """Return why an attempt makes no sense now; attempts are few, and each must have something new.

    Another backbone is something new, with attempts of its own. They go on being numbered, and so go on
    spending from the same budget: the blind labels are the same.
    """
    own = [each for each in earlier if each.model_version.backbone == version.backbone]
    if len(own) >= bounds.MOST_ATTEMPTS:
        return f"all {bounds.MOST_ATTEMPTS} are used"
    if not own:
        return None
    last = own[-1]
    if (
        n < bounds.GROWTH * last.evidence["blind_labels"]
        and version.labels < bounds.GROWTH * last.model_version.labels
    ):
        return "blind labels and training labels have hardly grown since the last one"
    return None


def too_few(project: Project, number: int, left: int) -> str | None:
    wait = sequence.needed(project.target_error, 1 - project.confidence, number)
    return f"{left} of {wait} blind labels" if left < wait else None


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


def attempt_of(project: Project, trained: Trained, number: int, blind: int) -> Certificate:
    """Return an unsaved attempt to certify what a model says."""
    return Certificate(
        project=project,
        model_version=trained.version,
        attempt=number,
        state=Certificate.State.OPEN,
        target_error=project.target_error,
        confidence=project.confidence,
        alpha=bounds.alpha(1 - project.confidence, number),
        n_validation=blind,
        sentence="Its blind labels are being given.",
        evidence={"blind_labels": blind},
    )


def reasons(blocked: dict[int, str], head: Head) -> dict[str, str]:
    return {str(head.classes[column]): reason for column, reason in blocked.items()}


def settle(
    attempt: Certificate, outcome: sequence.Outcome, head: Head, whole: Predictions, step: Step
) -> None:
    """Write down what came of an attempt; a certificate that holds takes the place of the one before."""
    attempt.state = Certificate.State.VALID if outcome.passed else Certificate.State.REFUSED
    attempt.threshold, attempt.bound = outcome.threshold, outcome.bound
    attempt.n, attempt.errors = outcome.n, outcome.errors
    attempt.n_validation, attempt.sentence = outcome.n_validation, outcome.sentence
    attempt.evidence |= {
        "steps": [asdict(each) | {"bound": round(each.bound, 5)} for each in outcome.steps],
        "blocked": reasons(outcome.blocked, head),
    }
    if outcome.passed:
        attempt.coverage = float((whole.without(outcome.blocked) >= outcome.threshold).mean())
    with transaction.atomic():
        if outcome.passed:
            Certificate.objects.filter(project=attempt.project, state=Certificate.State.VALID).update(
                state=Certificate.State.SUPERSEDED
            )
        attempt.save()
        Event.record(
            "certificate",
            attempt.project,
            certificate=attempt.pk,
            state=attempt.state,
            sentence=attempt.sentence,
        )
    step.say(f"Certificate attempt {attempt.attempt}: {attempt.sentence}")
    step.metrics["certificate"] = attempt.sentence


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
    threshold = certificate.threshold
    if threshold is None:  # it is still being proved
        threshold = certificate.evidence["region"]["thresholds"][-1]
    return seen.without(blocked) >= threshold, seen


def being_proved(project: Project, features: np.ndarray) -> np.ndarray:
    """Return which rows lie in the region of an open proof, (n,)."""
    proof = proving.open_one(project)
    return np.zeros(len(features), bool) if proof is None else region(proof, features)[0]


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


def judged(certificate: Certificate, project: Project, pool: Pool) -> sequence.Outcome:
    """Test the region on the answers that are in."""
    order = list(
        RegionDraw.objects.filter(certificate=certificate).order_by("id").values_list("item_id", flat=True)
    )
    rows, labels = pool.labeled(project, second_looks.blind(project, order))
    place = {item: at for at, item in enumerate(order)}
    by_draw = np.argsort([place[item] for item in pool.ids[rows].tolist()])  # as chance has drawn them
    rows, labels = rows[by_draw], [labels[at] for at in by_draw]
    head = load_head(certificate.model_version)
    blocked = {
        column: certificate.evidence["blocked"][str(label)]
        for column, label in enumerate(head.classes)
        if str(label) in certificate.evidence["blocked"]
    }
    seen = Predictions.of(head, pool.features[rows])
    known = certificate.evidence["region"]
    ladder = sequence.Ladder(np.array(known["thresholds"]), np.array(known["coverages"]))
    return sequence.attempt(
        seen.without(blocked),
        seen.wrong(labels).astype(float),
        seen.top,
        ladder,
        target=certificate.target_error,
        delta=1 - certificate.confidence,
        number=certificate.attempt,
        blocked=blocked,
    )


def plan_of(
    own_losses: np.ndarray, own_scores: np.ndarray, pool_scores: np.ndarray, target: float, spent: float
) -> tuple[regions.Region, int] | None:
    """Return the region to prove and how many labels that is likely to take; None if none is in reach."""
    region = regions.candidate(own_losses, own_scores, pool_scores, target)
    wanted = regions.labels_to_prove(region, target, spent) if region is not None else None
    return None if region is None or wanted is None else (region, wanted)
