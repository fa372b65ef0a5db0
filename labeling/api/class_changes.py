"""Changes of a project's classes: what one would do, those that were made, and taking one back."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import changes, permissions, relabeling, reverting, reworking, uses
from labeling.api import shapes
from labeling.api.inputs import Input
from labeling.models import Event, LabelClass, Project

MOST = 200
ADD, RETIRE, MERGE, SPLIT = "add", "retire", "merge", "split"


class ClassChanges(APIView):
    @extend_schema(
        operation_id="class_changes_list",
        parameters=[
            OpenApiParameter("cursor", OpenApiTypes.INT),
            OpenApiParameter("limit", OpenApiTypes.INT),
        ],
        responses={200: dict},
    )
    def get(self, request: Request, project_id: int) -> Response:
        """List the changes that can be undone, newest first, and those that were."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        limit = shapes.whole_number(request.query_params.get("limit", "")) or changes.LISTED
        limit = min(limit, MOST)
        cursor = shapes.whole_number(request.query_params.get("cursor", ""))
        found = changes.latest(project, cursor, limit + 1)
        return Response(
            {
                "results": [change_shape(each.event, each.is_undone) for each in found[:limit]],
                "next": found[limit - 1].event.pk if len(found) > limit else None,
                "under_way": work_shape(project),
            }
        )


class ClassChange(APIView):
    @extend_schema(operation_id="class_changes_read", responses={200: dict})
    def get(self, request: Request, project_id: int, event_id: int) -> Response:
        """Read a change of classes, also one that undoes another."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        event = get_object_or_404(
            Event, pk=event_id, project=project, verb__in=(*changes.VERBS, changes.UNDO)
        )
        return Response(change_shape(event, changes.is_undone(event)))


class ClassChangeUndo(APIView):
    @extend_schema(operation_id="class_changes_undo", request=None, responses={200: dict})
    def post(self, request: Request, project_id: int, event_id: int) -> Response:
        """Take a change back, but not what was changed once more since; what is undone stays so."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        event = get_object_or_404(changes.undoable(project), pk=event_id)
        undone = reverting.undo(event, permissions.person(request))
        return Response(
            {"change": change_shape(event, is_undone=True), "undo": change_shape(undone) if undone else None}
        )


class ClassChangeRetry(APIView):
    @extend_schema(operation_id="class_changes_retry", request=None, responses={200: dict})
    def post(self, request: Request, project_id: int) -> Response:
        """Go on with sending images back, or with putting them back, where that has failed."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        reworking.try_again(project)
        return Response({"under_way": work_shape(project)})


class PreviewInput(Input):
    change = serializers.ChoiceField(choices=(ADD, RETIRE, MERGE, SPLIT))
    into = serializers.IntegerField(required=False, help_text="the class that another one is merged into")

    def get_fields(self) -> dict[str, Any]:
        # `class` cannot be an attribute's name in Python.
        named = serializers.IntegerField(required=False, help_text="the class that is changed; not for `add`")
        return {"class": named, **super().get_fields()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["change"] != ADD and "class" not in attrs:
            raise serializers.ValidationError({"class": "Say which class is to be changed."})
        if attrs["change"] == MERGE and "into" not in attrs:
            raise serializers.ValidationError({"into": "Say which class it is to be merged into."})
        return attrs


class ClassChangePreview(APIView):
    @extend_schema(operation_id="class_changes_preview", parameters=[PreviewInput], responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """Count what a change would touch; nothing is changed."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        given = PreviewInput(data=request.query_params)
        given.is_valid(raise_exception=True)
        kind, named = given.validated_data["change"], given.validated_data.get("class")
        if kind == ADD:
            return Response({"change": ADD, "images": relabeling.answered(project).count()})
        label_class = get_object_or_404(project.classes, pk=named)
        facts = {"change": kind, "class": label_class.pk, **uses_shape(label_class)}
        if kind == SPLIT:
            facts["images"] = relabeling.answered(project, label_class).count()
        if kind == MERGE:
            into = get_object_or_404(project.classes, pk=given.validated_data["into"])
            facts |= {"into": into.pk, "together": uses_shape(label_class, into)}
        return Response(facts)


def uses_shape(*label_classes: LabelClass) -> dict[str, Any]:
    """Return the images labeled with classes, by who or what labeled them, and those waiting with one."""
    counts = uses.of(*label_classes)
    labels = {"people": counts.people, "model": counts.model, "imported": counts.imported}
    return {"labels": labels, "waiting": counts.waiting}


def work_shape(project: Project) -> dict[str, Any] | None:
    """Return the job that moves the images of a project after a change of its classes."""
    job = reworking.under_way(project)
    return shapes.job_shape(job) if job else None


def change_shape(event: Event, is_undone: bool = False) -> dict[str, Any]:
    return {
        "id": event.pk,
        "verb": event.verb,
        "sentence": event.data.get("said", ""),
        "class": event.data.get("class"),
        "images": event.data.get("images"),
        "undoes": event.data.get("undoes"),
        "is_undone": is_undone,
        "is_under_way": "at" in event.data,
        "can_be_undone": event.verb in changes.VERBS and not is_undone,
        "by": event.actor_id,
        "created_at": event.created_at,
    }
