"""What happened, who is told of it, and the letters that go out by e-mail."""

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from labeling.models.projects import Invitation, Project


class Announcement(models.Model):
    """Something that happened in a project and that people or programs may want to know, said once."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="announcements")
    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=120, null=True, unique=True, help_text="makes a repeated one the same")
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)


class Letter(models.Model):
    """An e-mail to somebody, from the moment on that there is something to write.

    A digest collects until it is due; no letter takes more in once it was tried.
    """

    class State(models.TextChoices):
        OPEN = "open"  # collecting, waiting, or to be tried again
        SENT = "sent"
        GIVEN_UP = "given_up"
        DROPPED = "dropped"  # nothing in it concerns its reader any more

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="letters"
    )
    invitation = models.ForeignKey(
        Invitation, null=True, on_delete=models.CASCADE, related_name="letters",
        help_text="to an address that has no account",
    )  # fmt: skip
    is_digest = models.BooleanField(default=False)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True, help_text="what the mail server said last")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], condition=models.Q(state="open"), name="letter_due"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["user"],
                condition=models.Q(is_digest=True, state="open", attempts=0),
                name="letter_one_digest",
            ),
            models.CheckConstraint(
                condition=models.Q(user__isnull=False, invitation=None)
                | models.Q(user=None, invitation__isnull=False, is_digest=False),
                name="letter_has_one_reader",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="sent") | models.Q(sent_at__isnull=False),
                name="letter_sent_has_time",
            ),
        ]


class Notification(models.Model):
    """What one person is told. One that is open takes in more of its kind, and counts."""

    class Choice(models.TextChoices):
        NOTHING = "nothing", _("Not at all")
        APP = "app", _("In Loupe")
        DIGEST = "digest", _("In Loupe, and in one e-mail a day")
        MAIL = "mail", _("In Loupe, and by e-mail at once")

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications")
    project = models.ForeignKey(
        Project, null=True, on_delete=models.CASCADE, related_name="notifications",
        help_text="empty where it is about a team",
    )  # fmt: skip
    kind = models.CharField(max_length=40)
    data = models.JSONField(default=dict)
    count = models.PositiveIntegerField(default=1)
    is_open = models.BooleanField(default=False)
    happened_at = models.DateTimeField(default=timezone.now)
    read_at = models.DateTimeField(null=True)
    letter = models.ForeignKey(Letter, null=True, on_delete=models.SET_NULL, related_name="notifications")

    class Meta:
        indexes = [
            models.Index(fields=["user", "-happened_at"], name="notification_history"),
            models.Index(fields=["user"], condition=models.Q(read_at=None), name="notification_unread"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "project", "kind"],
                condition=models.Q(is_open=True),
                name="notification_one_open",
            ),
            models.CheckConstraint(
                condition=models.Q(project__isnull=False) | models.Q(data__has_key="team"),
                name="notification_is_of_something",
            ),
            models.CheckConstraint(
                condition=models.Q(is_open=False) | models.Q(read_at=None),
                name="notification_open_is_unread",
            ),
        ]

    @property
    def place(self) -> str:
        """What it is about, as people call it."""
        return self.project.name if self.project else str(self.data["team"])


class NotificationChoice(models.Model):
    """How somebody wants to be told of a kind, where it is not the usual way."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=40)
    choice = models.CharField(max_length=7, choices=Notification.Choice.choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "kind"], name="notification_choice_once"),
            models.CheckConstraint(
                condition=models.Q(choice__in=("nothing", "app", "digest", "mail")),
                name="notification_choice_known",
            ),
        ]
