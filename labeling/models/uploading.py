"""Files on their way here from a browser or a script."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from labeling.models.projects import Project


class Upload(models.Model):
    """Files that are sent together and are of use when all of them are here, to the last byte.

    Those for a project become an import of it then. Those for none are a data set with a name, which any
    number of projects may import.
    """

    class State(models.TextChoices):
        OPEN = "open"
        FINISHING = "finishing"  # every byte is here; a job makes sources of them
        COMPLETE = "complete"
        CANCELLED = "cancelled"

    project = models.ForeignKey(Project, null=True, on_delete=models.CASCADE, related_name="uploads")
    name = models.CharField(max_length=120, blank=True, help_text="of a data set")
    state = models.CharField(max_length=9, choices=State.choices, default=State.OPEN)
    folder = models.CharField(max_length=32, unique=True, help_text="below uploads/ of the media folder")
    every_page = models.BooleanField(default=False, help_text="make an item of each page of a TIFF")
    error = models.CharField(max_length=300, blank=True, help_text="why it did not become an import")
    files = models.PositiveIntegerField(
        default=0, help_text="that were sent, or the images of a data set, once it is complete"
    )
    size_bytes = models.BigIntegerField(default=0, help_text="of these files")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    touched_at = models.DateTimeField(auto_now_add=True, help_text="when something of it last came")
    completed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["touched_at"],
                condition=Q(state__in=("open", "finishing")),
                name="upload_unfinished",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=("open", "finishing", "complete", "cancelled")),
                name="upload_state_known",
            ),
            models.CheckConstraint(
                condition=Q(state="complete") ^ Q(completed_at=None),
                name="upload_complete_has_time",
            ),
            models.CheckConstraint(condition=Q(project=None) ^ Q(name=""), name="upload_has_project_or_name"),
            models.UniqueConstraint(
                "created_by",
                Lower("name"),
                condition=Q(project=None) & ~Q(state="cancelled"),
                name="upload_data_set_once",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class UploadFile(models.Model):
    """A file of an upload, of which `received` bytes are here and safe on disk; the rest is still to come.

    The rows go when the upload is complete: then its files are items.
    """

    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, db_index=False, related_name="parts")
    path = models.TextField(help_text="as the sender calls it, / between folders")
    key = models.CharField(max_length=64, help_text="SHA-256 of path and size, by which it is found again")
    size = models.BigIntegerField()
    modified = models.BigIntegerField(null=True, help_text="when the sender's file was changed, in ms")
    sha256 = models.CharField(max_length=64, blank=True, help_text="of the whole file, where the sender told")
    received = models.BigIntegerField(default=0)
    reason = models.CharField(max_length=300, blank=True, help_text="why it is not taken")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["upload", "key"], name="upload_file_once"),
            models.CheckConstraint(
                condition=Q(received__gte=0, received__lte=models.F("size")),
                name="upload_file_received_range",
            ),
        ]
        indexes = [
            models.Index(
                fields=["upload", "id"],
                condition=Q(received__lt=models.F("size"), reason=""),
                name="upload_file_missing",
            ),
        ]
