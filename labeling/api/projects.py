"""Projects: list, create, look at, change, start, pause."""

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import permissions, projects, statistics, workforce
from labeling.api import shapes
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
            {
                "results": [
                    shapes.project_shape(each, permissions.role_of(request.user, each)) for each in found
                ]
            }
        )

    @extend_schema(operation_id="projects_create", request=shapes.ProjectInput, responses={201: dict})
    def post(self, request: Request) -> Response:
        """Make a project; you become its manager."""
        given = shapes.ProjectInput(data=request.data)
        given.is_valid(raise_exception=True)
        project = projects.create_project(permissions.person(request), **given.validated_data)
        return Response(shapes.project_shape(project, "manager"), status=201)


class ProjectDetail(APIView):
    @extend_schema(operation_id="projects_read", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """Read a project with its counts, queue, next run, model, certificate and forecast."""
        project = permissions.project_or_404(request.user, project_id, "see")
        facts = statistics.for_role(statistics.overview(project), role(project))
        return Response({**shapes.project_shape(project, role(project)), **facts})

    @extend_schema(operation_id="projects_change", request=shapes.SettingsInput, responses={200: dict})
    def patch(self, request: Request, project_id: int) -> Response:
        """Change name, mode of assistance, promise, target or confidence; the task type never changes."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        given = shapes.SettingsInput(data=request.data)
        given.is_valid(raise_exception=True)
        assert isinstance(request.data, dict)  # or it would not be valid
        if request.data.get("task_type", project.task_type) != project.task_type:
            raise projects.ProjectRefused(projects.SAME_TASK, "task_type")
        if given.validated_data:
            projects.change_settings(project, permissions.person(request), **given.validated_data)
        return Response(shapes.project_shape(project, role(project)))


class ProjectState(APIView):
    """Start or pause labeling."""

    state: str = ""

    @extend_schema(request=None, responses={200: dict})
    def post(self, request: Request, project_id: int) -> Response:
        project = permissions.project_or_404(request.user, project_id, "manage")
        projects.set_state(project, self.state, permissions.person(request))
        return Response({"state": project.state})


class Members(APIView):
    @extend_schema(operation_id="members_list", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """List the members with their roles."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        members = project.memberships.select_related("user").order_by("id")
        return Response(
            {
                "results": [
                    {"id": each.pk, "user": each.user_id, "email": each.user.email, "name": each.user.label,
                     "role": each.role}
                    for each in members
                ]
            }
        )  # fmt: skip


class Invitations(APIView):
    @extend_schema(operation_id="invitations_list", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """List the invitations that are open."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        return Response(
            {"results": [shapes.invitation_shape(each) for each in project.invitations.order_by("-id")]}
        )

    @extend_schema(operation_id="invitations_create", request=shapes.InvitationInput, responses={201: dict})
    def post(self, request: Request, project_id: int) -> Response:
        """Invite somebody by link."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        given = shapes.InvitationInput(data=request.data)
        given.is_valid(raise_exception=True)
        invitation = workforce.invite(project, permissions.person(request), **given.validated_data)
        return Response(shapes.invitation_shape(invitation), status=201)


def role(project: Project) -> Any:
    return getattr(project, "role", None)
