"""What reviewers look at, say and decide."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from labeling.models.annotations import Annotation
from labeling.models.items import Item
from labeling.models.projects import Instructions, Project


class Listing(models.Model):
    """What counts for an item now, as the gallery filters and sorts by it.

    There is a row for each item that is labeled, skipped or needs review. The database keeps them: a
    trigger on items writes them (labeling_list in migration 0017). Narrow, so that filters that no index
    helps are answered by reading all of it.
    """

    item = models.OneToOneField(Item, primary_key=True, on_delete=models.CASCADE, related_name="listing")
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, db_index=False, db_constraint=False, related_name="+"
    )
    state = models.CharField(max_length=12, choices=Item.State.choices)
    annotation = models.ForeignKey(
        Annotation, null=True, on_delete=models.CASCADE, db_index=False, db_constraint=False, related_name="+"
    )
    origin = models.CharField(max_length=9, blank=True, help_text="person, confirmed, auto or imported")
    labeler = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.PROTECT,
        db_index=False,
        db_constraint=False,
        related_name="+",
    )
    labeled_at = models.DateTimeField(null=True)
    instructions = models.ForeignKey(
        Instructions,
        null=True,
        on_delete=models.SET_NULL,
        db_index=False,
        db_constraint=False,
        related_name="+",
    )
    classes = ArrayField(models.BigIntegerField(), default=list, help_text="as they were chosen")
    group = models.BigIntegerField(null=True, help_text="of look-alikes, with which it was labeled")
    differs = models.BooleanField(default=False, help_text="whether people gave different answers")
    reviewed = models.BooleanField(default=False, help_text="whether a reviewer approved what counts")
    draw = models.FloatField(help_text="uniform in [0, 1) for each answer, from the project's seed")
    label_error = models.FloatField(
        null=True, help_text="how well the label fits what a model says, held out: the lower, the less likely"
    )
    model_class = models.BigIntegerField(null=True, help_text="what that model says instead")

    class Meta:
        indexes = [
            models.Index(fields=["project", "state", "item"], name="listing_by_state"),
            models.Index(fields=["project", "labeled_at", "item"], name="listing_by_time"),
            models.Index(fields=["project", "labeler", "item"], name="listing_by_labeler"),
            models.Index(fields=["project", "origin", "item"], name="listing_by_origin"),
            models.Index(
                fields=["project", "group"], condition=models.Q(group__isnull=False), name="listing_by_group"
            ),
            models.Index(
                fields=["project", "item"], condition=models.Q(differs=True), name="listing_of_disputes"
            ),
            models.Index(
                fields=["project", "item"], condition=models.Q(reviewed=True), name="listing_reviewed"
            ),
            models.Index(
                fields=["project", "item"],
                condition=models.Q(model_class__isnull=False),
                name="listing_against_model",
            ),
            models.Index(
                fields=["project", "label_error", "item"],
                condition=models.Q(label_error__isnull=False),
                name="listing_by_label_error",
            ),
            models.Index(
                fields=["project", "draw"],
                condition=models.Q(reviewed=False, origin__in=("person", "confirmed"), state="labeled"),
                name="listing_to_review",
            ),
        ]


class ReviewBatch(models.Model):
    """Verdicts that were given together, and that can be taken back together."""

    class State(models.TextChoices):
        RUNNING = "running"
        DONE = "done"
        UNDONE = "undone"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="review_batches")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    verdict = models.CharField(max_length=7, choices=[("approve", "Approve"), ("reject", "Reject")])
    comment = models.TextField(blank=True)
    state = models.CharField(max_length=7, choices=State.choices, default=State.DONE)
    count = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    undone_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["project", "reviewer", "-id"], name="review_batch_latest")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=("running", "done", "undone")), name="review_batch_state_known"
            ),
            models.CheckConstraint(
                condition=models.Q(state="undone", undone_at__isnull=False)
                | (~models.Q(state="undone") & models.Q(undone_at=None)),
                name="review_batch_undone_has_time",
            ),
        ]


class Review(models.Model):
    """A reviewer's verdict on an annotation, with how the item stood before: what it takes to undo it."""

    class Verdict(models.TextChoices):
        APPROVE = "approve"
        REJECT = "reject"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="reviews")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="reviews")
    annotation = models.ForeignKey(Annotation, null=True, on_delete=models.CASCADE, related_name="reviews")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    verdict = models.CharField(max_length=7, choices=Verdict.choices)
    comment = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    batch = models.ForeignKey(ReviewBatch, null=True, on_delete=models.SET_NULL, related_name="reviews")
    before = models.JSONField(null=True, help_text="{state, reason, current, withdrawn, claims, entry}")
    undone_at = models.DateTimeField(null=True)
    draw = models.FloatField(null=True, help_text="of an answer that was drawn at random to be reviewed")
    rate = models.FloatField(null=True, help_text="below which answers of this labeler were drawn then")

    class Meta:
        indexes = [
            models.Index(
                fields=["project", "reviewer"],
                condition=models.Q(draw__isnull=False, undone_at=None),
                name="review_drawn",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["annotation"],
                condition=models.Q(draw__isnull=False, undone_at=None),
                name="review_drawn_once",
            ),
            models.CheckConstraint(
                condition=models.Q(draw=None, rate=None) | models.Q(draw__isnull=False, rate__isnull=False),
                name="review_drawn_has_rate",
            ),
        ]


class SamplingRate(models.Model):
    """The share of a labeler's answers that reviewers look at, where it is not the usual one."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="sampling_rates")
    labeler = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    rate = models.FloatField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "labeler"], name="sampling_rate_once"),
            models.CheckConstraint(
                condition=models.Q(rate__gte=0, rate__lte=1), name="sampling_rate_is_a_share"
            ),
        ]


class SavedFilter(models.Model):
    """A view of the gallery under a name: its address's query."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="saved_filters")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=80)
    query = models.CharField(max_length=2_000, blank=True)
    is_shared = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["project", "owner", "name"], name="saved_filter_name_once")
        ]


class ReviewLock(models.Model):
    """An item that a reviewer has open. It counts until `until`, and is nobody's afterwards."""

    item = models.OneToOneField(Item, primary_key=True, on_delete=models.CASCADE, related_name="lock")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    until = models.DateTimeField()


class Comment(models.Model):
    """What somebody says of an item, or of a point on it in pixels of the upright image; answers belong to
    the comment that began it.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="comments")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="answers")
    text = models.TextField()
    x = models.FloatField(null=True)
    y = models.FloatField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    resolved_at = models.DateTimeField(null=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        indexes = [
            models.Index(fields=["project", "item"], condition=models.Q(parent=None), name="comment_of_item"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(x=None, y=None) | models.Q(x__isnull=False, y__isnull=False),
                name="comment_has_a_point_or_none",
            ),
            models.CheckConstraint(
                condition=models.Q(parent=None) | models.Q(x=None, resolved_at=None),
                name="comment_answer_is_plain",
            ),
        ]
