"""Merging a class into another one: its labels count as that one from then on, and go on naming it."""

from django.db import transaction
from django.utils import timezone

from labeling import classes
from labeling.classes import ProjectRefused, Values
from labeling.models import Event, LabelClass, User


def merge(label_class: LabelClass, into: LabelClass, by: User) -> Event:
    """Let all labels of a class count as another one, and nobody choose it any more. Raises ProjectRefused.

    What belongs to the class belongs to the other one then.
    """
    project = label_class.project
    with transaction.atomic():
        classes.lock(project)
        label_class.refresh_from_db()
        into.refresh_from_db()
        if label_class.pk == into.pk:
            raise ProjectRefused("A class cannot be merged into itself.", "into")
        if label_class.merged_into is not None:
            raise ProjectRefused(
                f"“{label_class.name}” counts as “{label_class.now.name}” already. Merge that one.", "into"
            )
        classes.refuse_retired(into)
        values: Values = {label_class.pk: {"merged_into_id": into.pk}}
        if label_class.retired_at is None:
            values[label_class.pk]["retired_at"] = timezone.now()
        if label_class.pk in above(into):
            values[into.pk] = {"parent_id": label_class.parent_id}
        for child in label_class.children.exclude(pk=into.pk):
            values[child.pk] = {"parent_id": into.pk}
        said = f"“{label_class.name}” counts as “{into.name}” now."
        return classes.change("merge_class", project, by, values, said, label_class, into=into.name)


def above(label_class: LabelClass) -> set[int]:
    """Return the classes that a class belongs to."""
    found: set[int] = set()
    parent = label_class.parent
    while parent is not None:
        found.add(parent.pk)
        parent = parent.parent
    return found
