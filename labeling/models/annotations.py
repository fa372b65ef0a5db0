"""Answers, and what models propose."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from labeling.models.items import Item
from labeling.models.projects import Instructions, LabelClass, Project
from labeling.models.queueing import Page, QueueKind


class Annotation(models.Model):
    """One labeler's or model's complete answer for one item.

    Append-only: what was answered never changes; a correction is a new row. An answer that stops
    counting gets `withdrawn_at` and keeps everything else; it loses that only when the change of classes
    that withdrew it is undone. `counted` is false for an answer
    that came when it was no longer needed.
    """

    class Source(models.TextChoices):
        HUMAN = "human"
        AUTO = "auto"
        IMPORT = "import"
        BULK = "bulk"

    class Withdrawal(models.TextChoices):
        UNDONE = "undone"
        CORRECTED = "corrected"
        REJECTED = "rejected"
        CERTIFICATE = "certificate"
        CLASSES = "classes"  # they have changed: it was asked anew

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="annotations")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="annotations")
    uuid = models.UUIDField(unique=True, help_text="chosen by the client; makes a repeat harmless")
    source = models.CharField(max_length=6, choices=Source.choices)
    labeler = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="annotations"
    )
    page = models.ForeignKey(Page, null=True, on_delete=models.SET_NULL, related_name="annotations")
    kind = models.CharField(max_length=10, choices=QueueKind.choices, blank=True)
    group = models.BigIntegerField(null=True, help_text="of look-alikes, with which it was shown")
    skipped = models.BooleanField(default=False)
    skip_reason = models.CharField(max_length=300, blank=True, help_text="as the labeler gave it")
    counted = models.BooleanField(default=True)
    suggestion_visible = models.BooleanField(default=False)
    agreed = models.BooleanField(null=True, help_text="whether it equals the suggestion that was shown")
    suggestion_hidden = models.BooleanField(
        default=False, db_default=False, help_text="there was one, and chance kept it from the labeler"
    )
    agreement = models.FloatField(
        null=True, help_text="with a whole proposal, shown or hidden: 0 or 1 for classes, F1 for shapes"
    )
    seconds = models.FloatField(null=True)
    instructions = models.ForeignKey(Instructions, null=True, on_delete=models.SET_NULL, related_name="+")
    inclusion_probability = models.FloatField(null=True, help_text="of validation and audit draws")
    model_version = models.BigIntegerField(null=True, help_text="number of the model behind it")
    certificate = models.BigIntegerField(
        null=True, help_text="id of the one that it, or its proposal, rests on"
    )
    confidence = models.FloatField(null=True)
    threshold = models.FloatField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    withdrawal = models.CharField(max_length=11, choices=Withdrawal.choices, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["item", "-id"], name="annotation_history"),
            models.Index(fields=["project", "labeler", "created_at"], name="annotation_by_labeler"),
            models.Index(
                fields=["project", "kind", "id"],
                condition=models.Q(withdrawn_at=None),
                name="annotation_by_kind",
            ),
            models.Index(
                fields=["project", "labeler"],
                condition=models.Q(withdrawal="rejected"),
                name="annotation_rejected",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["item", "labeler"],
                condition=models.Q(withdrawn_at=None, labeler__isnull=False),
                name="annotation_once_per_labeler",
            ),
            models.CheckConstraint(
                condition=~models.Q(source="auto")
                | models.Q(certificate__isnull=False, model_version__isnull=False),
                name="annotation_auto_is_certified",
            ),
            models.CheckConstraint(
                condition=models.Q(source__in=("auto", "import")) | models.Q(labeler__isnull=False),
                name="annotation_human_has_labeler",
            ),
            models.CheckConstraint(
                condition=models.Q(withdrawn_at=None, withdrawal="")
                | (models.Q(withdrawn_at__isnull=False) & ~models.Q(withdrawal="")),
                name="annotation_withdrawal_has_reason",
            ),
            models.CheckConstraint(
                condition=models.Q(skipped=True) | models.Q(skip_reason=""),
                name="annotation_reason_is_for_a_skip",
            ),
        ]

    @property
    def origin(self) -> str:
        """Return `person`, `confirmed`, `auto` or `imported`: the mark shown beside a label."""
        return origin_of(self.source, self.suggestion_visible, self.agreed)


def origin_of(source: str, suggestion_visible: bool, agreed: bool | None) -> str:
    if source == Annotation.Source.AUTO:
        return "auto"
    if source == Annotation.Source.IMPORT:
        return "imported"
    return "confirmed" if suggestion_visible and agreed else "person"


class Region(models.Model):
    """One class with its geometry, in pixels of the upright image; no geometry for a classification.

    The parts of a polygon combine by the even-odd rule: a part within another is a hole.
    """

    class Origin(models.TextChoices):
        DRAWN = "drawn"
        ACCEPTED = "accepted"  # as the model proposed it
        EDITED = "edited"  # proposed, then changed

    annotation = models.ForeignKey(Annotation, on_delete=models.CASCADE, related_name="regions")
    label_class = models.ForeignKey(LabelClass, on_delete=models.PROTECT, related_name="regions")
    bbox = models.JSONField(null=True, help_text="[x, y, width, height]")
    polygon = models.JSONField(null=True, help_text="[[x1, y1, x2, y2, …], …], one list per part")
    mask = models.JSONField(null=True, help_text="COCO run lengths {size, counts}")
    origin = models.CharField(max_length=8, choices=Origin.choices, default=Origin.DRAWN)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(origin__in=("drawn", "accepted", "edited")), name="region_origin_known"
            ),
        ]


class Suggestion(models.Model):
    """The newest model's proposal for an item: shown as such, never a label by itself."""

    item = models.OneToOneField(Item, primary_key=True, on_delete=models.CASCADE, related_name="suggestion")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, db_index=False, related_name="suggestions")
    model_version = models.BigIntegerField()
    regions = models.JSONField(help_text="[{class: id, confidence, bbox?, polygon?}]")
    # Rewritten for every open image in every round: an index that no question needs would cost seconds.
    top_class = models.ForeignKey(
        LabelClass, null=True, on_delete=models.SET_NULL, db_index=False, related_name="+"
    )
    confidence = models.FloatField()
    created_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [models.Index(fields=["project", "confidence"], name="suggestion_by_confidence")]


class Recheck(models.Model):
    """A person's answer that another person is asked again, blind. Open until there is a `second`."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="rechecks")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="rechecks")
    first = models.ForeignKey(Annotation, on_delete=models.CASCADE, related_name="rechecks")
    second = models.OneToOneField(
        Annotation, null=True, on_delete=models.CASCADE, related_name="recheck_answered"
    )
    agreed = models.BooleanField(null=True, help_text="empty while it is open, and after a skip")
    probability = models.FloatField(help_text="with which the answer was drawn")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["item"], condition=models.Q(second=None), name="recheck_open_once"
            ),
            models.CheckConstraint(
                condition=models.Q(agreed=None) | models.Q(second__isnull=False),
                name="recheck_judged_by_second",
            ),
        ]


class Decoy(models.Model):
    """An image whose answer is known, hidden on a page to see how its labeler answers.

    Either one of another class in a grid of look-alikes, to see whether the labeler looks, or a gold item,
    to see whether they are right. Its labeler's last answer is kept here, to be shown as those to the other
    images are.
    """

    class Said(models.TextChoices):
        CLASSES = "classes"
        SKIP = "skip"
        EXCEPTION = "exception"

    page = models.OneToOneField("labeling.Page", on_delete=models.CASCADE, related_name="decoy")
    known = models.ForeignKey(Annotation, on_delete=models.CASCADE, related_name="+")
    gold = models.ForeignKey(
        "labeling.GoldItem",
        null=True,
        on_delete=models.SET_NULL,
        related_name="shown",
        help_text="if it is one",
    )
    position = models.PositiveSmallIntegerField()
    found = models.BooleanField(
        null=True,
        help_text="whether they saw it, or were right; empty until it is answered, and after a skip",
    )
    said = models.CharField(
        max_length=9,
        choices=Said.choices,
        blank=True,
        help_text="what the labeler's last answer was; empty without one",
    )
    classes = ArrayField(models.BigIntegerField(), default=list)
    regions = models.JSONField(default=list, help_text="what was drawn: {class, bbox? or polygon?}")
    skip_reason = models.CharField(max_length=300, blank=True)
    answered_at = models.DateTimeField(null=True)
    told = models.BooleanField(default=False, help_text="the labeler knows by now what was right")

    class Meta:
        indexes = [
            models.Index(
                fields=["gold", "page"], condition=models.Q(gold__isnull=False), name="decoy_of_gold"
            )
        ]
