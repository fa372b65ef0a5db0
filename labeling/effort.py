"""How long people have taken, what a model has spared them, and what that costs."""

from dataclasses import dataclass
from typing import Any

from labeling import tallies
from labeling.models import Project, Tally
from labeling.tallies import Total

NONE = Total()


@dataclass(frozen=True, slots=True)
class Effort:
    """Hours of people's work so far and spared, with their cost where an hour has one.

    `by_hand` are the mean seconds of an answer without help; None before anybody gave one.
    """

    hours: float
    by_hand: float | None
    saved: float | None
    cost: float | None
    saved_cost: float | None


def effort(project: Project) -> Effort:
    """Return it from the seconds that browsers measure; answers without them count as the mean does.

    Every answer that stands counts, also where several people are asked: an automatic label spares all of
    those whom its image would have been asked of, a confirmed proposal a part of one answer.
    """
    answers = tallies.of_parts(project, Tally.Figure.LABELER)
    by_hand = answers.get("person", NONE).mean
    hours = sum(map(full, answers.values())) / 3600
    saved = None
    if by_hand is not None:
        auto = tallies.of(project, Tally.Figure.ORIGIN).get("auto", NONE)
        confirmed = answers.get("confirmed", NONE)
        spared = auto.count * project.labels_per_item * by_hand
        spared += max(0.0, confirmed.count * by_hand - full(confirmed))
        saved = spared / 3600
    rate = project.hourly_cost
    return Effort(
        hours=hours,
        by_hand=by_hand,
        saved=saved,
        cost=hours * rate if rate else None,
        saved_cost=saved * rate if rate and saved is not None else None,
    )


def full(total: Total) -> float:
    """Return the seconds of all, of which some were measured."""
    return (total.mean or 0.0) * total.count


def shape(project: Project) -> dict[str, Any]:
    """Return it as the dashboard and the API have it."""
    found = effort(project)
    return {
        "hours": round(found.hours, 3),
        "seconds_by_hand": None if found.by_hand is None else round(found.by_hand, 2),
        "hours_saved": None if found.saved is None else round(found.saved, 3),
        "cost": None if found.cost is None else round(found.cost, 2),
        "cost_saved": None if found.saved_cost is None else round(found.saved_cost, 2),
        "currency": project.currency,
    }
