"""Labels that come in from files."""

from django.conf import settings
from django.db import models

from labeling.models.annotations import Annotation
from labeling.models.items import Item
from labeling.models.projects import Project


class LabelImport(models.Model):
    """A file of labels: what was found in it, and what came of it.

    Before anybody says so, nothing of it is a label.
    """

    OWN_FOLDERS = "own_folders"  # the format of what the images' own folders say, rather than a file

    class State(models.TextChoices):
        CHECKING = "checking"
        UNREADABLE = "unreadable"
        READY = "ready"
        APPLYING = "applying"
        APPLIED = "applied"
        UNDOING = "undoing"
        UNDONE = "undone"

    class Mode(models.TextChoices):
        LABELS = "labels", "Final labels"
        SUGGESTIONS = "suggestions", "Suggestions"

    class Answered(models.TextChoices):
        SKIP = "skip", "leave them as they are"
        BESIDE = "beside", "keep the imported label beside, without counting it"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="label_imports")
    name = models.CharField(max_length=255)
    location = models.CharField(
        max_length=2_000, blank=True, help_text="of the file or folder; empty for the project's own folders"
    )
    format = models.CharField(max_length=20, blank=True, help_text="as given, or as recognised")
    state = models.CharField(max_length=10, choices=State.choices, default=State.CHECKING)
    classes = models.JSONField(default=list, help_text="[{name, parent, images, regions, free}]")
    report = models.JSONField(default=dict, help_text="counts, and the first problems: [{kind, place, said}]")
    mode = models.CharField(max_length=11, choices=Mode.choices, blank=True)
    answered = models.CharField(max_length=6, choices=Answered.choices, default=Answered.SKIP)
    takes_empty = models.BooleanField(default=False, help_text="images without a region hold nothing")
    mapping = models.JSONField(default=list, help_text="the class of each of `classes`; null is left out")
    added = models.JSONField(default=list, help_text="the classes that it added to the project")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    applied_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    applied_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    state__in=(
                        "checking", "unreadable", "ready", "applying", "applied", "undoing", "undone"
                    )
                ),
                name="label_import_state_known",
            ),
            models.CheckConstraint(
                condition=~models.Q(mode="") | models.Q(state__in=("checking", "unreadable", "ready")),
                name="label_import_applied_has_mode",
            ),
        ]  # fmt: skip

    @property
    def is_forgotten(self) -> bool:
        """Tell whether its file was deleted once it was read."""
        return not self.location and self.format != self.OWN_FOLDERS


class ImportedLabel(models.Model):
    """What a file says of one image, and what became of it; without an `outcome` nothing has yet.

    The rows are what makes an import go on after a crash, and what undoes it.
    """

    class Outcome(models.TextChoices):
        LABEL = "label"
        BESIDE = "beside"
        SUGGESTION = "suggestion"
        KEPT = "kept"  # the image had a label or an answer
        HELD = "held"  # somebody had it on screen
        BLIND = "blind"  # it is asked blind, so nothing may be suggested
        LEFT_OUT = "left_out"  # nothing of it was wanted
        UNDONE = "undone"
        CHANGED = "changed"  # people have changed or reviewed it since: it was not undone

    WRITTEN = (Outcome.LABEL, Outcome.BESIDE, Outcome.SUGGESTION)

    label_import = models.ForeignKey(
        LabelImport, on_delete=models.CASCADE, db_index=False, related_name="labels"
    )
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="+")
    regions = models.JSONField(help_text="[{class, bbox?, polygon?}], class a number of the file's classes")
    is_prediction = models.BooleanField(default=False, help_text="of a model, by what the file says")
    empty = models.CharField(
        max_length=5,
        blank=True,
        choices=[("told", "told"), ("maybe", "maybe")],
        help_text="the file has no region for it: somebody looked, or perhaps nobody did",
    )
    confidence = models.FloatField(null=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)
    annotation = models.ForeignKey(
        Annotation, null=True, on_delete=models.SET_NULL, db_index=False, related_name="imported_by"
    )
    entry = models.JSONField(null=True, help_text="the queue entry that the image had")

    class Meta:
        indexes = [
            models.Index(fields=["label_import", "outcome", "item"], name="imported_by_outcome"),
            # A label that is deleted must not look through all of them.
            models.Index(
                fields=["annotation"], condition=models.Q(annotation__isnull=False), name="imported_by_label"
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["label_import", "item"], name="imported_label_once"),
        ]
