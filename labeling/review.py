"""Verdicts on what is labeled: rejecting, approving, deciding.

Verdicts that are given together are a batch, and each notes how its item stood: undoing.py puts it back. All
of it is done by sets: ten thousand images are rejected in about two seconds.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from django.db import connection, transaction
from django.db.models import Max, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop

from labeling import announcing, locks
from labeling.gallery import ORIGINS as ORIGINS
from labeling.gallery import Filters as Filters
from labeling.gallery import of_origin as of_origin
from labeling.gallery import select as select
from labeling.models import (
    Annotation,
    Claim,
    Event,
    Item,
    Listing,
    Membership,
    Project,
    QueueEntry,
    Review,
    ReviewBatch,
    User,
)
from labeling.queue import finish
from labeling.refusals import Refused

SENT_BACK = gettext_noop("a reviewer sent it back")
SOON = -0.9  # a priority before all that a model orders, and after what people sent back
REVIEWABLE = (Item.State.LABELED, Item.State.SKIPPED, Item.State.NEEDS_REVIEW)
DROPPED = "A labeler skipped it and a reviewer agreed."


class ReviewRefused(Refused):
    """Why a verdict was refused, in a sentence for people."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of verdicts: the items that changed, and those that others were looking at, by name."""

    batch: ReviewBatch
    done: list[int] = field(default_factory=list)
    looked_at: dict[int, str] = field(default_factory=dict)


def judge(
    project: Project,
    reviewer: User,
    verdict: str,
    items: Iterable[int],
    comment: str = "",
    *,
    batch: ReviewBatch | None = None,
) -> Outcome:
    """Reject or approve items, as one batch or as more of one.

    What another reviewer has open is left alone.
    """
    with transaction.atomic():
        wanted = list(dict.fromkeys(items))
        others = locks.held_by_others(project, reviewer, wanted)
        chosen = lock(project, [item for item in wanted if item not in others])
        if verdict == Review.Verdict.APPROVE:
            chosen = undisputed(chosen)
        batch = batch or ReviewBatch.objects.create(
            project=project, reviewer=reviewer, verdict=verdict, comment=comment
        )
        note(batch, chosen)
        {Review.Verdict.REJECT: withdraw, Review.Verdict.APPROVE: settle}[Review.Verdict(verdict)](
            batch, chosen
        )
        ReviewBatch.objects.filter(pk=batch.pk).update(count=batch.count + len(chosen))
        batch.count += len(chosen)
        if chosen:
            record(project, reviewer, verdict, chosen, comment, batch)
    return Outcome(batch, chosen, others)


def reject(project: Project, items: Sequence[int], reviewer: User, comment: str = "") -> list[int]:
    """Withdraw the labels of items and send them back to people; returns the items that changed.

    The labels stay in the history. Skipped items and those that need review go back to the queue too.
    """
    return judge(project, reviewer, Review.Verdict.REJECT, items, comment).done


def approve(project: Project, items: Sequence[int], reviewer: User, comment: str = "") -> list[int]:
    """Note that labels are right; a skipped item is dropped from the project. Returns the items."""
    return judge(project, reviewer, Review.Verdict.APPROVE, items, comment).done


def undisputed(items: list[int]) -> list[int]:
    """Return those of some items that people do not disagree on: a dispute is decided, not approved."""
    disputed = Item.objects.filter(pk__in=items, state=Item.State.NEEDS_REVIEW)
    gone = set(disputed.values_list("id", flat=True))
    return [item for item in items if item not in gone]


def note(batch: ReviewBatch, items: list[int]) -> None:
    """Write verdicts down, each with how its item stands."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO labeling_review
                (project_id, item_id, annotation_id, reviewer_id, verdict, comment, created_at, batch_id,
                before)
            SELECT i.project_id, i.id, coalesce(i.current_annotation_id, (
                    SELECT max(a.id) FROM labeling_annotation a
                    WHERE a.item_id = i.id AND a.counted AND a.withdrawn_at IS NULL)),
                %(reviewer)s, %(verdict)s, %(comment)s, %(now)s, %(batch)s,
                jsonb_build_object('state', i.state, 'reason', i.reason, 'current', i.current_annotation_id,
                    'withdrawn', (SELECT coalesce(jsonb_agg(a.id), '[]') FROM labeling_annotation a
                        WHERE a.item_id = i.id AND a.counted AND a.withdrawn_at IS NULL),
                    'claims', (SELECT coalesce(jsonb_agg(c.id), '[]') FROM labeling_claim c
                        WHERE c.item_id = i.id AND c.state = 'live'),
                    'entry', (SELECT to_jsonb(e) FROM labeling_queueentry e WHERE e.item_id = i.id))
            FROM unnest(%(items)s::bigint[]) w(id) JOIN labeling_item i ON i.id = w.id
            """,
            {
                "reviewer": batch.reviewer_id,
                "verdict": batch.verdict,
                "comment": batch.comment,
                "now": timezone.now(),
                "batch": batch.pk,
                "items": items,
            },
        )


def withdraw(batch: ReviewBatch, items: list[int]) -> None:
    """Take the labels of items back and ask people anew."""
    counted = Annotation.objects.filter(item__in=items, counted=True, withdrawn_at=None)
    by_people = counted.filter(labeler__isnull=False, skipped=False)
    labels: Counter[int | None] = Counter(by_people.values_list("labeler_id", flat=True))
    counted.update(
        withdrawn_at=timezone.now(), withdrawn_by=batch.reviewer, withdrawal=Annotation.Withdrawal.REJECTED
    )
    Item.objects.filter(pk__in=items).update(state=Item.State.UNLABELED, current_annotation=None, reason="")
    requeue(batch.project, items)
    tell_labelers(batch.project, batch.reviewer, labels, batch.comment)


def settle(batch: ReviewBatch, items: list[int]) -> None:
    """Drop what was skipped; of the rest, note that somebody has looked."""
    Listing.objects.filter(item__in=items).update(reviewed=True)
    Item.objects.filter(pk__in=items, state=Item.State.SKIPPED).update(
        state=Item.State.REMOVED, reason=DROPPED
    )


def tell_labelers(project: Project, reviewer: User, rejected: Counter[int | None], comment: str) -> None:
    """Tell each labeler how many of their labels were rejected at once, but for those of the reviewer."""
    labels = Counter({labeler: count for labeler, count in rejected.items() if labeler is not None})
    labels.pop(reviewer.pk, None)
    if not labels:
        return
    members = Membership.objects.filter(project=project, user__in=labels, is_active=True)
    announcing.announce(
        "rejected",
        project,
        reviewer,
        to={user: labels[user] for user in members.values_list("user_id", flat=True)},
        count=labels.total(),
        comment=comment,
    )


def decide(project: Project, item: int, annotation: int, reviewer: User) -> ReviewBatch:
    """Say which of the answers that people gave to a disputed item is right. Raises ReviewRefused."""
    with transaction.atomic():
        locked = Item.objects.filter(pk__in=lock(project, [item]), state=Item.State.NEEDS_REVIEW)
        chosen = locked.first()
        if chosen is None:
            raise ReviewRefused("This image is not in dispute any more.")
        right = answers_in_dispute(chosen).filter(pk=annotation).first()
        if right is None:
            raise ReviewRefused("This answer was withdrawn meanwhile. Look at the image again.")
        batch = ReviewBatch.objects.create(
            project=project, reviewer=reviewer, verdict=Review.Verdict.APPROVE, count=1
        )
        note(batch, [item])
        batch.reviews.update(annotation=right)
        finish({item: annotation}, audited=True)
        Listing.objects.filter(pk=item).update(reviewed=True)
        record(project, reviewer, "decide", [item], "", batch)
    return batch


def answers_in_dispute(item: Item) -> QuerySet[Annotation]:
    """Return the answers that stand against each other, the first one first."""
    standing = item.annotations.filter(counted=True, skipped=False, withdrawn_at=None, labeler__isnull=False)
    return standing.order_by("id")


def lock(project: Project, items: Sequence[int], states: Sequence[str] = REVIEWABLE) -> list[int]:
    """Lock the items in some states, and return them; claims and entries come before items, as everywhere."""
    claims = Claim.objects.select_for_update().filter(item__in=items, state="live").order_by("id")
    list(claims.values_list("id"))
    entries = QueueEntry.objects.select_for_update().filter(item__in=items).order_by("item_id")
    list(entries.values_list("item_id"))
    found = Item.objects.select_for_update(no_key=True).filter(
        project=project, pk__in=items, state__in=states
    )
    return list(found.order_by("id").values_list("id", flat=True))


def requeue(
    project: Project,
    items: Sequence[int],
    *,
    why: str = SENT_BACK,
    ahead: float | None = None,
    hints: Mapping[int, int] = MappingProxyType({}),
) -> None:
    """Ask people about items again, from scratch; an audit that is open turns into that.

    They come first and singly, unless they only come `ahead` of the rest, where a model may place them anew.
    `hints` are answers to propose, by item, to those who are not asked blind.
    What was drawn to be asked blind is asked blind again: without the hard ones a draw would be biased.
    """
    Claim.objects.filter(item__in=items, state="live").update(state=Claim.State.EXPIRED)
    QueueEntry.objects.filter(item__in=items).delete()
    params: dict[str, Any] = {
        "project": project.pk,
        "rate": project.validation_rate,
        "needed": project.labels_per_item,
        "why": why,
        "ahead": ahead,
        "items": list(items),
        "hinted": list(hints),
        "hints": list(hints.values()),
    }
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO labeling_queueentry (item_id, project_id, kind, priority, why, hint_id,
                inclusion_probability, needed, open_slots)
            SELECT i.id, %(project)s, CASE WHEN i.is_drawn THEN 'validation' ELSE 'manual' END,
                coalesce(%(ahead)s::float8 + i.draw / 10, -1), %(why)s,
                CASE WHEN NOT i.is_drawn THEN h.hint END, i.probability, %(needed)s, %(needed)s
            FROM (
                SELECT i.id, i.draw, i.draw < %(rate)s OR earlier.item_id IS NOT NULL AS is_drawn,
                    CASE WHEN earlier.item_id IS NOT NULL THEN earlier.inclusion_probability
                        WHEN i.draw < %(rate)s THEN %(rate)s::float8 END AS probability
                FROM unnest(%(items)s::bigint[]) w(id) JOIN labeling_item i ON i.id = w.id
                LEFT JOIN LATERAL (SELECT a.item_id, a.inclusion_probability FROM labeling_annotation a
                    WHERE a.item_id = i.id AND a.kind = 'validation' ORDER BY a.id LIMIT 1) earlier ON true
            ) i
            LEFT JOIN unnest(%(hinted)s::bigint[], %(hints)s::bigint[]) h(item, hint) ON h.item = i.id
            """,
            params,
        )


def record(
    project: Project,
    reviewer: User,
    verb: str,
    items: list[int],
    comment: str,
    batch: ReviewBatch | None = None,
    **data: Any,
) -> None:
    if batch is not None:
        data["batch"] = batch.pk
    Event.record(verb, project, reviewer, items=items[:1_000], count=len(items), comment=comment, **data)


def last_reasons(project: Project, reviewer: User, most: int = 6) -> list[str]:
    """Return the reasons that somebody gave last for rejecting, the newest first."""
    given = ReviewBatch.objects.filter(project=project, reviewer=reviewer, verdict="reject").exclude(
        comment=""
    )
    latest = given.values("comment").annotate(latest=Max("id")).order_by("-latest")
    return list(latest.values_list("comment", flat=True)[:most])
