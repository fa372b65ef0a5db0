"""Where a class is named: in the labels that stand, by their origin, and in what waits with it proposed."""

from dataclasses import dataclass

from django.db.models import Count, Q

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


def of(label_class: LabelClass) -> Uses:
    """Count where a class is named now."""
    labeled = Item.objects.filter(
        project=label_class.project_id,
        state=Item.State.LABELED,
        current_annotation__regions__label_class=label_class,
    )
    counts = dict(
        labeled.values_list("current_annotation__source").annotate(Count("id", distinct=True)).order_by()
    )
    return Uses(
        people=counts.get("human", 0) + counts.get("bulk", 0),
        model=counts.get("auto", 0),
        imported=counts.get("import", 0),
        waiting=waiting_with(label_class),
    )


def waiting_with(label_class: LabelClass) -> int:
    """Count the images in the queue for which a class is proposed, ticked, or the model's first guess."""
    waiting = QueueEntry.objects.filter(project=label_class.project_id)
    return waiting.filter(
        Q(proposed_class=label_class)
        | Q(likely__contains=[label_class.pk])
        | Q(item__suggestion__top_class=label_class)
    ).count()
