"""Asking again, blind and by somebody else, what one person answered: how good are labels given in bulk?

An item stays labeled while it is asked again. Where both agree nothing changes; where they do not, a
reviewer decides. Who answered an item is never handed it again, so one person alone is not checked.
"""

import random
from collections.abc import Iterable, Sequence

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from labeling.answers import classes_of
from labeling.models import Annotation, Claim, Item, Membership, Project, QueueEntry, Recheck, User
from labeling.models.queueing import QueueKind

SHARE = 0.05  # of each labeler's answers on grids

DISAGREE = "Two labelers do not agree."
SKIPPED = "One labeler gave it a class, another skipped it."


def draw(project: Project, labeler: User, given: Iterable[Annotation]) -> None:
    """Have a share of what somebody confirmed on grids asked again, each by chance.

    Where several people answer each item anyway, there is nothing to ask again.
    """
    drawn = [
        each.pk
        for each in given
        if each.kind == QueueKind.CLUSTERED and each.source == Annotation.Source.BULK and each.counted
        if random.random() < SHARE
    ]
    if drawn and project.labels_per_item == 1 and has_others(project, labeler):
        ask(project, drawn, probability=SHARE)


def has_others(project: Project, labeler: User) -> bool:
    """Tell whether there is somebody else who labels here."""
    answered = Annotation.objects.filter(project=project, labeler=OuterRef("user"))
    others = Membership.objects.filter(project=project, is_active=True, user__is_active=True).exclude(
        user=labeler
    )
    return others.filter(Q(role=Membership.Role.LABELER) | Exists(answered)).exists()


def ask(project: Project, annotations: Sequence[int], *, probability: float) -> list[int]:
    """Ask others about the items of answers that count; returns the items.

    Passed over is what no longer counts, what no person answered, and what waits in the queue already.
    """
    with transaction.atomic():
        items = list(
            Item.objects.select_for_update(no_key=True, of=("self",))
            .filter(project=project, state=Item.State.LABELED, current_annotation__in=annotations)
            .filter(current_annotation__labeler__isnull=False, entry=None)
            .select_related("current_annotation")
            .order_by("id")
        )
        # What nobody was asked any more is no longer open.
        Recheck.objects.filter(item__in=items, second=None).delete()
        QueueEntry.objects.bulk_create(
            QueueEntry(item=item, project=project, kind=QueueKind.AUDIT, inclusion_probability=probability)
            for item in items
        )
        Recheck.objects.bulk_create(
            Recheck(project=project, item=item, first=item.current_annotation, probability=probability)
            for item in items
        )
    return [item.pk for item in items]


def take(item: Item, annotation: Annotation) -> bool:
    """Compare an answer from an audit page with the one it checks; the item is locked.

    Returns False where it checks none that stands: then it is an answer like others.
    """
    recheck = (
        Recheck.objects.filter(Q(second=None) | Q(second__labeler=annotation.labeler), item=item)
        .select_related("first")
        .order_by("-id")
        .first()
    )
    if recheck is None:
        return False
    if recheck.first.withdrawn_at is not None:
        Recheck.objects.filter(pk=recheck.pk, second=None).delete()
        return False
    recheck.second = annotation
    judge(recheck)
    return True


def judge(recheck: Recheck) -> None:
    """Compare both answers, and ask for a reviewer unless they agree."""
    first, second = recheck.first, recheck.second
    assert second is not None
    is_skipped = first.skipped or second.skipped
    labels = classes_of([first.pk, second.pk])
    recheck.agreed = None if is_skipped else labels[first.pk] == labels[second.pk]
    recheck.save(update_fields=["first", "second", "agreed"])
    QueueEntry.objects.filter(pk=recheck.item_id, kind=QueueKind.AUDIT).delete()
    if recheck.agreed:
        Item.objects.filter(pk=recheck.item_id).update(
            state=Item.State.LABELED, current_annotation=first, reason=""
        )
    else:
        dispute(recheck.item_id, SKIPPED if is_skipped else DISAGREE)


def dispute(item: int, reason: str) -> None:
    """Leave an item to a reviewer."""
    Item.objects.filter(pk=item).update(state=Item.State.NEEDS_REVIEW, current_annotation=None, reason=reason)


def follow(earlier: Annotation, correction: Annotation) -> bool:
    """Let a correction take the place of the answer that is checked; tells whether its item is done with.

    One that is a skip leaves the item to a reviewer; who was asked goes on being asked.
    """
    recheck = Recheck.objects.filter(first=earlier).select_related("second").first()
    if recheck is None:
        return False
    recheck.first = correction
    if recheck.second is not None and recheck.second.withdrawn_at is None:
        judge(recheck)
        return True
    recheck.save(update_fields=["first"])
    if correction.skipped:
        dispute(recheck.item_id, SKIPPED)
    return correction.skipped


def cancel(annotations: Sequence[int]) -> set[int]:
    """Ask no more about answers that are taken back; returns the items that have left the queue.

    Claims, entries and items are locked. Who has such an item on screen comes late.
    """
    checks = Recheck.objects.filter(first__in=annotations, second=None)
    items = set(checks.values_list("item_id", flat=True))
    checks.delete()
    Claim.objects.filter(item__in=items, state=Claim.State.LIVE).update(state=Claim.State.EXPIRED)
    QueueEntry.objects.filter(item__in=items, kind=QueueKind.AUDIT).delete()
    return items


def reopen(annotation: Annotation) -> Annotation | None:
    """Take back an answer that checked another; returns that other, None where it stands no longer."""
    recheck = (
        Recheck.objects.filter(second=annotation, first__withdrawn_at=None).select_related("first").first()
    )
    if recheck is None:
        return None
    Recheck.objects.filter(pk=recheck.pk).update(second=None, agreed=None)
    return recheck.first
