"""Who you are, and how you like to work."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import permissions, shortcuts
from labeling.api.inputs import Input
from labeling.models import User
from labeling.queue import SIZES


class MeInput(Input):
    name = serializers.CharField(max_length=120, allow_blank=True)
    theme = serializers.ChoiceField(choices=User.Theme.choices)
    language = serializers.ChoiceField(
        choices=["", *(code for code, _ in settings.LANGUAGES)], help_text="empty: as the browser asks"
    )
    page_size = serializers.IntegerField(help_text="images on a page: 1, 4, 6 or 9")
    keys = serializers.JSONField(help_text="{shortcut: [combinations]}, where they are changed")
    single_keys = serializers.BooleanField(help_text="whether keys without Ctrl or Alt do something")

    def validate_page_size(self, size: int) -> int:
        if size not in SIZES:
            raise serializers.ValidationError("A page has 1, 4, 6 or 9 images.")
        return size

    def validate_keys(self, keys: Any) -> dict[str, list[str]]:
        try:
            return shortcuts.checked(keys)
        except shortcuts.NoShortcuts as error:
            raise serializers.ValidationError(str(error)) from error


class Me(APIView):
    @extend_schema(operation_id="me_read", responses={200: dict})
    def get(self, request: Request) -> Response:
        """Show whose token this is, and how they like to work."""
        return Response(shape(permissions.person(request)))

    @extend_schema(operation_id="me_change", request=MeInput, responses={200: dict})
    def patch(self, request: Request) -> Response:
        """Change your name, or how you like to work."""
        given = MeInput(data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        user = permissions.person(request)
        for name, value in given.validated_data.items():
            setattr(user, name, value)
        user.save(update_fields=list(given.validated_data))
        return Response(shape(user))


def shape(user: User) -> dict[str, Any]:
    return {
        "id": user.pk,
        "email": user.email,
        "name": user.name,
        "is_site_admin": user.is_superuser,
        "theme": user.theme,
        "language": user.language,
        "page_size": user.page_size,
        "keys": user.keys,
        "single_keys": user.single_keys,
    }
