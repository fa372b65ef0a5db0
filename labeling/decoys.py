"""Images hidden among a labeler's own, whose answer is known.

Now and then a grid of look-alikes hides one of another class: who only presses Enter does not see it. Others
are gold items, which say how often a labeler is right; they stand among single images and grids of them.
Nothing depends on the answer but what is known of the labeler: the image keeps the label that it has, and
the queue knows nothing of it.
"""

import random
from collections.abc import Iterable
from typing import Any

from django.db.models import F, QuerySet
from django.utils import timezone

from labeling import colleagues, gold, meanings
from labeling.answering import Answer, RegionInput
from labeling.models import Annotation, Decoy, GoldItem, Page, Project, User
from labeling.models.queueing import QueueKind

SHARE = 0.1  # of the grids
FEWEST = 4  # images on a grid, among which one more is no surprise
RECENT = 50  # labels to choose from
LABELED = (Decoy.Said.CLASSES, Decoy.Said.SKIP)


def choose(project: Project, labeler: User, proposed: int | None, images: int) -> Annotation | None:
    """Return what to hide in a grid that proposes a class; None for most grids, and where nobody else labels.

    Somebody else has labeled it by itself and without a proposal, as another class.
    """
    if proposed is None or images < FEWEST or random.random() >= SHARE:
        return None
    if not colleagues.can_be_asked(project, but=[labeler.pk]):
        return None
    known = Annotation.objects.filter(
        project=project,
        kind="manual",
        item__current_annotation=F("id"),
        item__state="labeled",
        item__entry=None,
        suggestion_visible=False,
        regions__isnull=False,
    )
    others = known.exclude(labeler=labeler).exclude(regions__label_class__in=meanings.family(proposed))
    recent = list(others.order_by("-id").distinct()[:RECENT])
    return random.choice(recent) if recent else None


def hide(page: Page, known: Annotation, images: int, item: GoldItem | None = None) -> Decoy:
    """Put an image somewhere among the others of a page; `item` where it is a gold one."""
    return Decoy.objects.create(page=page, known=known, gold=item, position=random.randrange(images + 1))


def of(page: Page) -> Decoy | None:
    return Decoy.objects.filter(page=page).select_related("known__item", "gold").first()


def note(decoy: Decoy, answer: Answer) -> str:
    """Keep what was said of it, and whether the labeler saw that it does not belong; returns the status."""
    project = decoy.page.project
    today = meanings.of(project)
    classes = [today.now(each.label_class) for each in answer.regions]
    regions = [shape(each) for each in answer.regions]
    if decoy.gold is not None and not answer.exception and not answer.skipped:
        said, found = Decoy.Said.CLASSES, gold.is_right(project, decoy.gold, today, regions)
    elif decoy.page.kind != QueueKind.CLUSTERED and answer.exception:
        said, found = Decoy.Said.EXCEPTION, None
    elif answer.exception:
        said, found = Decoy.Said.EXCEPTION, True
    elif answer.skipped:
        said, found = Decoy.Said.SKIP, None
    else:
        proposed = decoy.page.proposed_class_id
        said, found = Decoy.Said.CLASSES, proposed is None or today.now(proposed) not in classes
    # Who was told what is right has had their answer counted.
    decoy.found = decoy.found if decoy.told else found
    decoy.told = decoy.told or (decoy.gold is not None and found is not None and project.gold_feedback)
    decoy.said, decoy.skip_reason = said, answer.skip_reason
    decoy.answered_at = decoy.answered_at or timezone.now()
    is_labeled = said == Decoy.Said.CLASSES
    decoy.classes = [each.label_class for each in answer.regions] if is_labeled else []
    decoy.regions = regions if is_labeled and not project.is_classification else []
    decoy.save(update_fields=["found", "told", "said", "skip_reason", "answered_at", "classes", "regions"])
    return status_of(decoy)


def shape(region: RegionInput) -> dict[str, Any]:
    """Return a region as {class, bbox? or polygon?, origin}."""
    drawn = {"bbox": region.bbox, "polygon": region.polygon}
    return {"class": region.label_class, "origin": region.origin} | {
        name: value for name, value in drawn.items() if value is not None
    }


def forget(decoy: Decoy) -> None:
    """Take back what was said of it, unless its labeler was told what is right."""
    Decoy.objects.filter(pk=decoy.pk, told=False).update(
        found=None, said="", skip_reason="", classes=[], regions=[]
    )


def status_of(decoy: Decoy) -> str:
    return {Decoy.Said.SKIP: "skipped", Decoy.Said.EXCEPTION: "returned"}.get(
        Decoy.Said(decoy.said), "counted"
    )


def answered(pages: Iterable[Page]) -> QuerySet[Decoy]:
    """Return the images hidden on pages that have an answer; what was taken out of a page has none."""
    return Decoy.objects.filter(page__in=pages, said__in=LABELED)
