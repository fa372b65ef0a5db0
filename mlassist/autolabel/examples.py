"""Examples of classes: which images may show any, adding and removing them."""

from collections.abc import Sequence

import numpy as np
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from labeling import answers, geometry, languages
from labeling.models import DataSource, Event, GoldItem, Item, LabelClass, Project, QueueEntry, User
from labeling.queue import BLIND
from labeling.refusals import Refused
from mlassist.models import Example


class AutoLabelRefused(Refused):
    """Why something of the Auto-label page cannot be done, in a sentence for people."""


def of(project: Project) -> QuerySet[Example]:
    """Return the examples of the classes in use."""
    mine = Example.objects.filter(project=project, label_class__retired_at=None)
    return mine.select_related("item").order_by("label_class__position", "place")


def items(project: Project) -> np.ndarray:
    """Return the items that a head by examples has learned from: it must not be judged on them."""
    found = Example.objects.filter(project=project).values_list("item_id", flat=True)
    return np.unique(np.fromiter(found, np.int64))


def presentable(project: Project, source: DataSource | None = None) -> QuerySet[Item]:
    """Return the readable images that the page may show with what a model says of them.

    Those that people are asked about blind are not among them, nor known ones, nor those whose faces are yet
    to be hidden.
    """
    asked = QueueEntry.objects.filter(item=OuterRef("pk"), kind__in=BLIND)
    known = GoldItem.objects.filter(item=OuterRef("pk"))
    mine = Item.objects.filter(
        answers.assisted(project), project=project, read_at__isnull=False, draw__gte=project.validation_rate
    ).exclude(state__in=(Item.State.BROKEN, Item.State.REMOVED))
    if project.faces:
        mine = mine.exclude(masked_at=None)
    if source is not None:
        mine = mine.filter(source=source)
    return mine.filter(~Exists(asked), ~Exists(known)).order_by("draw", "id")


def add(label_class: LabelClass, item: Item, bbox: Sequence[float] | None, by: User) -> Example:
    """Make an image, or a box on it, an example of a class. Raises AutoLabelRefused."""
    project = label_class.project
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        if label_class.retired_at is not None:
            raise AutoLabelRefused(_("“%(name)s” is not in use any more.") % {"name": label_class.name})
        if not presentable(project).filter(pk=item.pk).exists():
            raise AutoLabelRefused(
                _("This image is kept to measure models, or cannot be read. Choose another one.")
            )
        refuse_shape(project, item, bbox)
        own = Example.objects.filter(label_class=label_class)
        same = [each for each in own.filter(item=item) if each.bbox == (None if bbox is None else list(bbox))]
        if same:
            return same[0]
        taken = set(own.values_list("place", flat=True))
        free = [place for place in range(Example.MOST) if place not in taken]
        if not free:
            text = _("“%(name)s” has %(most)s examples already. Remove one first.")
            raise AutoLabelRefused(text % {"name": label_class.name, "most": Example.MOST})
        made = Example.objects.create(
            project=project,
            label_class=label_class,
            item=item,
            place=free[0],
            bbox=None if bbox is None else list(bbox),
            created_by=by,
        )
        Event.record("example_added", project, by, label_class=label_class.name, item=item.pk)
    return made


def refuse_shape(project: Project, item: Item, bbox: Sequence[float] | None) -> None:
    """Ask for a box where boxes or outlines are wanted, and for none where classes are."""
    if project.is_classification:
        if bbox is not None:
            raise AutoLabelRefused(_("Here the whole image is the example, without a box."))
        return
    if bbox is None:
        raise AutoLabelRefused(_("Draw a box around the object that is the example."))
    problem = geometry.misfit(list(bbox), None, item.width or 0, item.height or 0)
    problem = problem or geometry.flaw(list(bbox), None)
    if problem:
        raise AutoLabelRefused(languages.said(problem))


def remove(example: Example, by: User) -> None:
    with transaction.atomic():
        Example.objects.filter(pk=example.pk).delete()
        name = example.label_class.name
        Event.record("example_removed", example.project, by, label_class=name, item=example.item_id)
