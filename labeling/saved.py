"""Saved filters: views of the gallery under a name, for oneself or for the whole project."""

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from labeling.models import Event, Membership, Project, SavedFilter, User
from labeling.refusals import Refused

MOST = 100  # of one person in a project


class SavingRefused(Refused):
    """Why a filter was not saved, in a sentence for people."""


def visible(project: Project, user: User) -> QuerySet[SavedFilter]:
    """Return somebody's filters, and those that others share."""
    mine = SavedFilter.objects.filter(Q(owner=user) | Q(is_shared=True), project=project)
    return mine.select_related("owner")


def may_change(saved: SavedFilter, user: User, role: str | None) -> bool:
    """Tell whether somebody may rename or delete a filter: its owner, and managers what is shared."""
    return saved.owner_id == user.pk or (saved.is_shared and role == Membership.Role.MANAGER)


def save(project: Project, owner: User, name: str, query: str, *, is_shared: bool) -> SavedFilter:
    """Keep a view under a name. Raises SavingRefused."""
    name = name.strip()
    if not name:
        raise SavingRefused("Give the filter a name.")
    if SavedFilter.objects.filter(project=project, owner=owner).count() >= MOST:
        raise SavingRefused(f"You have {MOST} filters here. Delete one first.")
    try:
        with transaction.atomic():
            made = SavedFilter.objects.create(
                project=project, owner=owner, name=name[:80], query=query[:2_000], is_shared=is_shared
            )
            Event.record("save_filter", project, owner, name=made.name, shared=is_shared)
    except IntegrityError as error:
        raise SavingRefused(f"You have a filter “{name}” already.") from error
    return made


def change(saved: SavedFilter, by: User, *, name: str | None = None, is_shared: bool | None = None) -> None:
    """Rename a filter, or share it or not. Raises SavingRefused."""
    before = saved.name
    saved.name = (name or saved.name).strip()[:80] or before
    saved.is_shared = saved.is_shared if is_shared is None else is_shared
    try:
        with transaction.atomic():
            saved.save(update_fields=["name", "is_shared"])
            Event.record("change_filter", saved.project, by, name=saved.name, before=before)
    except IntegrityError as error:
        raise SavingRefused(f"There is a filter “{saved.name}” already.") from error


def delete(saved: SavedFilter, by: User) -> None:
    with transaction.atomic():
        Event.record("delete_filter", saved.project, by, name=saved.name)
        saved.delete()
