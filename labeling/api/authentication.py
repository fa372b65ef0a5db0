"""Who is calling: a token in a header, or the browser's session."""

from datetime import timedelta

from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from labeling.first_password import TEMPORARY
from labeling.models import ApiToken, User


class TokenAuthentication(authentication.BaseAuthentication):
    """`Authorization: Token …`, or `Bearer …`, as many tools write it."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() not in ("token", "bearer"):
            return None
        token = (
            ApiToken.objects.select_related("user").filter(digest=ApiToken.digest_of(secret.strip())).first()
        )
        if token is None or not token.user.is_active:
            raise exceptions.AuthenticationFailed(
                "This token is not valid. Make a new one on your profile page."
            )
        if token.is_expired:
            day = f"{token.expires_at:%-d %B %Y}"
            raise exceptions.AuthenticationFailed(
                f"This token has expired on {day}. Make a new one on your profile page."
            )
        if token.user.temporary_until is not None:
            raise exceptions.PermissionDenied(TEMPORARY, code="password_change_required")
        now = timezone.now()
        if token.last_used_at is None or now - token.last_used_at > timedelta(minutes=1):
            ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
        token.user.token = token  # type: ignore[attr-defined]  # what permissions go by
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return "Token"


class SessionAuthentication(authentication.SessionAuthentication):
    """The signed-in browser; unlike the base class, missing sign-in is 401, so pages can tell it apart."""

    def authenticate_header(self, request: Request) -> str:
        return "Session"


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "a token of the profile page"}


class SessionScheme(OpenApiAuthenticationExtension):
    target_class = SessionAuthentication
    name = "session"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}
