"""How much a member may still label: whether they work here at all, and what is left of their limits."""

from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labeling.models import Annotation, Claim, Decoy, Membership, Page, Project, User


class NotWorking(Exception):
    """The labeler does not work in the project any more, in a sentence for them."""


class LimitReached(Exception):
    """The labeler has done as many images as a manager lets them, in a sentence for them."""


def member(project: Project, labeler: User) -> Membership | None:
    """Return the membership under which somebody labels now; None for a site admin who needs none.

    Asked under the lock that `queue.one_at_a_time` takes, what it says holds until the transaction ends.
    Raises NotWorking.
    """
    found = Membership.objects.filter(project=project, user=labeler, is_active=True, user__is_active=True)
    membership = found.first()
    if (
        membership is None
        and not User.objects.filter(pk=labeler.pk, is_active=True, is_superuser=True).exists()
    ):
        raise NotWorking(
            _("You do not label in this project any more. What you have done is kept. Ask a manager.")
        )
    return membership


def room(project: Project, labeler: User, membership: Membership | None) -> int | None:
    """Return how many more images somebody may be handed now; None without a limit. Raises LimitReached.

    What they hold counts as done, so that nobody answers more than their limit.
    """
    left = left_of(project, labeler, membership)
    if left is None:
        return None
    if left <= 0:
        raise LimitReached(sentence(project, labeler, membership))
    held = Claim.objects.filter(page__in=open_pages(project, labeler), state=Claim.State.LIVE).count()
    return max(0, left - held)


def left_of(project: Project, labeler: User, membership: Membership | None) -> int | None:
    """Return how many more images somebody may answer now; None without a limit."""
    if membership is None:
        return None
    left = []
    if membership.daily_limit is not None:
        left.append(membership.daily_limit - done_today(project, labeler))
    if membership.total_limit is not None:
        left.append(membership.total_limit - done_in_all(project, labeler))
    return min(left, default=None)


def sentence(project: Project, labeler: User, membership: Membership | None) -> str:
    """Say which limit somebody has reached, and when it goes on."""
    assert membership is not None
    most = membership.total_limit
    if most is not None and done_in_all(project, labeler) >= most:
        text = ngettext(
            "You have reached your limit of %(count)s image in this project. A manager can raise it.",
            "You have reached your limit of %(count)s images in this project. A manager can raise it.",
            most,
        )
    else:
        most = membership.daily_limit or 0
        text = ngettext(
            "You have reached today’s limit of %(count)s image in this project. It goes on tomorrow.",
            "You have reached today’s limit of %(count)s images in this project. It goes on tomorrow.",
            most,
        )
    return text % {"count": f"{most:,}"}


def open_pages(project: Project, labeler: User) -> Any:
    return Page.objects.filter(project=project, labeler=labeler, state=Page.State.OPEN)


def done_today(project: Project, labeler: User) -> int:
    """Count the images of which a labeler has said today for the first time what stands.

    Those that are only hidden among others count here, and in no other figure: a missing one would show.
    """
    today = midnight()
    before = Annotation.objects.filter(item=OuterRef("item"), labeler=labeler, created_at__lt=today)
    answers = Annotation.objects.filter(
        project=project, labeler=labeler, withdrawn_at=None, skipped=False, created_at__gte=today
    )
    hidden = Decoy.objects.filter(
        page__project=project,
        page__labeler=labeler,
        page__state=Page.State.SUBMITTED,
        page__submitted_at__gte=today,
        said=Decoy.Said.CLASSES,
    )
    return answers.filter(~Exists(before)).count() + hidden.count()


def done_in_all(project: Project, labeler: User) -> int:
    """Count the images of which a labeler has said what stands."""
    given = Annotation.objects.filter(project=project, labeler=labeler, withdrawn_at=None, skipped=False)
    return given.count()


def midnight() -> datetime:
    return timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
