"""Checking proposed objects by their crops: claim a page of look-alikes, answer it, and what that changes.

What people said is matched to the newest proposal of an item by class and place, so that it outlives the
model that was asked about. Locks are taken in the order page, checks by id, queue entries and suggestions by
item.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from labeling import assigning, columns, geometry, limits, queue
from labeling.answering import InvalidAnswer
from labeling.models import CheckPage, Membership, ObjectCheck, Project, QueueEntry, Suggestion, User
from labeling.models.queueing import QueueKind

MOST_ON_A_PAGE = 9
SAME = 0.8  # overlap from which two boxes of a class are the same object
SHOWN = (QueueKind.MANUAL, QueueKind.PRELABELED)  # where people see what is proposed
FIRST = -1  # the priority of what is asked next
LOOKED_WRONG = gettext_noop("an object looked wrong here")

# What nobody may look at by crops: blind items, certified ones, and those on somebody's screen; and proposals
# that are no longer the newest.
FREE = """
    FROM labeling_objectcheck c
    JOIN labeling_queueentry e ON e.item_id = c.item_id AND e.kind = 'manual' AND e.open_slots = e.needed
    JOIN labeling_suggestion s ON s.item_id = c.item_id AND s.model_version = c.model_version
    JOIN labeling_labelclass l ON l.id = c.label_class_id AND l.retired_at IS NULL
    WHERE c.project_id = %(project)s AND c.state = 'waiting' AND {of_scope}
    AND (c.held_until IS NULL OR c.held_until < %(now)s{or_mine})
"""
# What is assigned to others is theirs here too.
TO_ME = "(e.assignment_id IS NULL OR e.assignment_id = ANY(%(mine)s))"
ONLY_MINE = "e.assignment_id = ANY(%(mine)s)"
MINE = " OR EXISTS (SELECT 1 FROM labeling_checkpage p WHERE p.id = c.page_id AND p.labeler_id = %(labeler)s)"
COUNT = "SELECT count(*)" + FREE.replace("{or_mine}", MINE)
IN_ORDER = " ORDER BY c.priority, c.id LIMIT %(most)s FOR UPDATE OF c SKIP LOCKED"
NEW = 'SELECT c.id, c.model_version, c."group", c.label_class_id' + FREE.replace("{or_mine}", "")
NEXT = NEW + IN_ORDER
NEXT_IN_GROUP = (
    NEW
    + ' AND c.model_version = %(version)s AND c."group" = %(group)s AND c.label_class_id = %(label_class)s'
    + IN_ORDER
)


def claim(project: Project, labeler: User, holding: Collection[int] = ()) -> CheckPage | None:
    """Lease up to nine objects that look alike; None when there is nothing to check.

    A page of the labeler's that is open and not among those that their screen has (`holding`) comes first,
    after a reload, say. Raises NotRunning, limits.NotWorking and limits.LimitReached.
    """
    now = timezone.now()
    with transaction.atomic():
        queue.one_at_a_time(project, labeler)
        membership = limits.member(project, labeler)
        queue.refuse_paused(project, membership)
        if limits.room(project, labeler, membership) == 0:
            return None
        left = CheckPage.objects.filter(
            project=project, labeler=labeler, answered_at=None, expires_at__gt=now
        ).exclude(pk__in=holding)
        return left.order_by("id").first() or lease(project, labeler, now, scope_of(membership))


def scope_of(membership: Membership | None) -> str:
    return ONLY_MINE if membership is not None and membership.only_assigned else TO_ME


def lease(project: Project, labeler: User, now: datetime, scope: str) -> CheckPage | None:
    if project.assist_mode == Project.AssistMode.OFF:
        return None
    params: queue.Params = {"project": project.pk, "now": now, "mine": assigning.of(project, labeler)}
    with connection.cursor() as cursor:
        cursor.execute(NEXT.format(of_scope=scope), params | {"most": 1})
        first = cursor.fetchone()
        if first is None:
            return None
        version, group, label_class = first[1:]
        params |= {"version": version, "group": group, "label_class": label_class, "most": MOST_ON_A_PAGE}
        cursor.execute(NEXT_IN_GROUP.format(of_scope=scope), params)
        checks = [row[0] for row in cursor.fetchall()]
    page = CheckPage.objects.create(
        project=project,
        labeler=labeler,
        label_class_id=label_class,
        checks=checks,
        expires_at=now + queue.LEASE,
    )
    ObjectCheck.objects.filter(pk__in=checks).update(page=page, held_until=page.expires_at)
    return page


def shown(page: CheckPage) -> list[ObjectCheck]:
    """Return the objects of a page, in the order in which they are shown."""
    by_id = ObjectCheck.objects.select_related("item").in_bulk(page.checks)
    return [by_id[each] for each in page.checks if each in by_id]


def waiting(project: Project, labeler: User) -> int:
    """Count the objects that a labeler could check now, or has on screen."""
    if project.assist_mode == Project.AssistMode.OFF:
        return 0
    try:
        membership = limits.member(project, labeler)
    except limits.NotWorking:
        return 0
    params: queue.Params = {
        "project": project.pk,
        "now": timezone.now(),
        "labeler": labeler.pk,
        "mine": assigning.of(project, labeler),
    }
    with connection.cursor() as cursor:
        cursor.execute(COUNT.format(of_scope=scope_of(membership)), params)
        return int(cursor.fetchone()[0])


def answer(page: CheckPage, exceptions: Iterable[int], seconds: float | None) -> CheckPage:
    """Confirm the objects of a page but for some exceptions. Once: sent again, it changes nothing.

    What somebody else has answered meanwhile stays as they said. Raises InvalidAnswer and limits.NotWorking.
    """
    wrong = sorted(set(exceptions))
    with transaction.atomic():
        queue.one_at_a_time(page.project, page.labeler)
        limits.member(page.project, page.labeler)
        page = CheckPage.objects.select_for_update(no_key=True).get(pk=page.pk)
        if page.answered_at is not None:
            return page
        if not set(wrong) <= set(page.checks):
            raise InvalidAnswer(_("An exception is not on this page."))
        page.exceptions, page.seconds, page.answered_at = wrong, seconds, timezone.now()
        page.save(update_fields=["exceptions", "seconds", "answered_at"])
        open_now = ObjectCheck.objects.filter(pk__in=page.checks, state=ObjectCheck.State.WAITING)
        open_now = open_now.select_for_update(no_key=True).order_by("id")
        item_of = dict(open_now.values_list("id", "item_id"))
        refused = [each for each in wrong if each in item_of]
        settle(page, refused, ObjectCheck.State.REJECTED)
        settle(page, item_of.keys() - set(refused), ObjectCheck.State.CONFIRMED)
        ask_next([item_of[each] for each in refused])
        write_into_proposals(item_of.values())
    return page


def settle(page: CheckPage, checks: Collection[int], state: ObjectCheck.State) -> None:
    ObjectCheck.objects.filter(pk__in=checks).update(
        state=state, page=page, held_until=None, answered_at=page.answered_at
    )


def ask_next(items: Sequence[int]) -> None:
    """Move items to the front of the single queue, unless they are on a screen or asked blind by now."""
    free = QueueEntry.objects.filter(item__in=items, kind__in=SHOWN, open_slots=F("needed"))
    locked = list(free.select_for_update().order_by("item_id").values_list("item_id", flat=True))
    QueueEntry.objects.filter(pk__in=locked).update(
        kind=QueueKind.MANUAL, group=None, certificate=None, priority=FIRST, why=LOOKED_WRONG
    )


def write_into_proposals(items: Iterable[int]) -> None:
    """Mark the objects that people confirmed in what is proposed for items, and drop the rejected ones."""
    said = said_of(items)
    proposals = Suggestion.objects.select_for_update(no_key=True).filter(item__in=list(said))
    changed = []
    for proposal in proposals.order_by("item_id"):
        regions = marked(proposal.regions, said[proposal.item_id])
        if regions != proposal.regions:
            proposal.regions = regions
            changed.append(proposal)
    columns.write(changed, ["regions"])


def said_of(items: Iterable[int]) -> defaultdict[int, list[ObjectCheck]]:
    """Return by item what people have said of its objects, the last word last."""
    said: defaultdict[int, list[ObjectCheck]] = defaultdict(list)
    answered = ObjectCheck.objects.filter(item__in=list(items)).exclude(state=ObjectCheck.State.WAITING)
    for each in answered.order_by("answered_at", "id"):
        said[each.item_id].append(each)
    return said


def marked(regions: Sequence[dict[str, Any]], said: Sequence[ObjectCheck]) -> list[dict[str, Any]]:
    """Return regions without those that people rejected, and the confirmed ones as such."""
    kept = []
    for region in regions:
        last = last_word(region["class"], box_of(region), said)
        if last != ObjectCheck.State.REJECTED:
            kept.append({**region, "confirmed": True} if last else region)
    return kept


def last_word(label_class: int, box: Sequence[float], said: Sequence[ObjectCheck]) -> str | None:
    """Return what was last said of an object, None when nobody has looked at it."""
    same = [
        each.state
        for each in said
        if each.label_class_id == label_class and geometry.overlap(each.bbox, box) >= SAME
    ]
    return same[-1] if same else None


def box_of(region: dict[str, Any]) -> list[float]:
    """Return [x, y, width, height] around a proposed region."""
    return list(region["bbox"] if region.get("bbox") else geometry.bounds(region["polygon"]))
