"""What a page shows of a model's proposals: a whole answer to confirm, single labels ticked, or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from labeling.models import Page, Project, QueueEntry, Suggestion
from labeling.models.queueing import QueueKind

GROUPED = (QueueKind.CLUSTERED, QueueKind.PRELABELED)


@dataclass(frozen=True, slots=True)
class Ticks:
    """Class ids: ticked beforehand, and marked as open."""

    likely: list[int]
    doubtful: list[int]


def shown(page: Page, items: Sequence[int]) -> dict[int, set[int]]:
    """Return the proposed class ids of those items for which a page shows a proposal."""
    if page.kind in GROUPED and page.proposed_class_id:
        return {item: {page.proposed_class_id} for item in items}
    if page.kind == QueueKind.PRELABELED:
        proposals = Suggestion.objects.filter(item__in=items).values_list("item_id", "regions")
        return {item: {region["class"] for region in regions} for item, regions in proposals}
    return {item: set(each.likely) for item, each in ticks(page, items).items()}


def ticks(page: Page, items: Sequence[int]) -> dict[int, Ticks]:
    """Return what is ticked beforehand on a page that asks its items one by one.

    What somebody holds is not placed anew, so this is the same when the page is shown and when it comes back.
    """
    project = page.project
    if page.kind != QueueKind.MANUAL or project.task_type != Project.TaskType.MULTILABEL:
        return {}
    if project.assist_mode == Project.AssistMode.OFF:
        return {}
    entries = QueueEntry.objects.filter(item__in=items, kind=QueueKind.MANUAL, likely__isnull=False)
    return {
        item: Ticks(likely or [], doubtful or [])
        for item, likely, doubtful in entries.values_list("item_id", "likely", "doubtful")
    }
