"""Background work. A Job row is the truth; a queue message only says that there is work."""

from django.conf import settings
from django.db import models

from labeling.models.projects import Project


class Job(models.Model):
    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    UNFINISHED = State.QUEUED, State.RUNNING

    project = models.ForeignKey(Project, null=True, on_delete=models.CASCADE, related_name="jobs")
    kind = models.CharField(max_length=40)
    cluster = models.CharField(max_length=10)
    priority = models.SmallIntegerField(default=0, help_text="lower comes first")
    key = models.CharField(
        max_length=120, null=True, unique=True, help_text="makes a repeated request one job"
    )
    payload = models.JSONField(default=dict)
    state = models.CharField(max_length=9, choices=State.choices, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    cancel_requested = models.BooleanField(default=False)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    message = models.CharField(max_length=300, blank=True)
    error = models.TextField(blank=True)
    result = models.JSONField(default=dict)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    nudged_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["cluster", "priority", "id"], condition=models.Q(state="queued"), name="job_next"
            ),
            models.Index(fields=["lease_until"], condition=models.Q(state="running"), name="job_lease"),
            models.Index(fields=["project", "kind", "state"], name="job_by_project"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(state="running") | models.Q(lease_until__isnull=False),
                name="job_running_has_lease",
            ),
        ]


class WorkerHeartbeat(models.Model):
    """When a worker cluster last proved that messages reach its workers."""

    cluster = models.CharField(max_length=10, primary_key=True)
    beat_at = models.DateTimeField()
