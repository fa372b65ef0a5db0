"""What a page shows of a model's proposals: a whole answer to confirm, single labels ticked, or nothing."""

from collections.abc import Collection

from labeling.models import Claim, Page, Suggestion
from labeling.models.queueing import QueueKind

GROUPED = (QueueKind.CLUSTERED, QueueKind.PRELABELED)


def shown(page: Page, claims: Collection[Claim]) -> dict[int, set[int]]:
    """Return the proposed class ids of those items for which a page shows a proposal.

    Ticks are kept with the claim: whatever happens meanwhile, they are what was on the screen.
    """
    items = [each.item_id for each in claims]
    if page.kind in GROUPED and page.proposed_class_id:
        return {item: {page.proposed_class_id} for item in items}
    if page.kind == QueueKind.PRELABELED:
        proposals = Suggestion.objects.filter(item__in=items).values_list("item_id", "regions")
        return {item: {region["class"] for region in regions} for item, regions in proposals}
    return {each.item_id: set(each.likely) for each in claims if each.likely is not None}
