"""The classes of a project: adding, editing, ordering, retiring them.

Every change is an event that says what was before and after, so that any of them can be undone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from labeling import meanings, proposing, tallies
from labeling.models import Event, LabelClass, Project, User

# Twelve hues of equal lightness that stay apart for colour-blind eyes when used in this order.
COLORS = (
    "#4f8fe6", "#e08a1e", "#3da878", "#d06fb4", "#a3a227", "#8f7be0",
    "#e0675c", "#2aa7b8", "#b58552", "#7fa83a", "#c77be0", "#7d93a8",
)  # fmt: skip
HOTKEYS = "1234567890"
DEEPEST = 6
LONGEST = 120

ClassInput = str | Mapping[str, Any]
Values = dict[int, dict[str, Any]]  # by class: what its fields are to be


class ProjectRefused(Exception):
    """Why a project or its classes could not be made or changed, in a sentence; `field` names the culprit."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class BelongsToItself(ProjectRefused):
    """A class would belong to itself by way of others."""


def add_classes(project: Project, classes: Sequence[ClassInput]) -> list[LabelClass]:
    """Append classes: names, or mappings with name, description, color, parent. Raises ProjectRefused."""
    existing = {each.name.lower(): each for each in project.classes.select_related("parent")}
    position = max((each.position for each in existing.values()), default=-1) + 1
    keys = hotkeys(list(existing.values()), [name_of(given) for given in classes])
    colors = {each.color for each in existing.values() if each.retired_at is None}
    added: list[LabelClass] = []
    for given in classes:
        fields = {} if isinstance(given, str) else dict(given)
        name = tidy_name(name_of(given))
        refuse_taken(name, existing.get(name.lower()))
        color = fields.get("color") or COLORS[position % len(COLORS)]
        label_class = LabelClass.objects.create(
            project=project,
            name=name,
            color=color,
            striped=color in colors,
            hotkey=keys[len(added)],
            description=fields.get("description") or "",
            parent=parent_of(existing, fields.get("parent"), name),
            position=position,
        )
        existing[name.lower()] = label_class
        colors.add(color)
        added.append(label_class)
        position += 1
    return added


def add(project: Project, given: Sequence[ClassInput], by: User) -> Event:
    """Append classes to a project that is under way. Raises ProjectRefused."""
    with transaction.atomic():
        lock(project)
        added = add_classes(project, given)
        said = f"Added: {listed(added)}."
        return change("add_classes", project, by, {}, said, added=added)


def listed(classes: Sequence[LabelClass]) -> str:
    return ", ".join(f"“{each.name}”" for each in classes)


def name_of(given: ClassInput) -> str:
    return " ".join((given if isinstance(given, str) else str(given.get("name", ""))).split())


def tidy_name(name: str) -> str:
    """Collapse the white space of a class's name. Raises ProjectRefused for one that cannot be."""
    name = " ".join(name.split())
    if not name:
        raise ProjectRefused("Every class needs a name.", "classes")
    if len(name) > LONGEST:
        raise ProjectRefused(f"The class name “{name[:40]}…” is longer than {LONGEST} characters.", "classes")
    return name


def tidy_key(key: str) -> str:
    """Return a key as it is kept; empty for none. Raises ProjectRefused for what is no single key."""
    key = key.strip().lower()
    if key and not (len(key) == 1 and key.isalnum()):
        raise ProjectRefused("A key is one letter or one digit.", "hotkey")
    return key


def refuse_taken(name: str, other: LabelClass | None) -> None:
    if other is None:
        return
    if other.retired_at is not None:
        raise ProjectRefused(
            f"There was a class “{name}”, which is retired. Restore it, or choose another name.", "classes"
        )
    raise ProjectRefused(f"The class “{name}” is there already.", "classes")


def hotkeys(existing: Sequence[LabelClass], names: Sequence[str]) -> list[str]:
    """Return a digit for each new class: a class that is called by a digit gets that one."""
    taken = {each.hotkey for each in existing if each.retired_at is None}
    free = [key for key in HOTKEYS if key not in taken]
    keys = {name: name for name in names if name in free}
    rest = iter([key for key in free if key not in keys])
    return [keys.get(name) or next(rest, "") for name in names]


def parent_of(existing: Mapping[str, LabelClass], parent: str | None, name: str) -> LabelClass | None:
    if not parent:
        return None
    found = existing.get(str(parent).strip().lower())
    if found is None:
        raise ProjectRefused(f"The parent “{parent}” of “{name}” must come before it.", "classes")
    refuse_deep(name, 1 + depth_of(found))
    return found


def depth_of(label_class: LabelClass) -> int:
    depth, above = 1, label_class.parent
    while above is not None:
        depth, above = depth + 1, above.parent
    return depth


def refuse_deep(name: str, depth: int) -> None:
    if depth > DEEPEST:
        raise ProjectRefused(
            f"“{name}” would be on level {depth}; classes have at most {DEEPEST}.", "classes"
        )


@dataclass(frozen=True, slots=True)
class Row:
    """A class in its place: after the one that it belongs to, `depth` levels below the top."""

    label_class: LabelClass
    depth: int


def tree(project: Project) -> list[Row]:
    """Return the classes in use in their order, each below its parent."""
    in_use = list(project.classes.filter(retired_at=None).select_related("parent"))
    known = {each.pk for each in in_use}
    below: dict[int | None, list[LabelClass]] = {}
    for each in in_use:  # what belongs to a retired class stands at the top
        below.setdefault(each.parent_id if each.parent_id in known else None, []).append(each)
    rows: list[Row] = []

    def add_below(parent: int | None, depth: int) -> None:
        for each in below.get(parent, ()):
            rows.append(Row(each, depth))
            add_below(each.pk, depth + 1)

    add_below(None, 0)
    return rows


def edit(label_class: LabelClass, by: User, **fields: Any) -> Event | None:
    """Change name, color, hotkey, description or parent; None where nothing is new. Raises ProjectRefused.

    A key that another class has is swapped: that class gets the one which this class had.
    """
    with transaction.atomic():
        lock(label_class.project)
        label_class.refresh_from_db()
        if "parent" in fields:
            parent = fields.pop("parent")
            fields["parent_id"] = parent.pk if parent else None
        if "hotkey" in fields:
            fields["hotkey"] = tidy_key(fields["hotkey"])
        if "name" in fields:
            fields["name"] = tidy_name(fields["name"])
            same = LabelClass.objects.filter(project=label_class.project, name__iexact=fields["name"])
            refuse_taken(fields["name"], same.exclude(pk=label_class.pk).first())
        new = {name: value for name, value in fields.items() if getattr(label_class, name) != value}
        if not new:
            return None
        values: Values = {label_class.pk: new}
        said = f"“{label_class.name}” is changed."
        if "name" in new:
            said = f"“{label_class.name}” is called “{new['name']}” now."
        if "color" in new:
            new["striped"] = in_use(label_class.project).filter(color=new["color"]).exists()
        holder = with_key(label_class, new.get("hotkey"))
        if holder is not None:
            values[holder.pk] = {"hotkey": label_class.hotkey}
            had = f"has {label_class.hotkey} now" if label_class.hotkey else "has no key now"
            said = f"{said} Its key was that of “{holder.name}”, which {had}."
        return change("edit_class", label_class.project, by, values, said, label_class)


def with_key(label_class: LabelClass, key: str | None) -> LabelClass | None:
    """Return the other class in use that has a key."""
    return in_use(label_class.project).filter(hotkey=key).exclude(pk=label_class.pk).first() if key else None


def move(label_class: LabelClass, by: User, step: int) -> Event | None:
    """Let a class change places with its neighbour before (-1) or after it (1); None at the end."""
    with transaction.atomic():
        lock(label_class.project)
        label_class.refresh_from_db()
        rows = [each.label_class for each in tree(label_class.project)]
        own = next((each for each in rows if each.pk == label_class.pk), None)
        if own is None:
            return None
        known = {each.pk for each in rows}

        def top(each: LabelClass) -> int | None:
            return each.parent_id if each.parent_id in known else None

        beside = [each for each in rows if top(each) == top(own)]
        place = beside.index(own) + step
        if not 0 <= place < len(beside):
            return None
        other = beside[place]
        values: Values = {own.pk: {"position": other.position}, other.pk: {"position": own.position}}
        said = f"“{own.name}” comes {'after' if step > 0 else 'before'} “{other.name}” now."
        return change("move_class", label_class.project, by, values, said, own)


def retire(label_class: LabelClass, by: User | None) -> Event:
    """Let nobody choose a class any more; labels that name it keep it. Raises ProjectRefused."""
    with transaction.atomic():
        lock(label_class.project)
        refuse_retired(label_class)
        said = f"“{label_class.name}” is retired. Labels that name it keep it."
        proposing.take_back(label_class)
        values: Values = {label_class.pk: {"retired_at": timezone.now()}}
        return change("retire_class", label_class.project, by, values, said, label_class)


def restore(label_class: LabelClass, by: User | None) -> Event | None:
    """Let people choose a retired class again; None where they can. Raises ProjectRefused."""
    with transaction.atomic():
        lock(label_class.project)
        label_class.refresh_from_db()
        if label_class.retired_at is None:
            return None
        said = f"“{label_class.name}” can be chosen again."
        values: Values = {label_class.pk: {"retired_at": None}}
        if label_class.merged_into is not None:
            values[label_class.pk]["merged_into_id"] = None
            said = f"“{label_class.name}” is a class of its own again, with the labels that name it."
        return change("restore_class", label_class.project, by, values, said, label_class)


def change(
    verb: str,
    project: Project,
    by: User | None,
    values: Values,
    said: str,
    label_class: LabelClass | None = None,
    *,
    added: Sequence[LabelClass] = (),
    new_meaning: bool = False,
    **data: Any,
) -> Event:
    """Write new values of classes, and an event with those before and after. The project is locked.

    `added` are classes that it has made; undone, they are retired, for labels may name them by then. With
    `new_meaning`, labels mean something else from now on. Raises ProjectRefused for what contradicts itself.
    """
    rows = project.classes.in_bulk(list(values))
    for pk, new in values.items():
        if "retired_at" in new and new["retired_at"] is None:
            new |= free_key(rows[pk], new.get("hotkey", rows[pk].hotkey))
    before = {pk: {name: getattr(rows[pk], name) for name in new} for pk, new in values.items()}
    try:
        with transaction.atomic():
            write(project, values)
            refuse_circles(project)
            if not in_use(project).exists():
                raise ProjectRefused("A project needs at least one class that people can choose.", "classes")
            if new_meaning or any("merged_into_id" in new for new in values.values()):
                meanings.changed(project, said)
    except IntegrityError as error:
        raise ProjectRefused(
            "This contradicts what was changed meanwhile: a name that is taken, or a merge.", "classes"
        ) from error
    if label_class is not None:
        label_class.refresh_from_db()
        data |= {"class": label_class.pk, "name": label_class.name}
    now = timezone.now()
    before |= {each.pk: {"retired_at": now} for each in added}
    after = values | {each.pk: {"retired_at": None} for each in added}
    return Event.record(verb, project, by, said=said, before=written(before), after=written(after), **data)


def write(project: Project, values: Values) -> None:
    """Write values in two steps where one alone has each: classes that swap keys or places."""
    beyond = 1 + max(project.classes.values_list("position", flat=True), default=0)
    for number, (pk, new) in enumerate(values.items()):
        blank: dict[str, Any] = {"hotkey": "", "position": beyond + number}
        for_now = {name: value for name, value in blank.items() if name in new}
        if for_now:
            LabelClass.objects.filter(pk=pk).update(**for_now)
    merged = {pk: new["merged_into_id"] for pk, new in values.items() if "merged_into_id" in new}
    means = new_meanings(project, merged) if merged else {}
    for pk in {**values, **means}:
        new = dict(values.get(pk, {}))
        if new.get("retired_at"):
            new["offered_until"] = timezone.now()
        if pk in means:
            new["means_id"] = means[pk]
        if new:
            LabelClass.objects.filter(pk=pk).update(**new)
    if means:
        tallies.recount_classes(project)


def new_meanings(project: Project, merged: Mapping[int, int | None]) -> dict[int, int | None]:
    """Return the classes that count as something else once some are merged. Raises ProjectRefused."""
    rows = list(project.classes.all())
    try:
        means = meanings.flattened({each.pk: each.merged_into_id for each in rows} | dict(merged))
    except ValueError as error:
        raise ProjectRefused(
            "Classes would be merged into each other. Undo the later merge first."
        ) from error
    return {each.pk: means[each.pk] for each in rows if means[each.pk] != each.means_id}


def free_key(label_class: LabelClass, key: str) -> dict[str, str]:
    """Return the key with which a class comes back: another one where its own was given away."""
    others = list(in_use(label_class.project).exclude(pk=label_class.pk))
    if not key or key in {each.hotkey for each in others}:
        return {"hotkey": hotkeys(others, [label_class.name])[0]}
    return {"hotkey": key}


def refuse_circles(project: Project) -> None:
    """Refuse classes that belong to themselves by way of others, or lie too deep. Raises ProjectRefused."""
    parents: dict[int, int | None] = dict(project.classes.values_list("pk", "parent_id"))
    names = dict(project.classes.values_list("pk", "name"))
    for pk in parents:
        above, passed = parents[pk], {pk}
        while above is not None:
            if above in passed:
                raise BelongsToItself(f"“{names[pk]}” would belong to itself.", "parent")
            passed.add(above)
            above = parents[above]
        refuse_deep(names[pk], len(passed))


def refuse_retired(label_class: LabelClass) -> None:
    if not in_use(label_class.project).filter(pk=label_class.pk).exists():
        raise ProjectRefused(f"“{label_class.name}” is retired already.", "classes")


def written(values: Values) -> dict[str, dict[str, Any]]:
    """Return values as an event keeps them."""
    return {
        str(pk): {
            name: value.isoformat() if isinstance(value, datetime) else value for name, value in new.items()
        }
        for pk, new in values.items()
    }


def read(name: str, value: Any) -> Any:
    """Return a value of a field from an event."""
    return datetime.fromisoformat(value) if name == "retired_at" and value else value


def lock(project: Project) -> None:
    """Let changes of a project's classes come one after the other."""
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)


def in_use(project: Project) -> QuerySet[LabelClass]:
    return LabelClass.objects.filter(project=project, retired_at=None)
