"""What holds requests up: the scope of a token, how often it is used, and what was done already."""

import time
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import Http404
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from labeling import idempotency
from labeling.models import ApiToken, KeptReply
from labeling.permissions import person

# What is of no one project, and shows no more than the role in one allows.
EVERYWHERE = frozenset(
    {"api-me", "api-projects", "api-job", "image", "thumbnail", "crop", "api-schema", "api-docs"}
)
READS = "This token may only read. Make another one on your profile page."
PART = "This token is for work inside projects. Make another one on your profile page."


class TokenScope(BasePermission):
    """Keep tokens to their scope and to their project; of others they know nothing."""

    message = READS

    def has_permission(self, request: Request, view: Any) -> bool:
        token = request.auth
        if not isinstance(token, ApiToken):
            return True
        project = view.kwargs.get("project_id")
        route = request.resolver_match.url_name if request.resolver_match else None
        if token.project_id and project != token.project_id and route not in EVERYWHERE:
            raise Http404
        if request.method in SAFE_METHODS:
            return True
        self.message = READS if token.scope == ApiToken.Scope.READ else PART
        is_whole = token.scope == ApiToken.Scope.ALL and not token.project_id
        return token.scope != ApiToken.Scope.READ and (project is not None or is_whole)


class OnlyOnce(BasePermission):
    """Let a POST with an `Idempotency-Key` do its work once; see idempotency.py."""

    def has_permission(self, request: Request, view: Any) -> bool:
        key = request.headers.get(idempotency.HEADER, "").strip()
        if request.method != "POST" or not key:
            return True
        if len(key) > idempotency.LONGEST or not key.isprintable():
            raise ValidationError(
                {idempotency.HEADER: [f"At most {idempotency.LONGEST} printable characters."]}
            )
        asked = request._request  # noqa: SLF001  # what the middleware has
        kept = idempotency.begin(person(request), key, idempotency.fingerprint_of(asked))
        if kept.status is not None:
            raise Replayed(kept)
        asked.kept_reply = kept.pk  # type: ignore[attr-defined]
        return True


class Replayed(Exception):
    """The work is done already; this is the reply to it."""

    def __init__(self, kept: KeptReply) -> None:
        self.kept = kept


class TokenRate(BaseThrottle):
    """Hold up scripts that ask too often in a minute; nobody in a browser is held up.

    Each web process counts for itself, so with several of them a script may ask some more.
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        if not isinstance(request.auth, ApiToken) or not settings.LOUPE_API_RATE:
            return True
        key = f"token-rate:{request.auth.pk}:{time.time() // 60:.0f}"
        cache.add(key, 0, 60)
        return cache.incr(key) <= settings.LOUPE_API_RATE

    def wait(self) -> float:
        return 60 - time.time() % 60
