"""How people are called before others: by name, but a vendor's people know nobody outside of their team."""

from typing import Any

from django.utils.translation import gettext as _

from labeling import permissions
from labeling.models import User


def called(viewer: Any, person: User | None) -> str:
    """Return what somebody sees of a person: the name, or a number that tells one from another."""
    if person is None:
        return ""
    return person.label if permissions.knows(viewer, person) else number(person)


def address(viewer: Any, person: User) -> str:
    """Return the e-mail address of a person for those who know them, else the number."""
    return person.email if permissions.knows(viewer, person) else number(person)


def number(person: User) -> str:
    return _("person %(number)s") % {"number": person.pk}
