"""Pages that a labeler has submitted, to look at again and to correct."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q

from labeling import decoys
from labeling.models import Annotation, Claim, Decoy, Item, LabelClass, Page, Project, User
from labeling.models.queueing import QueueKind

LATEST = 20


@dataclass(frozen=True, slots=True)
class Shown:
    """One image of a submitted page, with what its labeler has said of it."""

    item: Item
    labels: tuple[str, ...]
    skipped: bool = False


def latest(project: Project, labeler: User) -> list[tuple[Page, list[Shown]]]:
    """Return the pages that a labeler submitted last, newest first, each with its answers that stand."""
    mine = Page.objects.filter(project=project, labeler=labeler, state=Page.State.SUBMITTED)
    on_page = Annotation.objects.filter(page=OuterRef("pk"), withdrawn_at=None)
    # Pages are submitted in the order of their ids, but for a few; the index knows that one.
    hidden_alone = Q(kind=QueueKind.GOLD) & Exists(
        Decoy.objects.filter(page=OuterRef("pk"), said__in=decoys.LABELED)
    )
    recent = mine.filter(Q(Exists(on_page)) | hidden_alone).order_by("-id")[:LATEST]
    pages = sorted(recent, key=lambda page: (page.submitted_at, page.pk), reverse=True)
    answers = by_page(pages)
    hidden = {each.page_id: each for each in decoys.answered(pages).select_related("known__item")}
    named = {pk for each in hidden.values() for pk in each.classes}
    said = LabelClass.objects.select_related("means").in_bulk(named)
    return [(page, images(answers[page.pk], hidden.get(page.pk), said)) for page in pages]


def images(
    answers: Iterable[Annotation], decoy: Decoy | None, classes: Mapping[int, LabelClass]
) -> list[Shown]:
    shown = [Shown(each.item, names(each), each.skipped) for each in answers]
    if decoy is not None:
        labels = tuple(classes[each].now.name for each in decoy.classes)
        shown.insert(decoy.position, Shown(decoy.known.item, labels, decoy.said == Decoy.Said.SKIP))
    return shown


def names(annotation: Annotation) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.label_class.now.name for each in annotation.regions.all()))


def by_page(pages: Iterable[Page]) -> dict[int, list[Annotation]]:
    """Return the answers that stand, by page and in the order of the screen."""
    order = {
        (page, item): position
        for page, item, position in Claim.objects.filter(page__in=pages).values_list(
            "page_id", "item_id", "position"
        )
    }
    standing = Annotation.objects.filter(page__in=pages, withdrawn_at=None)
    found: dict[int, list[Annotation]] = defaultdict(list)
    for each in standing.select_related("item").prefetch_related("regions__label_class__means"):
        assert each.page_id is not None
        found[each.page_id].append(each)
    for page, answers in found.items():
        answers.sort(key=lambda each, page=page: order[page, each.item_id])  # type: ignore[misc]
    return found
