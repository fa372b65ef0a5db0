"""Looking over what is labeled: the gallery, rejecting, approving."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop

from labeling import announcing
from labeling.meanings import family
from labeling.models import Annotation, Claim, Event, Item, Membership, Project, QueueEntry, Review, User
from labeling.queue import finish
from labeling.validation import kind_for

SENT_BACK = gettext_noop("a reviewer sent it back")
SOON = -0.9  # a priority before all that a model orders, and after what people sent back
ORIGINS = ("person", "confirmed", "auto", "imported")


class ReviewRefused(Exception):
    """Why a verdict was refused, in a sentence for people."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What the gallery shows; each field narrows it. `source` takes an origin or `human`.

    With a `kind`, what waits in that part of the queue is shown, in whatever state it is.
    """

    state: str = ""
    label_class: int | None = None
    labeler: int | None = None
    source: str = ""
    confidence_below: float | None = None
    name: str = ""
    kind: str = ""
    assignment: int | None = None


def of_origin(origin: str, prefix: str = "") -> Q:
    """Return the condition for annotations of an origin; `human` is person or confirmed."""
    human = Q(**{f"{prefix}source__in": ("human", "bulk")})
    confirmed = Q(**{f"{prefix}suggestion_visible": True, f"{prefix}agreed": True})
    conditions = {
        "human": human,
        "person": human & ~confirmed,
        "confirmed": human & confirmed,
        "auto": Q(**{f"{prefix}source": "auto"}),
        "imported": Q(**{f"{prefix}source": "import"}),
        "import": Q(**{f"{prefix}source": "import"}),
    }
    return conditions[origin]


def select(project: Project, filters: Filters) -> QuerySet[Item]:
    """Return the items that filters choose; without a state, the labeled ones."""
    items = Item.objects.filter(project=project)
    if filters.assignment is not None:
        items = items.filter(assigned__assignment=filters.assignment, assigned__is_open=True)
    if filters.kind:
        items = items.filter(entry__kind=filters.kind)
    if filters.state or not filters.kind:
        items = items.filter(state=filters.state or Item.State.LABELED)
    if filters.label_class is not None:
        items = items.filter(current_annotation__regions__label_class__in=family(filters.label_class))
    if filters.labeler is not None:
        items = items.filter(current_annotation__labeler=filters.labeler)
    if filters.source:
        items = items.filter(of_origin(filters.source, "current_annotation__"))
    if filters.confidence_below is not None:
        items = items.filter(suggestion__confidence__lt=filters.confidence_below)
    if filters.name:
        items = items.filter(path__icontains=filters.name)
    return items.distinct() if filters.label_class is not None else items


def gallery(
    project: Project, filters: Filters, cursor: int | None = None, limit: int = 60
) -> tuple[list[Item], int | None]:
    """Return items, newest first, and the cursor of the next page, None at the end."""
    items = select(project, filters)
    if cursor is not None:
        items = items.filter(pk__lt=cursor)
    found = list(
        items.select_related("current_annotation__labeler", "suggestion")
        .prefetch_related("current_annotation__regions__label_class__means")
        .order_by("-id")[: limit + 1]
    )
    return found[:limit], found[limit - 1].pk if len(found) > limit else None


def reject(project: Project, items: Sequence[int], reviewer: User, comment: str = "") -> list[int]:
    """Withdraw the labels of items and send them back to people; returns the items that changed.

    The labels stay in the history. Skipped items and those that need review go back to the queue too.
    """
    now = timezone.now()
    with transaction.atomic():
        chosen = lock(project, items)
        counted = Annotation.objects.filter(item__in=chosen, counted=True, withdrawn_at=None)
        given = list(counted.order_by("id"))
        latest = {each.item_id: each for each in given}
        Review.objects.bulk_create(
            Review(
                project=project,
                item=item,
                annotation=item.current_annotation or latest.get(item.pk),
                reviewer=reviewer,
                verdict=Review.Verdict.REJECT,
                comment=comment,
            )
            for item in chosen
        )
        counted.update(withdrawn_at=now, withdrawn_by=reviewer, withdrawal=Annotation.Withdrawal.REJECTED)
        Item.objects.filter(pk__in=[item.pk for item in chosen]).update(
            state=Item.State.UNLABELED, current_annotation=None, reason=""
        )
        requeue(project, chosen)
        record(project, reviewer, "reject", chosen, comment)
        tell_labelers(project, reviewer, given, comment)
    return [item.pk for item in chosen]


def tell_labelers(project: Project, reviewer: User, rejected: list[Annotation], comment: str) -> None:
    """Tell each labeler how many of their labels were rejected at once, but for those of the reviewer."""
    labels = Counter(each.labeler_id for each in rejected if each.labeler_id and not each.skipped)
    labels.pop(reviewer.pk, None)
    if not labels:
        return
    members = Membership.objects.filter(project=project, user__in=labels, is_active=True)
    announcing.announce(
        "rejected",
        project,
        reviewer,
        to={user: labels[user] for user in members.values_list("user_id", flat=True)},
        count=labels.total(),
        comment=comment,
    )


def approve(project: Project, items: Sequence[int], reviewer: User, comment: str = "") -> list[int]:
    """Note that labels are right; a skipped item is dropped from the project. Returns the items."""
    with transaction.atomic():
        chosen = [item for item in lock(project, items) if item.state != Item.State.NEEDS_REVIEW]
        Review.objects.bulk_create(
            Review(
                project=project,
                item=item,
                annotation=item.current_annotation,
                reviewer=reviewer,
                verdict=Review.Verdict.APPROVE,
                comment=comment,
            )
            for item in chosen
        )
        Item.objects.filter(pk__in=[item.pk for item in chosen], state=Item.State.SKIPPED).update(
            state=Item.State.REMOVED, reason="A labeler skipped it and a reviewer agreed."
        )
        record(project, reviewer, "approve", chosen, comment)
    return [item.pk for item in chosen]


def decide(project: Project, item: int, annotation: int, reviewer: User) -> None:
    """Say which of the answers that people gave to a disputed item is right. Raises ReviewRefused."""
    with transaction.atomic():
        chosen = [each for each in lock(project, [item]) if each.state == Item.State.NEEDS_REVIEW]
        if not chosen:
            raise ReviewRefused("This image is not in dispute any more.")
        right = answers_in_dispute(chosen[0]).filter(pk=annotation).first()
        if right is None:
            raise ReviewRefused("This answer was withdrawn meanwhile. Look at the image again.")
        finish({item: annotation}, audited=True)
        Review.objects.create(
            project=project,
            item=chosen[0],
            annotation=right,
            reviewer=reviewer,
            verdict=Review.Verdict.APPROVE,
        )
        record(project, reviewer, "decide", chosen, "")


def answers_in_dispute(item: Item) -> QuerySet[Annotation]:
    """Return the answers that stand against each other, the first one first."""
    standing = item.annotations.filter(counted=True, skipped=False, withdrawn_at=None, labeler__isnull=False)
    return standing.order_by("id")


def lock(project: Project, items: Sequence[int]) -> list[Item]:
    """Lock the items that can be reviewed; held claims and open entries come before items, as everywhere."""
    list(
        Claim.objects.select_for_update()
        .filter(item__in=items, state="live")
        .order_by("id")
        .values_list("id")
    )
    list(
        QueueEntry.objects.select_for_update()
        .filter(item__in=items)
        .order_by("item_id")
        .values_list("item_id")
    )
    return list(
        Item.objects.select_for_update(of=("self",), no_key=True)
        .select_related("current_annotation")
        .filter(
            project=project,
            pk__in=items,
            state__in=(Item.State.LABELED, Item.State.SKIPPED, Item.State.NEEDS_REVIEW),
        )
        .order_by("id")
    )


def requeue(
    project: Project,
    items: list[Item],
    *,
    why: str = SENT_BACK,
    ahead: float | None = None,
    hints: Mapping[int, int] = MappingProxyType({}),
) -> None:
    """Ask people about items again, from scratch; an audit that is open turns into that.

    They come first and singly, unless they only come `ahead` of the rest, where a model may place them anew.
    `hints` are answers to propose, by item, to those who are not asked blind.
    What was drawn to be asked blind is asked blind again: without the hard ones a draw would be biased.
    """
    drawn: dict[int, float | None] = {
        item.pk: project.validation_rate for item in items if kind_for(project, item) == "validation"
    }
    drawn |= dict(
        Annotation.objects.filter(item__in=items, kind="validation")
        .order_by("-id")
        .values_list("item_id", "inclusion_probability")
    )
    Claim.objects.filter(item__in=items, state="live").update(state=Claim.State.EXPIRED)
    QueueEntry.objects.filter(item__in=items).delete()
    QueueEntry.objects.bulk_create(
        QueueEntry(
            item=item,
            project=project,
            kind="validation" if item.pk in drawn else "manual",
            priority=-1 if ahead is None else ahead + item.draw / 10,
            why=why,
            hint_id=None if item.pk in drawn else hints.get(item.pk),
            inclusion_probability=drawn.get(item.pk),
            needed=project.labels_per_item,
            open_slots=project.labels_per_item,
        )
        for item in items
    )


def record(project: Project, reviewer: User, verb: str, items: list[Item], comment: str) -> None:
    Event.record(
        verb, project, reviewer, items=[item.pk for item in items][:1_000], count=len(items), comment=comment
    )
