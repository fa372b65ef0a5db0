"""Sending to webhooks: by a worker, in order for each webhook, tried again until it is taken.

A row is the truth. It is claimed by counting the attempt and moving the time when it is due, so that a worker
that dies in the middle leaves it to be tried again.
"""

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Min, Q, QuerySet
from django.utils import timezone

from labeling import backoff, jobs, outbound, webhooks
from labeling.models import Delivery, Job

SENDERS = 8  # webhooks that are sent to at the same time: slow ones hold up few others
CLAIMED_FOR = timedelta(minutes=5)  # much longer than an attempt can take
KEPT = timedelta(days=30)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    seconds: float
    answer: outbound.Answer | None = None
    error: str = ""


# What the watchdog does


@jobs.periodic(2)
def look() -> None:
    """Have a worker send what is due; one at a time, so that a slow receiver holds up only one."""
    unfinished = Job.objects.filter(kind="webhooks", state__in=Job.UNFINISHED)
    if due().exists() and not unfinished.exists():
        jobs.enqueue("webhooks")


@jobs.periodic(3600)
def forget() -> None:
    """Delete messages of long ago, and the jobs that sent them."""
    now = timezone.now()
    over = Delivery.objects.exclude(state=Delivery.State.WAITING)
    over.filter(created_at__lt=now - KEPT).delete()
    sent = Job.objects.filter(kind="webhooks", state=Job.State.DONE)
    sent.filter(finished_at__lt=now - timedelta(days=1)).delete()


def due() -> QuerySet[Delivery]:
    """Return what is to be sent now. Webhooks that are off keep theirs waiting, but for tests."""
    waiting = Delivery.objects.filter(state=Delivery.State.WAITING, due_at__lte=timezone.now())
    wanted = Q(webhook__is_on=True) | Q(kind=webhooks.TEST)
    return waiting.filter(wanted, webhook__project__deleted_at=None)


# What a worker does


@jobs.handler("webhooks", cluster="quick", priority=1)
def send(job: jobs.RunningJob) -> dict[str, Any]:
    """Send every message that is due."""
    done = 0
    with ThreadPoolExecutor(SENDERS) as pool:
        while claimed := claim():
            # Threads only send: what they find is written here, over the worker's one connection.
            for delivery, outcome in zip(claimed, pool.map(attempt, map(prepare, claimed)), strict=True):
                record(delivery, outcome)
            done += len(claimed)
            job.progress(done)
    return {"sent": done}


def claim() -> list[Delivery]:
    """Take the first message of each of some webhooks."""
    first = due().values("webhook").annotate(since=Min("due_at")).order_by("since")[:SENDERS]
    claimed = []
    for row in first:
        with transaction.atomic():
            mine = due().filter(webhook=row["webhook"]).order_by("due_at", "id")
            delivery = mine.select_for_update(skip_locked=True, of=("self",)).first()
            if delivery is not None:
                Delivery.objects.filter(pk=delivery.pk).update(
                    attempts=F("attempts") + 1, due_at=timezone.now() + CLAIMED_FOR
                )
                claimed.append(delivery.pk)
    return list(Delivery.objects.filter(pk__in=claimed).select_related("webhook").order_by("id"))


def prepare(delivery: Delivery) -> Callable[[], outbound.Answer]:
    """Return the attempt, with all that it needs of the database."""
    body, timestamp = delivery.body.encode(), int(time.time())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Loupe",
        "X-Loupe-Delivery": str(delivery.uuid),
        "X-Loupe-Kind": delivery.kind,
        "X-Loupe-Timestamp": str(timestamp),
        "X-Loupe-Signature": webhooks.signature(webhooks.secret_of(delivery.webhook), timestamp, body),
    }
    url, allow_private = delivery.webhook.url, settings.LOUPE_WEBHOOKS_PRIVATE
    return lambda: outbound.post(url, body, headers, allow_private=allow_private)


def attempt(post: Callable[[], outbound.Answer]) -> Outcome:
    started = time.monotonic()
    try:
        answer = post()
    except outbound.Unsent as error:
        return Outcome(time.monotonic() - started, error=str(error))
    return Outcome(time.monotonic() - started, answer)


def record(delivery: Delivery, outcome: Outcome) -> None:
    """Write down what came of an attempt, and when the next one is due."""
    answer = outcome.answer
    is_taken = answer is not None and 200 <= answer.status < 300
    pause = None if is_taken else backoff.pause_after(delivery.attempts)
    fields: dict[str, Any] = {
        "status": answer.status if answer else None,
        "answer": answer.text if answer else "",
        "error": outcome.error[:500],
        "seconds": outcome.seconds,
    }
    if is_taken:
        fields["state"] = Delivery.State.DELIVERED
    elif pause is None:
        fields["state"] = Delivery.State.GIVEN_UP
    else:
        fields["due_at"] = timezone.now() + pause
    # Unless somebody asked to send it again meanwhile.
    Delivery.objects.filter(pk=delivery.pk, attempts=delivery.attempts).update(**fields)
    if not is_taken:
        log.warning("delivery %s was not taken: %s", delivery.uuid, outcome.error or fields["status"])
