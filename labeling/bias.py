"""Automation bias: does seeing a proposal sway people?

Now and then, by chance, a proposal is kept from the labeler. Where people agree with the model more often
when they see what it says, they follow it: the difference is how much. What was hidden is noted with the
claim, and how well the answer agrees with it is kept with the answer.
"""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from labeling import agreement, proposing, tallies
from labeling.answering import Answer
from labeling.meanings import Meanings
from labeling.models import Claim, Project, QueueEntry, Suggestion, Tally
from labeling.models.queueing import QueueKind
from labeling.tallies import Total

USUAL_SHARE = 0.02
FEWEST = 30  # hidden proposals, before anything is said
SURE = 1.96  # standard errors, for 95 %

Chosen = TypeVar("Chosen")


def single_out(project: Project, kind: str, found: Sequence[Chosen]) -> Chosen | None:
    """Return the one of a page's images that is asked by itself, with its proposal hidden; mostly none.

    A share s of the images needs a share s·size / (1 - s + s·size) of the pages. Shapes are proposed one
    image at a time anyway, see `hide`.
    """
    share = project.hidden_share
    if kind != QueueKind.PRELABELED or not project.is_classification or not share:
        return None
    size = len(found)
    return random.choice(found) if random.random() < share * size / (1 - share + share * size) else None


def hide(project: Project, kind: str, claims: Mapping[int, Claim], singled_out: bool) -> None:
    """Keep proposals from new claims: of what was singled out, and of a share of images with shapes."""
    if singled_out:
        for item, proposal in whole_proposals(claims).items():
            claims[item].hidden = proposal
    elif not project.is_classification and kind in (QueueKind.MANUAL, QueueKind.PRELABELED):
        for claim in claims.values():
            if is_of_a_model(claim.proposal) and random.random() < project.hidden_share:
                claim.hidden, claim.proposal = claim.proposal, None


def whole_proposals(items: Mapping[int, Any]) -> dict[int, dict[str, Any]]:
    """Return what pre-labeled pages propose for items of classes, as claims keep it."""
    proposed = QueueEntry.objects.filter(item__in=items, proposed_class__isnull=False)
    by_class = {
        item: {"regions": [{"class": label_class}]}
        for item, label_class in proposed.values_list("item_id", "proposed_class")
    }
    rest = Suggestion.objects.filter(item__in=items.keys() - by_class.keys())
    return by_class | {each.item_id: {"regions": each.regions} for each in rest}


def is_of_a_model(proposal: Mapping[str, Any] | None) -> bool:
    """Tell it from how an item was labeled before its classes changed."""
    return proposal is not None and proposal.get("model") is not None


def agreement_with(
    claim: Claim, kind: str, answer: Answer, agreed: bool | None, today: Meanings, overlap: float
) -> float | None:
    """Return how well an answer agrees with the whole proposal for its image, None where there is none.

    `agreed`: whether it is what was shown. Of shapes the F1 counts: nobody draws a box twice the same.
    """
    if answer.skipped or answer.exception:
        return None
    if claim.hidden is None and agreed is None:
        return None
    given = [
        {"class": today.now(each.label_class), "bbox": each.bbox, "polygon": each.polygon}
        for each in answer.regions
    ]
    proposal = claim.hidden or claim.proposal
    if proposal is None:
        return float(bool(agreed)) if kind == QueueKind.PRELABELED else None
    said = [{**each, "class": today.now(each["class"])} for each in proposal["regions"]]
    if any(proposing.shaped(each) for each in [*given, *said]):
        return agreement.regions_alike(given, said, overlap) if is_of_a_model(proposal) else None
    return float({each["class"] for each in given} == {each["class"] for each in said})


@dataclass(frozen=True, slots=True)
class Sway:
    """How well people agree with the model where they see its proposal, and where they do not.

    `images` are counts; `difference` (in agreement) has the interval in which it lies 19 times in 20.
    """

    shown: float
    shown_images: int
    hidden: float
    hidden_images: int
    low: float
    high: float

    @property
    def difference(self) -> float:
        return self.shown - self.hidden


def measured(project: Project, counts: Mapping[str, Total]) -> Sway | None:
    """Return by how much proposals sway people, None before enough were hidden.

    A proposal that was refused, and its image sent to somebody else, was seen and not followed.
    """
    shown, hidden = counts.get("shown"), counts.get("hidden")
    if shown is None or hidden is None or hidden.count < FEWEST:
        return None
    refused = Claim.objects.filter(
        project=project, state=Claim.State.RETURNED, page__kind=QueueKind.PRELABELED
    ).count()
    seen = shown.count + refused
    return compared(shown.amount / seen, seen, hidden.amount / hidden.count, hidden.count)


def shape(project: Project) -> dict[str, Any]:
    """Return what the dashboard and the API say of it: the counts at once, the rest when it can be told."""
    counts = tallies.of(project, Tally.Figure.SWAY)
    found, hidden = measured(project, counts), counts.get("hidden")
    waiting = {"hidden_images": hidden.count if hidden else 0, "hidden_needed": FEWEST, "difference": None}
    if found is None:
        return waiting
    return waiting | {
        "shown": round(found.shown, 4),
        "shown_images": found.shown_images,
        "hidden": round(found.hidden, 4),
        "difference": round(found.difference, 4),
        "low": round(found.low, 4),
        "high": round(found.high, 4),
    }


def compared(shown: float, shown_images: int, hidden: float, hidden_images: int) -> Sway:
    """Return two shares with the interval of their difference, after Agresti and Caffo (2000).

    One success and one failure is added to each side, so that it holds near 0 and 1 too. For an F1 it is
    wider than need be: no number from 0 to 1 varies more than one that is 0 or 1.
    """
    sides = [
        ((share * count + 1) / (count + 2), count + 2)
        for share, count in ((shown, shown_images), (hidden, hidden_images))
    ]
    (one, n), (other, m) = sides
    margin = SURE * math.sqrt(one * (1 - one) / n + other * (1 - other) / m)
    return Sway(shown, shown_images, hidden, hidden_images, one - other - margin, one - other + margin)
