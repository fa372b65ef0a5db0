"""Nothing opens with a temporary password but the page on which to choose another one."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

TEMPORARY = _("Your password is a temporary one. Sign in to Loupe in a browser and choose your own first.")
OPEN = ("first-password", "sign-in", "sign-out", "language", "healthz", "favicon", "api-schema")


class FirstPasswordMiddleware:
    """Lead who is signed in with a temporary password to choosing one; programs are told so."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: object, args: object, kwargs: object
    ) -> HttpResponse | None:
        if getattr(request.user, "temporary_until", None) is None:
            return None
        match = request.resolver_match
        if match is not None and match.url_name in OPEN:
            return None
        if request.path.startswith("/api/") or "json" in request.headers.get("Content-Type", ""):
            error = {"code": "password_change_required", "message": str(TEMPORARY), "fields": {}}
            return JsonResponse({"error": error}, status=403)
        return redirect("first-password")
