"""Pictures that instructions show."""

from django.conf import settings
from django.db import models

from labeling.models.projects import Project


class InstructionPicture(models.Model):
    """A picture of a project's instructions, named by its content; it stays, since old versions show it."""

    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, db_index=False, related_name="instruction_pictures"
    )
    sha256 = models.CharField(max_length=64, help_text="of the file that is kept")
    name = models.CharField(max_length=120, help_text="of the file that was sent, without its ending")
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    size_bytes = models.PositiveIntegerField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "sha256"], name="instruction_picture_once")]
