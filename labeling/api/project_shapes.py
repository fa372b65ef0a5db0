"""Projects and their members as the API has them: what can be set, and what is told to whom."""

from typing import Any

from rest_framework import serializers

from labeling import pausing, permissions
from labeling.api.inputs import Input
from labeling.api.shapes import ClassField, NumberField, class_shape
from labeling.models import Membership, Project, WorkerQuality

MOST_LABELS_HELP = (
    "people asked about an item while they do not agree. Empty for the usual number: three where \
one is enough to begin with, else no more than `labels_per_item`"
)


class ProjectInput(Input):
    name = serializers.CharField(max_length=120)
    task_type = serializers.ChoiceField(choices=Project.TaskType.choices)
    classes = serializers.ListField(child=ClassField(), allow_empty=False, max_length=10_000)
    instructions = serializers.CharField(required=False, allow_blank=True)
    assist_mode = serializers.ChoiceField(
        choices=Project.AssistMode.choices, default=Project.AssistMode.SUGGEST
    )
    promise = serializers.ChoiceField(choices=Project.Promise.choices, default=Project.Promise.EACH_LABEL)
    target_error = NumberField(
        required=False,
        min_value=0.001,
        max_value=0.49,
        help_text="0.05 for classes, 0.10 for boxes and polygons, unless given",
    )
    confidence = NumberField(default=0.95, min_value=0.5, max_value=0.999)
    labels_per_item = serializers.IntegerField(default=1, min_value=1, max_value=9)
    most_labels_per_item = serializers.IntegerField(
        default=None, allow_null=True, min_value=1, max_value=9, help_text=MOST_LABELS_HELP
    )


class SettingsInput(Input):
    also = frozenset({"task_type"})  # which never changes, and may be said again

    name = serializers.CharField(max_length=120, required=False)
    assist_mode = serializers.ChoiceField(choices=Project.AssistMode.choices, required=False)
    promise = serializers.ChoiceField(choices=Project.Promise.choices, required=False)
    target_error = NumberField(required=False, min_value=0.001, max_value=0.49)
    confidence = NumberField(required=False, min_value=0.5, max_value=0.999)
    hidden_share = NumberField(
        required=False,
        min_value=0,
        max_value=0.2,
        help_text="of the proposals, to see whether they sway people",
    )
    hourly_cost = NumberField(required=False, allow_null=True, min_value=0.01, max_value=1_000_000)
    currency = serializers.CharField(required=False, allow_blank=True, max_length=8)
    labels_per_item = serializers.IntegerField(
        required=False, min_value=1, max_value=9, help_text="people who answer each item, at the least"
    )
    most_labels_per_item = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=9, help_text=MOST_LABELS_HELP
    )
    agreement_share = NumberField(
        required=False,
        min_value=0.5,
        max_value=1,
        help_text="share of the answers to an item that must be alike; always more than half",
    )
    agreement_match = NumberField(
        required=False,
        allow_null=True,
        min_value=0.01,
        max_value=1,
        help_text="how alike two answers must be: Jaccard index of classes, F1 of objects. Empty for the"
        " usual one: 1 for classes, 0.8 for objects",
    )
    agreement_overlap = NumberField(
        required=False,
        min_value=0.05,
        max_value=1,
        help_text="intersection over union from which two people drew the same object",
    )
    second_labels = serializers.BooleanField(
        required=False, help_text="ask a second person where the only label of an item is in doubt"
    )
    gold_rule = serializers.ChoiceField(
        choices=Project.GoldRule.choices,
        required=False,
        help_text="what happens when known images show that a labeler errs too often",
    )
    most_items = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=100_000_000,
        help_text="images that the project takes; empty for as many as come",
    )  # fmt: skip
    assists_dicom = serializers.BooleanField(required=False, help_text="let models look at DICOM images, too")
    gold_feedback = serializers.BooleanField(
        required=False, help_text="tell labelers at once that an image was a known one, and what was right"
    )


def project_shape(project: Project, role: str | None) -> dict[str, Any]:
    return {
        "id": project.pk,
        "name": project.name,
        "task_type": project.task_type,
        "state": project.state,
        "assist_mode": project.assist_mode,
        "promise": project.promise,
        "target_error": project.target_error,
        "confidence": project.confidence,
        "labels_per_item": project.labels_per_item,
        "most_labels_per_item": project.most_labels,
        "agreement_share": project.agreement_share,
        "agreement_match": project.agreement_rule.match,
        "agreement_overlap": project.agreement_overlap,
        "second_labels": project.second_labels,
        "most_items": project.most_items,
        "assists_dicom": project.assists_dicom,
        "hourly_cost": project.hourly_cost,
        "currency": project.currency,
        "classes": [class_shape(each) for each in project.classes.all() if each.retired_at is None],
        "role": role,
        "created_at": project.created_at,
    } | (gold_shape(project) if permissions.may(role, "review") else {})


def gold_shape(project: Project) -> dict[str, Any]:
    """Return what labelers must not know: whether and how they are measured."""
    return {
        "gold_rule": project.gold_rule,
        "gold_feedback": project.gold_feedback,
        "hidden_share": project.hidden_share,
    }


def member_shape(
    membership: Membership, record: pausing.Record, measured: WorkerQuality | None
) -> dict[str, Any]:
    """Return a member, with what managers may know of how well they label."""
    verdict, chance = record.verdict, record.posterior
    return {
        "id": membership.pk,
        "user": membership.user_id,
        "email": membership.user.email,
        "name": membership.user.label,
        "role": membership.role,
        "team": membership.team_id,
        "active": membership.is_active and membership.user.is_active,
        "daily_limit": membership.daily_limit,
        "total_limit": membership.total_limit,
        "only_assigned": membership.only_assigned,
        "flagged_at": membership.flagged_at,
        "paused_at": membership.paused_at,
        "known": {
            "right": record.hits,
            "wrong": record.misses,
            "chance": round(chance.mean, 4),
            "low": round(chance.low, 4),
            "high": round(chance.high, 4),
            "cleared": verdict.cleared,
        },
        "quality": measured
        and {
            "quality": measured.quality,
            "items": measured.items,
            "method": measured.method,
            "at": measured.at,
        },
    }
