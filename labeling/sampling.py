"""The review queue: which labels reviewers look at by chance, and what they prove about all of them.

Every answer has a draw of its own, uniform in [0, 1) from the project's seed (Listing.draw). A labeler's
answers are reviewed where it is below their rate, in the order of their draws, so that what has been reviewed
at any time is a random sample. A newcomer's first answers are all reviewed; they are no part of the sample,
and the claim is about the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Q

from labeling import binomial, locks, review, workforce
from labeling.models import Event, Item, Project, Review, SamplingRate, User

USUAL_RATE = 0.1
NEWCOMER = 20  # answers of a labeler that are all reviewed
TARGETS = (0.01, 0.02, 0.05, 0.1)
CONFIDENCE = 0.95

BY_PEOPLE = """l.project_id = %(project)s AND l.state = 'labeled' AND NOT l.reviewed
    AND l.origin IN ('person', 'confirmed')"""
# Of each labeler the first answers, whatever became of them.
FIRST = """
    first AS (
        SELECT a.id, a.item_id FROM unnest(%(labelers)s::bigint[]) u(labeler), LATERAL (
            SELECT a.id, a.item_id FROM labeling_annotation a
            WHERE a.project_id = %(project)s AND a.labeler_id = u.labeler
            ORDER BY a.created_at LIMIT %(newcomer)s
        ) a
    )
"""
NEW = f"""
    SELECT l.item_id, 0 AS rank, l.draw, 1.0 AS rate FROM first f
    JOIN labeling_listing l ON l.item_id = f.item_id AND l.annotation_id = f.id WHERE {BY_PEOPLE}
"""
DRAWN = f"""
    SELECT l.item_id, 1 AS rank, l.draw, r.rate FROM labeling_listing l
    JOIN unnest(%(labelers)s::bigint[], %(rates)s::float8[]) r(labeler, rate) ON r.labeler = l.labeler_id
    WHERE {BY_PEOPLE} AND l.draw < %(highest)s AND l.draw < r.rate
    AND l.annotation_id NOT IN (SELECT id FROM first)
"""


@dataclass(frozen=True, slots=True)
class Drawn:
    """An item whose label is to be reviewed; `is_random` is false for a newcomer's first answers."""

    item: int
    is_random: bool
    draw: float
    rate: float


@dataclass(frozen=True, slots=True)
class Claim:
    """What randomly drawn reviews prove: reviewed labels, wrong ones, and the rate that is not exceeded.

    `more` are the reviews without an error that each target still takes.
    """

    reviewed: int
    wrong: int
    bound: float
    more: dict[float, int]
    rate: float
    labeler: User | None = None


def rates(project: Project) -> dict[int, float]:
    """Return the rate at which each labeler's answers are reviewed."""
    set_ones = dict(SamplingRate.objects.filter(project=project).values_list("labeler", "rate"))
    return {labeler: set_ones.get(labeler, USUAL_RATE) for labeler in workforce.who_labeled(project)}


def set_rate(project: Project, labeler: User, rate: float | None, by: User) -> None:
    """Have a labeler's answers reviewed at another rate; None means the usual one."""
    with transaction.atomic():
        before = rates(project).get(labeler.pk, USUAL_RATE)
        if rate is None:
            SamplingRate.objects.filter(project=project, labeler=labeler).delete()
        else:
            SamplingRate.objects.update_or_create(project=project, labeler=labeler, defaults={"rate": rate})
        after = USUAL_RATE if rate is None else rate
        Event.record("sampling_rate", project, by, user=labeler.pk, before=before, rate=after)


def next_ones(project: Project, reviewer: User, skipped: Sequence[int] = (), limit: int = 1) -> list[Drawn]:
    """Return what somebody reviews next: newcomers' answers, then what was drawn, in the order of the draws.

    Nobody reviews their own, or what another reviewer has open.
    """
    params = parameters(project, reviewer)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH {FIRST} SELECT item_id, rank, draw, rate FROM ({NEW} UNION ALL ({DRAWN})) q
            WHERE NOT item_id = ANY(%(skipped)s::bigint[]) AND NOT EXISTS (
                SELECT 1 FROM labeling_reviewlock k
                WHERE k.item_id = q.item_id AND k.until >= now() AND k.reviewer_id <> %(reviewer)s)
            ORDER BY rank, draw LIMIT %(limit)s
            """,
            {**params, "skipped": list(skipped), "limit": limit},
        )
        return [Drawn(item, bool(rank), draw, rate) for item, rank, draw, rate in cursor.fetchall()]


def waiting(project: Project, reviewer: User) -> int:
    """Count what waits for somebody's review."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH {FIRST} SELECT (SELECT count(*) FROM ({NEW}) n) + (SELECT count(*) FROM ({DRAWN}) d)",
            parameters(project, reviewer),
        )
        (count,) = cursor.fetchone()
    return count


def newcomers_reviewed(project: Project) -> int:
    """Count the first answers of labelers that have a verdict."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH {FIRST} SELECT count(DISTINCT f.id) FROM first f
            JOIN labeling_review v ON v.annotation_id = f.id AND v.undone_at IS NULL
            """,
            {"project": project.pk, "labelers": list(rates(project)), "newcomer": NEWCOMER},
        )
        (count,) = cursor.fetchone()
    return count


def parameters(project: Project, reviewer: User) -> dict[str, Any]:
    theirs = {labeler: rate for labeler, rate in rates(project).items() if labeler != reviewer.pk}
    return {
        "project": project.pk,
        "reviewer": reviewer.pk,
        "labelers": list(theirs),
        "rates": list(theirs.values()),
        "highest": max(theirs.values(), default=0.0),
        "newcomer": NEWCOMER,
    }


def judge(project: Project, reviewer: User, item: int, verdict: str, comment: str = "") -> review.Outcome:
    """Give a verdict on a drawn label. One that was not drawn for review counts as a verdict alone.

    Raises ReviewRefused when somebody else is looking, or the label has changed.
    """
    with transaction.atomic():
        drawn = drawn_as(project, reviewer, item)
        outcome = review.judge(project, reviewer, verdict, [item], comment)
        if outcome.looked_at:
            raise review.ReviewRefused(locks.sentence(outcome.looked_at))
        if not outcome.done:
            raise review.ReviewRefused("This label has changed meanwhile. Look at the next one.")
        if drawn is not None and drawn.is_random:
            given = Review.objects.filter(batch=outcome.batch, item=item)
            given.update(draw=drawn.draw, rate=drawn.rate)
    return outcome


def drawn_as(project: Project, reviewer: User, item: int) -> Drawn | None:
    """Return how an item's label was drawn; None when it was not, or is the reviewer's own."""
    list(Item.objects.select_for_update(no_key=True).filter(pk=item).values_list("id"))
    params = parameters(project, reviewer)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH {FIRST} SELECT item_id, rank, draw, rate FROM ({NEW} UNION ALL ({DRAWN})) q
            WHERE item_id = %(item)s ORDER BY rank LIMIT 1
            """,
            {**params, "item": item},
        )
        row = cursor.fetchone()
    return Drawn(row[0], bool(row[1]), row[2], row[3]) if row else None


def claims(project: Project) -> tuple[Claim, list[Claim]]:
    """Return what is proved of all labels of people, and of each labeler's.

    Of all, only what is below the lowest rate counts: down there everybody's answers were drawn alike.
    Whoever is not reviewed at all is left out.
    """
    by_labeler = {labeler: rate for labeler, rate in rates(project).items() if rate > 0}
    lowest = min(by_labeler.values(), default=0.0)
    people = User.objects.in_bulk(list(by_labeler))
    given = Review.objects.filter(project=project, draw__isnull=False, undone_at=None)
    of_all = [0, 0]
    each: list[Claim] = []
    for labeler, rate in sorted(by_labeler.items()):
        mine = given.filter(annotation__labeler=labeler)
        counts = mine.aggregate(
            reviewed=Count("id", filter=Q(draw__lt=rate)),
            wrong=Count("id", filter=Q(draw__lt=rate, verdict="reject")),
            alike=Count("id", filter=Q(draw__lt=lowest)),
            alike_wrong=Count("id", filter=Q(draw__lt=lowest, verdict="reject")),
        )
        of_all[0] += counts["alike"]
        of_all[1] += counts["alike_wrong"]
        each.append(claim(counts["reviewed"], counts["wrong"], rate, people[labeler]))
    return claim(of_all[0], of_all[1], lowest), each


def claim(reviewed: int, wrong: int, rate: float, labeler: User | None = None) -> Claim:
    return Claim(
        reviewed,
        wrong,
        binomial.upper_bound(wrong, reviewed, CONFIDENCE) if reviewed else 1.0,
        {target: binomial.more_needed(wrong, reviewed, target, CONFIDENCE) for target in TARGETS},
        rate,
        labeler,
    )


def sentence(found: Claim, target: float) -> str:
    """Say how far a claim is: "Review 138 more …"."""
    share = f"{target:.0%}".replace("%", " %")
    if not found.more[target]:
        return f"At most {share} of these labels are wrong. We are 95 % sure of it."
    return f"Review {found.more[target]:,} more without an error to claim at most {share} error at 95 %."
