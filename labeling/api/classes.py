"""The classes of a running project: add some, look at one, change, move, retire, restore, merge, split it."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import changes, classes, merging, permissions, splitting
from labeling.api import shapes
from labeling.api.class_changes import change_shape, uses_shape
from labeling.api.inputs import Input
from labeling.models import Event, LabelClass


class ClassInput(Input):
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


class AddInput(Input):
    classes = serializers.ListField(child=shapes.ClassField(), allow_empty=False, max_length=10_000)
    policy = serializers.ChoiceField(
        choices=splitting.POLICIES,
        default=splitting.KEEP,
        help_text="what becomes of the labels that are there: `keep` leaves them, `hints` asks about all "
        "images again with the old labels proposed, `nothing` does so without them",
    )


class ClassList(APIView):
    @extend_schema(operation_id="classes_list", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """List the classes in their order, and below them those that are retired or merged."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        in_use = [each.label_class for each in classes.tree(project)]
        return Response(
            {
                "results": [shapes.class_shape(each) for each in in_use],
                "retired": [shapes.class_shape(each) for each in project.classes.exclude(retired_at=None)],
            }
        )

    @extend_schema(operation_id="classes_add", request=AddInput, responses={201: dict})
    def post(self, request: Request, project_id: int) -> Response:
        """Add classes, and say what becomes of the labels that are there."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        given = AddInput(data=request.data)
        given.is_valid(raise_exception=True)
        wanted, policy = given.validated_data["classes"], given.validated_data["policy"]
        event = splitting.add(project, wanted, permissions.person(request), policy)
        return Response(added_shape(event), status=201)


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
        event = classes.edit(label_class, permissions.person(request), **fields)
        return Response(shape(label_class, event))


class MoveInput(Input):
    step = serializers.ChoiceField(choices=(-1, 1), help_text="-1 for up, 1 for down")


class ClassMove(APIView):
    @extend_schema(operation_id="classes_move", request=MoveInput, responses={200: dict})
    def post(self, request: Request, project_id: int, class_id: int) -> Response:
        """Let a class change places with its neighbour; at the end of the list nothing changes."""
        label_class = class_or_404(request, project_id, class_id)
        given = MoveInput(data=request.data)
        given.is_valid(raise_exception=True)
        event = classes.move(label_class, permissions.person(request), given.validated_data["step"])
        return Response(shape(label_class, event))


class ClassRetire(APIView):
    @extend_schema(operation_id="classes_retire", request=None, responses={200: dict})
    def post(self, request: Request, project_id: int, class_id: int) -> Response:
        """Let nobody choose a class any more; labels that name it keep it."""
        label_class = class_or_404(request, project_id, class_id)
        event = classes.retire(label_class, permissions.person(request))
        return Response(shape(label_class, event))


class ClassRestore(APIView):
    @extend_schema(operation_id="classes_restore", request=None, responses={200: dict})
    def post(self, request: Request, project_id: int, class_id: int) -> Response:
        """Let people choose a retired class again."""
        label_class = class_or_404(request, project_id, class_id)
        event = classes.restore(label_class, permissions.person(request))
        return Response(shape(label_class, event))


class MergeInput(Input):
    into = serializers.IntegerField(help_text="id of the class that the labels count as from then on")


class ClassMerge(APIView):
    @extend_schema(operation_id="classes_merge", request=MergeInput, responses={200: dict})
    def post(self, request: Request, project_id: int, class_id: int) -> Response:
        """Let the labels of a class count as another one; `restore` makes it a class of its own again."""
        label_class = class_or_404(request, project_id, class_id)
        given = MergeInput(data=request.data)
        given.is_valid(raise_exception=True)
        into = get_object_or_404(label_class.project.classes, pk=given.validated_data["into"])
        event = merging.merge(label_class, into, permissions.person(request))
        return Response(shape(label_class, event))


class SplitInput(Input):
    classes = serializers.ListField(child=shapes.ClassField(), allow_empty=False, max_length=10_000)
    keep = serializers.BooleanField(default=False, help_text="the class stays one of the choices")


class ClassSplit(APIView):
    @extend_schema(operation_id="classes_split", request=SplitInput, responses={201: dict})
    def post(self, request: Request, project_id: int, class_id: int) -> Response:
        """Add classes in place of one; all that was labeled with it is asked again, with that proposed."""
        label_class = class_or_404(request, project_id, class_id)
        given = SplitInput(data=request.data)
        given.is_valid(raise_exception=True)
        wanted, keep = given.validated_data["classes"], given.validated_data["keep"]
        event = splitting.split(label_class, wanted, permissions.person(request), keep=keep)
        return Response(added_shape(event), status=201)


def class_or_404(request: Request, project_id: int, class_id: int) -> LabelClass:
    project = permissions.project_or_404(request.user, project_id, "manage")
    return get_object_or_404(project.classes.select_related("project"), pk=class_id)


def added_shape(event: Event) -> dict[str, Any]:
    """Return a change that made classes, with these."""
    made = changes.added_by(event)
    return {"classes": [shapes.class_shape(each) for each in made], "change": change_shape(event)}


def shape(label_class: LabelClass, event: Event | None = None) -> dict[str, Any]:
    """Return a class with where it is named; after a change with that, for undoing it."""
    label_class.refresh_from_db()
    changed = {"change": change_shape(event)} if event else {}
    return {**shapes.class_shape(label_class), **uses_shape(label_class), **changed}
