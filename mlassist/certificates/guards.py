"""Classes that a certificate leaves out: those that training data warn of, and those that prove worse."""

import numpy as np

from mlassist.certificates.bounds import lower_bound

FEWEST_LABELS = 10  # a class with fewer training labels is not accepted
PRIOR_WEIGHT = 20  # pseudo-observations at the target error when a class's error is judged
GUARD_CONFIDENCE = 0.9


def worse_classes(wrong: np.ndarray, predicted: np.ndarray, target: float) -> dict[int, str]:
    """Return accepted classes whose error is surely above the target; leaving them out helps the rest."""
    found = {}
    for column in np.unique(predicted):
        of_class = predicted == column
        n, errors = int(of_class.sum()), int(wrong[of_class].sum())
        if lower_bound(errors, n, 1 - GUARD_CONFIDENCE) > target:
            found[int(column)] = f"{errors} of {n} blind labels were wrong"
    return found


def guard(
    label_counts: np.ndarray, confident_n: np.ndarray, confident_errors: np.ndarray, target: float
) -> dict[int, str]:
    """Return the classes to leave out before the test, judged by training data alone, and why.

    All arrays have one value per class: training labels, confident out-of-fold predictions, and how
    many of those were wrong. Blind labels have no say here: whatever they choose, they cannot test.
    """
    found = {}
    for column, labels in enumerate(label_counts):
        guess = (confident_errors[column] + PRIOR_WEIGHT * target) / (confident_n[column] + PRIOR_WEIGHT)
        if labels < FEWEST_LABELS:
            found[column] = f"only {int(labels)} labels to learn from"
        elif guess > 2 * target:
            found[column] = "too often wrong on labels it was not trained on"
    return found
