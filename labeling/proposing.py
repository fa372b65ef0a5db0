"""What a page shows of a model's proposals: a whole answer to confirm, single labels ticked, or nothing."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django.db.models import F

from labeling.meanings import Meanings
from labeling.models import Claim, LabelClass, Page, Project, QueueEntry, Suggestion
from labeling.models.queueing import QueueKind

GROUPED = (QueueKind.CLUSTERED, QueueKind.PRELABELED)
DIGITS = 3  # of a coordinate that count: screens calculate in floats

Region = tuple[int, tuple[float, ...], tuple[tuple[float, ...], ...]]
Answer = Counter[Region]  # regions in any order; two that are the same are two


def shown(page: Page, claims: Collection[Claim]) -> dict[int, Answer]:
    """Return what a page proposes as the answer of those items for which it shows a proposal.

    Ticks and shapes are kept with the claim: whatever happens meanwhile, they are what was on the screen.
    """
    kept = {each.item_id: of_regions(each.proposal["regions"]) for each in claims if each.proposal}
    if kept or not page.project.is_classification:
        return kept
    items = [each.item_id for each in claims]
    if page.kind in GROUPED and page.proposed_class_id:
        return {item: of_classes([page.proposed_class_id]) for item in items}
    if page.kind == QueueKind.PRELABELED:
        proposals = Suggestion.objects.filter(item__in=items).values_list("item_id", "regions")
        return {item: of_regions(regions) for item, regions in proposals}
    return {each.item_id: of_classes(each.likely) for each in claims if each.likely is not None}


def to_keep(project: Project, kind: str, items: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Return the shapes that a new page will propose, by item: the next round of a model draws others.

    Drawing takes so long that shapes are proposed also where nothing is certified, as long as a model helps.
    """
    helped = kind == QueueKind.PRELABELED or (
        kind == QueueKind.MANUAL and project.assist_mode != Project.AssistMode.OFF
    )
    if not helped or project.is_classification:
        return {}
    return {item: shape(each) for item, each in Suggestion.objects.in_bulk(items).items()}


def shape(suggestion: Suggestion) -> dict[str, Any]:
    """Return a proposal as screens get it; what people confirmed by its crop is accepted already."""
    return {
        "regions": [
            {**each, "origin": "accepted"} if each.get("confirmed") else each for each in suggestion.regions
        ],
        "confidence": suggestion.confidence,
        "model": suggestion.model_version,
    }


def offered(regions: Iterable[Mapping[str, Any]], meanings: Meanings) -> list[dict[str, Any]]:
    """Return proposed regions by the classes of today, without those that nobody can choose any more."""
    found = [{**each, "class": meanings.offered(each["class"])} for each in regions]
    kept = [each for each in found if each["class"] is not None]
    of_whole_image = {each["class"]: each for each in reversed(kept) if not shaped(each)}
    return [each for each in kept if shaped(each) or of_whole_image[each["class"]] is each]


def shaped(region: Mapping[str, Any]) -> bool:
    return bool(region.get("bbox") or region.get("polygon"))


def by_meaning(answer: Answer, meanings: Meanings) -> Answer:
    """Return an answer by the classes of today; two labels of an image that have become one count once."""
    found: Answer = Counter()
    for (label_class, bbox, polygon), count in answer.items():
        key = (meanings.now(label_class), bbox, polygon)
        found[key] = found[key] + count if bbox or polygon else 1
    return found


def take_back(label_class: LabelClass) -> None:
    """Ask without a proposal, one by one, about what waits with a class proposed; screens stay."""
    waiting = QueueEntry.objects.filter(
        project=label_class.project_id, proposed_class=label_class, kind__in=GROUPED, open_slots=F("needed")
    )
    waiting.update(
        kind=QueueKind.MANUAL,
        priority=1.0 - F("priority"),
        group=None,
        proposed_class=None,
        why="",
        certificate=None,
    )


def of_regions(regions: Iterable[Mapping[str, Any]]) -> Answer:
    """Return proposed regions, {class, bbox?, polygon?}, as an answer."""
    return Counter(region(each["class"], each.get("bbox"), each.get("polygon")) for each in regions)


def of_classes(classes: Iterable[int]) -> Answer:
    return Counter(region(each) for each in classes)


def region(
    label_class: int, bbox: Sequence[float] | None = None, polygon: Sequence[Sequence[float]] | None = None
) -> Region:
    """Return one region in a form that equals another's just when class and geometry are the same."""
    return label_class, rounded(bbox or ()), tuple(map(rounded, polygon or ()))


def rounded(numbers: Sequence[float]) -> tuple[float, ...]:
    return tuple(round(number, DIGITS) for number in numbers)
