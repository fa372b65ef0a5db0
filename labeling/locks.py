"""Reviewers' locks: what one has open, others see as taken and leave alone. They expire by themselves."""

from collections.abc import Sequence
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from labeling import naming
from labeling.models import Project, ReviewLock, User

HELD_FOR = timedelta(minutes=2)


def hold(project: Project, reviewer: User, items: Sequence[int]) -> dict[int, str]:
    """Take or extend locks of items; returns those that others hold, with their names.

    In one statement, so that of two who open the same image one has it.
    """
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO labeling_reviewlock (item_id, project_id, reviewer_id, until)
            SELECT i.id, i.project_id, %(reviewer)s, %(until)s FROM labeling_item i
            WHERE i.id = ANY(%(items)s) AND i.project_id = %(project)s ORDER BY i.id
            ON CONFLICT (item_id) DO UPDATE SET reviewer_id = excluded.reviewer_id, until = excluded.until
            WHERE labeling_reviewlock.reviewer_id = excluded.reviewer_id
            OR labeling_reviewlock.until < %(now)s
            """,
            {
                "reviewer": reviewer.pk,
                "until": now + HELD_FOR,
                "items": list(items),
                "project": project.pk,
                "now": now,
            },
        )
    return held_by_others(project, reviewer, items)


def release(project: Project, reviewer: User, items: Sequence[int]) -> None:
    ReviewLock.objects.filter(project=project, reviewer=reviewer, item__in=items).delete()


def held_by_others(project: Project, reviewer: User, items: Sequence[int]) -> dict[int, str]:
    """Return which of some items others are looking at, with their names."""
    live = ReviewLock.objects.filter(project=project, until__gte=timezone.now()).exclude(reviewer=reviewer)
    wanted = set(items)
    found = live.select_related("reviewer")  # a handful in a project at a time
    return {each.item_id: naming.called(reviewer, each.reviewer) for each in found if each.item_id in wanted}


def sentence(looked_at: dict[int, str]) -> str:
    """Say what was left out since others look at it; empty for nothing."""
    if not looked_at:
        return ""
    names = list(dict.fromkeys(looked_at.values()))
    who = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    count = len(looked_at)
    if count == 1:
        return f"1 is being looked at by {who} and was left out."
    return f"{count:,} are being looked at by {who} and were left out."
