"""Asking people again about images whose labels do not fit the classes any more, and taking that back.

What was answered stays in the history, withdrawn at the moment of the change. Undone, it counts again where
nobody has answered since: what is put back is the same answer, by the same person and of the same time.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext_noop

from labeling import extensions, review
from labeling.meanings import family
from labeling.models import Annotation, Claim, Event, Item, LabelClass, Project, QueueEntry, Relabeling, User

CHUNK = 2_000
WHY = gettext_noop("the classes have changed")
OPEN = (Item.State.LABELED, Item.State.NEEDS_REVIEW, Item.State.SKIPPED, Item.State.UNLABELED)


def answered(project: Project, label_class: LabelClass | None = None) -> QuerySet[Item]:
    """Return the items with an answer that stands: with any, or with one that names a class."""
    standing = Annotation.objects.filter(item=OuterRef("pk"), withdrawn_at=None, counted=True)
    if label_class is not None:
        standing = standing.filter(regions__label_class__in=family(label_class.pk))
    return Item.objects.filter(Exists(standing), project=project, state__in=OPEN)


def send_back(project: Project, event: Event, items: Sequence[int], by: User, *, hinted: bool) -> int:
    """Withdraw the answers of items and ask people anew; returns how many items.

    With `hinted`, what counted is proposed to them, except where they are asked blind.
    """
    lock(items)
    sent = 0
    for chunk in chunks(items):
        rows = list(Item.objects.filter(pk__in=chunk, project=project, state__in=OPEN).order_by("id"))
        ids = [each.pk for each in rows]
        Relabeling.objects.bulk_create(
            Relabeling(
                event=event,
                item=each,
                annotation_id=each.current_annotation_id,
                state=each.state,
                reason=each.reason,
            )
            for each in rows
        )
        hints = {each.pk: each.current_annotation_id for each in rows if each.current_annotation_id}
        Annotation.objects.filter(item__in=ids, withdrawn_at=None).update(
            withdrawn_at=event.created_at, withdrawn_by=by, withdrawal=Annotation.Withdrawal.CLASSES
        )
        Item.objects.filter(pk__in=ids).update(state=Item.State.UNLABELED, current_annotation=None, reason="")
        review.requeue(project, ids, why=WHY, ahead=review.SOON, hints=hints if hinted else {})
        sent += len(rows)
    return sent


def put_back(event: Event) -> int:
    """Let answers that a change withdrew count again where nobody has answered since; returns how many."""
    since = Annotation.objects.filter(item=OuterRef("item"), created_at__gte=event.created_at)
    untouched = event.relabelings.filter(~Exists(since), item__state=Item.State.UNLABELED)
    items = list(untouched.order_by("item_id").values_list("item_id", flat=True))
    lock(items)
    project = event.project
    assert project is not None
    stands = extensions.standing_certificates(project)
    back = 0
    for chunk in chunks(items):
        withdrawn = Annotation.objects.filter(
            item__in=chunk, withdrawal=Annotation.Withdrawal.CLASSES, withdrawn_at=event.created_at
        )
        # What a model has labeled stands on a certificate, or not at all.
        fallen = set(
            withdrawn.filter(source=Annotation.Source.AUTO)
            .exclude(certificate__in=stands)
            .values_list("item_id", flat=True)
        )
        ids = [each for each in chunk if each not in fallen]
        withdrawn.filter(item__in=ids).update(withdrawn_at=None, withdrawn_by=None, withdrawal="")
        back += len(ids)
        stand_as_before(event, ids)
    return back


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
    claims = Claim.objects.select_for_update().filter(state=Claim.State.LIVE).order_by("id")
    entries = QueueEntry.objects.select_for_update().order_by("item_id")
    rows = Item.objects.select_for_update(no_key=True).order_by("id")
    held: list[int] = []
    for chunk in chunks(items):
        held += Claim.objects.filter(item__in=chunk, state=Claim.State.LIVE).values_list("id", flat=True)
    for some in chunks(sorted(held)):
        list(claims.filter(pk__in=some).values_list("id"))
    for chunk in chunks(items):
        list(entries.filter(item__in=chunk).values_list("item_id"))
    for chunk in chunks(items):
        list(rows.filter(pk__in=chunk).values_list("id"))


def chunks(items: Iterable[int]) -> Iterator[list[int]]:
    rest = iter(items)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk
