"""Which strategies a batch is made of, by how much is known."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from mlassist.strategies import exploring, rare, typical, uncertain
from mlassist.strategies.situation import Situation, Strategy

FEW = 5  # labels a class, below which covering the pool counts as much as the model's doubts
PATIENCE = 20  # labels a class, after which a class without any is no longer looked for by covering
COVERING, STILL_COVERING, SEARCHING, EXPLORING = 0.5, 0.25, 0.1, 0.05
FIRST = 25


class Reason(IntEnum):
    """Which strategy has picked an image."""

    TYPICAL = 0
    UNSURE = 1
    RARE = 2
    RANDOM = 3


STRATEGIES: dict[Reason, Strategy] = {
    Reason.TYPICAL: typical.pick,
    Reason.UNSURE: uncertain.pick,
    Reason.RARE: rare.pick,
    Reason.RANDOM: exploring.pick,
}


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows to ask, the first to be asked first, and the `Reason` for each."""

    rows: np.ndarray
    reasons: np.ndarray


def covering(situation: Situation) -> float:
    """Return the share of typical images: high while labels are few, some while a class has none."""
    counts, labels = situation.label_counts, len(situation.labeled)
    if labels < FEW * len(counts):
        return COVERING
    return STILL_COVERING if labels < PATIENCE * len(counts) and not counts.all() else 0.0


def before_a_model(situation: Situation, count: int, seed: int) -> Batch:
    """Return the first images to ask.

    However few of them are labeled, they cover the pool: each step has as many clusters as its end has rows.
    """
    batches: list[Batch] = []
    done = 0
    while done < count and len(situation.open):
        batch = mixed(situation, min(max(FIRST, done), count - done), seed, Reason.TYPICAL, {})
        situation = situation.after(batch.rows)
        batches.append(batch)
        done += len(batch.rows)
    return Batch(
        np.concatenate([each.rows for each in batches] or [situation.open[:0]]),
        np.concatenate([each.reasons for each in batches] or [np.empty(0, np.int64)]),
    )


def with_a_model(situation: Situation, count: int, seed: int) -> Batch:
    """Return the next images to ask."""
    shares = {Reason.TYPICAL: covering(situation)}
    if len(rare.classes(situation.label_counts)):
        shares[Reason.RARE] = SEARCHING
    return mixed(situation, count, seed, Reason.UNSURE, shares)


def mixed(situation: Situation, count: int, seed: int, main: Reason, shares: dict[Reason, float]) -> Batch:
    """Return a batch with these shares and random picks; `main` picks the rest, and all are spread evenly."""
    count = min(count, len(situation.open))
    parts = {reason: round(share * count) for reason, share in shares.items()}
    parts[Reason.RANDOM] = round(EXPLORING * count)
    parts[main] = count - sum(parts.values())
    rows, reasons, places = [], [], []
    for reason, part in parts.items():
        picked = STRATEGIES[reason](situation, part, seed)
        situation = situation.after(picked)
        rows.append(picked)
        reasons.append(np.full(part, reason))
        places.append((np.arange(part) + 0.5) / max(part, 1))
    order = np.argsort(np.concatenate(places), kind="stable")
    return Batch(np.concatenate(rows)[order], np.concatenate(reasons)[order])
