"""Accounts and their API tokens: what gives access, and so is written down."""

from django.db import transaction

from labeling import assigning, members
from labeling.models import ApiToken, Event, Project, User


def issue_token(user: User, name: str, by: User | None) -> str:
    """Make a token and return its secret, which is shown this once."""
    secret = ApiToken.issue(user, name)
    Event.record("token", None, by, name=name, **({} if by == user else {"user": user.pk}))
    return secret


def revoke_token(user: User, token: int) -> bool:
    """Take a token of one's own away; returns whether there was one."""
    found = ApiToken.objects.filter(pk=token, user=user).first()
    if found is None:
        return False
    found.delete()
    Event.record("token_revoked", None, user, name=found.name)
    return True


class AccountRefused(Exception):
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
