"""Letters by e-mail: written when due, sent by a worker, tried again until the mail server takes them.

A row is the truth. It is claimed by counting the attempt and moving the time when it is due, before anything
is sent, so that a worker that dies in the middle leaves it to be tried again.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from smtplib import SMTPException, SMTPServerDisconnected
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.db.models import F, QuerySet
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labeling import announcing, backoff, jobs, notifications, workforce
from labeling.kinds import ROLES
from labeling.models import Invitation, Job, Letter, Notification

BATCH = 50
CLAIMED_FOR = timedelta(minutes=30)  # longer than a batch takes with a server that answers late each time
LISTED = 100  # notifications that one letter names; of more it tells how many there are
KEPT = timedelta(days=30)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Text:
    to: str
    subject: str
    body: str


# What the watchdog does


@jobs.periodic(2)
def look() -> None:
    """Have a worker send what is due; one at a time, so that a slow mail server holds up only one."""
    unfinished = Job.objects.filter(kind="mail", state__in=Job.UNFINISHED)
    if due().exists() and not unfinished.exists():
        jobs.enqueue("mail")


@jobs.periodic(3600)
def forget() -> None:
    """Delete letters and notifications of long ago, and the jobs that sent them."""
    now = timezone.now()
    over = Letter.objects.exclude(state=Letter.State.OPEN)
    over.filter(created_at__lt=now - KEPT).delete()
    Notification.objects.filter(happened_at__lt=now - notifications.KEPT).delete()
    Job.objects.filter(kind="mail", state=Job.State.DONE, finished_at__lt=now - timedelta(days=1)).delete()


def due() -> QuerySet[Letter]:
    return Letter.objects.filter(state=Letter.State.OPEN, due_at__lte=timezone.now())


# What a worker does


@jobs.handler("mail", cluster="quick", priority=-1)
def post(job: jobs.RunningJob) -> dict[str, Any]:
    """Send every letter that is due."""
    sent = 0
    while letters := claim():
        sent += send(letters)
        job.progress(sent)
    return {"sent": sent}


def claim() -> list[Letter]:
    """Take letters to send; from now on what they hold is settled."""
    with transaction.atomic():
        rows = list(due().select_for_update(skip_locked=True).order_by("due_at", "id")[:BATCH])
        taken = Letter.objects.filter(pk__in=[each.pk for each in rows])
        taken.update(attempts=F("attempts") + 1, due_at=timezone.now() + CLAIMED_FOR)
        Notification.objects.filter(letter__in=rows, is_open=True).update(is_open=False)
    return list(
        taken.select_related(
            "user", "invitation__project", "invitation__team", "invitation__account", "invitation__invited_by"
        ).order_by("id")
    )


def send(letters: Sequence[Letter]) -> int:
    """Send letters over one connection; returns how many were taken.

    Where the server cannot be reached, the rest is not even tried, so that nothing waits for it in vain.
    """
    sent, unreachable = 0, ""
    connection = get_connection()
    for letter, text in written(letters):
        try:
            if unreachable:
                raise SMTPServerDisconnected(unreachable)
            connection.send_messages([message(letter, text)])
        except (OSError, SMTPException) as error:
            if not isinstance(error, SMTPException) or isinstance(error, SMTPServerDisconnected):
                unreachable = str(error)
            postpone(letter, f"{type(error).__name__}: {error}"[:1_000])
        else:
            Letter.objects.filter(pk=letter.pk).update(
                state=Letter.State.SENT, sent_at=timezone.now(), error=""
            )
            sent += 1
    connection.close()
    return sent


def written(letters: Sequence[Letter]) -> Iterator[tuple[Letter, Text]]:
    """Write letters, each in its reader's language; those without anything left to say are dropped."""
    for letter in letters:
        language = letter.user or (letter.invitation and letter.invitation.invited_by)
        with translation.override((language and language.language) or settings.LANGUAGE_CODE):
            text = of_invitation(letter) if letter.invitation else of_notifications(letter)
        if text is None:
            Letter.objects.filter(pk=letter.pk).update(state=Letter.State.DROPPED, error="")
        else:
            yield letter, text


def message(letter: Letter, text: Text) -> EmailMessage:
    # The same id each time: a reader's mailbox drops the second of two when a worker died in between.
    host = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].strip("> ") or "loupe"
    headers = {"Message-ID": f"<loupe-letter-{letter.pk}@{host}>", "Auto-Submitted": "auto-generated"}
    return EmailMessage(" ".join(text.subject.split()), text.body, to=[text.to], headers=headers)


def postpone(letter: Letter, error: str) -> None:
    """Try again later, or give up after the last attempt; what went wrong is kept beside the letter."""
    pause = backoff.pause_after(letter.attempts)
    log.warning("letter %s was not taken: %s", letter.pk, error)
    mine = Letter.objects.filter(pk=letter.pk)
    if pause is None:
        mine.update(state=Letter.State.GIVEN_UP, error=error)
    else:
        mine.update(due_at=timezone.now() + pause, error=error)


# What is in a letter


def of_invitation(letter: Letter) -> Text | None:
    """Write to an address that has no account, or a new one; None once the invitation opens nothing."""
    invitation = letter.invitation
    assert invitation is not None
    is_gone = invitation.project is not None and invitation.project.deleted_at is not None
    if not invitation.is_open or is_gone:
        return None
    who = invitation.invited_by.label if invitation.invited_by else "Loupe"
    if invitation.project is not None:
        text = _("%(name)s invites you to label images in the project “%(project)s”. Your role: %(role)s.")
        said = text % {"name": who, "project": invitation.place, "role": ROLES[invitation.role]}
    else:
        said = _("%(name)s invites you to label images in the team “%(team)s”.") % {
            "name": who,
            "team": invitation.place,
        }
    subject = _("%(name)s invites you to %(project)s") % {"name": who, "project": invitation.place}
    return Text(invitation.email, subject, "\n".join([said, "", *way_in(invitation)]))


def way_in(invitation: Invitation) -> list[str]:
    """Return what somebody needs to get in: a link, or their new account."""
    if invitation.account is None:
        return [
            _("Open this link to join. It works once, for two weeks:"),
            absolute(reverse("invitation", args=[invitation.token])),
        ]
    return [
        _("Sign in here, and choose a password of your own:"),
        absolute(reverse("sign-in")),
        "",
        _("E-mail address: %(address)s") % {"address": invitation.email},
        _("Temporary password: %(password)s") % {"password": workforce.temporary_password(invitation)},
        _("It works until %(day)s.") % {"day": date_format(invitation.expires_at)},
    ]


def of_notifications(letter: Letter) -> Text | None:
    """Write what somebody is told; a digest leaves out what they have read meanwhile."""
    user = letter.user
    assert user is not None
    if not user.is_active:
        return None
    held = notifications.visible(user).filter(letter=letter).select_related("project")
    if letter.is_digest:
        held = held.filter(read_at=None)
    count = held.count()
    told = [line for each in held.order_by("happened_at")[:LISTED] for line in lines_of(each)]
    if not told:
        return None
    if count > LISTED:
        told += [_("There are %(count)s in all.") % {"count": count}, absolute(reverse("notifications")), ""]
    told += [
        _("You choose in your profile what Loupe tells you, and how:"),
        absolute(reverse("profile") + "#notifications"),
    ]
    return Text(user.email, subject_of(held, count), "\n".join(told))


def lines_of(notification: Notification) -> list[str]:
    kind = announcing.kind_of(notification.kind)
    if kind is None:  # of an app that is not installed any more
        return []
    said = kind.say(notification.data, notification.count)
    address = announcing.address(notification)
    return [f"{notification.place}: {said}", absolute(address), ""]


def subject_of(held: QuerySet[Notification], count: int) -> str:
    only = held.first() if count == 1 else None
    kind = announcing.kind_of(only.kind) if only else None
    if only and kind:
        return f"{only.place}: {kind.title}"
    return ngettext("%(count)s notification from Loupe", "%(count)s notifications from Loupe", count) % {
        "count": count
    }


def absolute(address: str) -> str:
    return f"{settings.LOUPE_URL}{address}"


# What site admins do about letters that were not taken


def troubled() -> QuerySet[Letter]:
    """Return the letters that a mail server did not take: given up, or to be tried again."""
    waiting = Letter.objects.filter(state=Letter.State.OPEN).exclude(error="")
    found = waiting | Letter.objects.filter(state=Letter.State.GIVEN_UP)
    return found.select_related("user", "invitation").order_by("-id")


def try_again() -> int:
    """Have all of them tried at once, with all attempts; returns how many there are."""
    fields = {"state": Letter.State.OPEN, "attempts": 1, "due_at": timezone.now()}
    return Letter.objects.filter(pk__in=troubled().values("pk")).update(**fields)
