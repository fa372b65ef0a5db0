"""Counts that are kept, so that a dashboard need not count millions of rows."""

from django.db import models

from labeling.models.projects import Project


class Tally(models.Model):
    """A change of a count; what a figure is now is the sum of its rows.

    Written by triggers, in the transaction that changes what is counted. Nobody waits for anybody: each
    adds rows of their own, and `tallies.merge` adds up those that have come together.
    """

    class Figure(models.TextChoices):
        STATE = "state"  # items, key: their state
        QUEUE = "queue"  # entries, key: their kind
        ORIGIN = "origin"  # labeled items, key: the origin of their label; `at` is when that was given
        CLASS = "class"  # labeled items, key: id of a class that their label has
        LABELER = "labeler"  # answers that stand, key: id of the labeler, part: their origin
        SWAY = "sway"  # answers where there is a proposal, key: whether it was `shown` or `hidden`

    # Rows of a project that is gone are never read: no constraint that each insert would have to check.
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    figure = models.CharField(max_length=8, choices=Figure.choices)
    key = models.CharField(max_length=24)
    part = models.CharField(max_length=9, default="", db_default="")
    at = models.DateTimeField(null=True, help_text="to the second, of late; then to the minute and the hour")
    count = models.BigIntegerField()
    amount = models.FloatField(
        default=0, db_default=0.0, help_text="the seconds that people took, or how well they agreed, in all"
    )
    measured = models.BigIntegerField(default=0, db_default=0, help_text="of the count, with a known amount")
    merged = models.BooleanField(default=False, db_default=False)

    class Meta:
        indexes = [models.Index(fields=["project", "figure"], name="tally_of_project")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(figure__in=("state", "queue", "origin", "class", "labeler", "sway")),
                name="tally_figure_known",
            )
        ]
