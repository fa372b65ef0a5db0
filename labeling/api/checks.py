"""Checking proposed objects by their crops over HTTP."""

from typing import Any

from django.http import Http404
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import checks, images, permissions
from labeling.api.inputs import Input
from labeling.api.shapes import NumberField
from labeling.models import CheckPage, ObjectCheck


class ClaimInput(Input):
    holding = serializers.ListField(
        child=serializers.IntegerField(), default=list, max_length=50, help_text="pages on your screen"
    )


class CheckInput(serializers.Serializer[Any]):
    exceptions = serializers.ListField(
        child=serializers.IntegerField(),
        default=list,
        max_length=checks.MOST_ON_A_PAGE,
        help_text="ids of the crops that are not of the class; the others are confirmed",
    )
    seconds = NumberField(required=False, allow_null=True, min_value=0, max_value=86_400)


class Checks(APIView):
    @extend_schema(operation_id="checks_count", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """Count the proposed objects that you could check now."""
        project = permissions.project_or_404(request.user, project_id, "label")
        return Response({"waiting": checks.waiting(project, permissions.person(request))})

    @extend_schema(operation_id="checks_create", request=ClaimInput, responses={201: dict, 204: None})
    def post(self, request: Request, project_id: int) -> Response:
        """Get up to nine proposed objects of one class that look alike; 204 when there are none."""
        project = permissions.project_or_404(request.user, project_id, "label")
        given = ClaimInput(data=request.data)
        given.is_valid(raise_exception=True)
        page = checks.claim(project, permissions.person(request), given.validated_data["holding"])
        return Response(page_shape(page), status=201) if page else Response(status=204)


class CheckAnswer(APIView):
    @extend_schema(operation_id="checks_answer", request=CheckInput, responses={200: dict})
    def post(self, request: Request, project_id: int, page_id: int) -> Response:
        """Confirm the objects of a page, but for the exceptions. Repeating it changes nothing."""
        project = permissions.project_or_404(request.user, project_id, "label")
        page = CheckPage.objects.filter(pk=page_id, project=project, labeler=request.user.pk).first()
        if page is None:
            raise Http404
        given = CheckInput(data=request.data)
        given.is_valid(raise_exception=True)
        page = checks.answer(page, given.validated_data["exceptions"], given.validated_data.get("seconds"))
        rejected = len(page.exceptions or [])
        return Response(
            {
                "confirmed": len(page.checks) - rejected,
                "rejected": rejected,
                "waiting": checks.waiting(project, page.labeler),
            }
        )


def page_shape(page: CheckPage) -> dict[str, Any]:
    return {
        "page": page.pk,
        "class": page.label_class_id,
        "lease_expires_at": page.expires_at,
        "crops": [crop_shape(each) for each in checks.shown(page)],
    }


def crop_shape(check: ObjectCheck) -> dict[str, Any]:
    """Return a crop; `within` is where the object lies in it, as shares of its width and height."""
    left, top, right, bottom = images.window(check.bbox, check.item.width or 1, check.item.height or 1)
    x, y, width, height = check.bbox
    wide, high = right - left, bottom - top
    return {
        "id": check.pk,
        "item": check.item_id,
        "bbox": check.bbox,
        "within": [(x - left) / wide, (y - top) / high, width / wide, height / high],
        "image": reverse("crop", args=[check.pk]) + images.version(check.item),
        "confidence": check.confidence,
    }
