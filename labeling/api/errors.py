"""Every error has one shape: {"error": {"code", "message", "fields"}}, with a sentence to act on."""

from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.response import Response

from labeling import idempotency
from labeling.api.limits import Replayed
from labeling.completing import NotWhole
from labeling.data_sets import InUse
from labeling.limits import LimitReached, NotWorking
from labeling.permissions import ProjectDeleted
from labeling.projects import ProjectRefused
from labeling.queue import NotRunning
from labeling.refreshing import NotNow
from labeling.refusals import Refused
from labeling.uploading import DiskFull, NotOpen

SAID: tuple[tuple[type[Exception], int, str], ...] = (
    (NotRunning, 409, "paused"),
    (NotNow, 409, "busy"),
    (InUse, 409, "in_use"),
    (NotOpen, 409, "closed"),
    (NotWhole, 409, "incomplete"),
    (DiskFull, 507, "disk_full"),
    (LimitReached, 409, "limit_reached"),
    (NotWorking, 404, "not_found"),
    (idempotency.Busy, 409, "in_progress"),
    (idempotency.OtherRequest, 422, "key_used"),
    (Refused, 400, "invalid"),
)


def handle(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """Turn an exception into a response; None lets it become a 500."""
    if isinstance(error, Replayed):
        return idempotency.again(error.kept)
    if isinstance(error, ProjectDeleted):
        return answer(404, "deleted", str(error))
    if isinstance(error, Http404):
        return answer(404, "not_found", _("There is nothing here that you can see."))
    if isinstance(error, PermissionDenied):
        return answer(403, "forbidden", str(error) or _("You may not do this."))
    if isinstance(error, ProjectRefused):
        return answer(400, "invalid", str(error), {error.field: [str(error)]} if error.field else {})
    for kind, status, code in SAID:
        if isinstance(error, kind):
            return answer(status, code, str(error))
    if isinstance(error, RequestDataTooBig):
        text = _("This is more than %(most)s MB at once. Send it in smaller parts.")
        return answer(413, "too_large", text % {"most": settings.DATA_UPLOAD_MAX_MEMORY_SIZE >> 20})
    return answer_of(error) if isinstance(error, exceptions.APIException) else None


def answer_of(error: exceptions.APIException) -> Response:
    """Return what the framework's own exceptions answer."""
    if isinstance(error, exceptions.ValidationError):
        fields = error.detail if isinstance(error.detail, dict) else {"": error.detail}
        return answer(400, "invalid", first_sentence(fields), fields)
    response = answer(error.status_code, str(error.get_codes()), str(error.detail))
    for name in ("WWW-Authenticate", "Retry-After"):
        value = getattr(error, {"WWW-Authenticate": "auth_header", "Retry-After": "wait"}[name], None)
        if value:
            response[name] = str(value)
    return response


def answer(status_code: int, code: str, message: str, fields: Any = None) -> Response:
    error = {"code": code, "message": message, "fields": fields or {}}
    return Response({"error": sendable(error)}, status=status_code)


def sendable(value: Any) -> Any:
    """Replace the lone surrogates of texts, which no UTF-8 can say: errors quote what was sent."""
    if isinstance(value, dict):
        return {sendable(key): sendable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [sendable(each) for each in value]
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


def first_sentence(fields: Any, name: str = "") -> str:
    """Return the first message of nested validation errors, led by the field's name."""
    if isinstance(fields, dict):
        key, value = next(iter(fields.items()))
        return first_sentence(value, key if key not in ("", "non_field_errors") else name)
    if isinstance(fields, list):
        for each in fields:
            if each:
                return first_sentence(each, name)
    return f"{name}: {fields}" if name else str(fields)
