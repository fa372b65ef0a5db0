"""A project's webhooks, and what was sent to them."""

from typing import Any

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import announcing, permissions, webhooks
from labeling.api.inputs import Input
from labeling.api.shapes import whole_number
from labeling.models import Delivery, Webhook

PAGE = 50


class WebhookInput(Input):
    url = serializers.CharField(max_length=2_000)
    kinds = serializers.ListField(
        child=serializers.CharField(max_length=40),
        required=False,
        allow_empty=False,
        help_text="of announcements; all without",
    )
    is_on = serializers.BooleanField(default=True)

    def validate_kinds(self, value: list[str]) -> list[str]:
        unknown = sorted(set(value) - announcing.kinds().keys())
        if unknown:
            raise serializers.ValidationError(f"There is no announcement {unknown[0]!r}.")
        return list(dict.fromkeys(value))


class Webhooks(APIView):
    @extend_schema(operation_id="webhooks_list", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """List a project's webhooks, and the kinds of announcements that there are."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        found = [shape(each) for each in project.webhooks.order_by("id")]
        return Response({"results": found, "kinds": list(announcing.kinds())})

    @extend_schema(operation_id="webhooks_create", request=WebhookInput, responses={201: dict})
    def post(self, request: Request, project_id: int) -> Response:
        """Add a webhook; `secret`, which signs what is sent, is shown this once."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        given = WebhookInput(data=request.data)
        given.is_valid(raise_exception=True)
        kinds = given.validated_data.get("kinds") or list(announcing.kinds())
        by = permissions.person(request)
        made = webhooks.make(project, by, given.validated_data["url"], kinds)
        if not given.validated_data["is_on"]:
            webhooks.change(made, by, made.url, made.kinds, is_on=False)
        return Response({**shape(made), "secret": webhooks.secret_of(made)}, status=201)


class WebhookDetail(APIView):
    @extend_schema(operation_id="webhooks_change", request=WebhookInput, responses={200: dict})
    def patch(self, request: Request, project_id: int, webhook_id: int) -> Response:
        """Change where a webhook leads, what it gets, and whether."""
        webhook = webhook_or_404(request, project_id, webhook_id)
        given = WebhookInput(data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        now = {"url": webhook.url, "kinds": webhook.kinds, "is_on": webhook.is_on}
        webhooks.change(webhook, permissions.person(request), **(now | given.validated_data))
        return Response(shape(webhook))

    @extend_schema(operation_id="webhooks_delete", responses={204: None})
    def delete(self, request: Request, project_id: int, webhook_id: int) -> Response:
        """Delete a webhook."""
        webhooks.delete(webhook_or_404(request, project_id, webhook_id), permissions.person(request))
        return Response(status=204)


class WebhookSecret(APIView):
    @extend_schema(operation_id="webhooks_renew", request=None, responses={200: dict})
    def post(self, request: Request, project_id: int, webhook_id: int) -> Response:
        """Give a webhook another secret, which is shown this once."""
        webhook = webhook_or_404(request, project_id, webhook_id)
        webhooks.renew(webhook, permissions.person(request))
        return Response({**shape(webhook), "secret": webhooks.secret_of(webhook)})


class WebhookTest(APIView):
    @extend_schema(operation_id="webhooks_test", request=None, responses={202: dict})
    def post(self, request: Request, project_id: int, webhook_id: int) -> Response:
        """Send a test; what comes of it is among the deliveries."""
        webhook = webhook_or_404(request, project_id, webhook_id)
        return Response(delivered(webhooks.send_test(webhook, permissions.person(request))), status=202)


class Deliveries(APIView):
    @extend_schema(
        operation_id="deliveries_list",
        parameters=[OpenApiParameter("cursor", OpenApiTypes.INT, description="`next` of the page before")],
        responses={200: dict},
    )
    def get(self, request: Request, project_id: int, webhook_id: int) -> Response:
        """List what was sent to a webhook, newest first."""
        rows = webhook_or_404(request, project_id, webhook_id).deliveries.order_by("-id")
        cursor = whole_number(request.query_params.get("cursor", ""))
        found = list((rows.filter(pk__lt=cursor) if cursor else rows)[: PAGE + 1])
        older = found[PAGE - 1].pk if len(found) > PAGE else None
        return Response({"results": [delivered(each) for each in found[:PAGE]], "next": older})


class DeliveryAgain(APIView):
    @extend_schema(operation_id="deliveries_again", request=None, responses={202: dict})
    def post(self, request: Request, project_id: int, webhook_id: int, delivery_id: int) -> Response:
        """Send a delivery again, under the same number."""
        found = webhook_or_404(request, project_id, webhook_id).deliveries.filter(pk=delivery_id).first()
        if found is None:
            raise Http404
        webhooks.send_again(found)
        found.refresh_from_db()
        return Response(delivered(found), status=202)


def webhook_or_404(request: Request, project_id: int, webhook_id: int) -> Webhook:
    project = permissions.project_or_404(request.user, project_id, "manage")
    webhook = project.webhooks.select_related("project").filter(pk=webhook_id).first()
    if webhook is None:
        raise Http404
    return webhook


def shape(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.pk,
        "url": webhook.url,
        "kinds": webhook.kinds,
        "is_on": webhook.is_on,
        "created_at": webhook.created_at,
    }


def delivered(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.pk,
        "kind": delivery.kind,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "status": delivery.status,
        "error": delivery.error,
        "created_at": delivery.created_at,
    }
