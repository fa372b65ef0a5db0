"""Taking a change of classes back, in any order: what somebody has changed once more since then stays."""

from django.db import transaction

from labeling import changes, classes, reworking
from labeling.classes import ProjectRefused, Values
from labeling.models import Event, Project, User


def undo(event: Event, by: User) -> Event | None:
    """Take back a change of classes, but not what was changed once more since; None if it is undone already.

    Raises ProjectRefused, also where classes would belong to each other until a later change is undone.
    """
    project = event.project
    assert project is not None
    with transaction.atomic():
        classes.lock(project)
        if changes.is_undone(event):
            return None
        is_meant = event.verb in changes.ASKED_ANEW
        if is_meant:
            reworking.refuse_while_busy(project, but=event)
            reworking.stop(event)
        values = values_before(event, project)
        if event.verb == changes.MOVE and not all(values.values()):
            raise ProjectRefused("These classes were moved once more since. Undo that first.", "classes")
        said = f"Undone: {event.data['said']}"
        try:
            undone = classes.change(
                changes.UNDO, project, by, values, said, new_meaning=is_meant, undoes=event.pk
            )
        except classes.BelongsToItself as error:
            raise ProjectRefused(f"{error} Undo a later change first.", error.field) from error
        if is_meant:
            reworking.take_back(event, undone)
        return undone


def values_before(event: Event, project: Project) -> Values:
    """Return what the fields of classes are without a change, but for those that were changed once more."""
    rows = project.classes.in_bulk([int(pk) for pk in event.data["after"]])
    earlier = changes.made_before(event)
    return {
        int(pk): {
            name: classes.read(name, changes.value_before(event, earlier, pk, name))
            for name, value in after.items()
            if getattr(rows[int(pk)], name) == classes.read(name, value)
        }
        for pk, after in event.data["after"].items()
    }
