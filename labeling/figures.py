"""The dashboard's tables as files: a head, and rows of plain values."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from labeling import statistics
from labeling.eventlog import BOM, as_csv
from labeling.models import Project, User

Cell = str | int | float | None
Rows = Iterable[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Table:
    head: tuple[str, ...]
    rows: Callable[[Project], Rows]


_tables: dict[str, Table] = {}


def register(name: str, head: Sequence[str], rows: Callable[[Project], Rows]) -> None:
    """Offer a table of a project's dashboard as a file."""
    _tables[name] = Table(tuple(head), rows)


def names() -> list[str]:
    return list(_tables)


def as_file(project: Project, name: str, viewer: User) -> str | None:
    """Return a table as CSV, None where there is none of that name."""
    table = _tables.get(name)
    return None if table is None else csv_of(table.head, seen_by(viewer, name, table.rows(project)))


def as_mappings(project: Project, name: str, viewer: User) -> list[dict[str, Cell]] | None:
    """Return the rows of a table by the names of its columns, None where there is none of that name."""
    table = _tables.get(name)
    if table is None:
        return None
    rows = seen_by(viewer, name, table.rows(project))
    return [dict(zip(table.head, row, strict=True)) for row in rows]


def seen_by(viewer: User, name: str, rows: Rows) -> Rows:
    """Leave out the people that the viewer may not know of."""
    if name != "people":
        return rows
    rows = list(rows)
    known = {row["id"] for row in statistics.seen_by(viewer, [{"id": row[0]} for row in rows])}
    return [row for row in rows if row[0] in known]


def csv_of(head: Sequence[str], rows: Rows) -> str:
    return BOM + as_csv([head, *([text(cell) for cell in row] for row in rows)])


def text(cell: Any) -> str:
    if cell is None:
        return ""
    if hasattr(cell, "isoformat"):
        return str(cell.isoformat())
    return str(cell)


def of_mappings(
    keys: Sequence[str], find: Callable[[Project], Iterable[dict[str, Any]]]
) -> Callable[[Project], Rows]:
    """Return what makes rows of mappings, in the order of their keys."""
    return lambda project: [[row[key] for key in keys] for row in find(project)]


PROGRESS = ("at", "person", "confirmed", "auto", "imported")
CLASSES = ("id", "name", "count")
PEOPLE = ("id", "name", "count", "today", "seconds", "confirmed_seconds", "rejected")

register("progress", PROGRESS, of_mappings(PROGRESS, statistics.progress_over_time))
register("items", ("state", "count"), lambda project: statistics.items_by_state(project).items())
register("queue", ("kind", "waiting"), lambda project: statistics.queue_by_kind(project).items())
register("classes", CLASSES, of_mappings(CLASSES, statistics.labels_by_class))
register("people", PEOPLE, of_mappings(PEOPLE, statistics.labels_by_labeler))
