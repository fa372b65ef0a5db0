"""Where images come from, and the items that they become."""

from django.conf import settings
from django.db import models

from labeling.models.projects import Project


class DataSource(models.Model):
    """A folder or an archive that items were imported from."""

    class Kind(models.TextChoices):
        FOLDER = "folder", "Folder on the server, read in place"
        ZIP = "zip", "ZIP archive"
        UPLOAD = "upload", "Files from the browser"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="sources")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    location = models.CharField(max_length=2_000, help_text="folder path, or the archive's path")
    name = models.CharField(max_length=255)
    refused = models.JSONField(default=list, help_text="files that could not become items: [{name, reason}]")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)


class Item(models.Model):
    """One image to label. `read_at` stays empty until its bytes were looked at."""

    class State(models.TextChoices):
        UNLABELED = "unlabeled"
        LABELED = "labeled"
        NEEDS_REVIEW = "needs_review"
        SKIPPED = "skipped"
        BROKEN = "broken"
        REMOVED = "removed"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="items")
    source = models.ForeignKey(DataSource, on_delete=models.PROTECT, related_name="items")
    path = models.CharField(max_length=2_000, help_text="inside the source, / between folders")
    state = models.CharField(max_length=12, choices=State.choices, default=State.UNLABELED)
    reason = models.CharField(max_length=300, blank=True, help_text="why it is broken, skipped or removed")
    draw = models.FloatField(help_text="uniform in [0, 1), from the project's seed")
    sha256 = models.CharField(max_length=64, blank=True)
    size_bytes = models.BigIntegerField(default=0)
    width = models.PositiveIntegerField(null=True, help_text="pixels of the upright image")
    height = models.PositiveIntegerField(null=True)
    format = models.CharField(max_length=10, blank=True)
    read_at = models.DateTimeField(null=True)
    duplicate_of = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="duplicates")
    current_annotation = models.ForeignKey(
        "labeling.Annotation", null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["project", "state", "id"], name="item_by_state"),
            models.Index(fields=["project", "draw"], name="item_by_draw"),
            models.Index(fields=["project", "path", "id"], name="item_by_path"),
            models.Index(fields=["project", "draw"], condition=models.Q(read_at=None), name="item_unread"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["source", "path"], name="item_path_once"),
            models.UniqueConstraint(
                fields=["project", "sha256"],
                condition=models.Q(duplicate_of=None) & ~models.Q(sha256="") & ~models.Q(state="removed"),
                name="item_content_once",
            ),
            models.CheckConstraint(condition=models.Q(draw__gte=0, draw__lt=1), name="item_draw_range"),
            models.CheckConstraint(
                condition=~models.Q(state="labeled") | models.Q(current_annotation__isnull=False),
                name="item_labeled_has_annotation",
            ),
        ]

    @property
    def file_name(self) -> str:
        return self.path.rsplit("/", 1)[-1]
