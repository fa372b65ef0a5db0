"""What still needs people, and who holds it now."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from labeling.models.items import Item
from labeling.models.projects import Instructions, LabelClass, Project


class QueueKind(models.TextChoices):
    MANUAL = "manual"
    CLUSTERED = "clustered"
    PRELABELED = "prelabeled"
    VALIDATION = "validation"
    AUDIT = "audit"
    GOLD = "gold"
    REVIEW = "review"


class QueueEntry(models.Model):
    """An item that needs answers. Finished items have no entry.

    `open_slots` is `needed` less the live claims: what may still be handed out.
    """

    item = models.OneToOneField(Item, primary_key=True, on_delete=models.CASCADE, related_name="entry")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="queue")
    kind = models.CharField(max_length=10, choices=QueueKind.choices)
    group = models.BigIntegerField(null=True, help_text="items that belong on one page")
    proposed_class = models.ForeignKey(
        LabelClass, null=True, on_delete=models.SET_NULL, db_index=False, related_name="+"
    )
    priority = models.FloatField(default=0, help_text="lower comes first")
    why = models.CharField(max_length=80, blank=True)
    inclusion_probability = models.FloatField(null=True, help_text="of validation and audit draws")
    certificate = models.BigIntegerField(null=True, help_text="id of the one that the proposal rests on")
    likely = ArrayField(
        models.BigIntegerField(), null=True, help_text="ids of the classes that are ticked beforehand"
    )
    doubtful = ArrayField(
        models.BigIntegerField(), null=True, help_text="ids of those that the model leaves open beside them"
    )
    hint = models.ForeignKey(
        "labeling.Annotation",
        null=True,
        on_delete=models.SET_NULL,
        db_index=False,
        related_name="+",
        help_text="how the item was labeled before the classes changed, or what an imported file says; "
        "people see it as a proposal",
    )
    needed = models.PositiveSmallIntegerField(default=1)
    open_slots = models.PositiveSmallIntegerField(default=1)
    assignment = models.ForeignKey(
        "labeling.Assignment",
        null=True,
        on_delete=models.SET_NULL,
        db_index=False,
        related_name="entries",
        help_text="for whom it waits; empty for everybody. The database sets it when an entry is made",
    )

    class Meta:
        # Each entry is in one of both kinds of indexes, so neither what is assigned to others nor what is
        # open to everybody has to be passed over.
        indexes = [
            models.Index(
                fields=["project", "kind", "priority", "item"],
                condition=models.Q(open_slots__gt=0, assignment=None),
                name="entry_next_open",
            ),
            models.Index(
                fields=["project", "kind", "group", "priority", "item"],
                condition=models.Q(open_slots__gt=0, group__isnull=False, assignment=None),
                name="entry_next_open_in_group",
            ),
            models.Index(
                fields=["assignment", "kind", "priority", "item"],
                condition=models.Q(open_slots__gt=0, assignment__isnull=False),
                name="entry_next_assigned",
            ),
            models.Index(
                fields=["assignment", "kind", "group", "priority", "item"],
                condition=models.Q(open_slots__gt=0, group__isnull=False, assignment__isnull=False),
                name="entry_next_assigned_group",
            ),
            # A label that is deleted must not look through all entries.
            models.Index(fields=["hint"], condition=models.Q(hint__isnull=False), name="entry_by_hint"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(needed__gte=1, open_slots__gte=0, open_slots__lte=models.F("needed")),
                name="entry_slots",
            ),
            models.CheckConstraint(
                condition=models.Q(hint=None) | ~models.Q(kind__in=("validation", "audit", "gold")),
                name="entry_asked_blind_has_no_hint",
            ),
            models.CheckConstraint(
                condition=models.Q(assignment=None) | ~models.Q(kind__in=("validation", "audit", "gold")),
                name="entry_asked_blind_is_for_everybody",
            ),
        ]


class Page(models.Model):
    """What one labeler has on screen: items claimed together."""

    class State(models.TextChoices):
        OPEN = "open"
        SUBMITTED = "submitted"
        RELEASED = "released"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="pages")
    labeler = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="pages")
    kind = models.CharField(max_length=10, choices=QueueKind.choices)
    group = models.BigIntegerField(null=True, help_text="of look-alikes, which this is all or a part of")
    proposed_class = models.ForeignKey(LabelClass, null=True, on_delete=models.SET_NULL, related_name="+")
    instructions = models.ForeignKey(Instructions, null=True, on_delete=models.SET_NULL, related_name="+")
    state = models.CharField(max_length=9, choices=State.choices, default=State.OPEN)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["labeler", "project", "-id"], name="page_history")]


class Claim(models.Model):
    """A lease of one item to one labeler."""

    class State(models.TextChoices):
        LIVE = "live"
        ANSWERED = "answered"
        RELEASED = "released"
        EXPIRED = "expired"
        RETURNED = "returned"  # the labeler said that the proposal is wrong

    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="claims")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="claims")
    labeler = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    position = models.PositiveSmallIntegerField()
    why = models.CharField(max_length=80, blank=True)
    inclusion_probability = models.FloatField(null=True)
    likely = ArrayField(models.BigIntegerField(), null=True, help_text="what the screen shows as ticked")
    doubtful = ArrayField(models.BigIntegerField(), null=True, help_text="and as open")
    proposal = models.JSONField(
        null=True, help_text="the shapes that the screen proposes: {regions, confidence, model}"
    )
    hidden = models.JSONField(null=True, help_text="the proposal that the screen keeps to itself")
    state = models.CharField(max_length=8, choices=State.choices, default=State.LIVE)
    expires_at = models.DateTimeField()
    exception_uuid = models.UUIDField(
        null=True, unique=True, help_text="of the exception that was sent; makes a repeat harmless"
    )

    class Meta:
        indexes = [
            models.Index(
                fields=["project", "expires_at"], condition=models.Q(state="live"), name="claim_expiry"
            ),
            models.Index(
                fields=["project", "labeler"], condition=models.Q(state="returned"), name="claim_returned"
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["item", "labeler"], condition=models.Q(state="live"), name="claim_live_once"
            ),
            models.UniqueConstraint(fields=["page", "item"], name="claim_once_per_page"),
            models.CheckConstraint(
                condition=~models.Q(state="returned") | models.Q(exception_uuid__isnull=False),
                name="claim_returned_by_exception",
            ),
        ]
