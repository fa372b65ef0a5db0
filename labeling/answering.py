"""An answer as a labeler gives it, and whether it makes sense for its project."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from labeling import geometry, languages
from labeling.models import Decoy, LabelClass, Page, Project
from labeling.refusals import Refused


@dataclass(frozen=True, slots=True)
class RegionInput:
    """One class with its geometry in pixels of the upright image."""

    label_class: int
    bbox: list[float] | None = None
    polygon: list[list[float]] | None = None
    origin: str = "drawn"


@dataclass(frozen=True, slots=True)
class Answer:
    """A labeler's answer for one item. `exception` says that the proposal is wrong and gives no answer."""

    item: int
    uuid: UUID
    regions: tuple[RegionInput, ...] = ()
    seconds: float | None = None
    skipped: bool = False
    skip_reason: str = ""
    exception: bool = False


class InvalidAnswer(Refused):
    """Why answers were refused, in a sentence for people."""


def check(page: Page, answers: Sequence[Answer], decoy: Decoy | None = None) -> None:
    """Refuse answers that make no sense for the project. Raises InvalidAnswer."""
    project = page.project
    if len({each.item for each in answers}) != len(answers) or len({each.uuid for each in answers}) != len(
        answers
    ):
        raise InvalidAnswer(
            _("Each item may be answered once in a submission, each answer with a UUID of its own.")
        )
    usable = set(classes_for(page).values_list("id", flat=True))
    sizes = {
        item: (width, height)
        for item, width, height in page.claims.values_list("item_id", "item__width", "item__height")
    }
    if decoy is not None:
        hidden = decoy.known.item
        sizes[hidden.pk] = (hidden.width, hidden.height)
    for each in answers:
        if each.item not in sizes:
            raise InvalidAnswer(_("Item %(item)s is not on this page.") % {"item": each.item})
        if each.skipped or each.exception:
            continue
        if any(region.label_class not in usable for region in each.regions):
            text = _("Item %(item)s has a class that is not in use any more. Reload the page to see today’s.")
            raise InvalidAnswer(text % {"item": each.item})
        if project.is_classification:
            check_classes(project, each)
        else:
            check_shapes(each, *sizes[each.item])


def classes_for(page: Page) -> QuerySet[LabelClass]:
    """Return what a page may be answered with: the classes in use, and those that were when it was made.

    An answer that was under way when a class was retired is as good as one from the minute before. One that
    names a merged class says what is meant, whenever it comes.
    """
    current = Q(retired_at=None) | Q(means__isnull=False, means__retired_at=None)
    return page.project.classes.filter(current | Q(offered_until__gte=page.created_at))


def check_classes(project: Project, answer: Answer) -> None:
    """Ask for one class in a multi-class project; in a multi-label one, none is an answer too."""
    if any(region.bbox or region.polygon for region in answer.regions):
        raise InvalidAnswer(_("This project asks for classes of whole images, not for boxes or polygons."))
    classes = [region.label_class for region in answer.regions]
    if project.task_type == Project.TaskType.MULTICLASS and len(classes) != 1:
        raise InvalidAnswer(_("Item %(item)s needs exactly one class.") % {"item": answer.item})
    if len(set(classes)) != len(classes):
        raise InvalidAnswer(_("Item %(item)s has a class twice.") % {"item": answer.item})


def check_shapes(answer: Answer, width: int | None, height: int | None) -> None:
    for number, region in enumerate(answer.regions, 1):
        if region.bbox is None and region.polygon is None:
            text = _("Item %(item)s has a region without a box or polygon.")
            raise InvalidAnswer(text % {"item": answer.item})
        problem = geometry.misfit(region.bbox, region.polygon, width or 0, height or 0)
        problem = problem or geometry.flaw(region.bbox, region.polygon)
        if problem:
            text = _("Item %(item)s, region %(number)s: %(problem)s")
            values = {"item": answer.item, "number": number, "problem": languages.said(problem)}
            raise InvalidAnswer(text % values)
