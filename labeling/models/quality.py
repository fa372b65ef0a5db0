"""What is known of how well people label: known answers, measured quality, and where they disagree."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from labeling.models.annotations import Annotation
from labeling.models.items import Item
from labeling.models.projects import Project


class GoldItem(models.Model):
    """An item whose answer is known, that people are asked about to measure them.

    It serves as long as its `truth` is the item's label. A retired one is not asked any more, and what
    people said of it does not count.
    """

    item = models.OneToOneField(Item, primary_key=True, on_delete=models.CASCADE, related_name="gold")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="gold")
    truth = models.ForeignKey(Annotation, on_delete=models.CASCADE, related_name="+")
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["project"], condition=Q(retired_at=None), name="gold_in_use")]


class WorkerQuality(models.Model):
    """How good a labeler's answers were when they were measured last; one row for each measurement."""

    class Method(models.TextChoices):
        CROWDLAB = "crowdlab", "CROWDLAB"
        DAWID_SKENE = "dawid_skene", "Dawid-Skene"
        AGREEMENT = "agreement", "Agreement with the others"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="worker_quality")
    labeler = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    quality = models.FloatField(help_text="chance that an answer is right, 0 to 1")
    items = models.PositiveIntegerField(help_text="answers that it rests on")
    method = models.CharField(max_length=11, choices=Method.choices)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "labeler", "at"], name="worker_quality_once"),
            models.CheckConstraint(
                condition=Q(quality__gte=0, quality__lte=1), name="worker_quality_is_a_chance"
            ),
        ]


class AgreementReport(models.Model):
    """How much the people of a project agree, as it was counted last."""

    project = models.OneToOneField(
        Project, primary_key=True, on_delete=models.CASCADE, related_name="agreement_report"
    )
    data = models.JSONField()
    seconds = models.FloatField(help_text="that the count took")
    counted_at = models.DateTimeField()


class Disagreement(models.Model):
    """Two people who answered an item differently, as the last count found it. `one` has the lower id."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, db_index=False, related_name="+")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="+")
    one = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    other = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    week = models.DateField(help_text="the Monday of the week in which the later one answered")
    classes = ArrayField(models.BigIntegerField(), help_text="what one of them said and the other did not")

    class Meta:
        indexes = [models.Index(fields=["project", "one", "other"], name="disagreement_of_pair")]
