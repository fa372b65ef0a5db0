"""The smart outline over HTTP."""

import time
from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import outlining, permissions
from labeling.api.inputs import Input
from labeling.api.shapes import NumberField, PolygonField
from labeling.hints import Hints


class Busy(APIException):
    status_code = 429
    default_code = "busy"


class ClickInput(Input):
    x = NumberField()
    y = NumberField()
    inside = serializers.BooleanField(help_text="whether the object is there, or just not")


class OutlineInput(Input):
    points = serializers.ListField(child=ClickInput(), default=list, max_length=100)
    box = serializers.ListField(
        child=NumberField(), min_length=4, max_length=4, required=False, allow_null=True
    )
    polygon = PolygonField(required=False, allow_null=True, help_text="the outline so far, to be refined")


class Outline(APIView):
    @extend_schema(operation_id="items_outline", request=OutlineInput, responses={200: dict})
    def post(self, request: Request, project_id: int, item_id: int) -> Response:
        """Find the outline of the object that clicks or a box point at; 429 while too many others ask."""
        permissions.project_or_404(request.user, project_id, "label")
        item = permissions.item_or_404(request.user, item_id)
        if item.project_id != project_id or item.read_at is None:
            raise Http404
        given = OutlineInput(data=request.data)
        given.is_valid(raise_exception=True)
        began = time.perf_counter()
        try:
            polygon = outlining.outline(item, hints_from(given.validated_data))
        except outlining.TooBusy as error:
            raise Busy(str(error)) from error
        return Response({"polygon": polygon, "seconds": round(time.perf_counter() - began, 3)})


def hints_from(given: dict[str, Any]) -> Hints:
    box, polygon = given.get("box"), given.get("polygon")
    return Hints(
        inside=tuple((each["x"], each["y"]) for each in given["points"] if each["inside"]),
        outside=tuple((each["x"], each["y"]) for each in given["points"] if not each["inside"]),
        box=tuple(box) if box else None,
        polygon=tuple(tuple(part) for part in polygon or ()),
    )
