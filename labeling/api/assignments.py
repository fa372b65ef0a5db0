"""What is assigned to whom, over HTTP."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import assigning, permissions
from labeling.api.inputs import Input
from labeling.api.shapes import NumberField
from labeling.models import Assignment, Membership, Project, ProjectTeam, Team, User


class WhoInput(Input):
    labeler = serializers.IntegerField(required=False, help_text="id of a user")
    team = serializers.IntegerField(required=False, help_text="id of a team")


class AssignInput(WhoInput):
    items = serializers.ListField(
        child=serializers.CharField(max_length=2_000),
        required=False,
        max_length=assigning.MOST_NAMES,
        help_text="ids, paths or file names",
    )
    name = serializers.CharField(
        required=False, max_length=200, help_text="a part of the path, or a pattern with * and ?"
    )
    share = NumberField(required=False, help_text="above 0 and up to 1, of what waits")

    def get_fields(self) -> dict[str, Any]:
        proposed = serializers.IntegerField(required=False, help_text="id of the class that is proposed")
        return {**super().get_fields(), "class": proposed}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if sum(bool(attrs.get(name)) for name in ("class", "items", "name", "share")) != 1:
            raise serializers.ValidationError("Say which images: by one of class, items, name or share.")
        return attrs


class Assignments(APIView):
    @extend_schema(operation_id="assignments_list", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """List what is assigned, with how many images are answered, done and left."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        return Response({"results": [progress_shape(row) for row in assigning.progress(project)]})

    @extend_schema(operation_id="assignments_create", request=AssignInput, responses={201: dict})
    def post(self, request: Request, project_id: int) -> Response:
        """Assign a part of what waits to one labeler or team; `unknown` names of `items` fit nothing."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        given = AssignInput(data=request.data)
        given.is_valid(raise_exception=True)
        fields = given.validated_data
        made = assigning.assign(
            project, permissions.person(request), part_of(project, fields), **who_of(project, fields)
        )
        body = {**shape(made.assignment), "total": made.count, "unknown": made.unknown}
        return Response(body, status=201)


class AssignmentDetail(APIView):
    @extend_schema(operation_id="assignments_change", request=WhoInput, responses={200: dict})
    def patch(self, request: Request, project_id: int, assignment_id: int) -> Response:
        """Give what is left of an assignment to somebody else."""
        assignment = assignment_or_404(request, project_id, assignment_id)
        given = WhoInput(data=request.data)
        given.is_valid(raise_exception=True)
        who = who_of(assignment.project, given.validated_data)
        assigning.change(assignment, permissions.person(request), **who)
        assignment.refresh_from_db()
        return Response(shape(assignment))


class AssignmentEnd(APIView):
    @extend_schema(operation_id="assignments_end", request=None, responses={200: dict})
    def post(self, request: Request, project_id: int, assignment_id: int) -> Response:
        """End an assignment: what is left waits for everybody."""
        assignment = assignment_or_404(request, project_id, assignment_id)
        assigning.end(assignment, permissions.person(request))
        assignment.refresh_from_db()
        return Response(shape(assignment))


class AssignmentResume(APIView):
    @extend_schema(operation_id="assignments_resume", request=None, responses={200: dict})
    def post(self, request: Request, project_id: int, assignment_id: int) -> Response:
        """Take back the end of an assignment, for what nobody has been given or answered since."""
        assignment = assignment_or_404(request, project_id, assignment_id)
        assigning.resume(assignment, permissions.person(request))
        assignment.refresh_from_db()
        return Response(shape(assignment))


def assignment_or_404(request: Request, project_id: int, assignment_id: int) -> Assignment:
    project = permissions.project_or_404(request.user, project_id, "manage")
    rows = project.assignments.select_related("labeler", "team", "project")
    return get_object_or_404(rows, pk=assignment_id)


def who_of(project: Project, fields: dict[str, Any]) -> dict[str, Any]:
    """Return the member or team that a request names; of others nothing is known here."""
    found: dict[str, Any] = {}
    if "labeler" in fields:
        here = Membership.objects.filter(project=project)
        found["labeler"] = get_object_or_404(User, pk=fields["labeler"], pk__in=here.values("user"))
    if "team" in fields:
        given = ProjectTeam.objects.filter(project=project)
        found["team"] = get_object_or_404(Team, pk=fields["team"], pk__in=given.values("team"))
    return found


def part_of(project: Project, fields: dict[str, Any]) -> assigning.Part:
    if fields.get("class"):
        return assigning.Part(label_class=get_object_or_404(project.classes, pk=fields["class"]))
    return assigning.Part(
        listed=tuple(fields.get("items", ())), name=fields.get("name", ""), share=fields.get("share", 0.0)
    )


def shape(assignment: Assignment) -> dict[str, Any]:
    return {
        "id": assignment.pk,
        "labeler": assignment.labeler_id,
        "team": assignment.team_id,
        "by": assignment.by,
        "said": assignment.said,
        "created_at": assignment.created_at,
        "ended_at": assignment.ended_at,
    }


def progress_shape(row: dict[str, Any]) -> dict[str, Any]:
    counts = {key: row[key] for key in ("total", "answered", "done", "left", "other")}
    return shape(row["assignment"]) | counts
