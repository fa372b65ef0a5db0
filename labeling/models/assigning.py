"""Which items wait for somebody in particular."""

from django.conf import settings
from django.db import models

from labeling.models.items import Item
from labeling.models.projects import Project
from labeling.models.teams import Team


class Assignment(models.Model):
    """A part of the items that waited at a moment, for one person or one team, until it ends."""

    class By(models.TextChoices):
        CLASS = "class"
        LIST = "list"
        NAME = "name"
        SHARE = "share"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="assignments")
    labeler = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="assignments"
    )
    team = models.ForeignKey(Team, null=True, on_delete=models.CASCADE, related_name="assignments")
    by = models.CharField(max_length=5, choices=By.choices, help_text="how its items were chosen")
    said = models.CharField(max_length=200, help_text="what was chosen, in words")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(labeler=None, team__isnull=False)
                | models.Q(labeler__isnull=False, team=None),
                name="assignment_is_for_one",
            ),
        ]


class AssignedItem(models.Model):
    """An item of an assignment. What people answered of it stays its part; what has ended is not open."""

    assignment = models.ForeignKey(Assignment, on_delete=models.CASCADE, related_name="items")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="assigned")
    is_open = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["item"], condition=models.Q(is_open=True), name="item_assigned_once"
            ),
            models.UniqueConstraint(fields=["assignment", "item"], name="assigned_item_once"),
        ]
