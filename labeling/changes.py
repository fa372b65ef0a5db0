"""The changes that were made to a project's classes: events that say what was before and after."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from labeling.models import Event, LabelClass, Project

VERBS = (
    "add_classes",
    "edit_class",
    "move_class",
    "retire_class",
    "restore_class",
    "merge_class",
    "split_class",
    "start_over",
)  # what can be undone
MOVE = "move_class"
ASKED_ANEW = ("split_class", "start_over")
UNDO = "undo_class_change"
LISTED = 20


@dataclass(frozen=True, slots=True)
class Done:
    """A change of classes that was made, and whether it was undone."""

    event: Event
    is_undone: bool


def added_by(event: Event) -> QuerySet[LabelClass]:
    """Return the classes that a change has made."""
    made = [pk for pk, after in event.data["after"].items() if after == {"retired_at": None}]
    return LabelClass.objects.filter(pk__in=made).order_by("position")


def is_undone(event: Event) -> bool:
    return Event.objects.filter(project=event.project, verb=UNDO, data__undoes=event.pk).exists()


def latest(project: Project, before: int | None = None, limit: int = LISTED) -> list[Done]:
    """Return the newest changes that can be undone, newest first; those before one, by its id."""
    events = undoable(project).select_related("actor")
    if before is not None:
        events = events.filter(pk__lt=before)
    found = list(events.order_by("-id")[:limit])
    undone = undone_among(found)
    return [Done(each, each.pk in undone) for each in found]


def undoable(project: Project) -> QuerySet[Event]:
    """Return the changes of a project's classes that can be undone, also those that were."""
    return Event.objects.filter(project=project, verb__in=VERBS, data__has_key="after")


def latest_that_moves_images(project: Project) -> Event | None:
    """Return the newest change that sends images back to people, or undoes one that did."""
    return Event.objects.filter(project=project, data__has_keys=["after", "images"]).order_by("-id").first()


def undone_among(events: Sequence[Event]) -> set[int]:
    """Return the ids of those that were undone."""
    undoing = Event.objects.filter(verb=UNDO, data__undoes__in=[each.pk for each in events])
    return set(undoing.values_list("data__undoes", flat=True))


def made_before(event: Event) -> list[Done]:
    """Return the changes that came before one, the latest first."""
    changes = Event.objects.filter(project=event.project, data__has_key="after", id__lt=event.pk)
    found = list(changes.order_by("-id"))
    undone = undone_among(found)
    return [Done(each, each.pk in undone) for each in found]


def value_before(event: Event, earlier: Sequence[Done], pk: str, name: str) -> Any:
    """Return what a field is without a change: what an earlier one has made of it, while that stands.

    When the earlier one was undone, the field had another value already and kept it.
    """
    value = event.data["before"][pk][name]
    for each in earlier:
        if name in each.event.data["after"].get(pk, {}):
            if not each.is_undone:
                break
            value = each.event.data["before"][pk][name]
    return value
