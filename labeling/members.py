"""Members of a project: their roles, limits, rest and leaving, and what follows from it for their work.

A person is a member by themselves, or through a team. Memberships through teams are made, changed and ended
here alone, by `settle`; who is a member by themselves keeps their own role whatever teams do.
"""

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.utils import timezone

from labeling import assigning
from labeling.models import (
    CheckPage,
    Event,
    Membership,
    ObjectCheck,
    Page,
    Project,
    ProjectTeam,
    TeamMember,
    User,
)
from labeling.queue import one_at_a_time, release
from labeling.refusals import Refused

Role = Membership.Role
STRONGEST = (Role.REVIEWER, Role.LABELER)
LIMITS = ("daily_limit", "total_limit", "only_assigned")


class WorkforceRefused(Refused):
    """Why a change of people was refused, in a sentence for people."""


# Through teams


def settle(project: Project, by: User | None, users: Iterable[int] | None = None) -> None:
    """Make memberships through teams what the teams say now, for some people or for all.

    Who has left a team that goes on here keeps their row, switched off: so what a manager decided about them
    holds when they come back.
    """
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        wanted = through_teams(project, users)
        rows = Membership.objects.filter(project=project)
        if users is not None:
            rows = rows.filter(user__in=list(users))
        here = {each.user_id: each for each in rows.select_related("user").order_by("user_id")}
        for user, membership in here.items():
            if membership.team_id is not None:
                follow(membership, wanted.get(user))
        fresh = [(user, *each) for user, each in sorted(wanted.items()) if user not in here]
        Membership.objects.bulk_create(
            Membership(project=project, user_id=user, role=role, team_id=team)
            for user, role, team, is_inside in fresh
            if is_inside
        )
        assigning.end_what_nobody_gets(project, by)


def through_teams(project: Project, users: Iterable[int] | None = None) -> dict[int, tuple[str, int, bool]]:
    """Return by person the role and the team through which they are here, and whether they are in it now."""
    found: dict[int, tuple[str, int, bool]] = {}
    given = ProjectTeam.objects.filter(project=project).order_by("id")
    for each in sorted(given, key=lambda each: STRONGEST.index(Role(each.role))):
        people = TeamMember.objects.filter(team=each.team_id)
        if users is not None:
            people = people.filter(user__in=list(users))
        for user, left_at in people.values_list("user_id", "left_at"):
            if user not in found or (left_at is None and not found[user][2]):
                found[user] = (each.role, each.team_id, left_at is None)
    return found


def follow(membership: Membership, wanted: tuple[str, int, bool] | None) -> None:
    """Let a membership through a team be what the team says now."""
    if wanted is None:
        Membership.objects.filter(pk=membership.pk).delete()
        release_all(membership.project, membership.user)
        return
    role, team, is_inside = wanted
    is_active = is_inside and membership.deactivated_at is None
    Membership.objects.filter(pk=membership.pk).update(role=role, team=team, is_active=is_active)
    if membership.is_active and not is_active:
        release_all(membership.project, membership.user)


# By managers


def change_role(membership: Membership, role: str, by: User) -> None:
    """Give a member another role. Raises WorkforceRefused."""
    if role not in Role.values:
        raise WorkforceRefused(f"There is no role {role!r}.")
    refuse_team(membership, "has this role")
    with transaction.atomic():
        keep_a_manager(membership, role)
        Membership.objects.filter(pk=membership.pk).update(role=role)
        Event.record(
            "role", membership.project, by, user=membership.user_id, before=membership.role, role=role
        )


def remove(membership: Membership, by: User) -> None:
    """Take a person out: what they hold goes back, what they did stays. Raises WorkforceRefused.

    Whose team works here stays through it.
    """
    refuse_team(membership, "is here")
    project, user = membership.project, membership.user
    with transaction.atomic():
        keep_a_manager(membership, "")
        Membership.objects.filter(pk=membership.pk).delete()
        release_all(project, user)
        Event.record("remove", project, by, user=user.pk)
        settle(project, by, [user.pk])


def deactivate(membership: Membership, by: User) -> None:
    """Close a project to a member for now: what they hold goes back at once. Raises WorkforceRefused."""
    with transaction.atomic():
        keep_a_manager(membership, "")
        rows = Membership.objects.filter(pk=membership.pk, deactivated_at=None)
        if not rows.update(deactivated_at=timezone.now(), is_active=False):
            return
        release_all(membership.project, membership.user)
        Event.record("deactivate", membership.project, by, user=membership.user_id)
        assigning.end_what_nobody_gets(membership.project, by)


def reactivate(membership: Membership, by: User) -> None:
    """Let a member go on; whose team has let them go waits for that."""
    with transaction.atomic():
        rows = Membership.objects.filter(pk=membership.pk, deactivated_at__isnull=False)
        if not rows.update(deactivated_at=None, is_active=membership.team_id is None):
            return
        Event.record("reactivate", membership.project, by, user=membership.user_id)
        settle(membership.project, by, [membership.user_id])


def set_limits(membership: Membership, by: User, **limits: Any) -> None:
    """Set `daily_limit` and `total_limit` in images, None for none, and `only_assigned`.

    Raises WorkforceRefused.
    """
    unknown = set(limits) - set(LIMITS)
    if unknown:
        raise WorkforceRefused(f"There is no limit {min(unknown)!r}.")
    with transaction.atomic():
        now = Membership.objects.select_for_update(of=("self",)).get(pk=membership.pk)
        changed = {name: value for name, value in limits.items() if getattr(now, name) != value}
        if changed:
            Membership.objects.filter(pk=now.pk).update(**changed)
            Event.record("limits", membership.project, by, user=now.user_id, **changed)


def refuse_team(membership: Membership, what: str) -> None:
    """Refuse to change by itself what comes with a team. Raises WorkforceRefused."""
    if membership.team is not None:
        raise WorkforceRefused(
            f"{membership.user.label} {what} through the team {membership.team}. Change the team here, or "
            "switch this person off."
        )


def keep_a_manager(membership: Membership, role: str) -> None:
    """Refuse to leave a project without a manager."""
    if membership.role != Role.MANAGER or role == Role.MANAGER:
        return
    Project.objects.select_for_update().get(pk=membership.project_id)
    others = Membership.objects.filter(
        project=membership.project, role=Role.MANAGER, is_active=True, user__is_active=True
    )
    if not others.exclude(pk=membership.pk).exists():
        raise WorkforceRefused("A project needs a manager. Make somebody else one first.")


def release_all(project: Project, labeler: User) -> None:
    """Give back at once all that somebody has on screen; their membership has changed in this transaction."""
    one_at_a_time(project, labeler)  # a page that is being handed out is there after it, and goes back too
    for page in Page.objects.filter(project=project, labeler=labeler, state="open").order_by("id"):
        release(page)
    now = timezone.now()
    crops = CheckPage.objects.filter(project=project, labeler=labeler, answered_at=None, expires_at__gt=now)
    held = ObjectCheck.objects.filter(page__in=crops, state=ObjectCheck.State.WAITING)
    locked = list(held.select_for_update(of=("self",)).order_by("id").values_list("id", flat=True))
    ObjectCheck.objects.filter(pk__in=locked).update(held_until=None)
    crops.update(expires_at=now)
