"""The tables of the dashboard, as rows."""

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import figures, permissions


class Figures(APIView):
    @extend_schema(operation_id="figures_list", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """List the names of the dashboard's tables."""
        permissions.project_or_404(request.user, project_id, "review")
        return Response({"results": figures.names()})


class FigureTable(APIView):
    @extend_schema(operation_id="figures_read", responses={200: dict})
    def get(self, request: Request, project_id: int, name: str) -> Response:
        """Return a table of the dashboard: a row for each of its lines, by the names of its columns."""
        project = permissions.project_or_404(request.user, project_id, "review")
        rows = figures.as_mappings(project, name, permissions.person(request))
        if rows is None:
            raise Http404
        return Response({"results": rows})
