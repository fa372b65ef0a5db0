"""Faces that are hidden in a project's images, and what is known of the copies that hide them."""

from django.conf import settings
from django.db import models

from labeling.models.items import Item
from labeling.models.projects import Project


class MaskedImage(models.Model):
    """The copy of an item in which faces are hidden: everybody is shown it, and nobody the original."""

    item = models.OneToOneField(Item, primary_key=True, on_delete=models.CASCADE, related_name="masked")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, db_index=False, related_name="+")
    original_sha256 = models.CharField(max_length=64, help_text="of the content that it was made from")
    is_sealed = models.BooleanField(default=False, help_text="the original is kept here, encrypted")
    found_by = models.CharField(max_length=80, help_text="the detector, with its version")
    faces = models.PositiveIntegerField(help_text="that are hidden now")
    masked_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["project", "-faces", "item"], name="masked_by_faces"),
            models.Index(fields=["project", "original_sha256"], name="masked_by_original"),
        ]


class Face(models.Model):
    """A part of an image that is hidden: found by a detector, or drawn by a person.

    One that was taken away stays as a row, so that it can be said who brought a part back.
    """

    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="faces")
    x = models.FloatField(help_text="pixels of the upright image")
    y = models.FloatField()
    width = models.FloatField()
    height = models.FloatField()
    score = models.FloatField(null=True, help_text="of the detector; empty where a person has drawn it")
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    added_at = models.DateTimeField(auto_now_add=True)
    removed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    removed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(x__gte=0, y__gte=0, width__gt=0, height__gt=0), name="face_has_an_area"
            ),
        ]

    @property
    def bbox(self) -> tuple[float, float, float, float]:
        return self.x, self.y, self.width, self.height
