"""Accounts and their API tokens: what gives access, and so is written down."""

from labeling.models import ApiToken, Event, User


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
