"""From answers to a label: the consensus of several people, one more opinion, or a reviewer.

An item is asked of `labels_per_item` people. Where they do not agree, one more is asked at a time, up to
`most_labels`; after that a reviewer decides.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from django.db import connection, transaction
from django.db.models import F

from labeling import agreement, colleagues, rechecks, workforce
from labeling.answers import classes_of, regions_of
from labeling.models import Annotation, Claim, Item, Page, Project, QueueEntry
from labeling.models.queueing import QueueKind
from labeling.validation import kind_for

MOST_OPINIONS = 3  # on an item that is asked again, at the least, before a reviewer has to decide
NOT_AGREED = "The labelers do not agree."
SOON = -1  # the priority of an item of which some answers are there


def agreed_among(project: Project, annotations: Sequence[int]) -> int | None:
    """Return the one of some annotations that is their consensus, None where people do not agree."""
    rule = project.agreement_rule
    if project.is_classification:
        labels = classes_of(annotations)
        alike = agreement.matrix([labels[each] for each in annotations], agreement.classes_alike)
        place = agreement.consensus(alike, rule)
    else:
        drawn = regions_of(annotations)
        answers = [drawn[each] for each in annotations]
        alike, close = (
            agreement.matrix(answers, partial(how, overlap=rule.overlap))
            for how in (agreement.regions_alike, agreement.regions_close)
        )
        place = agreement.consensus(alike, rule, close)
    return None if place is None else annotations[place]


def settle(page: Page, item: Item, done: dict[int, int]) -> None:
    """Form the consensus of an item's answers, or ask for another opinion or a reviewer."""
    given = answers_that_count(item)
    agreed = agreed_among(page.project, list(given)) if given else None
    if agreed is not None:
        done[item.pk] = agreed
    elif not ask_another(page, item, given):
        put_aside(item, Item.State.NEEDS_REVIEW, NOT_AGREED)


def answers_that_count(item: Item) -> dict[int, int | None]:
    """Return the answers to an item that its consensus is formed of, each with its labeler, oldest first."""
    standing = Annotation.objects.filter(
        item=item, counted=True, skipped=False, withdrawn_at=None, labeler__isnull=False
    )
    return dict(standing.order_by("id").values_list("id", "labeler_id"))


def ask_another(page: Page, item: Item, given: Mapping[int, int | None]) -> bool:
    """Ask one more person about an item on which people do not agree; tells whether there is one to ask."""
    project, people = page.project, given.values()
    if page.kind == QueueKind.AUDIT:
        most = max(MOST_OPINIONS, project.most_labels if project.labels_per_item == 1 else 0)
        if len(given) >= most or not workforce.at_work(project, but=people):
            return False
        return bool(QueueEntry.objects.filter(pk=item.pk).update(needed=1, open_slots=1))
    if len(given) >= project.most_labels or not colleagues.can_be_asked(project, but=people):
        return False
    entry = {"needed": 1, "open_slots": 1, "priority": SOON}
    waiting = QueueEntry.objects.filter(pk=item.pk)
    if waiting.filter(kind=QueueKind.AUDIT).exists():
        return False
    if not waiting.update(**entry):
        kind = kind_for(project, item)
        rate = project.validation_rate if kind == QueueKind.VALIDATION else None
        QueueEntry.objects.create(item=item, project=project, kind=kind, inclusion_probability=rate, **entry)
    Item.objects.filter(pk=item.pk).update(state=Item.State.UNLABELED, current_annotation=None, reason="")
    return True


def shared_with_others(page: Page, items: Iterable[int]) -> set[int]:
    """Return the items of a page that somebody else has answered, too: they are not one person's to decide.

    What is being asked again is left out, but for the answer to that: it is compared when that is there.
    """
    standing = Annotation.objects.filter(
        item__in=list(items), counted=True, skipped=False, withdrawn_at=None, labeler__isnull=False
    )
    others = standing.exclude(labeler=page.labeler)
    if page.kind != QueueKind.AUDIT:
        others = others.exclude(item__entry__kind=QueueKind.AUDIT)
    return set(others.values_list("item_id", flat=True))


def skip(page: Page, item: Item, reason: str) -> None:
    """Put an item aside; the label that somebody else gave it goes to a reviewer."""
    current = Annotation.objects.filter(item=item, item__current_annotation=F("id"), labeler__isnull=False)
    if page.kind == QueueKind.AUDIT and current.exclude(labeler=page.labeler).exists():
        put_aside(item, Item.State.NEEDS_REVIEW, rechecks.SKIPPED)
    else:
        put_aside(item, Item.State.SKIPPED, reason or "A labeler skipped it.")


def put_aside(item: Item, state: Item.State, reason: str) -> None:
    QueueEntry.objects.filter(pk=item.pk).delete()
    Item.objects.filter(pk=item.pk).update(state=state, current_annotation=None, reason=reason)


def ask_as_many_as_wanted(project: Project) -> None:
    """Ask as many people about what waits as the project wants by now; who holds an item keeps it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            WITH waiting AS (
                SELECT e.item_id, e.needed - e.open_slots AS live FROM labeling_queueentry e
                WHERE e.project_id = %(project)s AND e.kind <> 'audit' ORDER BY e.item_id FOR UPDATE
            ), wanted AS (
                SELECT w.item_id, w.live, greatest(1, w.live, %(labels)s - (
                    SELECT count(*) FROM labeling_annotation a WHERE a.item_id = w.item_id AND a.counted
                    AND NOT a.skipped AND a.withdrawn_at IS NULL AND a.labeler_id IS NOT NULL
                )) AS needed FROM waiting w
            )
            UPDATE labeling_queueentry e SET needed = w.needed, open_slots = w.needed - w.live
            FROM wanted w WHERE e.item_id = w.item_id AND e.needed <> w.needed
            """,
            {"project": project.pk, "labels": project.labels_per_item},
        )


def slots(item: int, wanted: int) -> dict[str, int]:
    """Return the slots of an item's entry: so many answers are wanted, and one more person holds it again.

    The holder's own slot is not open; their claim is not among the live ones yet. Others may hold it still,
    also where it had left the queue: who skips an item takes it from nobody's screen.
    """
    live = Claim.objects.filter(item=item, state=Claim.State.LIVE).count()
    needed = max(wanted, live + 1)
    return {"needed": needed, "open_slots": needed - live - 1}
