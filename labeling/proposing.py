"""What a page shows of a model's proposals: a whole answer to confirm, single labels ticked, or nothing."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import F, QuerySet
from django.utils.translation import gettext_noop

from labeling.answers import regions_of
from labeling.meanings import Meanings
from labeling.models import Annotation, Claim, LabelClass, ObjectCheck, Page, Project, QueueEntry, Suggestion
from labeling.models.queueing import QueueKind

GROUPED = (QueueKind.CLUSTERED, QueueKind.PRELABELED)
AS_BEFORE = gettext_noop("as it was labeled before; the classes have changed")
AS_IMPORTED = gettext_noop("as an imported file suggests it")
DIGITS = 3  # of a coordinate that count: screens calculate in floats

PLAIN: dict[str, Any] = {
    "kind": QueueKind.MANUAL,
    "group": None,
    "proposed_class": None,
    "certificate": None,
    "likely": None,
    "doubtful": None,
    "why": "",
}  # an entry of which nobody has said anything

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


def models_behind(page: Page, claims: Iterable[Claim], shown: Collection[int]) -> dict[int, int]:
    """Return the number of the model that proposed what a page shows, by item.

    Look-alikes are proposed what models and people have said, and what a file says is no model's.
    """
    by_model = [each for each in claims if each.item_id in shown and each.why not in (AS_BEFORE, AS_IMPORTED)]
    found = {each.item_id: each.proposal["model"] for each in by_model if each.proposal}
    if page.kind != QueueKind.CLUSTERED and len(found) < len(by_model):
        said = Suggestion.objects.filter(item__in=[each.item_id for each in by_model])
        found = dict(said.values_list("item_id", "model_version")) | found
    return found


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


def give_hints(
    project: Project, hints: Mapping[int, int], claims: Mapping[int, Claim], today: Meanings
) -> None:
    """Propose on claims how their items were labeled before, or what a file says of them, rather than a
    model's opinion; `hints` are annotations by item.

    Shapes keep a class that is gone: the screen asks for another one, and nothing has to be drawn again.
    """
    if not hints:
        return
    regions = regions_of(hints.values())
    before = set(Annotation.objects.filter(pk__in=regions, counted=True).values_list("id", flat=True))
    for item, annotation in hints.items():
        claim, given = claims[item], regions[annotation]
        why = AS_BEFORE if annotation in before else AS_IMPORTED
        known = today.all_offered(each["class"] for each in given)
        if project.is_classification and known:
            claim.likely, claim.why = known, why
            claim.doubtful = [] if project.task_type == Project.TaskType.MULTILABEL else None
        elif given and not project.is_classification:
            claim.proposal = {"regions": given, "confidence": None, "model": None}
            claim.why = why


def shape(suggestion: Suggestion) -> dict[str, Any]:
    """Return a proposal as screens get it; what people confirmed by its crop is accepted already."""
    return {
        "regions": [
            {**each, "origin": "accepted"} if each.get("confirmed") else each for each in suggestion.regions
        ],
        "confidence": suggestion.confidence,
        "model": suggestion.model_version,
    }


def offered(
    regions: Sequence[Mapping[str, Any]], meanings: Meanings, *, by_people: bool = False
) -> list[dict[str, Any]]:
    """Return proposed regions by the classes of today, without those that nobody can choose any more.

    What people have drawn (`by_people`) stays, whatever has become of its class.
    """
    found = [{**each, "class": meanings.offered(each["class"])} for each in regions]
    if by_people:
        found = [
            each if each["class"] else {**each, "class": was["class"]}
            for each, was in zip(found, regions, strict=True)
        ]
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


def forget(project: Project, most: int | None = None, before: datetime | None = None) -> int:
    """Propose nothing that a model has said so far; screens stay. Returns how much there was.

    With `most`, no more than that is forgotten; `before` spares what was said since.
    """
    entries = QueueEntry.objects.filter(
        project=project, kind__in=(QueueKind.MANUAL, *GROUPED), open_slots=F("needed")
    ).exclude(**PLAIN)
    plain = list(entries.select_for_update().order_by("pk").values_list("pk", flat=True)[:most])
    QueueEntry.objects.filter(pk__in=plain).update(**PLAIN)
    said = Suggestion.objects.filter(project=project)
    if before is not None:
        said = said.filter(created_at__lt=before)
    gone = list(said.order_by("pk").values_list("pk", flat=True)[:most])
    Suggestion.objects.filter(pk__in=gone).delete()
    waiting = ObjectCheck.objects.filter(project=project, state=ObjectCheck.State.WAITING, held_until=None)
    return len(gone) + len(plain) + waiting.delete()[0]


def take_back(label_class: LabelClass) -> None:
    """Ask without a proposal, one by one, about what waits with a class proposed; screens stay."""
    waiting = QueueEntry.objects.filter(
        project=label_class.project_id, proposed_class=label_class, kind__in=GROUPED, open_slots=F("needed")
    )
    ask_singly(waiting)


def ask_singly(entries: QuerySet[QueueEntry]) -> None:
    """Ask about what was shown in groups without its proposal, what the model was least sure of first."""
    entries.update(
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
