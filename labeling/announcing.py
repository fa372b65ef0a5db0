"""Announcing what happened to those who want to know, in the transaction in which it happens.

Apps register the kinds that they announce. What is announced with a key is announced once, however often a
job that was interrupted comes by again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.functional import Promise

from labeling import notifications, webhooks
from labeling.models import Announcement, Membership, Notification, Project, User

Data = Mapping[str, Any]
Choice = Notification.Choice


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of announcement: its name for people, its sentence, its page, and whom it is for."""

    title: str | Promise  # translated when it is shown
    say: Callable[[Data, int], str]  # of the data, and of how many it stands for
    address: Callable[[int | None, Data], str]  # of the project's id, if it is of one, and the data
    usual: Choice = Choice.APP  # how people are told who have not chosen
    for_managers: bool = True
    bundled: bool = False  # while unread, more of it adds to the count
    report: Callable[[Data], str] | None = None  # for programs, where the sentence speaks to one person


_kinds: dict[str, Kind] = {}


def register(name: str, kind: Kind) -> None:
    _kinds[name] = kind


def kind_of(name: str) -> Kind | None:
    return _kinds.get(name)


def kinds() -> dict[str, Kind]:
    return dict(_kinds)


def kinds_for(user: User) -> dict[str, Kind]:
    """Return the kinds that can concern somebody."""
    manages = user.memberships.filter(role=Membership.Role.MANAGER, project__deleted_at=None).exists()
    return {name: kind for name, kind in _kinds.items() if manages or not kind.for_managers}


def sentence(notification: Notification) -> str:
    """Return what a notification says; empty where its kind is known no more."""
    kind = _kinds.get(notification.kind)
    return kind.say(notification.data, notification.count) if kind else ""


def announce(
    name: str,
    project: Project,
    actor: User | None = None,
    /,
    *,
    key: str | None = None,
    to: Mapping[int, int] | None = None,
    **data: Any,
) -> Announcement | None:
    """Tell people what happened; returns None when that key was announced already.

    `to` has people by id, each with how many of the things concern them; without it, the managers other than
    the actor are told.
    """
    with transaction.atomic():
        fields = {"project": project, "kind": name, "actor": actor, "data": data}
        if key is None:
            said, is_new = Announcement.objects.create(**fields), True
        else:
            said, is_new = Announcement.objects.get_or_create(key=key, defaults=fields)
        if not is_new:
            return None
        readers = dict.fromkeys(managers(project, but=actor), 1) if to is None else to
        kind = _kinds[name]
        notifications.give(said, readers, usual=kind.usual, bundled=kind.bundled)
        with translation.override(settings.LANGUAGE_CODE):
            webhooks.queue(said, kind.report(data) if kind.report else kind.say(data, 1))
    return said


def tell(name: str, to: int, /, *, team: str, **data: Any) -> None:
    """Tell one person what happened in a team, which is of no project and no webhook's business."""
    said = Announcement(kind=name, data={"team": team, **data})
    notifications.give(said, {to: 1}, usual=_kinds[name].usual, bundled=False)


def address(notification: Notification) -> str:
    """Return where the page is that a notification is about."""
    return _kinds[notification.kind].address(notification.project_id, notification.data)


def managers(project: Project, but: User | None = None) -> list[int]:
    found = Membership.objects.filter(project=project, role=Membership.Role.MANAGER, is_active=True)
    return list(found.exclude(user=but).values_list("user_id", flat=True))
