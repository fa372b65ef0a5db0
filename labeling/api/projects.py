"""Projects: list, create, look at, change, start, pause."""

from typing import Any

from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import deleting, permissions, projects, statistics
from labeling.api import project_shapes as told
from labeling.models import Project


class Unknown(APIView):
    """Answer addresses that do not exist in the API's own shape."""

    @extend_schema(exclude=True)
    def get(self, request: Request, rest: str) -> Response:
        raise Http404

    post = put = patch = delete = get


class ProjectList(APIView):
    @extend_schema(operation_id="projects_list", responses={200: dict})
    def get(self, request: Request) -> Response:
        """List the projects that you are a member of."""
        found = permissions.visible_projects(request.user).prefetch_related("classes").order_by("name")
        return Response(
            {"results": [told.project_shape(each, permissions.role_of(request.user, each)) for each in found]}
        )

    @extend_schema(operation_id="projects_create", request=told.ProjectInput, responses={201: dict})
    def post(self, request: Request) -> Response:
        """Make a project; you become its manager."""
        permissions.creator_or_404(request.user)
        given = told.ProjectInput(data=request.data)
        given.is_valid(raise_exception=True)
        project = projects.create_project(permissions.person(request), **given.validated_data)
        return Response(told.project_shape(project, "manager"), status=201)


class ProjectDetail(APIView):
    @extend_schema(operation_id="projects_read", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """Read a project with its counts, queue, next run, model, certificate and forecast."""
        project = permissions.project_or_404(request.user, project_id, "see")
        facts = statistics.for_visitor(statistics.overview(project), request.user, role(project))
        return Response({**told.project_shape(project, role(project)), **facts})

    @extend_schema(operation_id="projects_change", request=told.SettingsInput, responses={200: dict})
    def patch(self, request: Request, project_id: int) -> Response:
        """Change name, mode of assistance, promise, target or confidence; the task type never changes."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        given = told.SettingsInput(data=request.data)
        given.is_valid(raise_exception=True)
        assert isinstance(request.data, dict)  # or it would not be valid
        if request.data.get("task_type", project.task_type) != project.task_type:
            raise projects.ProjectRefused(projects.SAME_TASK, "task_type")
        if given.validated_data:
            projects.change_settings(project, permissions.person(request), **given.validated_data)
        return Response(told.project_shape(project, role(project)))

    @extend_schema(
        operation_id="projects_delete",
        parameters=[OpenApiParameter("name", str, required=True, description="of the project, as it stands")],
        responses={204: None},
    )
    def delete(self, request: Request, project_id: int) -> Response:
        """Delete a project for good with its images, labels and models; its files follow in the background.

        Its name is never free again, and the audit log stays.
        """
        project = permissions.project_or_404(request.user, project_id, "manage")
        deleting.delete(project, permissions.person(request), request.query_params.get("name", ""))
        return Response(status=204)


class ProjectState(APIView):
    """Start or pause labeling."""

    state: str = ""

    @extend_schema(request=None, responses={200: dict})
    def post(self, request: Request, project_id: int) -> Response:
        project = permissions.project_or_404(request.user, project_id, "manage")
        projects.set_state(project, self.state, permissions.person(request))
        return Response({"state": project.state})


def role(project: Project) -> Any:
    return getattr(project, "role", None)
