"""Projects, their classes, people and instructions."""

import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from labeling.agreement import Rule


class Project(models.Model):
    class TaskType(models.TextChoices):
        MULTICLASS = "multiclass", _("One class per image")
        MULTILABEL = "multilabel", _("Several classes per image")
        DETECTION = "detection", _("Boxes")
        SEGMENTATION = "segmentation", _("Polygons")
        SEMANTIC = "semantic", _("Masks")

    class State(models.TextChoices):
        RUNNING = "running"
        PAUSED = "paused"

    class AssistMode(models.TextChoices):
        SUGGEST = "suggest", "Propose, a person confirms"
        ACCEPT = "accept", "Label what is certified"
        OFF = "off", "No help from a model"

    class Promise(models.TextChoices):
        EACH_LABEL = "each", "Of the labels that the model gives"
        WHOLE_SET = "whole", "Of all labels in the data set"

    class GoldRule(models.TextChoices):
        OFF = "off", "Only show it on the Team page"
        TELL = "tell", "Tell the managers"
        PAUSE = "pause", "Pause them, and tell the managers"

    class Faces(models.TextChoices):
        SHOWN = "", _("shown")
        MOSAIC = "mosaic", _("a mosaic")
        BLUR = "blur", _("a blur")
        BOX = "box", _("a grey box")

    class Originals(models.TextChoices):
        KEEP = "keep", _("kept, encrypted")
        DISCARD = "discard", _("discarded")

    name = models.CharField(max_length=120)
    task_type = models.CharField(max_length=12, choices=TaskType.choices)
    state = models.CharField(max_length=8, choices=State.choices, default=State.RUNNING)
    assist_mode = models.CharField(max_length=8, choices=AssistMode.choices, default=AssistMode.SUGGEST)
    promise = models.CharField(max_length=8, choices=Promise.choices, default=Promise.EACH_LABEL)
    target_error = models.FloatField(default=0.05, help_text="share of labels that may be wrong")
    confidence = models.FloatField(default=0.95, help_text="how sure the certificate must be")
    backbone = models.CharField(max_length=80, default="bundled")
    next_backbone = models.CharField(
        max_length=80, blank=True, help_text="takes its place once it has looked at every image"
    )
    labels_per_item = models.PositiveSmallIntegerField(default=1, help_text="people who answer each item")
    most_labels_per_item = models.PositiveSmallIntegerField(
        null=True, help_text="people asked while they do not agree; empty for the usual number"
    )
    agreement_share = models.FloatField(
        default=0.5, help_text="of the answers that have to be alike, and always more than half of them"
    )
    agreement_match = models.FloatField(
        null=True, help_text="how alike: Jaccard index of classes, F1 of objects; empty for the usual one"
    )
    agreement_overlap = models.FloatField(
        default=0.5, help_text="intersection over union from which two people drew the same object"
    )
    second_labels = models.BooleanField(
        default=True, help_text="ask a second person where one label per item is in doubt"
    )
    gold_rule = models.CharField(max_length=5, choices=GoldRule.choices, default=GoldRule.TELL)
    gold_feedback = models.BooleanField(default=False, help_text="tell labelers at once what was right")
    validation_rate = models.FloatField(
        default=0.0, help_text="share of the pool drawn for blind validation: items with draw < rate"
    )
    validation_share = models.FloatField(default=0.2, help_text="share of answers spent on validation")
    hidden_share = models.FloatField(
        default=0.0, help_text="share of proposals that are hidden, to see whether they sway people"
    )
    hourly_cost = models.FloatField(null=True, help_text="of a labeler, for the dashboard's estimates")
    currency = models.CharField(max_length=8, blank=True, help_text="of the hourly cost, as people write it")
    seed = models.BigIntegerField(default=0)
    assists_dicom = models.BooleanField(default=False, help_text="whether models look at DICOM images")
    most_items = models.PositiveIntegerField(
        null=True, help_text="images that the project takes at most; empty for as many as come"
    )
    faces = models.CharField(
        max_length=6,
        choices=Faces.choices,
        blank=True,
        help_text="what hides them; empty where they are shown",
    )
    originals = models.CharField(
        max_length=7,
        choices=Originals.choices,
        default=Originals.KEEP,
        help_text="of images in which faces are hidden",
    )
    faces_hidden_at = models.DateTimeField(
        null=True, help_text="since when no image from before waits to have its faces hidden"
    )
    meaning = models.PositiveIntegerField(
        default=0, help_text="how often it has changed what labels mean: what was learned before is outdated"
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    deleted_at = models.DateTimeField(null=True)
    emptied_at = models.DateTimeField(null=True, help_text="when nothing but its name and log was left")

    class Meta:
        constraints = [
            # Deleted projects keep their row, so that a name is never used again.
            models.UniqueConstraint(Lower("name"), name="project_name_once"),
            models.CheckConstraint(
                condition=models.Q(emptied_at=None) | models.Q(deleted_at__isnull=False),
                name="project_emptied_is_deleted",
            ),
            models.CheckConstraint(
                condition=models.Q(faces="", faces_hidden_at=None)
                | models.Q(faces__in=("mosaic", "blur", "box")),
                name="project_faces",
            ),
            models.CheckConstraint(
                condition=models.Q(originals__in=("keep", "discard")), name="project_originals"
            ),
            models.CheckConstraint(
                condition=models.Q(target_error__gt=0, target_error__lt=0.5), name="project_target_error"
            ),
            models.CheckConstraint(
                condition=models.Q(confidence__gte=0.5, confidence__lt=1), name="project_confidence"
            ),
            models.CheckConstraint(
                condition=models.Q(labels_per_item__gte=1, labels_per_item__lte=9),
                name="project_labels_per_item",
            ),
            models.CheckConstraint(
                condition=models.Q(hidden_share__gte=0, hidden_share__lte=0.2), name="project_hidden_share"
            ),
            models.CheckConstraint(
                condition=models.Q(hourly_cost=None) | models.Q(hourly_cost__gt=0), name="project_hourly_cost"
            ),
            models.CheckConstraint(
                condition=models.Q(most_labels_per_item=None)
                | models.Q(
                    most_labels_per_item__gte=models.F("labels_per_item"), most_labels_per_item__lte=9
                ),
                name="project_most_labels_per_item",
            ),
            models.CheckConstraint(
                condition=models.Q(agreement_share__gte=0.5, agreement_share__lte=1)
                & models.Q(agreement_overlap__gt=0, agreement_overlap__lte=1)
                & (models.Q(agreement_match=None) | models.Q(agreement_match__gt=0, agreement_match__lte=1)),
                name="project_agreement",
            ),
        ]

    USUAL_MOST_LABELS = 3  # where one is enough to begin with: a second look, and a third to decide
    USUAL_MATCH_OF_SHAPES = 0.8

    def __str__(self) -> str:
        return self.name

    @property
    def is_classification(self) -> bool:
        return self.task_type in (self.TaskType.MULTICLASS, self.TaskType.MULTILABEL)

    @property
    def most_labels(self) -> int:
        """Return how many people are asked about an item, at the most, while they do not agree."""
        if self.most_labels_per_item is not None:
            return self.most_labels_per_item
        return self.usual_most(self.labels_per_item)

    @classmethod
    def usual_most(cls, least: int) -> int:
        return cls.USUAL_MOST_LABELS if least == 1 else least

    @property
    def agreement_rule(self) -> Rule:
        """Return when answers to an item agree."""
        match = self.agreement_match
        if match is None:
            match = self.USUAL_MATCH_OF_SHAPES if self.draws_shapes else 1.0
        return Rule(self.agreement_share, match, self.agreement_overlap)

    @property
    def is_hiding_faces(self) -> bool:
        """Tell whether images from before wait to have their faces hidden: until then nobody labels."""
        return bool(self.faces) and self.faces_hidden_at is None

    @property
    def draws_shapes(self) -> bool:
        """Tell whether people draw boxes or polygons, of which a model can be right in part."""
        return self.task_type in (self.TaskType.DETECTION, self.TaskType.SEGMENTATION)


class LabelClass(models.Model):
    """A class that an item or region can get. Retired classes stay for the labels that name them."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="classes")
    name = models.CharField(max_length=120)
    color = models.CharField(max_length=7)
    hotkey = models.CharField(max_length=1, blank=True)
    description = models.TextField(blank=True, help_text="the prompt that a zero-shot model sees")
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="children")
    position = models.PositiveIntegerField()
    striped = models.BooleanField(default=False, help_text="since another class has the same colour")
    retired_at = models.DateTimeField(null=True)
    offered_until = models.DateTimeField(
        null=True,
        help_text="when people could choose it last; pages from before may still be answered with it",
    )
    merged_into = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="merged")
    means = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="+", help_text="what its labels count as"
    )

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint("project", Lower("name"), name="class_name_once"),
            models.UniqueConstraint(fields=["project", "position"], name="class_position_once"),
            models.UniqueConstraint(
                fields=["project", "hotkey"],
                condition=~models.Q(hotkey="") & models.Q(retired_at=None),
                name="class_hotkey_once",
            ),
            models.CheckConstraint(
                condition=models.Q(merged_into=None, means=None)
                | models.Q(merged_into__isnull=False, means__isnull=False, retired_at__isnull=False),
                name="class_merged_is_retired",
            ),
            models.CheckConstraint(
                condition=~models.Q(merged_into=models.F("id")) & ~models.Q(means=models.F("id")),
                name="class_not_merged_into_itself",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def now(self) -> "LabelClass":
        """Return the class that its labels count as."""
        return self.means or self


class Membership(models.Model):
    class Role(models.TextChoices):
        MANAGER = "manager"
        REVIEWER = "reviewer"
        LABELER = "labeler"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=8, choices=Role.choices)
    team = models.ForeignKey(
        "labeling.Team", null=True, on_delete=models.PROTECT, related_name="memberships",
        help_text="through which the person is here; empty for who is a member by themselves",
    )  # fmt: skip
    is_active = models.BooleanField(default=True, help_text="whether the person can open the project now")
    deactivated_at = models.DateTimeField(null=True, help_text="when a manager let them rest")
    only_assigned = models.BooleanField(
        default=False, help_text="gets only what is assigned, beside what is asked blind of everybody"
    )
    daily_limit = models.PositiveIntegerField(null=True, help_text="most images a day")
    total_limit = models.PositiveIntegerField(null=True, help_text="most images in all")
    created_at = models.DateTimeField(auto_now_add=True)
    flagged_at = models.DateTimeField(null=True, help_text="when known images showed that they err too often")
    paused_at = models.DateTimeField(null=True, help_text="since when they get no images to label")
    judged_since = models.DateTimeField(
        null=True, help_text="answers to known images from before are forgiven: a manager has looked"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "user"], name="membership_once"),
            models.CheckConstraint(
                condition=models.Q(deactivated_at=None) | models.Q(is_active=False),
                name="membership_deactivated_is_not_active",
            ),
            models.CheckConstraint(
                condition=models.Q(team=None) | ~models.Q(role="manager"), name="membership_by_team_role"
            ),
        ]


def in_two_weeks() -> datetime:
    return timezone.now() + timedelta(days=14)


def invitation_token() -> str:
    return secrets.token_urlsafe(24)


class Invitation(models.Model):
    """A link that makes whoever opens it a member, once; of a project or of a team.

    One with an `account` has made it, with a temporary password: it is accepted by choosing another one.
    """

    project = models.ForeignKey(Project, null=True, on_delete=models.CASCADE, related_name="invitations")
    team = models.ForeignKey("labeling.Team", null=True, on_delete=models.CASCADE, related_name="invitations")
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="invitations"
    )
    is_lead = models.BooleanField(default=False, help_text="of the team")
    email = models.EmailField(blank=True, help_text="when set, only this address may accept")
    role = models.CharField(max_length=8, choices=Membership.Role.choices, blank=True)
    token = models.CharField(max_length=64, unique=True, default=invitation_token)
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(default=in_two_weeks)
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    accepted_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(project__isnull=False, team=None, is_lead=False) & ~models.Q(role="")
                | models.Q(project=None, team__isnull=False, role=""),
                name="invitation_to_one",
            ),
        ]

    @property
    def place(self) -> str:
        """What it invites to, as people call it."""
        return str(self.project or self.team)

    @property
    def is_open(self) -> bool:
        return self.accepted_at is None and self.revoked_at is None and self.expires_at > timezone.now()


class Instructions(models.Model):
    """One version of what labelers are told; every label names the version it was made under."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="instructions")
    version = models.PositiveIntegerField()
    text = models.TextField(help_text="Markdown")
    link = models.URLField(blank=True, help_text="a page elsewhere that says more")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-version"]
        constraints = [
            models.UniqueConstraint(fields=["project", "version"], name="instructions_version_once")
        ]
