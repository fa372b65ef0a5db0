"""Notifications: who gets one and how, what somebody sees of theirs, and reading them."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.db import connection
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from labeling import naming, permissions
from labeling.models import Announcement, Letter, Notification, NotificationChoice, User

PAGE = 50
BUNDLING = timedelta(minutes=10)  # for which a letter waits that more may be added to
DIGEST_AT = time(7, tzinfo=UTC)
KEPT = timedelta(days=90)

Choice = Notification.Choice


# Giving


def give(announcement: Announcement, to: Mapping[int, int], *, usual: Choice, bundled: bool) -> None:
    """Tell people, each in the way they chose; those who want no word of it get none.

    In the order of their ids: two who tell the same people must not wait for each other.
    """
    active = User.objects.filter(pk__in=to, is_active=True).values_list("pk", flat=True).order_by("pk")
    chosen = dict(
        NotificationChoice.objects.filter(user__in=to, kind=announcement.kind).values_list("user", "choice")
    )
    for user in active:
        choice = chosen.get(user, usual)
        if choice != Choice.NOTHING:
            give_one(announcement, user, to[user], choice, bundled=bundled)


def give_one(announcement: Announcement, user: int, count: int, choice: str, *, bundled: bool) -> None:
    if bundled:
        notification, is_new = add_to_bundle(announcement, user, count)
    else:
        fields = {"project_id": announcement.project_id, "kind": announcement.kind, "count": count}
        made = Notification.objects.create(user_id=user, data=data_for(user, announcement), **fields)
        notification, is_new = made.pk, True
    if is_new and choice in (Choice.MAIL, Choice.DIGEST):
        wait = BUNDLING if bundled else timedelta()
        letter = digest_of(user) if choice == Choice.DIGEST else letter_to(user, timezone.now() + wait)
        Notification.objects.filter(pk=notification).update(letter=letter)


def data_for(user: int, announcement: Announcement) -> dict[str, Any]:
    """Return what somebody is told: who wrote is a name to those who know them."""
    data, author = announcement.data, announcement.actor
    if announcement.kind != "comment" or author is None:
        return data
    return data | {"who": naming.called(User.objects.get(pk=user), author)}


def add_to_bundle(announcement: Announcement, user: int, count: int) -> tuple[int, bool]:
    """Count a thing in the open notification of its kind, or open one; returns its id and whether it is new.

    One statement, so that two who reject at the same time make one notification.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO labeling_notification (user_id, project_id, kind, data, count, is_open, happened_at)
            VALUES (%s, %s, %s, %s::jsonb, %s, true, %s)
            ON CONFLICT (user_id, project_id, kind) WHERE is_open
            DO UPDATE SET count = labeling_notification.count + EXCLUDED.count, data = EXCLUDED.data,
                happened_at = EXCLUDED.happened_at
            RETURNING id, xmax = 0
            """,
            [
                user,
                announcement.project_id,
                announcement.kind,
                json.dumps(announcement.data),
                count,
                timezone.now(),  # not the transaction's: the list is in this order
            ],
        )
        notification, is_new = cursor.fetchone()
    return notification, is_new


def take_back(project: int, kind: str, counts: Mapping[int, int]) -> None:
    """Count less in open notifications, by user: what they tell of was undone. One of nothing goes."""
    for user, count in sorted(counts.items()):
        mine = Notification.objects.filter(project=project, kind=kind, user=user, is_open=True)
        mine.filter(count__lte=count).delete()
        mine.filter(count__gt=count).update(count=F("count") - count)


def letter_to(user: int, due_at: datetime) -> int:
    return Letter.objects.create(user_id=user, due_at=due_at).pk


def digest_of(user: int) -> int:
    """Return the digest that collects for somebody; what is about to be sent waits for us, or we for it."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO labeling_letter (user_id, is_digest, state, attempts, due_at, error, created_at)
            VALUES (%s, true, 'open', 0, %s, '', now())
            ON CONFLICT (user_id) WHERE is_digest AND state = 'open' AND attempts = 0
            DO UPDATE SET is_digest = true RETURNING id
            """,
            [user, next_digest(timezone.now())],
        )
        (letter,) = cursor.fetchone()
    return letter


def next_digest(now: datetime) -> datetime:
    """Return when the next digests go out."""
    today = datetime.combine(now.astimezone(UTC).date(), DIGEST_AT)
    return today if now < today else today + timedelta(days=1)


# Reading


def visible(user: User) -> QuerySet[Notification]:
    """Return somebody's notifications: of teams, of projects that they may see, and invitations to others."""
    projects = permissions.visible_projects(user).values("pk")
    mine = Notification.objects.filter(user=user, project__deleted_at=None)
    return mine.filter(Q(kind="invited") | Q(project=None) | Q(project__in=projects))


def unread(user: User) -> int:
    return visible(user).filter(read_at=None).count()


def page(user: User, before: datetime | None = None) -> tuple[list[Notification], datetime | None]:
    """Return notifications, newest first, and the time before which the next page begins."""
    rows = visible(user).select_related("project").order_by("-happened_at")
    if before is not None:
        rows = rows.filter(happened_at__lt=before)
    found = list(rows[: PAGE + 1])
    return found[:PAGE], found[PAGE - 1].happened_at if len(found) > PAGE else None


def moment(text: str) -> datetime | None:
    """Read a time from an address; None when it is none."""
    try:
        found = parse_datetime(text)
        # In UTC: databases do not know all the zones that one can write.
        return found.astimezone(UTC) if found is not None and found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def mark_read(user: User, notification: int | None = None) -> None:
    """Mark one of somebody's notifications as read, or all. One that is read counts no further."""
    mine = Notification.objects.filter(user=user, read_at=None)
    if notification is not None:
        mine = mine.filter(pk=notification)
    mine.update(read_at=timezone.now(), is_open=False)


# Choosing


def choices_of(user: User) -> dict[str, str]:
    return dict(NotificationChoice.objects.filter(user=user).values_list("kind", "choice"))


def choose(user: User, choices: Mapping[str, str]) -> None:
    """Keep how somebody wants to be told of each kind, from now on."""
    NotificationChoice.objects.bulk_create(
        [NotificationChoice(user=user, kind=kind, choice=choice) for kind, choice in choices.items()],
        update_conflicts=True,
        unique_fields=["user", "kind"],
        update_fields=["choice"],
    )
