"""Asking people again about images whose labels do not fit the classes any more, and taking that back.

What was answered stays in the history, withdrawn at the moment of the change. Undone, it counts again where
nobody has answered since: what is put back is the same answer, by the same person and of the same time.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext_noop

from labeling import consensus, extensions, queue, review
from labeling.meanings import family
from labeling.models import Annotation, Claim, Event, Item, LabelClass, Project, QueueEntry, Relabeling

WHY = gettext_noop("the classes have changed")
OPEN = (Item.State.LABELED, Item.State.NEEDS_REVIEW, Item.State.SKIPPED, Item.State.UNLABELED)


def answered(
    project: Project,
    label_class: LabelClass | None = None,
    *,
    named: Sequence[int] | None = None,
    before: datetime | None = None,
) -> QuerySet[Item]:
    """Return the items with an answer that stands: with any, or with one that names a class.

    `named` are the ids of classes in place of one, with those that count as them; `before` leaves out
    answers that came later.
    """
    standing = Annotation.objects.filter(item=OuterRef("pk"), withdrawn_at=None, counted=True)
    if before is not None:
        standing = standing.filter(created_at__lt=before)
    if label_class is not None:
        named = family(label_class.pk)
    if named is not None:
        standing = standing.filter(regions__label_class__in=named)
    return Item.objects.filter(Exists(standing), project=project, state__in=OPEN)


def send_back(project: Project, event: Event, items: Sequence[int], *, hinted: bool) -> int:
    """Withdraw the answers of items from before a change and ask people anew; returns how many items.

    With `hinted`, what counted is proposed to them, except where they are asked blind. What somebody has
    answered since the change stands.
    """
    lock(items)
    rows = list(Item.objects.filter(pk__in=items, project=project, state__in=OPEN).order_by("id"))
    ids = [each.pk for each in rows]
    since = answers_since(event, ids)
    left = [each for each in rows if each.pk not in since]
    Relabeling.objects.bulk_create(
        Relabeling(
            event=event,
            item=each,
            annotation_id=each.current_annotation_id,
            state=each.state,
            reason=each.reason,
        )
        for each in left
    )
    hints = {each.pk: each.current_annotation_id for each in left if each.current_annotation_id}
    outdated = Annotation.objects.filter(item__in=ids, withdrawn_at=None, created_at__lt=event.created_at)
    outdated.update(
        withdrawn_at=event.created_at, withdrawn_by=event.actor_id, withdrawal=Annotation.Withdrawal.CLASSES
    )
    Item.objects.filter(pk__in=ids).update(state=Item.State.UNLABELED, current_annotation=None, reason="")
    review.requeue(project, ids, why=WHY, ahead=review.SOON, hints=hints if hinted else {})
    for item, given in since.items():
        count_on(project, item, given)
    return len(left)


def answers_since(event: Event, items: Sequence[int]) -> dict[int, list[int]]:
    """Return the standing answers to items that people gave since a change, oldest first."""
    given: dict[int, list[int]] = {}
    standing = Annotation.objects.filter(
        item__in=items, withdrawn_at=None, counted=True, skipped=False, labeler__isnull=False
    )
    for item, pk in (
        standing.filter(created_at__gte=event.created_at).order_by("id").values_list("item", "id")
    ):
        given.setdefault(item, []).append(pk)
    return given


def count_on(project: Project, item: int, given: Sequence[int]) -> None:
    """Let an item that waits have the answers that it got since a change: they may be all that it needs."""
    needed = project.labels_per_item - len(given)
    if needed > 0:
        QueueEntry.objects.filter(pk=item).update(needed=needed, open_slots=needed, hint=None)
        return
    agreed = consensus.agreed_among(project, given)
    if agreed is not None:
        queue.finish({item: agreed}, audited=True)
    else:
        QueueEntry.objects.filter(pk=item).delete()
        Item.objects.filter(pk=item).update(state=Item.State.NEEDS_REVIEW, reason=consensus.NOT_AGREED)


def put_back(event: Event, items: Sequence[int]) -> int:
    """Let answers to items that a change withdrew count again where nobody has answered since.

    Returns to how many.
    """
    lock(items)
    project = event.project
    assert project is not None
    since = Annotation.objects.filter(item=OuterRef("item"), created_at__gte=event.created_at)
    untouched = event.relabelings.filter(~Exists(since), item__in=items, item__state=Item.State.UNLABELED)
    chosen = list(untouched.order_by("item_id").values_list("item_id", flat=True))
    withdrawn = Annotation.objects.filter(
        item__in=chosen, withdrawal=Annotation.Withdrawal.CLASSES, withdrawn_at=event.created_at
    )
    # What a model has labeled stands on a certificate, or not at all.
    stands = extensions.standing_certificates(project)
    auto = withdrawn.filter(source=Annotation.Source.AUTO)
    fallen = set(auto.exclude(certificate__in=stands).values_list("item_id", flat=True))
    ids = [each for each in chosen if each not in fallen]
    withdrawn.filter(item__in=ids).update(withdrawn_at=None, withdrawn_by=None, withdrawal="")
    stand_as_before(event, ids)
    return len(ids)


def stand_as_before(event: Event, items: Sequence[int]) -> None:
    """Give items the state that they had, and leave in the queue only what was there."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE labeling_item i
            SET state = r.state, reason = r.reason, current_annotation_id = r.annotation_id
            FROM labeling_relabeling r WHERE r.event_id = %s AND r.item_id = i.id AND i.id = ANY(%s)
            """,
            [event.pk, list(items)],
        )
    Claim.objects.filter(item__in=items, state=Claim.State.LIVE).update(state=Claim.State.EXPIRED)
    entries = QueueEntry.objects.filter(item__in=items)
    entries.exclude(item__state=Item.State.UNLABELED).delete()
    for entry in entries.select_related("project"):
        given = Annotation.objects.filter(
            item=entry.item_id, counted=True, skipped=False, withdrawn_at=None, labeler__isnull=False
        ).count()
        needed = max(1, entry.project.labels_per_item - given)
        QueueEntry.objects.filter(pk=entry.pk).update(needed=needed, open_slots=needed, hint=None)


def lock(items: Sequence[int]) -> None:
    """Lock all that is held of items: claims by id, then entries and items by item, as everywhere."""
    live = Claim.objects.filter(item__in=items, state=Claim.State.LIVE)
    list(live.select_for_update().order_by("id").values_list("id"))
    entries = QueueEntry.objects.filter(item__in=items)
    list(entries.select_for_update().order_by("item_id").values_list("item_id"))
    rows = Item.objects.filter(pk__in=items)
    list(rows.select_for_update(no_key=True).order_by("id").values_list("id"))
