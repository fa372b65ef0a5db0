"""Attention checks: now and then a grid of look-alikes hides an image that is known to be of another class.

Who only presses Enter does not see it. Nothing depends on the answer but the figure beside their name: the
image keeps the label that it has, and the queue knows nothing of it.
"""

import random
from collections.abc import Iterable

from django.db.models import F, QuerySet

from labeling import colleagues, meanings
from labeling.answering import Answer
from labeling.models import Annotation, Decoy, Page, Project, User

SHARE = 0.1  # of the grids
FEWEST = 4  # images on a grid, among which one more is no surprise
RECENT = 50  # labels to choose from


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


def hide(page: Page, known: Annotation, images: int) -> Decoy:
    """Put an image somewhere among the others of a page."""
    return Decoy.objects.create(page=page, known=known, position=random.randrange(images + 1))


def of(page: Page) -> Decoy | None:
    return Decoy.objects.filter(page=page).select_related("known__item").first()


def note(decoy: Decoy, answer: Answer) -> str:
    """Keep what was said of it, and whether the labeler saw that it does not belong; returns the status."""
    today = meanings.of(decoy.page.project)
    classes = [today.now(each.label_class) for each in answer.regions]
    if answer.exception:
        said, found = Decoy.Said.EXCEPTION, True
    elif answer.skipped:
        said, found = Decoy.Said.SKIP, None
    else:
        proposed = decoy.page.proposed_class_id
        said, found = Decoy.Said.CLASSES, proposed is None or today.now(proposed) not in classes
    decoy.found = found
    decoy.said, decoy.skip_reason = said, answer.skip_reason
    decoy.classes = [each.label_class for each in answer.regions] if said == Decoy.Said.CLASSES else []
    decoy.save(update_fields=["found", "said", "skip_reason", "classes"])
    return status_of(decoy)


def forget(decoy: Decoy) -> None:
    """Take back what was said of it."""
    Decoy.objects.filter(pk=decoy.pk).update(found=None, said="", skip_reason="", classes=[])


def status_of(decoy: Decoy) -> str:
    return {Decoy.Said.SKIP: "skipped", Decoy.Said.EXCEPTION: "returned"}.get(
        Decoy.Said(decoy.said), "counted"
    )


def answered(pages: Iterable[Page]) -> QuerySet[Decoy]:
    """Return the images hidden on pages that have an answer; what was taken out of a page has none."""
    return Decoy.objects.filter(page__in=pages, said__in=(Decoy.Said.CLASSES, Decoy.Said.SKIP))
