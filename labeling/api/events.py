"""The audit log, for programs."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import eventlog, permissions
from labeling.api import shapes
from labeling.models import Project

MOST = 200
PARAMETERS: list[Any] = [
    shapes.LogInput,
    OpenApiParameter("cursor", OpenApiTypes.INT),
    OpenApiParameter("limit", OpenApiTypes.INT),
]


class ProjectEvents(APIView):
    @extend_schema(operation_id="events_list", parameters=PARAMETERS, responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """List who did what in a project, newest first, by verb, person and days (UTC)."""
        return page(request, permissions.project_or_404(request.user, project_id, "log"))


class SiteEvents(APIView):
    @extend_schema(operation_id="site_events_list", parameters=PARAMETERS, responses={200: dict})
    def get(self, request: Request) -> Response:
        """List who did what in all projects, for site admins."""
        permissions.site_admin_or_404(request.user)
        return page(request, None)


def page(request: Request, project: Project | None) -> Response:
    given = shapes.LogInput(data=request.query_params)
    given.is_valid(raise_exception=True)
    limit = shapes.whole_number(request.query_params.get("limit", ""))
    entries, following = eventlog.page(
        project,
        eventlog.Filters(**given.validated_data),
        shapes.whole_number(request.query_params.get("cursor", "")),
        min(limit or eventlog.PAGE, MOST),
    )
    return Response({"results": [eventlog.shape(each) for each in entries], "next": following})
