"""Labels from folder names: an imported tree with one folder for each class."""

import uuid
from collections.abc import Iterator

from django.db import transaction

from labeling import queue
from labeling.classes import add_classes
from labeling.models import Annotation, DataSource, Event, Item, LabelClass, Project, Region, User

BATCH = 1_000


def class_named_by(path: str) -> str | None:
    """Return the name of the folder that a file lies in, None at the top."""
    folders = path.split("/")[:-1]
    return folders[-1] if folders else None


def label(source: DataSource, by: User | None) -> int:
    """Label the readable items of a source with their folder's name; returns how many.

    Classes that the project lacks are added. Items that have a label already keep it.
    """
    classes = classes_for(source, by)
    count = 0
    for items in batches(source):
        with transaction.atomic():
            locked = (
                Item.objects.select_for_update()
                .filter(pk__in=items, state=Item.State.UNLABELED)
                .order_by("id")
            )
            count += write(source.project, list(locked), classes)
    Event.record("import_labels", source.project, by, source=source.pk, labels=count)
    return count


def classes_for(source: DataSource, by: User | None) -> dict[str, LabelClass]:
    """Return the classes by lower-case name, those added that the folders name in addition."""
    project = source.project
    known = {each.name.lower(): each for each in project.classes.all()}
    named = {class_named_by(path) for path in source.items.values_list("path", flat=True)} - {None}
    missing = sorted(name for name in named if name and name.lower() not in known)
    if missing:
        known |= {each.name.lower(): each for each in add_classes(project, missing)}
        Event.record("add_classes", project, by, names=missing)
    return known


def batches(source: DataSource) -> Iterator[list[int]]:
    items = list(
        source.items.filter(state=Item.State.UNLABELED, read_at__isnull=False)
        .order_by("id")
        .values_list("id", flat=True)
    )
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


def write(project: Project, items: list[Item], classes: dict[str, LabelClass]) -> int:
    chosen = [(item, classes[name.lower()]) for item in items if (name := class_named_by(item.path))]
    made = Annotation.objects.bulk_create(
        Annotation(project=project, item=item, uuid=uuid.uuid4(), source=Annotation.Source.IMPORT)
        for item, _ in chosen
    )
    Region.objects.bulk_create(
        Region(annotation=annotation, label_class=label_class)
        for annotation, (_, label_class) in zip(made, chosen, strict=True)
    )
    if made:
        queue.finish({annotation.item_id: annotation.pk for annotation in made})
    return len(made)
