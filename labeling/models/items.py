"""Where images come from, and the items that they become."""

from django.conf import settings
from django.db import models

from labeling.models.projects import Project


class DataSource(models.Model):
    """Where items were imported from: a folder, an archive, a bucket or a list of addresses."""

    class Kind(models.TextChoices):
        FOLDER = "folder", "Folder on the server, read in place"
        ZIP = "zip", "ZIP archive"
        TAR = "tar", "TAR archive"
        UPLOAD = "upload", "Files from the browser"
        S3 = "s3", "S3 bucket, read in place"
        AZURE = "azure", "Azure Blob container, read in place"
        GCS = "gcs", "Google Cloud Storage bucket, read in place"
        HTTP = "http", "List of web addresses, read in place"

    class Refresh(models.TextChoices):
        OFF = "off", "Only by hand"
        HOURLY = "hourly", "Every hour"
        DAILY = "daily", "Every day"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="sources")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    location = models.CharField(
        max_length=2_000,
        blank=True,
        help_text="path of the folder or archive; address of a bucket with its pattern, or of a list; empty"
        " for a list that was typed in",
    )
    name = models.CharField(max_length=255)
    refused = models.JSONField(default=list, help_text="files that could not become items: [{name, reason}]")
    refused_count = models.PositiveIntegerField(default=0, help_text="all of them, of which few are named")
    options = models.JSONField(default=dict, help_text="of a bucket: endpoint, region, account; never secret")
    credentials = models.TextField(blank=True, help_text="encrypted, see sealing.py")
    refresh = models.CharField(max_length=6, choices=Refresh.choices, default=Refresh.OFF)
    listed_at = models.DateTimeField(null=True, help_text="when what is there was last compared with items")
    signs_urls = models.BooleanField(
        default=False, help_text="send browsers to the bucket by a short-lived address"
    )
    every_page = models.BooleanField(default=False, help_text="make an item of each page of a TIFF")
    hides_faces = models.BooleanField(
        default=False,
        help_text="as its project says, which triggers see to: bytes are read where only the source is known",
    )
    upload = models.ForeignKey(
        "labeling.Upload", null=True, on_delete=models.SET_NULL, related_name="sources",
        help_text="with which its files came",
    )  # fmt: skip
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["refresh", "listed_at"], condition=~models.Q(refresh="off"), name="source_refresh"
            ),
        ]
        constraints = [
            # What the foreign key item_of_its_source refers to.
            models.UniqueConstraint(fields=["id", "project"], name="source_and_project"),
            # A bucket has the faces in it.
            models.CheckConstraint(
                condition=models.Q(hides_faces=False) | models.Q(signs_urls=False),
                name="source_hides_faces_itself",
            ),
        ]

    @property
    def is_remote(self) -> bool:
        """Tell whether its files lie elsewhere and are read over the network."""
        return self.kind in (self.Kind.S3, self.Kind.AZURE, self.Kind.GCS, self.Kind.HTTP)

    @property
    def can_refresh(self) -> bool:
        """Tell whether more may come to lie there, and be found."""
        return (self.is_remote and bool(self.location)) or self.kind == self.Kind.FOLDER


class Item(models.Model):
    """One image to label. `read_at` stays empty until its bytes were looked at."""

    class State(models.TextChoices):
        UNLABELED = "unlabeled"
        LABELED = "labeled"
        NEEDS_REVIEW = "needs_review"
        SKIPPED = "skipped"
        BROKEN = "broken"
        REMOVED = "removed"

    # Each index of this table is written for each of a million files, and each constraint is looked up: there
    # is no index that others cover or of what is mostly empty, and one constraint, item_of_its_source, says
    # that both are there and belong together.
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, db_index=False, db_constraint=False, related_name="items"
    )
    source = models.ForeignKey(
        DataSource, on_delete=models.PROTECT, db_constraint=False, related_name="items"
    )
    path = models.CharField(
        max_length=2_000, help_text="inside the source, / between folders; with #page=2 after a TIFF's path"
    )
    page = models.PositiveIntegerField(default=0, help_text="of a TIFF, counted from 0")
    state = models.CharField(max_length=12, choices=State.choices, default=State.UNLABELED)
    reason = models.CharField(max_length=300, blank=True, help_text="why it is broken, skipped or removed")
    draw = models.FloatField(help_text="uniform in [0, 1), from the project's seed")
    sha256 = models.CharField(max_length=64, blank=True)
    size_bytes = models.BigIntegerField(default=0)
    width = models.PositiveIntegerField(null=True, help_text="pixels of the upright image")
    height = models.PositiveIntegerField(null=True)
    format = models.CharField(max_length=10, blank=True)
    window = models.JSONField(
        null=True, help_text="of a DICOM image: {center, width, low, high} in its own values"
    )
    read_at = models.DateTimeField(null=True)
    masked_at = models.DateTimeField(null=True, help_text="when the copy was made in which faces are hidden")
    byte_offset = models.BigIntegerField(null=True, help_text="in a TAR archive, where its bytes begin")
    fingerprint = models.CharField(
        max_length=100, blank=True, help_text="the file's ETag or time of change when it was found"
    )
    changed_at = models.DateTimeField(null=True, help_text="when another file was found under its path")
    gone_at = models.DateTimeField(null=True, help_text="when its file was no longer at the source")
    duplicate_of = models.ForeignKey(
        "self", null=True, on_delete=models.SET_NULL, db_index=False, related_name="duplicates"
    )
    current_annotation = models.ForeignKey(
        "labeling.Annotation", null=True, on_delete=models.SET_NULL, db_index=False, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["project", "state", "id"], name="item_by_state"),
            models.Index(fields=["project", "draw"], name="item_by_draw"),
            models.Index(fields=["project", "path", "id"], name="item_by_path"),
            models.Index(fields=["project", "draw"], condition=models.Q(read_at=None), name="item_unread"),
            models.Index(fields=["project"], condition=models.Q(format="DICOM"), name="item_dicom"),
            models.Index(
                fields=["duplicate_of"],
                condition=models.Q(duplicate_of__isnull=False),
                name="item_duplicates",
            ),
            models.Index(
                fields=["current_annotation"],
                condition=models.Q(current_annotation__isnull=False),
                name="item_by_annotation",
            ),
            models.Index(
                fields=["source", "path"], condition=models.Q(gone_at__isnull=False), name="item_gone"
            ),
            models.Index(
                fields=["source", "path"], condition=models.Q(changed_at__isnull=False), name="item_changed"
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "path"], condition=models.Q(gone_at=None), name="item_path_once"
            ),
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
    def is_withheld(self) -> bool:
        """Tell whether its faces are to be hidden and are not yet: then nobody is shown it."""
        return self.source.hides_faces and self.masked_at is None

    @property
    def stored_path(self) -> str:
        """Return the path of the file that the item is in."""
        return self.path.removesuffix(f"#page={self.page + 1}") if self.page else self.path

    @property
    def file_name(self) -> str:
        return self.path.rsplit("/", 1)[-1]
