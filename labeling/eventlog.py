"""The audit log: which events to show, a page of them at a time, and all of them as a file."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from django.db.models import QuerySet

from labeling import telling
from labeling.models import Event, Project, User

PAGE = 50
BATCH = 1_000
BOM = "\ufeff"  # without the mark, spreadsheets take UTF-8 for something else
HEAD = ("time", "project", "who", "e-mail", "what", "changes", "verb", "data")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets would calculate instead of showing


@dataclass(frozen=True, slots=True)
class Filters:
    """What the log shows; each field narrows it. Days are UTC, the last one included."""

    verb: str = ""
    by: int | None = None
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An event as it is told."""

    event: Event
    who: str
    words: str
    changes: list[telling.Change]
    door: telling.Door | None

    @property
    def stop(self) -> str:
        """Return the full stop of the sentence, unless what it quotes has ended it."""
        return "" if self.words.endswith((".”", "!”", "?”", "…”")) else "."


def select(project: Project | None, filters: Filters) -> QuerySet[Event]:
    """Return the events that filters choose: of a project, or of all of this installation."""
    events = Event.objects.all() if project is None else Event.objects.filter(project=project)
    if filters.verb:
        events = events.filter(verb=filters.verb)
    if filters.by is not None:
        events = events.filter(actor=filters.by)
    if filters.since is not None:
        events = events.filter(created_at__gte=midnight(filters.since))
    if filters.until is not None:
        events = events.filter(created_at__lte=end_of(filters.until))
    return events


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def end_of(day: date) -> datetime:
    """Return the last moment of a day, which the last of all days has as well."""
    return datetime.combine(day, time.max, UTC)


def page(
    project: Project | None, filters: Filters, cursor: int | None = None, limit: int = PAGE
) -> tuple[list[Entry], int | None]:
    """Return entries, newest first, and the cursor of older ones, None at the end."""
    events = select(project, filters)
    if cursor is not None:
        events = events.filter(pk__lt=cursor)
    found = list(events.select_related("actor", "project").order_by("-id")[: limit + 1])
    return tell(found[:limit]), found[limit - 1].pk if len(found) > limit else None


def tell(events: Sequence[Event]) -> list[Entry]:
    """Put events into words; the people whom they name are looked up together."""
    named = {each.data["user"] for each in events if isinstance(each.data.get("user"), int)}
    names = {user.pk: user.label for user in User.objects.filter(pk__in=named)}
    return [
        Entry(
            event,
            telling.who(event.verb, event.actor.label if event.actor else None),
            telling.words(event.verb, event.data, names),
            telling.changes(event.data) if event.verb == "settings" else [],
            telling.door(event.verb, event.data),
        )
        for event in events
    ]


def verbs(project: Project | None) -> list[tuple[str, str]]:
    """Return the verbs that the log has, with their titles."""
    found = select(project, Filters()).order_by().values_list("verb", flat=True).distinct()
    return sorted(((each, telling.title(each)) for each in found), key=lambda pair: pair[1])


def people(project: Project | None) -> QuerySet[User]:
    """Return everybody who did something that the log has."""
    actors = select(project, Filters()).exclude(actor=None).values("actor")
    return User.objects.filter(pk__in=actors).order_by("name", "email")


def lines(project: Project | None, filters: Filters) -> Iterator[str]:
    """Yield the filtered log as CSV, newest first, a batch of rows at a time."""
    yield BOM + as_csv([HEAD])
    cursor: int | None = None
    while True:
        entries, cursor = page(project, filters, cursor, BATCH)
        yield as_csv(row(each) for each in entries)
        if cursor is None:
            return


def row(entry: Entry) -> list[str]:
    event = entry.event
    changed = "; ".join(f"{each.name}: {each.before} -> {each.after}" for each in entry.changes)
    return [
        event.created_at.isoformat(timespec="seconds"),
        event.project.name if event.project else "",
        entry.who,
        event.actor.email if event.actor else "",
        entry.words,
        changed,
        event.verb,
        json.dumps(event.data, ensure_ascii=False),
    ]


def as_csv(rows: Iterable[Sequence[str]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows([harmless(each) for each in row] for row in rows)
    return out.getvalue()


def harmless(cell: str) -> str:
    """Keep spreadsheets from calculating what somebody called themselves."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def shape(entry: Entry) -> dict[str, Any]:
    """Return an entry as the API has it."""
    event = entry.event
    return {
        "id": event.pk,
        "created_at": event.created_at,
        "project": event.project_id,
        "actor": event.actor_id,
        "who": entry.who,
        "verb": event.verb,
        "sentence": f"{entry.who} {entry.words}{entry.stop}",
        "changes": [
            {"name": each.name, "before": each.before, "after": each.after} for each in entry.changes
        ],
        "data": event.data,
    }
