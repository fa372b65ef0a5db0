"""The audit after acceptance: an e-process that may be looked at as often as one likes."""

from collections.abc import Sequence

ALARM = 20.0  # contradicts the target at the 5 % level


def alarm(wrong: Sequence[bool], target: float) -> float:
    """Return the evidence against "at most `target` of the auto labels are wrong", the largest so far.

    While the target is kept, the chance that it ever reaches 1/α is at most α (Ville).
    """
    value = best = 1.0
    for was_wrong in wrong:
        value *= 1 + (float(was_wrong) - target)
        best = max(best, value)
    return best
