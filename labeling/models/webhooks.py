"""Programs that are told what happens in a project, and what was sent to each."""

import secrets
import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from labeling.models.notifying import Announcement
from labeling.models.projects import Project


def fresh_salt() -> str:
    return secrets.token_urlsafe(32)


class Webhook(models.Model):
    """An address that gets announcements of some kinds as signed JSON."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="webhooks")
    url = models.CharField(max_length=2_000)
    kinds = ArrayField(models.CharField(max_length=40))
    is_on = models.BooleanField(default=True)
    salt = models.CharField(
        max_length=64, default=fresh_salt, help_text="of its secret, which is in no table: see webhooks.py"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(kinds__len__gt=0), name="webhook_has_kinds"),
        ]


class Delivery(models.Model):
    """One message to a webhook: what is sent, and what came of the last attempt."""

    class State(models.TextChoices):
        WAITING = "waiting"
        DELIVERED = "delivered"
        GIVEN_UP = "given_up"

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, help_text="the same in every attempt")
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    announcement = models.ForeignKey(
        Announcement, null=True, on_delete=models.SET_NULL, related_name="deliveries"
    )
    kind = models.CharField(max_length=40)
    body = models.TextField(help_text="byte for byte as it is signed")
    state = models.CharField(max_length=9, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True)
    seconds = models.FloatField(null=True)
    answer = models.CharField(max_length=1_000, blank=True)
    error = models.CharField(max_length=500, blank=True, help_text="why there was no answer")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["webhook", "due_at"], condition=models.Q(state="waiting"), name="delivery_due"
            ),
            models.Index(fields=["webhook", "-id"], name="delivery_history"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["webhook", "announcement"], name="delivery_once"),
            models.CheckConstraint(
                condition=~models.Q(state="delivered")
                | models.Q(status__isnull=False, status__gte=200, status__lt=300),
                name="delivery_delivered_has_status",
            ),
        ]
