"""Requests that do their work once, however often they are sent: by a key that the sender makes up.

The first one with a key does the work, and its reply is kept for a day; the same again gets that reply. What
failed leaves nothing, so it can be tried again under its key.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from labeling import jobs
from labeling.models import KeptReply, User

HEADER = "Idempotency-Key"
LONGEST = 200
SECRETS = frozenset({"secret", "password"})  # which no table has: a reply that comes again leaves them out
KEPT_FOR = timedelta(days=1)
LEFT_BEHIND = timedelta(minutes=10)  # after which nobody works on it any more


BUSY = "The same request is being worked on. Send it again in a moment."
USED = "This Idempotency-Key was used for another request. Make up a new one for each."


class Busy(Exception):
    """The same request is being worked on; a sentence for people."""


class OtherRequest(Exception):
    """The key was used for something else; a sentence for people."""


def begin(user: User, key: str, fingerprint: str) -> KeptReply:
    """Return the row of a key: a new one, without a status, or the reply that is kept.

    Raises Busy while another request works on it, and OtherRequest where that asked something else.
    """
    now = timezone.now()
    is_over = Q(begun_at__lt=now - KEPT_FOR) | Q(status=None, begun_at__lt=now - LEFT_BEHIND)
    KeptReply.objects.filter(is_over, user=user, key=key).delete()
    try:
        with transaction.atomic():
            return KeptReply.objects.create(user=user, key=key, fingerprint=fingerprint)
    except IntegrityError:
        kept = KeptReply.objects.filter(user=user, key=key).first()
    if kept is None or (kept.status is None and kept.fingerprint == fingerprint):
        raise Busy(BUSY)
    if kept.fingerprint != fingerprint:
        raise OtherRequest(USED)
    return kept


def fingerprint_of(request: HttpRequest) -> str:
    """Return what a request asks for. Of an upload, whose bytes are not read twice, its size has to do."""
    is_upload = request.content_type == "multipart/form-data"
    asked = request.headers.get("Content-Length", "").encode() if is_upload else request.body
    head = f"{request.method} {request.get_full_path()}\n".encode()
    return hashlib.sha256(head + asked).hexdigest()


def end(pk: int, response: HttpResponseBase) -> None:
    """Keep the reply to a request that did its work; forget one that did not."""
    row = KeptReply.objects.filter(pk=pk)
    if 200 <= response.status_code < 300 and isinstance(response, HttpResponse):
        body = json.loads(response.content or b"null")
        if isinstance(body, dict):
            body |= dict.fromkeys(SECRETS & body.keys())
        row.update(status=response.status_code, body=body)
    else:
        row.delete()


class KeepReplies:
    """The middleware that keeps the reply when a request with a key has ended."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if begun := getattr(request, "kept_reply", None):
            end(begun, response)
        return response


def again(kept: KeptReply) -> HttpResponse:
    """Return a kept reply, marked as one."""
    headers = {"Idempotent-Replayed": "true"}
    if kept.body is None:
        return HttpResponse(status=kept.status, headers=headers)
    return JsonResponse(kept.body, status=kept.status, headers=headers, safe=False)


@jobs.periodic(3600)
def forget_old() -> None:
    KeptReply.objects.filter(begun_at__lt=timezone.now() - KEPT_FOR).delete()
