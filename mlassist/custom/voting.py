"""Choosing by eye: rounds with unnamed candidates, votes, and what comes of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from labeling.models import Item, User
from mlassist.custom import held_out
from mlassist.custom.held_out import Difference
from mlassist.custom.making import CustomModelRefused
from mlassist.models import BackboneOffer, Candidate, CustomModel, Round, Vote


def next_round(made: CustomModel, voter: User) -> Round | None:
    """Return the first round that somebody has not voted in."""
    return rounds_of(made).exclude(votes__voter=voter).first()


def rounds_of(made: CustomModel) -> QuerySet[Round]:
    """Return the rounds whose image is still there."""
    there = made.rounds.exclude(item__state=Item.State.REMOVED)
    return there.select_related("item").order_by("number")


def vote(on: Round, voter: User, place: int | None) -> None:
    """Note who was best, by the place in which it was shown; None where all seemed equal.

    The last word counts. Raises CustomModelRefused.
    """
    if place is not None and not 0 <= place < len(on.order):
        raise CustomModelRefused(_("There is no such candidate in this round."))
    best = None if place is None else on.order[place]
    Vote.objects.update_or_create(round=on, voter=voter, defaults={"candidate_id": best})


def again(made: CustomModel, voter: User) -> None:
    """Forget how somebody has voted, so that they can begin anew."""
    Vote.objects.filter(round__custom_model=made, voter=voter).delete()


@dataclass(frozen=True, slots=True)
class Result:
    """A candidate with all that may be known at the end.

    `pace` is how many images it looks at in a second. `behind` compares it with the one that is right most
    often; None for that one.
    """

    row: Candidate
    votes: int
    pace: float | None
    behind: Difference | None

    @property
    def right(self) -> float | None:
        found: float | None = self.row.metrics.get("right")
        return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """Candidates, those with most votes first; `favourite` has more votes than any other, `best` is right
    most often on labels held out.
    """

    results: list[Result]
    failed: list[Candidate]
    rounds: int
    favourite: Result | None
    best: Result | None

    @property
    def disagreement(self) -> Difference | None:
        """Return how far what people liked best is behind what is right most often; None where it is that."""
        if self.favourite is None or self.best is None or self.favourite.row == self.best.row:
            return None
        return self.favourite.behind

    @property
    def proposed(self) -> Candidate | None:
        """Return the candidate that is ticked beforehand: the favourite, else the best."""
        first = self.favourite or self.best or (self.results[0] if self.results else None)
        return first.row if first else None


def outcome(made: CustomModel) -> Outcome:
    rows = list(made.candidates.exclude(model=""))
    votes = Counter(Vote.objects.filter(round__custom_model=made).values_list("candidate_id", flat=True))
    measured = [each for each in rows if each.metrics.get("right") is not None]
    speeds = dict(BackboneOffer.objects.values_list("name", "images_per_second"))
    best = max(measured, key=lambda each: each.metrics["right"], default=None)
    results = [
        Result(
            each,
            votes[each.pk],
            each.pace or speeds.get(each.backbone),
            None if best is None or each == best else held_out.difference(each.right, best.right),
        )
        for each in rows
    ]
    results.sort(key=lambda each: (-each.votes, -(each.right or 0.0)))
    return Outcome(
        results,
        list(made.candidates.filter(model="").exclude(problem="")),
        made.rounds.count(),
        favourite(results),
        next((each for each in results if each.row == best), None),
    )


def favourite(results: Sequence[Result]) -> Result | None:
    """Return the candidate with most votes; none without votes, and where two have as many."""
    first, second = (results[at].votes if at < len(results) else 0 for at in (0, 1))
    return results[0] if first > second else None
