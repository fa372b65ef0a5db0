"""Changes of classes after which images are labeled anew: splitting a class, starting over with new ones."""

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from labeling import classes, meanings, proposing, reworking
from labeling.classes import ClassInput, ProjectRefused, Values
from labeling.models import Event, LabelClass, Project, User
from labeling.reworking import Work

KEEP, HINTS, NOTHING = "keep", "hints", "nothing"
POLICIES = (
    (KEEP, "Go on, and keep all labels"),
    (HINTS, "Start over, with the old labels proposed"),
    (NOTHING, "Start over without them"),
)  # what becomes of the labels that are there when classes are added


def add(project: Project, given: Sequence[ClassInput], by: User, policy: str = KEEP) -> Event:
    """Add classes, and do with the labels that are there what a policy says. Raises ProjectRefused."""
    if policy == KEEP:
        return classes.add(project, given, by)
    return start_over(project, given, by, hinted=policy == HINTS)


def split(label_class: LabelClass, given: Sequence[ClassInput], by: User, *, keep: bool = False) -> Event:
    """Add classes in place of one, and ask people again about all that was labeled with it.

    With `keep`, the class stays one of the choices. Raises ProjectRefused.
    """
    project = label_class.project
    with transaction.atomic():
        classes.lock(project)
        reworking.refuse_while_busy(project)
        classes.refuse_retired(label_class)
        label_class.refresh_from_db()
        names = [{"name": each} if isinstance(each, str) else dict(each) for each in given]
        if label_class.parent is not None:
            names = [each | {"parent": each.get("parent") or label_class.parent.name} for each in names]
        added = classes.add_classes(project, names)
        if not added:
            raise ProjectRefused("Name at least one new class.", "classes")
        values: Values = {} if keep else {label_class.pk: {"retired_at": timezone.now()}}
        named = meanings.family(label_class.pk)
        into = classes.listed([label_class, *added] if keep else added)
        said = f"“{label_class.name}” is split into {into}."
        event = classes.change(
            "split_class", project, by, values, said, label_class, added=added, new_meaning=True, keep=keep
        )
        proposing.take_back(label_class)
        return reworking.begin(event, Work(named, hinted=True))


def start_over(project: Project, given: Sequence[ClassInput], by: User, *, hinted: bool) -> Event:
    """Add classes and ask people again about all images; with `hinted`, their labels are proposed to them.

    Raises ProjectRefused.
    """
    with transaction.atomic():
        classes.lock(project)
        reworking.refuse_while_busy(project)
        added = classes.add_classes(project, given)
        said = f"Added: {classes.listed(added)}. All images are labeled anew."
        event = classes.change(
            "start_over", project, by, {}, said, added=added, new_meaning=True, hinted=hinted
        )
        return reworking.begin(event, Work(None, hinted=hinted, forgets=not hinted))
