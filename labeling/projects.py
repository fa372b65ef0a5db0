"""Making and steering projects."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from labeling import validation
from labeling.models import Event, Instructions, LabelClass, Membership, Project, User

# Twelve hues of equal lightness that stay apart for colour-blind eyes when used in this order.
COLORS = (
    "#4f8fe6", "#e08a1e", "#3da878", "#d06fb4", "#a3a227", "#8f7be0",
    "#e0675c", "#2aa7b8", "#b58552", "#7fa83a", "#c77be0", "#7d93a8",
)  # fmt: skip
HOTKEYS = "1234567890"
DEEPEST = 6

ClassInput = str | Mapping[str, Any]


class ProjectRefused(Exception):
    """Why a project could not be made or changed, in a sentence; `field` names the culprit."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


def create_project(
    user: User,
    name: str,
    task_type: str,
    classes: Sequence[ClassInput],
    *,
    instructions: str = "",
    assist_mode: str = Project.AssistMode.SUGGEST,
    promise: str = Project.Promise.EACH_LABEL,
    target_error: float = 0.05,
    confidence: float = 0.95,
    labels_per_item: int = 1,
    backbone: str = "bundled",
) -> Project:
    """Make a running project with its maker as manager. Raises ProjectRefused."""
    name = tidy_name(name)
    if task_type not in Project.TaskType.values:
        raise ProjectRefused(f"There is no task type {task_type!r}.", "task_type")
    if not classes:
        raise ProjectRefused("A project needs at least one class.", "classes")
    try:
        with transaction.atomic():
            project = Project.objects.create(
                name=name,
                task_type=task_type,
                assist_mode=assist_mode,
                promise=promise,
                target_error=target_error,
                confidence=confidence,
                labels_per_item=labels_per_item,
                backbone=backbone,
                seed=secrets.randbits(48),
                created_by=user,
            )
            Membership.objects.create(project=project, user=user, role=Membership.Role.MANAGER)
            add_classes(project, classes)
            if instructions.strip():
                Instructions.objects.create(project=project, version=1, text=instructions, created_by=user)
            Event.record("create", project, user)
    except IntegrityError as error:
        if "project_name_once" in str(error):
            raise ProjectRefused(
                f"The name “{name}” is taken. Names are never used again, even after a project is deleted.",
                "name",
            ) from error
        raise
    return project


def tidy_name(name: str) -> str:
    """Collapse the white space of a project's name. Raises ProjectRefused when nothing is left."""
    name = " ".join(name.split())
    if not name:
        raise ProjectRefused("A project needs a name.", "name")
    return name


def extend_classes(project: Project, classes: Sequence[ClassInput], by: User | None) -> list[LabelClass]:
    """Add classes to a project that is in use, all or none. Raises ProjectRefused."""
    with transaction.atomic():
        added = add_classes(project, classes)
        Event.record("add_classes", project, by, names=[each.name for each in added])
    return added


def add_classes(project: Project, classes: Sequence[ClassInput]) -> list[LabelClass]:
    """Append classes: names, or mappings with name, description, color, parent. Raises ProjectRefused."""
    existing = {each.name.lower(): each for each in project.classes.all()}
    position = max((each.position for each in existing.values()), default=-1) + 1
    keys = hotkeys(list(existing.values()), [name_of(given) for given in classes])
    added: list[LabelClass] = []
    for given in classes:
        fields = {} if isinstance(given, str) else dict(given)
        name = name_of(given)
        if not name:
            raise ProjectRefused("Every class needs a name.", "classes")
        if len(name) > 120:
            raise ProjectRefused(f"The class name “{name[:40]}…” is longer than 120 characters.", "classes")
        if name.lower() in existing:
            raise ProjectRefused(f"The class “{name}” is there already.", "classes")
        label_class = LabelClass.objects.create(
            project=project,
            name=name,
            color=fields.get("color") or COLORS[position % len(COLORS)],
            hotkey=keys[len(added)],
            description=fields.get("description") or "",
            parent=parent_of(existing, fields.get("parent"), name),
            position=position,
        )
        existing[name.lower()] = label_class
        added.append(label_class)
        position += 1
    return added


def name_of(given: ClassInput) -> str:
    return " ".join((given if isinstance(given, str) else str(given.get("name", ""))).split())


def hotkeys(existing: Sequence[LabelClass], names: Sequence[str]) -> list[str]:
    """Return a digit for each new class: a class that is called by a digit gets that one."""
    free = [key for key in HOTKEYS if key not in {each.hotkey for each in existing}]
    keys = {name: name for name in names if name in free}
    rest = iter([key for key in free if key not in keys])
    return [keys.get(name) or next(rest, "") for name in names]


def parent_of(existing: Mapping[str, LabelClass], parent: str | None, name: str) -> LabelClass | None:
    if not parent:
        return None
    found = existing.get(str(parent).strip().lower())
    if found is None:
        raise ProjectRefused(f"The parent “{parent}” of “{name}” must come before it.", "classes")
    depth, above = 2, found.parent
    while above is not None:
        depth, above = depth + 1, above.parent
    if depth > DEEPEST:
        raise ProjectRefused(
            f"“{name}” would be on level {depth}; classes have at most {DEEPEST}.", "classes"
        )
    return found


def set_state(project: Project, state: str, by: User) -> None:
    """Start or pause labeling."""
    if Project.objects.filter(pk=project.pk).exclude(state=state).update(state=state):
        project.state = state
        Event.record("start" if state == Project.State.RUNNING else "pause", project, by)


def change_settings(project: Project, by: User, **changes: Any) -> None:
    """Change name, assist_mode, promise, target_error or confidence. Raises ProjectRefused."""
    if "name" in changes:
        changes["name"] = tidy_name(changes["name"])
    for field, value in changes.items():
        setattr(project, field, value)
    try:
        with transaction.atomic():
            rows = Project.objects.select_for_update(no_key=True).filter(pk=project.pk)
            before = rows.values(*changes).get()
            project.save(update_fields=list(changes))
            changed = {
                field: [before[field], value] for field, value in changes.items() if value != before[field]
            }
            if changed:
                Event.record("settings", project, by, **changed)
    except IntegrityError as error:
        raise ProjectRefused(
            "That name is taken, or a number is out of range.", next(iter(changes))
        ) from error
    validation.settle_rate(project)


def set_instructions(project: Project, text: str, by: User) -> Instructions:
    """Add a version of the instructions; labels name the version they were made under."""
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        newest = project.instructions.first()
        if newest is not None and newest.text == text:
            return newest
        version = newest.version + 1 if newest else 1
        Event.record("instructions", project, by, version=version)
        return Instructions.objects.create(project=project, version=version, text=text, created_by=by)


def delete(project: Project, by: User) -> None:
    """Take a project out of sight; its rows stay, and so does its name."""
    Project.objects.filter(pk=project.pk).update(deleted_at=timezone.now(), state=Project.State.PAUSED)
    Event.record("delete", project, by)
