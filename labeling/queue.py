"""Handing out work: claim, extend, release. Pages are formed at the moment they are asked for."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling import assigning, bias, decoys, gold, limits, meanings
from labeling.models import Annotation, Claim, Instructions, Membership, Page, Project, QueueEntry, User
from labeling.models.queueing import QueueKind
from labeling.proposing import GROUPED, give_hints, to_keep

LEASE = timedelta(minutes=10)
SIZES = (1, 4, 6, 9)

# How often each kind comes first when it has something; the others follow when it is empty.
WEIGHTS = {"review": 8.0, "gold": 1.0, "audit": 4.0, "prelabeled": 6.0, "clustered": 5.0, "manual": 3.0}
WHOLE_GROUP = 25  # look-alikes that belong together, at the most
BLIND = ("validation", "audit", "gold")
LOST = (Claim.State.EXPIRED, Claim.State.RELEASED)


Params = dict[str, int | str | datetime | list[int] | None]
Turn = tuple[str, int | None]  # a kind, and the assignment whose items are looked at; None for all others


@dataclass(frozen=True, slots=True)
class Candidate:
    item: int
    why: str
    group: int | None
    proposed_class: int | None
    inclusion_probability: float | None
    likely: list[int] | None = None
    doubtful: list[int] | None = None
    hint: int | None = None


class NotRunning(Exception):
    """The project is paused: nobody can label now."""


def claim(project: Project, labeler: User, size: int, holding: Sequence[int] = ()) -> Page | None:
    """Lease up to `size` items to a labeler as a page; None when nothing is left for them.

    `holding` names the pages that the labeler's screen has already: when the queue is empty, a page
    of theirs that is not on screen (after a reload, say) is handed out again. Raises NotRunning,
    limits.NotWorking and limits.LimitReached.
    """
    now = timezone.now()
    with transaction.atomic():
        one_at_a_time(project, labeler)
        membership = limits.member(project, labeler)
        refuse_paused(project, membership)
        room = limits.room(project, labeler, membership)
        reclaim_expired(project, now)
        most = size if room is None else min(size, room)
        for kind, assignment in turns(project, labeler, size, membership) if most else ():
            found = candidates(project, labeler, kind, 1 if kind in BLIND else most, assignment)
            if found:
                return hand_out(project, labeler, kind, found, most, now)
    return (
        Page.objects.filter(Q(claims__state="live") | Q(kind=QueueKind.GOLD))
        .filter(project=project, labeler=labeler, state="open", expires_at__gt=now)
        .exclude(pk__in=holding)
        .order_by("id")
        .first()
    )


def refuse_paused(project: Project, membership: Membership | None) -> None:
    """Raise NotRunning unless a member can label now."""
    if project.state != Project.State.RUNNING:
        raise NotRunning(_("This project is paused. Labeling goes on when a manager starts it again."))
    if project.is_hiding_faces:
        raise NotRunning(_("Faces are being hidden in the images. Labeling goes on as soon as that is done."))
    if membership is not None and membership.paused_at is not None:
        raise NotRunning(_("You are paused here. A manager looks at your answers and lets you go on."))


def one_at_a_time(project: Project, labeler: User) -> None:
    """Let a labeler's second tab wait, so that both never take the same item."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [project.pk % 2**31, labeler.pk % 2**31])


def turns(project: Project, labeler: User, size: int, membership: Membership | None) -> list[Turn]:
    """Return where to look for work, in order: what is assigned to the labeler, then what is open to all.

    What is asked blind is assigned to nobody and keeps its share of everybody's answers: were it answered by
    some people alone, or last, it would measure them and not the pool. So who gets only what is assigned gets
    blind items too, though none when nothing assigned is left.
    """
    mine = assigning.of(project, labeler)
    waiting = kinds_waiting(project, mine)
    blind, others = order_of_kinds(project, size)
    found: list[Turn] = [(kind, None) for kind in blind]
    is_assigned = any(assignment is not None for _, assignment in waiting)
    if is_assigned:
        found += [turn for kind in others for turn in of_kind(kind, mine)]
    if membership is None or not membership.only_assigned:
        found += [(kind, None) for kind in (*others, QueueKind.VALIDATION)]
    elif not is_assigned:
        return []
    return [turn for turn in dict.fromkeys(found) if turn in waiting]


def of_kind(kind: str, mine: list[int]) -> list[Turn]:
    return [(kind, None)] if kind in BLIND else [(kind, each) for each in mine]


def order_of_kinds(project: Project, size: int) -> tuple[list[str], list[str]]:
    """Return the blind kinds that come first this time, if any, and the others by weight.

    Validation pages hold one item and others `size`, so a share s of the answers takes a share
    s·size / (1 - s + s·size) of the pages. Audits have half of it while there are any: an attempt to certify
    waits for second opinions.
    """
    share = project.validation_share
    first = random.random() < share * size / (1 - share + share * size)
    others = sorted(WEIGHTS, key=lambda kind: random.random() ** (1 / WEIGHTS[kind]), reverse=True)
    return random.sample(["validation", "audit"], 2) if first else [], others


def kinds_waiting(project: Project, mine: list[int]) -> set[Turn]:
    """Return where something waits to be handed out, by one look at an index for each."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT kind, NULL::bigint FROM unnest(%(kinds)s::text[]) AS k(kind) WHERE EXISTS (
                SELECT 1 FROM labeling_queueentry e
                WHERE e.project_id = %(project)s AND e.kind = k.kind AND e.open_slots > 0
                AND e.assignment_id IS NULL
            )
            UNION ALL
            SELECT kind, mine FROM unnest(%(kinds)s::text[]) AS k(kind), unnest(%(mine)s::bigint[]) AS a(mine)
            WHERE EXISTS (
                SELECT 1 FROM labeling_queueentry e
                WHERE e.assignment_id = a.mine AND e.kind = k.kind AND e.open_slots > 0
            )
            """,
            {"kinds": ["validation", *WEIGHTS], "project": project.pk, "mine": mine},
        )
        return set(cursor.fetchall())


def reclaim_expired(project: Project, now: datetime) -> None:
    """Give back what expired claims hold."""
    gone = list(
        Claim.objects.select_for_update(skip_locked=True, no_key=True)
        .filter(project=project, state="live", expires_at__lt=now)
        .order_by("id")[:500]
        .values_list("id", "item_id")
    )
    if gone:
        give_back([item for _, item in gone])
        Claim.objects.filter(pk__in=[pk for pk, _ in gone]).update(state=Claim.State.EXPIRED)


def give_back(items: list[int]) -> None:
    """Open one slot for each item; their claims must be locked."""
    entries = QueueEntry.objects.select_for_update().filter(item__in=items).order_by("item_id")
    held: dict[int, int] = {}
    for item in items:
        held[item] = held.get(item, 0) + 1
    for item in entries.values_list("item_id", flat=True):
        QueueEntry.objects.filter(pk=item).update(open_slots=F("open_slots") + held[item])


OPEN_TO_ME = """
    FROM labeling_queueentry e
    WHERE {of_scope} AND e.kind = %(kind)s AND e.open_slots > 0
    AND NOT EXISTS (SELECT 1 FROM labeling_annotation a
        WHERE a.item_id = e.item_id AND a.labeler_id = %(labeler)s AND a.withdrawn_at IS NULL)
    AND NOT EXISTS (SELECT 1 FROM labeling_claim c
        WHERE c.item_id = e.item_id AND c.labeler_id = %(labeler)s AND c.state = 'live')
"""
TO_ALL = "e.project_id = %(project)s AND e.assignment_id IS NULL"
ASSIGNED = "e.assignment_id = %(assignment)s"
IN_ORDER = " ORDER BY e.priority, e.item_id LIMIT %(size)s FOR UPDATE OF e SKIP LOCKED"
COLUMNS = """SELECT e.item_id, e.why, e."group", e.proposed_class_id, e.inclusion_probability,
    e.likely, e.doubtful, e.hint_id"""
NEXT = COLUMNS + OPEN_TO_ME + IN_ORDER
NEXT_GROUP = COLUMNS + OPEN_TO_ME + """ AND e."group" IS NOT NULL""" + IN_ORDER
NEXT_IN_GROUP = COLUMNS + OPEN_TO_ME + """ AND e."group" = %(group)s""" + IN_ORDER


def candidates(
    project: Project, labeler: User, kind: str, size: int, assignment: int | None = None
) -> list[Candidate]:
    """Lock the next entries of a kind that this labeler may have, passing over what others are claiming.

    They are all of an assignment, or all of none.
    """
    params: Params = {"project": project.pk, "kind": kind, "labeler": labeler.pk, "assignment": assignment}
    if kind not in GROUPED:
        return pick(NEXT, params | {"size": size})
    best = pick(NEXT_GROUP, params | {"size": 1})
    if not best:
        return []
    whole = max(size, WHOLE_GROUP) if kind == QueueKind.CLUSTERED else size
    found = pick(NEXT_IN_GROUP, params | {"size": whole, "group": best[0].group})
    # In slices of about the same size, so that no look-alike is left over alone.
    slices = -(-len(found) // size)
    return found[: -(-len(found) // slices)] if found else []


def pick(statement: str, params: Params) -> list[Candidate]:
    of_scope = TO_ALL if params["assignment"] is None else ASSIGNED
    with connection.cursor() as cursor:
        cursor.execute(statement.format(of_scope=of_scope), params)
        return [Candidate(*row) for row in cursor.fetchall()]


def hand_out(
    project: Project, labeler: User, kind: str, found: list[Candidate], size: int, now: datetime
) -> Page:
    """Lease candidates as a page of at most `size` images, one of them hidden there to see who looks.

    A gold item stands among single images, or by itself, as what is asked blind does.
    """
    item = gold.draw(project, labeler, len(found))
    if item is not None and not (kind == QueueKind.MANUAL and len(found) > 1 and project.is_classification):
        page = lease(project, labeler, QueueKind.GOLD, [], now)
        decoys.hide(page, item.truth, 0, item)
        return page
    if item is not None:
        found = found[: size - 1]
        page = lease(project, labeler, kind, found, now)
        decoys.hide(page, item.truth, len(found), item)
        return page
    alone = bias.single_out(project, kind, found)
    if alone is not None:
        return lease(project, labeler, QueueKind.MANUAL, [alone], now, hides=True)
    known = None
    if kind == QueueKind.CLUSTERED:
        known = decoys.choose(project, labeler, found[0].proposed_class, len(found))
    if known is None:
        return lease(project, labeler, kind, found, now)
    found = found[: size - 1]
    page = lease(project, labeler, kind, found, now)
    decoys.hide(page, known, len(found))
    return page


def lease(
    project: Project,
    labeler: User,
    kind: str,
    found: list[Candidate],
    now: datetime,
    *,
    hides: bool = False,
) -> Page:
    """Turn locked candidates into a page with a claim for each; `hides` what was to be proposed.

    What is hidden among others has no claim.
    """
    QueueEntry.objects.filter(pk__in=[each.item for each in found]).update(open_slots=F("open_slots") - 1)
    today = meanings.of(project)
    page = Page.objects.create(
        project=project,
        labeler=labeler,
        kind=kind,
        group=found[0].group if kind == "clustered" else None,
        proposed_class_id=today.offered(found[0].proposed_class) if kind in GROUPED and found else None,
        instructions=Instructions.objects.filter(project=project).order_by("-version").first(),
        expires_at=now + LEASE,
    )
    proposals = to_keep(project, kind, [each.item for each in found])
    is_helped = kind == QueueKind.MANUAL and project.assist_mode != Project.AssistMode.OFF
    claims = {
        each.item: Claim(
            page=page,
            project=project,
            item_id=each.item,
            labeler=labeler,
            position=position,
            why="" if hides else each.why,
            inclusion_probability=each.inclusion_probability,
            likely=today.all_offered(each.likely) if is_helped else None,
            doubtful=today.all_offered(each.doubtful) if is_helped else None,
            proposal=proposals.get(each.item),
            expires_at=page.expires_at,
        )
        for position, each in enumerate(found)
    }
    if kind == QueueKind.MANUAL:
        hints = {each.item: each.hint for each in found if each.hint is not None}
        give_hints(project, hints, claims, today)
    bias.hide(project, kind, claims, hides)
    Claim.objects.bulk_create(claims.values())
    return page


def extend(page: Page) -> Page:
    """Extend a page's lease, taking back what is lost of it and nobody else has; returns the page.

    A page that was released is opened by it again. One that was submitted stays as it is: what it left
    unanswered is others' now. Raises limits.NotWorking.
    """
    until = timezone.now() + LEASE
    with transaction.atomic():
        one_at_a_time(page.project, page.labeler)
        limits.member(page.project, page.labeler)
        page = Page.objects.select_for_update(no_key=True).get(pk=page.pk)
        if page.state == Page.State.SUBMITTED:
            return page
        claims = list(Claim.objects.select_for_update(no_key=True).filter(page=page).order_by("id"))
        live = [each.pk for each in claims if each.state == Claim.State.LIVE]
        live += take_back(page, [each for each in claims if each.state in LOST])
        Claim.objects.filter(pk__in=live).update(state=Claim.State.LIVE, expires_at=until)
        page.state, page.expires_at = Page.State.OPEN, until
        page.save(update_fields=["state", "expires_at"])
    return page


def lost(page: Page) -> list[int]:
    """Return the items of a page that its labeler neither holds nor has answered."""
    gone = Claim.objects.filter(page=page, state__in=LOST).order_by("position")
    return list(gone.values_list("item_id", flat=True))


def take_back(page: Page, lost: Iterable[Claim]) -> list[int]:
    """Reserve a slot again for a page's lost claims where one is open; returns the claims' ids.

    Left alone is what the same labeler holds on another page, or has answered, or what is assigned to others,
    by now.
    """
    by_item = {each.item_id: each.pk for each in lost}
    mine = Claim.objects.filter(pk__in=by_item.values())
    held = Claim.objects.filter(item=OuterRef("item"), labeler=OuterRef("labeler"), state="live")
    answered = Annotation.objects.filter(
        item=OuterRef("item"), labeler=OuterRef("labeler"), withdrawn_at=None
    )
    taken = mine.filter(Exists(held) | Exists(answered)).values_list("item_id", flat=True)
    for item in taken:
        del by_item[item]
    free = list(
        QueueEntry.objects.select_for_update()
        .exclude(kind__in=asked_elsewhere(page))
        .filter(assigning.open_to(page.project, page.labeler), item__in=by_item, open_slots__gt=0)
        .order_by("item_id")
        .values_list("item_id", flat=True)
    )
    QueueEntry.objects.filter(pk__in=free).update(open_slots=F("open_slots") - 1)
    return [by_item[item] for item in free]


def asked_elsewhere(page: Page) -> list[QueueKind]:
    """Return the kinds whose entries a page's answers cannot serve: what is asked blind has its own pages."""
    return [kind for kind in (QueueKind.AUDIT, QueueKind.VALIDATION) if kind != page.kind]


def release(page: Page) -> None:
    """Give a page's unanswered items back at once."""
    with transaction.atomic():
        Page.objects.select_for_update(no_key=True).get(pk=page.pk)
        release_claims(page)
        Page.objects.filter(pk=page.pk, state=Page.State.OPEN).update(state=Page.State.RELEASED)


def release_claims(page: Page) -> None:
    claims = Claim.objects.select_for_update(no_key=True).filter(page=page, state="live").order_by("id")
    held = list(claims.values_list("id", "item_id"))
    if not held:
        return
    give_back([item for _, item in held])
    Claim.objects.filter(pk__in=[pk for pk, _ in held]).update(state=Claim.State.RELEASED)


def finish(current: dict[int, int], *, audited: bool = False) -> None:
    """Make annotations current for their items and take the items off the queue: item id to annotation id.

    An audit that waits goes on waiting, unless it is what was `audited`.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE labeling_item i SET state = 'labeled', reason = '', current_annotation_id = w.annotation
            FROM unnest(%s::bigint[], %s::bigint[]) AS w(item, annotation) WHERE i.id = w.item
            """,
            [list(current), list(current.values())],
        )
    done = QueueEntry.objects.filter(item__in=list(current))
    (done if audited else done.exclude(kind=QueueKind.AUDIT)).delete()
