"""The audit log: who did what, when."""

from typing import Any

from django.conf import settings
from django.db import models

from labeling.models.projects import Project


class Event(models.Model):
    project = models.ForeignKey(Project, null=True, on_delete=models.CASCADE, related_name="events")
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    verb = models.CharField(max_length=40)
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["project", "-id"], name="event_log")]

    @classmethod
    def record(cls, verb: str, project: Project | None, actor: Any = None, **data: Any) -> "Event":
        return cls.objects.create(verb=verb, project=project, actor=actor, data=data)
