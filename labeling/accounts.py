"""Accounts and their API tokens: what gives access, and so is written down."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from labeling import assigning, members, naming
from labeling.models import ApiToken, Event, Project, User
from labeling.refusals import Refused


def issue_token(
    user: User,
    name: str,
    by: User | None,
    *,
    project: Project | None = None,
    scope: str = ApiToken.Scope.ALL,
    days: int | None = None,
) -> str:
    """Make a token and return its secret, which is shown this once.

    It may be for one project, for a part of what its owner may do, and for some days.
    """
    until = None if days is None else timezone.now() + timedelta(days=days)
    secret = ApiToken.issue(user, name, project=project, scope=scope, expires_at=until)
    data = {} if by == user else {"user": user.pk}
    Event.record("token", project, by, name=name, scope=scope, days=days, **data)
    return secret


def revoke_token(user: User, token: int, by: User | None = None) -> bool:
    """Take a token of somebody away, by themselves or by another; returns whether there was one."""
    found = ApiToken.objects.select_related("project").filter(pk=token, user=user).first()
    if found is None:
        return False
    found.delete()
    data = {"user": user.pk} if by not in (None, user) else {}
    Event.record("token_revoked", found.project, by or user, name=found.name, **data)
    return True


def tokens_of(project: Project, viewer: User) -> list[ApiToken]:
    """Return the tokens that open a project alone, each with its `owner` as the viewer may name them."""
    found = list(project.tokens.select_related("user").order_by("-id"))
    for each in found:
        each.owner = naming.called(viewer, each.user)
    return found


def revoke_project_token(project: Project, token: int, by: User) -> bool:
    """Take a token that opens a project alone from whoever has it; returns whether there was one."""
    found = project.tokens.select_related("user").filter(pk=token).first()
    return found is not None and revoke_token(found.user, found.pk, by=by)


def page(wanted: str, after: str, limit: int) -> tuple[list[User], str | None]:
    """Return accounts by address, those with a text in name or address, and after which address to go on."""
    if "\x00" in wanted + after:  # which no column holds
        return [], None
    people = User.objects.select_related("vendor").filter(email__gt=after).order_by("email")
    if wanted:
        people = people.filter(Q(email__icontains=wanted) | Q(name__icontains=wanted))
    found = list(people[: limit + 1])
    return found[:limit], found[limit - 1].email if len(found) > limit else None


class AccountRefused(Refused):
    """Why an account was not switched off, in a sentence for people."""


def deactivate(user: User, by: User) -> None:
    """Switch an account off: its sign-in and tokens open nothing any more. Raises AccountRefused.

    What it holds goes back at once, and what is assigned to it alone waits for everybody.
    """
    if user.pk == by.pk:
        raise AccountRefused("You cannot switch your own account off.")
    with transaction.atomic():
        if not User.objects.filter(pk=user.pk, is_active=True).update(is_active=False):
            return
        Event.record("account_off", None, by, user=user.pk)
        for project in Project.objects.filter(memberships__user=user).order_by("pk"):
            members.release_all(project, user)
            assigning.end_what_nobody_gets(project, by)


def reactivate(user: User, by: User) -> None:
    """Switch an account on again."""
    with transaction.atomic():
        if User.objects.filter(pk=user.pk, is_active=False).update(is_active=True):
            Event.record("account_on", None, by, user=user.pk)


def attempted(request: HttpRequest, credentials: Mapping[str, Any] | None = None) -> str:
    """Return whom somebody tries to sign in as: an address in capitals is no other one."""
    return str((credentials or request.POST).get("username", "")).strip().lower()
