"""Making and steering projects."""

import secrets
from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction

from labeling import bias, consensus, validation
from labeling.classes import ClassInput, add_classes
from labeling.classes import ProjectRefused as ProjectRefused
from labeling.models import Event, Instructions, Membership, Project, User

CLASSES_TARGET, SHAPES_TARGET = 0.05, 0.10
MOST_LABELS = "At the most, not fewer people can be asked than at the least, and no more than nine."
SAME_TASK = (
    "The task type of a project never changes, since its labels would not fit another one. "
    "Make a new project for that, with the same images."
)


def create_project(
    user: User,
    name: str,
    task_type: str,
    classes: Sequence[ClassInput],
    *,
    instructions: str = "",
    assist_mode: str = Project.AssistMode.SUGGEST,
    promise: str = Project.Promise.EACH_LABEL,
    target_error: float | None = None,
    confidence: float = 0.95,
    labels_per_item: int = 1,
    most_labels_per_item: int | None = None,
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
                target_error=usual_target(task_type) if target_error is None else target_error,
                confidence=confidence,
                labels_per_item=labels_per_item,
                most_labels_per_item=most_labels_per_item,
                backbone=backbone,
                hidden_share=bias.USUAL_SHARE,
                seed=secrets.randbits(48),
                created_by=user,
            )
            Membership.objects.create(project=project, user=user, role=Membership.Role.MANAGER)
            add_classes(project, classes)
            if instructions.strip():
                Instructions.objects.create(project=project, version=1, text=instructions, created_by=user)
            Event.record("create", project, user)
    except IntegrityError as error:
        if "project_most_labels_per_item" in str(error):
            raise ProjectRefused(MOST_LABELS, "most_labels_per_item") from error
        if "project_name_once" in str(error):
            raise ProjectRefused(taken(name), "name") from error
        raise
    return project


def taken(name: str) -> str:
    return f"The name “{name}” is taken. Names are never used again, even after a project is deleted."


def refuse_taken(name: str) -> None:
    """Raise ProjectRefused for a name that a new project cannot have."""
    name = tidy_name(name)
    if Project.objects.filter(name__iexact=name).exists():
        raise ProjectRefused(taken(name), "name")


def usual_target(task_type: str) -> float:
    """Return how much may be wrong unless somebody says: people who draw the same objects agree less."""
    draws = task_type in (Project.TaskType.DETECTION, Project.TaskType.SEGMENTATION)
    return SHAPES_TARGET if draws else CLASSES_TARGET


def tidy_name(name: str) -> str:
    """Collapse the white space of a project's name. Raises ProjectRefused when nothing is left."""
    name = " ".join(name.split())
    if not name:
        raise ProjectRefused("A project needs a name.", "name")
    return name


def set_state(project: Project, state: str, by: User) -> None:
    """Start or pause labeling."""
    if Project.objects.filter(pk=project.pk).exclude(state=state).update(state=state):
        project.state = state
        Event.record("start" if state == Project.State.RUNNING else "pause", project, by)


def change_settings(project: Project, by: User, **changes: Any) -> None:
    """Change settings, by the names of their fields. Raises ProjectRefused."""
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
            if "labels_per_item" in changed:
                consensus.ask_as_many_as_wanted(project)
    except IntegrityError as error:
        if "project_most_labels_per_item" in str(error):
            raise ProjectRefused(MOST_LABELS, "most_labels_per_item") from error
        if "project_name_once" in str(error):
            raise ProjectRefused(taken(changes["name"]), "name") from error
        raise ProjectRefused("A number is out of range.", next(iter(changes))) from error
    validation.settle_rate(project)


def set_instructions(project: Project, text: str, by: User, *, link: str = "") -> Instructions:
    """Add a version of the instructions; labels name the version they were made under."""
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        newest = project.instructions.first()
        if newest is not None and (newest.text, newest.link) == (text, link):
            return newest
        version = newest.version + 1 if newest else 1
        Event.record("instructions", project, by, version=version)
        return Instructions.objects.create(
            project=project, version=version, text=text, link=link, created_by=by
        )
