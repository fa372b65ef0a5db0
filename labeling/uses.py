"""Where a class is named: in the labels that stand, by their origin, and in what waits with it proposed."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Q

from labeling.meanings import family
from labeling.models import Item, LabelClass, QueueEntry


@dataclass(frozen=True, slots=True)
class Uses:
    """Images labeled with a class, by who or what labeled them, and images waiting with it proposed."""

    people: int
    model: int
    imported: int
    waiting: int

    @property
    def labeled(self) -> int:
        return self.people + self.model + self.imported


def of(*classes: LabelClass) -> Uses:
    """Count where classes, or others that count as them, are named now; each image once."""
    project = classes[0].project_id
    named = [pk for each in classes for pk in family(each.pk)]
    labeled = Item.objects.filter(
        project=project, state=Item.State.LABELED, current_annotation__regions__label_class__in=named
    )
    counts = dict(
        labeled.values_list("current_annotation__source").annotate(Count("id", distinct=True)).order_by()
    )
    return Uses(
        people=counts.get("human", 0) + counts.get("bulk", 0),
        model=counts.get("auto", 0),
        imported=counts.get("import", 0),
        waiting=waiting_with(project, named),
    )


def waiting_with(project: int, named: Sequence[int]) -> int:
    """Count the images in the queue for which a class is proposed, ticked, or the model's first guess."""
    proposed = Q(proposed_class__in=named) | Q(likely__overlap=list(named))
    waiting = QueueEntry.objects.filter(proposed | Q(item__suggestion__top_class__in=named), project=project)
    return waiting.count()
