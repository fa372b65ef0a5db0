"""What was answered to requests that may come again."""

from typing import ClassVar

from django.conf import settings
from django.db import models


class KeptReply(models.Model):
    """The reply to a request that came with an idempotency key; without a status it is being made."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of what was asked")
    status = models.PositiveSmallIntegerField(null=True)
    body = models.JSONField(null=True)
    begun_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["begun_at"], name="kept_reply_age")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "key"], name="kept_reply_once"),
        ]
