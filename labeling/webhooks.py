"""Webhooks: managing them, and what is put into the queue for them when something is announced.

A webhook's secret is in no table: it is computed from the installation's key and the webhook's salt, so that
a copy of the database signs nothing, and a new salt is a new secret.
"""

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.crypto import salted_hmac

from labeling import outbound
from labeling.models import Announcement, Delivery, Event, Project, User, Webhook
from labeling.models.webhooks import fresh_salt
from labeling.refusals import Refused

MOST = 20  # of a project
TEST = "test"


class WebhookRefused(Refused):
    """Why a webhook cannot be so, in a sentence for people."""


def host_of(webhook: Webhook) -> str:
    """Return all of the address that is for everybody: services put secrets into the rest."""
    return urlsplit(webhook.url).hostname or ""


# Managing


def check(url: str) -> str:
    """Return a tidy address. Raises WebhookRefused where nothing can be sent there.

    Where a name leads is looked at when something is sent, for it may lead elsewhere by then.
    """
    url = url.strip()
    try:
        target = outbound.target_of(url)
    except outbound.Unsent as error:
        raise WebhookRefused(str(error)) from error
    if is_forbidden(target.host):
        raise WebhookRefused(f"{target.host} is not on the public internet.")
    return url


def is_forbidden(host: str) -> bool:
    """Tell whether a host is an IP address that may not be sent to."""
    try:
        return not settings.LOUPE_WEBHOOKS_PRIVATE and not outbound.is_public(host)
    except ValueError:  # a name
        return False


def make(project: Project, by: User, url: str, kinds: Sequence[str]) -> Webhook:
    """Add a webhook. Raises WebhookRefused."""
    url = check(url)
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        if project.webhooks.count() >= MOST:
            raise WebhookRefused(f"A project has at most {MOST} webhooks. Delete one that is not needed.")
        webhook = Webhook.objects.create(project=project, url=url, kinds=list(kinds), created_by=by)
        Event.record("webhook_made", project, by, webhook=webhook.pk, host=host_of(webhook))
    return webhook


def change(webhook: Webhook, by: User, url: str, kinds: Sequence[str], *, is_on: bool) -> None:
    """Change where it leads, what it gets, and whether. Raises WebhookRefused."""
    wanted = {"url": check(url), "kinds": list(kinds), "is_on": is_on}
    changed = [field for field, value in wanted.items() if getattr(webhook, field) != value]
    if not changed:
        return
    for field in changed:
        setattr(webhook, field, wanted[field])
    with transaction.atomic():
        webhook.save(update_fields=changed)
        data: dict[str, Any] = {"changed": changed, "is_on": is_on, "host": host_of(webhook)}
        Event.record("webhook_changed", webhook.project, by, webhook=webhook.pk, **data)


def renew(webhook: Webhook, by: User) -> None:
    """Give it another secret; what is sent from now on is signed with that one."""
    webhook.salt = fresh_salt()
    with transaction.atomic():
        webhook.save(update_fields=["salt"])
        Event.record("webhook_secret", webhook.project, by, webhook=webhook.pk, host=host_of(webhook))


def delete(webhook: Webhook, by: User) -> None:
    with transaction.atomic():
        Event.record("webhook_deleted", webhook.project, by, webhook=webhook.pk, host=host_of(webhook))
        webhook.delete()


# Signing


def secret_of(webhook: Webhook) -> str:
    digest = salted_hmac("labeling.webhooks", webhook.salt, algorithm="sha256").digest()
    return f"whsec_{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """Return what receivers compare: over the time, too, so that nobody sends an old message again."""
    signed = str(timestamp).encode() + b"." + body
    return f"sha256={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


# Queueing


def queue(announcement: Announcement, sentence: str) -> None:
    """Put an announcement into the queue of each webhook that wants its kind."""
    wanting = Webhook.objects.filter(
        project=announcement.project_id, is_on=True, kinds__contains=[announcement.kind]
    )
    Delivery.objects.bulk_create(
        delivery(each, announcement.kind, sentence, announcement.data, announcement) for each in wanting
    )


def send_test(webhook: Webhook, by: User) -> Delivery:
    """Queue a message that shows what others look like, also while the webhook is off."""
    with translation.override(settings.LANGUAGE_CODE):
        made = delivery(webhook, TEST, f"{by.label} sends a test.", {})
    made.save()
    return made


def delivery(
    webhook: Webhook,
    kind: str,
    sentence: str,
    data: dict[str, Any],
    announcement: Announcement | None = None,
) -> Delivery:
    """Return a message that is due now, with its body as it will be signed."""
    now, number = timezone.now(), uuid.uuid4()
    body = {
        "delivery": str(number),
        "kind": kind,
        "project": {"id": webhook.project_id, "name": webhook.project.name},
        "happened_at": now.isoformat(timespec="seconds"),
        "sentence": sentence,
        "url": f"{settings.LOUPE_URL}{reverse('project', args=[webhook.project_id])}",
        "data": data,
    }
    return Delivery(
        uuid=number,
        webhook=webhook,
        announcement=announcement,
        kind=kind,
        body=json.dumps(body, ensure_ascii=False),
        due_at=now,
    )


def send_again(given: Delivery) -> None:
    """Queue a message once more, under its own number, by which a receiver knows it.

    It waits until the webhook is switched on.
    """
    Delivery.objects.filter(pk=given.pk).update(
        state=Delivery.State.WAITING, attempts=0, due_at=timezone.now(), status=None, error="", answer=""
    )
