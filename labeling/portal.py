"""What somebody who only labels sees first: their projects, what waits there, and how far they are."""

from collections.abc import Sequence
from typing import Any

from labeling import limits, prose, statistics
from labeling.models import Instructions, Membership, Project, User

MOST_COUNTED = 10_000  # images that wait; nobody plans a day by more
EXCERPT = 180  # characters


def cards(projects: Sequence[Project], user: User) -> list[dict[str, Any]]:
    """Return a card for each project."""
    memberships = {
        each.project_id: each for each in Membership.objects.filter(project__in=projects, user=user)
    }
    newest = Instructions.objects.filter(project__in=projects).order_by("project", "-version")
    texts = dict(newest.distinct("project").values_list("project_id", "text"))
    return [card(each, user, memberships.get(each.pk), texts.get(each.pk, "")) for each in projects]


def card(project: Project, user: User, membership: Membership | None, text: str) -> dict[str, Any]:
    only_assigned = membership is not None and membership.only_assigned
    waiting = statistics.waiting_for(project, user, only_assigned, most=MOST_COUNTED)
    left = limits.left_of(project, user, membership)
    return {
        "project": project,
        "excerpt": prose.excerpt(text, EXCERPT),
        "waiting": min(waiting, MOST_COUNTED),
        "more": waiting > MOST_COUNTED,
        "today": limits.done_today(project, user),
        "in_all": limits.done_in_all(project, user),
        "daily_limit": membership.daily_limit if membership else None,
        "total_limit": membership.total_limit if membership else None,
        "reached": limits.sentence(project, user, membership) if left is not None and left <= 0 else "",
    }
