"""Judging a model on the blind labels."""

from typing import Any

import numpy as np

from labeling import answers, suggestions
from labeling.models import Project
from mlassist import adjudication, attempts, batches, certifying, measuring, proving, second_looks, steering
from mlassist.autolabel import rivals
from mlassist.certificates import bounds
from mlassist.custom import recipes
from mlassist.finetuning import learned_from
from mlassist.pool import Pool
from mlassist.predictions import Predictions
from mlassist.runs import Step
from mlassist.trained import Trained

FIRST_SHARE = 0.2  # of the answers
LATER_SHARE = 0.05  # of the answers, once the blind labels suffice
ALL_BUT_FEW = 0.95  # of the validation items: the rest may be skipped or in somebody's hands
INTERVAL = 0.05


def judge(project: Project, pool: Pool, trained: Trained, step: Step) -> None:
    """Measure accuracy and calibration, then attempt a certificate if it is time."""
    blind = answers.validation(project)
    # A later, larger draw may hold items that the backbone itself has learned from.
    known = np.concatenate([learned_from(project.backbone), rivals.shown(project)])
    rows, labels = pool.labeled(project, blind.without(known))
    if not trained.head.multilabel:  # where it knows some classes, it is right to say nothing of others
        labels = recipes.in_use(project).seen(labels, answers.UNDECIDED)
    seen = Predictions.of(trained.head, pool.features[rows])
    decided = np.array([label != answers.UNDECIDED for label in labels], bool)
    wrong = seen.wrong(labels)[decided]
    step.metrics = measures(wrong, seen.confidence[decided])
    step.say(f"{len(rows)} blind labels, {int(wrong.sum())} errors, {int((~decided).sum())} undecided")
    step.progress(1)
    version = trained.version
    version.metrics = {**version.metrics, **step.metrics}
    outlook = certifying.certify(project, pool, trained, rows, labels, step)
    curve = step.metrics.pop("expected_error", [])
    version.metrics |= {
        "outlook": outlook,
        "expected_error": curve,
        "blind_labels": steering.blind_labels(project),
    }
    version.save(update_fields=["metrics"])
    labels_in_doubt = measuring.people(project, pool, trained)
    doubtful = adjudication.of_training(project, pool, trained, labels_in_doubt)
    if doubtful:
        step.say(f"The model or other people contradict labels: somebody looks at {doubtful} again")
    if proving.open_one(project) is not None or batches.being_proved(project).exists():
        return
    opinions = second_looks.waiting(project) if outlook.get("waits") else 0
    if opinions:
        suggestions.set_validation_share(project, share_in_sight(project, curve, opinions))
    elif len(blind) >= ALL_BUT_FEW * certifying.drawn(project):
        suggestions.set_validation_share(project, LATER_SHARE)
    elif outlook.get("in_sight") and not proving.is_too_early(version):
        missing = outlook["needed"] - len(blind)
        suggestions.set_validation_share(project, share_in_sight(project, curve, missing))
    else:
        suggestions.set_validation_share(project, FIRST_SHARE)


def share_in_sight(project: Project, curve: steering.Curve, missing: int) -> float:
    """Return the share of answers to ask blind when a certificate lacks only these, or second opinions.

    It is that of the images left that the model would take over: of these, none need be labeled meanwhile.
    Where that are fewer than the answers that are missing, they come in their time.
    """
    whole = project.promise == Project.Promise.WHOLE_SET
    within_reach = steering.reach(curve, project.target_error, whole_set=whole)
    if steering.likely_taken(project, within_reach) < missing:
        return FIRST_SHARE
    certified = sum(each.coverage for each in attempts.standing(attempts.made_so_far(project)))
    share = (within_reach - certified) / max(1 - certified, 1e-9)
    return min(max(FIRST_SHARE, share), proving.MOST_SHARE)


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
