"""The audit after acceptance: e-processes, which may be looked at as often as one likes.

Labels made under a certificate are asked again, blind. Each audited label has a loss from 0 (right) to 1
(wrong), in the order of the answers. Two bets are made on these losses, both started from 1: *alarm* wins
when there are more of them than the certificate allows, *proof* when there are fewer. While what it bets
against is true, the chance that a bet ever reaches 1/δ is at most δ (Ville), whenever and however often it
is looked at.

Labels are taken for draws from an endless stream. From a finite one, drawn without being put back, a bet is
worth no more on average at any fixed moment (Maclaurin's inequality for elementary symmetric means).
"""

import math
from collections.abc import Sequence

ALARM = 20.0  # contradicts the target at the 5 % level
STAKE = 1.0  # of the alarm: the best where the true error is about twice the target; valid below 1/target
CAREFUL = 0.7  # stake of the proof, which a few errors must not ruin
PRECISION = 1e-4

SHARE = 0.02  # of the labels made under a certificate, that are asked again
FEWEST = 20  # to begin with, and on each further day
MOST_OF_FEW = 0.2  # of the labels, however few there are


def alarm(losses: Sequence[float], target: float) -> float:
    """Return the evidence against "the mean loss is at most `target`", the largest so far.

    Π(1 + λ(xᵢ - ε)) with λ = 1. While the target is kept, the chance that it ever reaches 1/α is at most α.
    """
    value = best = 1.0
    for loss in losses:
        value *= 1 + STAKE * (float(loss) - target)
        best = max(best, value)
    return best


def proof(losses: Sequence[float], target: float) -> float:
    """Return the evidence for "the mean loss is below `target`", the largest so far.

    Π(1 - 0.7(xᵢ - ε)). While the true mean is `target` or more, the chance that it ever reaches 1/δ is at
    most δ.
    """
    value = best = 1.0
    for loss in losses:
        value *= 1 - CAREFUL * (float(loss) - target)
        best = max(best, value)
    return best


def excluded_above(losses: Sequence[float], confidence: float) -> float:
    """Return the smallest error rate that the losses have excluded; 1 while they exclude none.

    All rates above it are excluded too, at every moment, with one and the same error budget: a confidence
    sequence, since the proof grows with the rate that is bet against.
    """
    wanted = 1 / (1 - confidence)
    low, high = 0.0, 1.0
    if proof(losses, high) < wanted:
        return 1.0
    while high - low > PRECISION:
        middle = (low + high) / 2
        low, high = (low, middle) if proof(losses, middle) >= wanted else (middle, high)
    return high


def still_needed(losses: Sequence[float], target: float, confidence: float) -> int:
    """Return how many right labels in a row would complete the proof from here; 0 when it is complete."""
    wanted = 1 / (1 - confidence)
    if proof(losses, target) >= wanted:
        return 0
    value = math.prod(1 - CAREFUL * (float(loss) - target) for loss in losses)
    return math.ceil(math.log(wanted / value) / math.log(1 + CAREFUL * target) - 1e-9)


def due(made: int, asked: int, waiting: int, *, rested: bool) -> int:
    """Return how many more labels to ask again.

    `made` labels stand under the certificate, `asked` of them were asked again, `waiting` of these have no
    answer. Two in a hundred, twenty at the least; once a day (`rested`: the last draw is a day old) twenty
    more, for ever, but no more than people keep up with.
    """
    share = math.ceil(max(SHARE * made, min(FEWEST, MOST_OF_FEW * made)))
    more = max(0, share - asked, FEWEST - waiting if rested else 0)
    return min(more, max(0, made - asked))
