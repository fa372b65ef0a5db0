"""What becomes of a proof when its labels are in, and of a certificate when a class is withheld from it."""

from collections.abc import Sequence

import numpy as np

from labeling.models import Project
from mlassist import adjudication, attempts, meanings, proving, second_looks
from mlassist.certificates import bounds, sequence, sequential
from mlassist.heads import Head
from mlassist.models import Certificate
from mlassist.pool import Pool, load_head
from mlassist.predictions import Predictions
from mlassist.runs import Step


def conclude(
    proof: Certificate,
    project: Project,
    pool: Pool,
    rows: np.ndarray,
    labels: Sequence[tuple[int, ...]],
    step: Step,
) -> bool:
    """Judge a proof whose labels are in, or end one that has lost its sense; returns whether it is over."""
    reason = lost_sense(proof, project)
    if reason is not None:
        Certificate.objects.filter(pk=proof.pk).update(state=Certificate.State.REFUSED, reason=reason)
        proving.release(project, proof)
        step.say(f"Certificate attempt {proof.attempt} was given up: {reason}")
        return True
    adjudication.of_proof(project, pool, proof)
    if not proving.is_complete(project):
        step.say("The labels for the open certificate attempt are not all there yet")
        return False
    head = load_head(proof.model_version)
    given = proving.judged(proof)
    outcome = tested(proof, given, head)
    in_dispute = second_looks.disputed(project, proof)
    if in_dispute and differ(outcome, tested(proof, given.if_right(in_dispute), head)):
        proving.put_off(project, proof, given, in_dispute)
        step.say(f"{len(in_dispute)} blind images on which people do not agree wait for a reviewer")
        return False
    others = [each for each in attempts.made_so_far(project) if each.pk != proof.pk]
    taken = attempts.taken(others, project, pool)
    left = Predictions.of(head, pool.features[~taken])
    own = ~taken[rows]
    seen = Predictions.of(head, pool.features[rows[own]])
    losses = seen.losses([label for label, is_own in zip(labels, own, strict=True) if is_own])
    blocked = attempts.blocked_columns(proof, head)
    shown = attempts.shown_beside(seen.without(blocked), losses, left.without(blocked), proof.target_error)
    attempts.settle_region(proof, outcome, pool, left, step, shown | {"undecided": given.undecided})
    proving.release(project, proof)
    return True


def differ(one: sequence.Outcome, other: sequence.Outcome) -> bool:
    """Tell whether two outcomes accept different things."""
    return one.threshold != other.threshold or one.blocked != other.blocked


def lost_sense(proof: Certificate, project: Project) -> str | None:
    """Return why an open proof would be of no use any more."""
    if not proof.promises_enough(project):
        return "The project asks for more by now."
    if proof.model_version.backbone != project.backbone:
        return "The backbone was changed."
    if meanings.is_outdated(proof.model_version):
        return meanings.ENDED
    classes = np.array(proof.model_version.classes, np.int64)
    left_out = proof.evidence["blocked"]
    if any(str(classes[column]) not in left_out for column in attempts.withheld_columns(project, classes)):
        return "A class was left to people meanwhile."
    return None


def tested(proof: Certificate, given: proving.Judged, head: Head) -> sequence.Outcome:
    """Test the region on the answers that are in: as a whole by growing evidence, else part by part."""
    known = proof.evidence["region"]
    ladder = sequence.Ladder(np.array(known["thresholds"]), np.array(known["coverages"]))
    blocked = attempts.blocked_columns(proof, head)
    column_of = {int(label): column for column, label in enumerate(head.classes)}
    predicted = np.array([column_of[said[0]] for said in given.answers], int)
    outcome = sequence.attempt(
        given.scores,
        given.losses,
        predicted,
        ladder,
        target=proof.target_error,
        delta=1 - proof.confidence,
        number=proof.attempt,
        blocked=blocked,
        share=1 - proving.EARLY,
    )
    if proving.is_proved_early(proof):
        outcome.prove_all(ladder, given.losses, sequential.bound(given.losses, proving.EARLY * proof.alpha))
        outcome.blocked = blocked
    return outcome


def recheck(
    project: Project, pool: Pool, rows: np.ndarray, labels: Sequence[tuple[int, ...]], step: Step
) -> None:
    """Test a valid certificate again on what is left of it when a manager has withheld a class.

    The choice of a class does not come from the blind labels, so the same bound is good for the rest. Without
    enough evidence for the rest, the certificate labels nothing more; what it has labeled stays.
    """
    valid = Certificate.objects.filter(project=project, state=Certificate.State.VALID).first()
    if valid is None or valid.promise == Project.Promise.WHOLE_SET:
        return  # with fewer labels by the model, the whole set has fewer wrong ones
    head = load_head(valid.model_version)
    known = attempts.blocked_columns(valid, head)
    fresh = {
        column: reason
        for column, reason in attempts.withheld_columns(project, head.classes).items()
        if column not in known
    }
    if not fresh or valid.model_version.backbone != project.backbone:
        return
    if "region" in valid.evidence:
        given = proving.judged(valid)
        names = {int(head.classes[column]) for column in known | fresh}
        inside = (given.scores >= valid.threshold) & np.array(
            [not names.intersection(said) for said in given.answers], bool
        )
        losses = given.losses[inside]
    else:
        seen = Predictions.of(head, pool.features[rows])
        losses = seen.losses(labels)[seen.without(known | fresh) >= valid.threshold]
    bound = bounds.loss_bound(losses, valid.alpha)
    if bound <= valid.target_error:
        valid.evidence["blocked"] |= attempts.reasons(fresh, head)
        valid.n, valid.errors, valid.bound = len(losses), int((losses > 0).sum()), bound
        valid.save(update_fields=["evidence", "n", "errors", "bound"])
        step.say(f"Certificate {valid.pk} holds without the classes that were withheld")
        return
    reason = "Without the classes that were withheld, its blind labels prove too little."
    still = Certificate.objects.filter(pk=valid.pk, state=Certificate.State.VALID)  # not withdrawn meanwhile
    still.update(state=Certificate.State.SUPERSEDED, reason=reason)
    step.say(f"Certificate {valid.pk} labels nothing more: {reason}")
