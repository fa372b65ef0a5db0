"""The gallery: which items filters choose, in which order, a page at a time, and how many there are.

Made for half a million items in a project: what can be filtered by lies in one narrow row for each item
(Listing), every order has an index that a page is read along, and a large count is estimated.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, models
from django.db.models import F, Func, Q, QuerySet

from labeling.meanings import family
from labeling.models import Annotation, Comment, Disagreement, Item, Listing, Project

PAGE = 60
COUNTED = 10_000  # rows up to which a total is exact
SURELY_MORE = 40_000  # rows by the planner's estimate that need no counting
FEW = 3_000
FEW_IN_PLACES = 60_000  # old labels, or a folder of one class, may be far from where a walk begins
LISTED = (Item.State.LABELED, Item.State.NEEDS_REVIEW, Item.State.SKIPPED)
ORIGINS = ("person", "confirmed", "auto", "imported")
BY_ORIGIN = {
    "human": ("person", "confirmed"),
    "import": ("imported",),
} | {each: (each,) for each in ORIGINS}
OF_A_LABEL = ("", "people", "model")  # disagreements that each label has by itself
DIGITS = 18  # always fit a bigint
NOT_IN_WORDS = re.compile(r"[\W_]+")


Key = tuple[int, Any]  # an item's id, and what an order sorts it by


@dataclass(frozen=True, slots=True)
class Filters:
    """What the gallery shows; each field narrows it. `source` takes an origin or `human`. With `classes`,
    images that have a label of one of them.

    With a `kind`, what waits in that part of the queue is shown, in whatever state it is. Days are UTC, as
    2030-12-31, the last one included. `reviewed` is `yes` or `no`; `comments` is `open` or `any`;
    `instructions` is their version. `name` has beginnings of words, or any part of a path. `disagreement` is
    `people` or `model` for labels, or part of what the agreement of people was counted by, in whatever state:
    `all`, `pair:3-7` (users), `class:5` or `week:2026-11-23`. Unlabeled items of an `assignment` are those
    that wait for whom it is given to: with their answer, one waits for everybody else. `labeler` is whose
    label counts; `answered` is who has an answer that stands, whatever became of the item.
    """

    state: str = ""
    classes: tuple[int, ...] = ()
    labeler: int | None = None
    source: str = ""
    confidence_below: float | None = None
    confidence_above: float | None = None
    name: str = ""
    kind: str = ""
    since: str = ""
    until: str = ""
    disagreement: str = ""
    group: int | None = None
    instructions: int | None = None
    reviewed: str = ""
    comments: str = ""
    assignment: int | None = None
    answered: int | None = None

    @property
    def narrow(self) -> bool:
        """Tell whether anything but the state is filtered by."""
        return replace(self, state="") != Filters()

    @property
    def counted(self) -> str:
        """The part of what the agreement of people was counted by; empty for none."""
        return "" if self.disagreement in OF_A_LABEL else self.disagreement

    @property
    def of_labels(self) -> bool:
        """Tell whether a filter speaks of labels, which only listed items have."""
        return any(
            each not in ("", None, ())
            for each in (
                self.classes, self.labeler, self.source, self.since, self.until,
                self.disagreement if self.disagreement in OF_A_LABEL else "", self.group, self.instructions,
                self.reviewed,
            )
        )  # fmt: skip


def stored(given: Mapping[str, Any]) -> Filters:
    """Return filters as a job keeps them; one from before there could be several classes names one."""
    fields = dict(given)
    one = fields.pop("label_class", None)
    return Filters(**fields | {"classes": tuple(fields.get("classes") or ([one] if one else ()))})


@dataclass(frozen=True, slots=True)
class Sort:
    """An order of the gallery: by a key and then by id. What has no key is left out."""

    title: str
    key: str = "id"
    descending: bool = False


SORTS = {
    "newest": Sort("newest first", descending=True),
    "oldest": Sort("oldest first"),
    "latest": Sort("labeled last", "listing__labeled_at", descending=True),
    "label_error": Sort("likely label error", "listing__label_error"),
    "uncertain": Sort("least sure model", "suggestion__confidence"),
    "name": Sort("file name", "path"),
}


@dataclass(frozen=True, slots=True)
class Total:
    """How many items there are; `exact` is false where it is an estimate."""

    count: int
    exact: bool


def of_origin(origin: str, prefix: str = "") -> Q:
    """Return the condition for annotations of an origin; `human` is person or confirmed."""
    human = Q(**{f"{prefix}source__in": ("human", "bulk")})
    confirmed = Q(**{f"{prefix}suggestion_visible": True, f"{prefix}agreed": True})
    conditions = {
        "human": human,
        "person": human & ~confirmed,
        "confirmed": human & confirmed,
        "auto": Q(**{f"{prefix}source": "auto"}),
        "imported": Q(**{f"{prefix}source": "import"}),
        "import": Q(**{f"{prefix}source": "import"}),
    }
    return conditions[origin]


def select(project: Project, filters: Filters) -> QuerySet[Item]:
    """Return the items that filters choose; without a state, the labeled ones."""
    state = state_of(filters)
    if state in LISTED and not filters.kind:
        items = Item.objects.filter(on_listing(project, filters, "listing__"))
    else:
        items = Item.objects.filter(project=project)
        if filters.kind:
            items = items.filter(entry__project=project, entry__kind=filters.kind)
        if state:
            items = items.filter(state=state)
        if filters.of_labels:
            items = items.filter(on_listing(project, filters, "listing__"))
    return of_items(project, items, filters)


def state_of(filters: Filters) -> str:
    whatever = filters.kind or filters.counted or filters.answered
    return filters.state or ("" if whatever else Item.State.LABELED)


def on_listing(project: Project, filters: Filters, prefix: str = "") -> Q:
    """Return the conditions that listings answer."""
    found: dict[str, Any] = {"project": project}
    if state_of(filters):
        found["state"] = state_of(filters)
    if filters.classes:
        found["classes__overlap"] = [pk for each in filters.classes for pk in family(each)]
    if filters.labeler is not None:
        found["labeler"] = filters.labeler
    if filters.source:
        found["origin__in"] = BY_ORIGIN[filters.source]
    if filters.disagreement in ("people", "model"):
        found |= {"differs": True} if filters.disagreement == "people" else {"model_class__isnull": False}
    if filters.group is not None:
        found["group"] = filters.group
    if filters.reviewed:
        found["reviewed"] = filters.reviewed == "yes"
    found |= of_time(project, filters)
    return Q(**{f"{prefix}{name}": value for name, value in found.items()})


def of_time(project: Project, filters: Filters) -> dict[str, Any]:
    """Return the conditions on when a label was given, and under which instructions."""
    found: dict[str, Any] = {}
    if filters.since:
        found["labeled_at__gte"] = midnight(filters.since)
    if filters.until:
        # Not the next midnight: the last of all days has none.
        found["labeled_at__lte"] = datetime.combine(date.fromisoformat(filters.until), time.max, UTC)
    if filters.instructions is not None:
        version = project.instructions.filter(version=filters.instructions).values_list("id", flat=True)
        found["instructions__in"] = list(version)
    return found


def midnight(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(), UTC)


def of_items(project: Project, items: QuerySet[Item], filters: Filters) -> QuerySet[Item]:
    """Narrow items by what is told by other tables."""
    confidence: dict[str, Any] = {}
    if filters.confidence_below is not None:
        confidence["suggestion__confidence__lt"] = filters.confidence_below
    if filters.confidence_above is not None:
        confidence["suggestion__confidence__gte"] = filters.confidence_above
    if confidence:
        items = items.filter(suggestion__project=project, **confidence)
    if filters.assignment is not None:
        items = items.filter(assigned__assignment=filters.assignment, assigned__is_open=True)
        if filters.state == Item.State.UNLABELED:
            items = items.filter(entry__assignment=filters.assignment)
    items = of_answers(project, items, filters)
    if filters.name.strip():
        items = items.filter(named(project, filters.name.strip()))
    if filters.comments:
        begun = Comment.objects.filter(project=project, parent=None)
        if filters.comments == "open":
            begun = begun.filter(resolved_at=None)
        items = items.filter(pk__in=begun.values("item"))
    return items


def of_answers(project: Project, items: QuerySet[Item], filters: Filters) -> QuerySet[Item]:
    """Narrow items by all the answers that they have, counted or not."""
    if filters.answered is not None:
        given = Annotation.objects.filter(project=project, labeler=filters.answered)
        items = items.filter(pk__in=given.filter(withdrawn_at=None, skipped=False).values("item"))
    if filters.counted:
        items = items.filter(pk__in=disagreements(project, filters.counted).values("item"))
    return items


def disagreements(project: Project, which: str) -> QuerySet[Disagreement]:
    """Return who disagreed about what when that was counted last; none where `which` makes no sense."""
    found = Disagreement.objects.filter(project=project)
    kind, _, value = which.partition(":")
    one, _, other = value.partition("-")
    if kind == "pair" and is_number(one) and is_number(other):
        low, high = sorted((int(one), int(other)))
        return found.filter(one=low, other=high)
    if kind == "class" and is_number(value):
        return found.filter(classes__contains=[int(value)])
    if kind == "week":
        try:
            return found.filter(week=date.fromisoformat(value))
        except ValueError:
            return found.none()
    return found if which == "all" else found.none()


def is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19


def words(name: str) -> list[str]:
    """Return the words of a name, as the index of file names has them."""
    return [each for each in NOT_IN_WORDS.split(name.lower()) if each]


class Begins(Func):
    """Whether a path has words that begin like these."""

    conditional = True
    output_field = models.BooleanField()
    template = "labeling_words(%(expressions)s) @@ %%s::tsquery"

    def __init__(self, path: F, words: Sequence[str] = (), **extra: Any) -> None:
        super().__init__(path, **extra)
        self.words = tuple(words)

    def as_sql(self, *args: Any, **kwargs: Any) -> tuple[str, Any]:
        sql, params = super().as_sql(*args, **kwargs)
        return sql, [*params, " & ".join(f"'{each}':*" for each in self.words)]


def named(project: Project, name: str) -> Begins | Q:
    """Return the condition for paths with words that begin like those of a name, which an index knows.

    Where there are none, for paths with that text anywhere: that takes a look at all of them.
    """
    begins = Begins(F("path"), words(name))
    if words(name) and Item.objects.filter(begins, project=project).exists():
        return begins
    return Q(path__icontains=name)


def page(
    project: Project,
    filters: Filters,
    sort: str = "newest",
    cursor: str | int | None = None,
    limit: int = PAGE,
) -> tuple[list[Item], str | int | None]:
    """Return items in an order, and the cursor of the next page, None at the end.

    A cursor that makes no sense begins anew.
    """
    order = SORTS[sort]
    rows = keys(project, filters, order, read_cursor(order, cursor), limit + 1)
    items = load([pk for pk, _ in rows[:limit]])
    return items, write_cursor(order, *rows[limit - 1]) if len(rows) > limit else None


def load(ids: list[int]) -> list[Item]:
    """Return items with what a gallery shows of them, in the order of their ids' list."""
    found = (
        Item.objects.select_related("listing", "current_annotation__labeler", "suggestion")
        .prefetch_related("current_annotation__regions__label_class__means")
        .in_bulk(ids)
    )
    return [found[pk] for pk in ids if pk in found]


def keys(project: Project, filters: Filters, order: Sort, after: Key | None, limit: int) -> list[Key]:
    """Return id and key of the first items after one.

    Few are found fast and sorted fast. Many are met soon by walking along the order's index, where looking
    for few takes seconds; and which of both it is, the planner cannot know of filters that depend on each
    other. So it is told: behind an offset of nothing it has to find all before it sorts.
    """
    if order.key.startswith("listing") and not filters.kind and state_of(filters) not in LISTED:
        return []
    chosen = with_key(project, select(project, filters), order)
    rows = chosen.annotate(sort_key=F(order.key)).values_list("pk", "sort_key")
    if can_be_walked(project, filters, order, chosen):
        sign = "-" if order.descending else ""
        rows = rows.filter(beyond(order, after)) if after else rows
        return list(rows.order_by(*dict.fromkeys((f"{sign}{order.key}", f"{sign}id")))[:limit])
    try:
        sql, params = rows.order_by().query.sql_with_params()
    except EmptyResultSet:
        return []
    way, than = ("DESC", "<") if order.descending else ("ASC", ">")
    where = f"WHERE (key, id) {than} (%s, %s)" if after else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, key FROM ({sql} OFFSET 0) found(id, key)"  # noqa: S608  # words of our own
            f" {where} ORDER BY key {way}, id {way} LIMIT %s",
            [*params, *(reversed(after) if after else ()), limit],
        )
        return cursor.fetchall()


def can_be_walked(project: Project, filters: Filters, order: Sort, chosen: QuerySet[Item]) -> bool:
    if not filters.narrow and state_of(filters) == Item.State.LABELED:
        return True
    if filters.kind and order.key.startswith("listing"):
        return False
    in_places = filters.since or filters.until or order.key == "path"
    return estimate(chosen) > (FEW_IN_PLACES if in_places else FEW)


def with_key(project: Project, items: QuerySet[Item], order: Sort) -> QuerySet[Item]:
    """Leave out what has no key, and say of its table too whose it is, so that its index can be used."""
    if order.key.startswith("suggestion__"):
        return items.filter(suggestion__project=project)
    if order.key == "path":
        return items.filter(project=project)
    if order.key != "id":
        return items.filter(listing__project=project, **{f"{order.key}__isnull": False})
    return items


def beyond(order: Sort, after: Key) -> Q:
    pk, key = after
    step = "lt" if order.descending else "gt"
    if order.key == "id":
        return Q(**{f"id__{step}": pk})
    rest = Q(**{f"{order.key}__{step}": key}) | Q(**{f"id__{step}": pk})
    return Q(**{f"{order.key}__{step}e": key}) & rest


def is_cursor(sort: str, cursor: str) -> bool:
    """Tell whether a cursor is one that pages in an order have as their next."""
    return read_cursor(SORTS[sort], cursor) is not None


def read_cursor(order: Sort, cursor: str | int | None) -> Key | None:
    item, _, key = str(cursor).partition("~")
    if not item.isdecimal() or len(item) > DIGITS:
        return None
    if order.key == "id":
        return int(item), int(item)
    try:
        return int(item), key_of(order, key)
    except ValueError:
        return None


def key_of(order: Sort, text: str) -> Any:
    if order.key == "listing__labeled_at":
        return datetime.fromisoformat(text)
    return text if order.key == "path" else float(text)


def write_cursor(order: Sort, item: int, key: Any) -> str | int:
    if order.key == "id":
        return item
    return f"{item}~{key.isoformat() if isinstance(key, datetime) else key}"


def total(project: Project, filters: Filters, sort: str = "newest") -> Total:
    """Count what filters choose; beyond some thousands, the planner's estimate has to do."""
    items: QuerySet[Any] = select(project, filters)
    if state_of(filters) in LISTED and not told_elsewhere(filters):
        items = Listing.objects.filter(on_listing(project, filters))
    if not filters.narrow:
        return Total(items.count(), exact=True)
    items = items.order_by()
    guess = estimate(items)
    if guess > SURELY_MORE:
        return Total(guess, exact=False)
    counted = items[: COUNTED + 1].count()
    if counted <= COUNTED:
        return Total(counted, exact=True)
    return Total(max(counted, guess), exact=False)


def told_elsewhere(filters: Filters) -> bool:
    """Tell whether a filter asks of what listings do not have."""
    of_listings = Filters(
        state=filters.state, classes=filters.classes, labeler=filters.labeler, source=filters.source,
        since=filters.since, until=filters.until, group=filters.group, reviewed=filters.reviewed,
        instructions=filters.instructions,
        disagreement="" if filters.counted else filters.disagreement,
    )  # fmt: skip
    return filters != of_listings


def estimate(items: QuerySet[Any]) -> int:
    """Return how many rows the planner expects."""
    try:
        sql, params = items.values("pk").query.sql_with_params()
    except EmptyResultSet:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
        (plan,) = cursor.fetchone()
    plan = json.loads(plan) if isinstance(plan, str) else plan
    return int(plan[0]["Plan"]["Plan Rows"])
