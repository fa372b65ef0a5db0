"""What you are told: the list, reading it, and how you want to be told of what."""

from typing import Any

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import announcing, notifications, permissions
from labeling.api.inputs import Input
from labeling.models import Notification, User


class Notifications(APIView):
    @extend_schema(
        operation_id="notifications_list",
        parameters=[
            OpenApiParameter("before", OpenApiTypes.DATETIME, description="`next` of the page before")
        ],
        responses={200: dict},
    )
    def get(self, request: Request) -> Response:
        """List what you were told, newest first."""
        user = permissions.person(request)
        before = notifications.moment(request.query_params.get("before", ""))
        found, older = notifications.page(user, before)
        return Response(
            {
                "results": [shape(each) for each in found if announcing.sentence(each)],
                "next": older,
                "unread": notifications.unread(user),
            }
        )


class NotificationsRead(APIView):
    @extend_schema(operation_id="notifications_read_all", request=None, responses={200: dict})
    def post(self, request: Request) -> Response:
        """Mark all that you were told as read."""
        user = permissions.person(request)
        notifications.mark_read(user)
        return Response({"unread": notifications.unread(user)})


class NotificationRead(APIView):
    @extend_schema(operation_id="notifications_read", request=None, responses={200: dict})
    def post(self, request: Request, notification_id: int) -> Response:
        """Mark one thing that you were told as read."""
        user = permissions.person(request)
        if not notifications.visible(user).filter(pk=notification_id).exists():
            raise Http404
        notifications.mark_read(user, notification_id)
        return Response({"unread": notifications.unread(user)})


class ChoicesInput(Input):
    choices = serializers.DictField(
        child=serializers.ChoiceField(choices=Notification.Choice.choices),
        help_text="by kind; kinds that are left out stay as they are",
    )


class NotificationChoices(APIView):
    @extend_schema(operation_id="notification_choices_read", responses={200: dict})
    def get(self, request: Request) -> Response:
        """Read how you are told of each kind that can concern you."""
        return Response({"results": choices_shape(permissions.person(request))})

    @extend_schema(operation_id="notification_choices_change", request=ChoicesInput, responses={200: dict})
    def patch(self, request: Request) -> Response:
        """Say how you want to be told of some kinds from now on."""
        user = permissions.person(request)
        given = ChoicesInput(data=request.data)
        given.is_valid(raise_exception=True)
        chosen = given.validated_data["choices"]
        unknown = [each for each in chosen if each not in announcing.kinds_for(user)]
        if unknown:
            message = f"There is no kind “{unknown[0]}” that can concern you."
            raise serializers.ValidationError({"choices": message})
        notifications.choose(user, chosen)
        return Response({"results": choices_shape(user)})


def shape(notification: Notification) -> dict[str, Any]:
    return {
        "id": notification.pk,
        "kind": notification.kind,
        "project": notification.project_id,  # none where it is about a team
        "sentence": announcing.sentence(notification),
        "count": notification.count,
        "url": announcing.address(notification),
        "happened_at": notification.happened_at,
        "read_at": notification.read_at,
    }


def choices_shape(user: User) -> list[dict[str, Any]]:
    chosen = notifications.choices_of(user)
    return [
        {"kind": name, "title": str(kind.title), "choice": chosen.get(name, kind.usual)}
        for name, kind in announcing.kinds_for(user).items()
    ]
