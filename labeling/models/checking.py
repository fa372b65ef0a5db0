"""Proposed objects that people confirm by a look at their crops, nine at once."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from labeling.models.items import Item
from labeling.models.projects import LabelClass, Project


class CheckPage(models.Model):
    """Crops of one class that one labeler has on screen, and what they said of them.

    Answers stay here, whatever becomes of the checks: a late one is kept, and counts where it is needed.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="check_pages")
    labeler = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    label_class = models.ForeignKey(LabelClass, on_delete=models.CASCADE, db_index=False, related_name="+")
    checks = ArrayField(models.BigIntegerField(), help_text="ids of the checks, in the order shown")
    exceptions = ArrayField(
        models.BigIntegerField(), null=True, help_text="ids of those that are wrong; empty until answered"
    )
    seconds = models.FloatField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["project", "labeler", "-id"], name="check_page_history")]
        constraints = [
            models.CheckConstraint(
                condition=Q(answered_at=None, exceptions=None)
                | Q(answered_at__isnull=False, exceptions__isnull=False),
                name="check_page_answered_as_a_whole",
            ),
            models.CheckConstraint(
                condition=Q(exceptions=None) | Q(exceptions__contained_by=F("checks")),
                name="check_page_exceptions_were_shown",
            ),
        ]


class ObjectCheck(models.Model):
    """One object of a model's proposal that a person is asked to look at.

    Class and box say which of the proposal's regions it is. `held_until` is the lease of the page that
    has it.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        CONFIRMED = "confirmed"
        REJECTED = "rejected"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, db_index=False, related_name="checks")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, db_index=False, related_name="checks")
    model_version = models.BigIntegerField()
    label_class = models.ForeignKey(LabelClass, on_delete=models.CASCADE, db_index=False, related_name="+")
    bbox = ArrayField(models.FloatField(), size=4, help_text="[x, y, width, height] around the object")
    confidence = models.FloatField()
    group = models.PositiveIntegerField(help_text="of look-alikes, within the model version")
    priority = models.FloatField(help_text="lower comes first")
    state = models.CharField(max_length=9, choices=State.choices, default=State.WAITING)
    page = models.ForeignKey(
        CheckPage, null=True, on_delete=models.CASCADE, help_text="that has it now, or has answered it"
    )
    held_until = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["project", "priority", "id"], condition=Q(state="waiting"), name="check_next"
            )
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["item", "model_version", "label_class", "bbox"], name="check_object_once"
            ),
            models.CheckConstraint(
                condition=Q(state="waiting", answered_at=None)
                | Q(state__in=("confirmed", "rejected"), answered_at__isnull=False, page__isnull=False),
                name="check_answered_on_a_page",
            ),
            models.CheckConstraint(
                condition=Q(held_until=None) | Q(page__isnull=False), name="check_held_by_a_page"
            ),
        ]
