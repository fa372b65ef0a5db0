"""The classes of a running project: look at one, change it, retire, restore and merge it."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import classes, merging, permissions, uses
from labeling.api import shapes
from labeling.models import LabelClass


class ClassInput(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120, required=False)
    color = serializers.RegexField("^#[0-9a-fA-F]{6}$", required=False, help_text="such as #4f8fe6")
    hotkey = serializers.CharField(
        max_length=1, allow_blank=True, required=False, help_text="swapped with the class that has it by now"
    )
    description = serializers.CharField(
        max_length=2_000, allow_blank=True, required=False, help_text="the prompt that a model sees"
    )

    def get_fields(self) -> dict[str, Any]:
        # Every serializer has a `parent` of its own.
        above = serializers.IntegerField(
            allow_null=True, required=False, help_text="id of the class that it belongs to"
        )
        return {**super().get_fields(), "parent": above}


class ClassDetail(APIView):
    @extend_schema(operation_id="classes_read", responses={200: dict})
    def get(self, request: Request, project_id: int, class_id: int) -> Response:
        """Read a class, with the images that are labeled with it or wait with it proposed."""
        return Response(shape(class_or_404(request, project_id, class_id)))

    @extend_schema(operation_id="classes_change", request=ClassInput, responses={200: dict})
    def patch(self, request: Request, project_id: int, class_id: int) -> Response:
        """Change name, color, hotkey, description or parent; labels stay as they are."""
        label_class = class_or_404(request, project_id, class_id)
        given = ClassInput(data=request.data)
        given.is_valid(raise_exception=True)
        fields = dict(given.validated_data)
        if fields.get("parent") is not None:
            fields["parent"] = get_object_or_404(label_class.project.classes, pk=fields["parent"])
        classes.edit(label_class, permissions.person(request), **fields)
        return Response(shape(label_class))


class ClassRetire(APIView):
    @extend_schema(operation_id="classes_retire", request=None, responses={200: dict})
    def post(self, request: Request, project_id: int, class_id: int) -> Response:
        """Let nobody choose a class any more; labels that name it keep it."""
        label_class = class_or_404(request, project_id, class_id)
        classes.retire(label_class, permissions.person(request))
        return Response(shape(label_class))


class ClassRestore(APIView):
    @extend_schema(operation_id="classes_restore", request=None, responses={200: dict})
    def post(self, request: Request, project_id: int, class_id: int) -> Response:
        """Let people choose a retired class again."""
        label_class = class_or_404(request, project_id, class_id)
        classes.restore(label_class, permissions.person(request))
        return Response(shape(label_class))


class MergeInput(serializers.Serializer[Any]):
    into = serializers.IntegerField(help_text="id of the class that the labels count as from then on")


class ClassMerge(APIView):
    @extend_schema(operation_id="classes_merge", request=MergeInput, responses={200: dict})
    def post(self, request: Request, project_id: int, class_id: int) -> Response:
        """Let the labels of a class count as another one; `restore` makes it a class of its own again."""
        label_class = class_or_404(request, project_id, class_id)
        given = MergeInput(data=request.data)
        given.is_valid(raise_exception=True)
        into = get_object_or_404(label_class.project.classes, pk=given.validated_data["into"])
        merging.merge(label_class, into, permissions.person(request))
        return Response(shape(label_class))


def class_or_404(request: Request, project_id: int, class_id: int) -> LabelClass:
    project = permissions.project_or_404(request.user, project_id, "manage")
    return get_object_or_404(project.classes.select_related("project"), pk=class_id)


def shape(label_class: LabelClass) -> dict[str, Any]:
    label_class.refresh_from_db()
    counts = uses.of(label_class)
    labels = {"people": counts.people, "model": counts.model, "imported": counts.imported}
    return {**shapes.class_shape(label_class), "labels": labels, "waiting": counts.waiting}
