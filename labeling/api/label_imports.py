"""Labels from files, over HTTP: sent, checked, taken in, taken back."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import label_applying, label_classes, label_imports, permissions
from labeling.api import shapes
from labeling.api.inputs import Input
from labeling.formats.incoming import READINGS
from labeling.models import LabelImport


class LabelImportInput(Input):
    files = serializers.ListField(
        child=serializers.FileField(allow_empty_file=True),
        required=False,
        help_text="one, or those of a folder",
    )
    file = serializers.FileField(required=False, allow_empty_file=True)
    paths = serializers.ListField(
        child=serializers.CharField(max_length=2_000), required=False, help_text="of `files`, in their order"
    )
    format = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="coco, yolo, voc, csv, manifest, label_studio, cvat, folders, masks or dataset; without it,"
        " told from the file. own_folders needs no file: the folders that the images lie in name classes",
    )


@extend_schema_field({"oneOf": [{"type": "integer"}, {"type": "string", "enum": ["new"]}], "nullable": True})
class ClassChoice(serializers.Field[Any, Any, Any, Any]):
    """The id of a class of the project, "new", or null to leave it out."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_null=True, **kwargs)

    def to_internal_value(self, data: Any) -> int | str:
        if data == label_classes.NEW or (isinstance(data, int) and not isinstance(data, bool)):
            return data
        raise serializers.ValidationError("A class is an id of the project’s, “new”, or null.")

    def to_representation(self, value: Any) -> Any:
        return value


class ApplyInput(Input):
    classes = serializers.DictField(
        child=ClassChoice(),
        required=False,
        help_text="by the file's names; what is not named stays as reported",
    )
    answered = serializers.ChoiceField(
        choices=LabelImport.Answered.choices,
        default=LabelImport.Answered.SKIP,
        help_text="what to do where an image has a label or an answer",
    )
    empty = serializers.BooleanField(
        default=False, help_text="take images for which the file has no region as holding nothing"
    )

    def get_fields(self) -> dict[str, Any]:
        mode = serializers.ChoiceField(choices=LabelImport.Mode.choices, help_text="what they become")
        return {**super().get_fields(), "as": mode}


class FormatInput(Input):
    format = serializers.CharField(required=False, allow_blank=True)


class LabelImports(APIView):
    @extend_schema(operation_id="label_imports_list", parameters=shapes.CURSOR, responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """List the files of labels that were sent, the newest first, and the formats that are read."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        found, older = shapes.newest(project.label_imports.select_related("project"), request.query_params)
        formats = [
            {"name": name, "title": each.title, "takes": each.takes, "example": each.example}
            for name, each in READINGS.items()
        ]
        return Response({"results": [shape(each) for each in found], "next": older, "formats": formats})

    @extend_schema(
        operation_id="label_imports_create",
        request={"multipart/form-data": LabelImportInput},
        responses={201: dict},
    )
    def post(self, request: Request, project_id: int) -> Response:
        """Send a file of labels, which is checked first: nothing changes before it is applied."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        by, wanted = permissions.person(request), ""
        if isinstance(request.data, dict):
            wanted = str(request.data.get("format") or "")
        if wanted == label_imports.OWN_FOLDERS:
            made = label_imports.from_folders(project, by)
        else:
            files = request.FILES.getlist("files") + request.FILES.getlist("file")
            paths = request.data.getlist("paths") if hasattr(request.data, "getlist") else []
            made = label_imports.receive(project, files, by, paths=paths, format_name=wanted)
        return Response(shape(made), status=201)


class LabelImportDetail(APIView):
    @extend_schema(operation_id="label_imports_read", responses={200: dict})
    def get(self, request: Request, project_id: int, label_import_id: int) -> Response:
        """Read the report of a file of labels, and what came of it.

        Its `free`, `beside` and `suggestible` count the images that would get a label, one beside their own,
        or a suggestion. `left_alone` has the first 200 whose labels were kept out.
        """
        found = found_or_404(request, project_id, label_import_id)
        return Response({**shape(found), "left_alone": label_applying.left_alone(found)})

    @extend_schema(operation_id="label_imports_discard", responses={204: None})
    def delete(self, request: Request, project_id: int, label_import_id: int) -> Response:
        """Forget a file of which nothing was taken in."""
        label_imports.discard(found_or_404(request, project_id, label_import_id))
        return Response(status=204)


class LabelImportCheck(APIView):
    @extend_schema(operation_id="label_imports_check", request=FormatInput, responses={202: dict})
    def post(self, request: Request, project_id: int, label_import_id: int) -> Response:
        """Check a file again: as another format, or since images were added or given back.

        A file that was taken in or back already becomes a new import: go on with the `id` of the reply.
        """
        given = FormatInput(data=request.data)
        given.is_valid(raise_exception=True)
        found = found_or_404(request, project_id, label_import_id)
        wanted = given.validated_data.get("format") or ""
        made = label_imports.check_again(found, permissions.person(request), wanted)
        return Response(shape(fresh(made)), status=202)


class LabelImportApply(APIView):
    @extend_schema(operation_id="label_imports_apply", request=ApplyInput, responses={202: dict})
    def post(self, request: Request, project_id: int, label_import_id: int) -> Response:
        """Take the labels in, as final labels or as suggestions. A repeat changes nothing more."""
        found = found_or_404(request, project_id, label_import_id)
        given = ApplyInput(data=request.data)
        given.is_valid(raise_exception=True)
        label_imports.apply(
            found,
            permissions.person(request),
            mode=given.validated_data["as"],
            wanted=given.validated_data.get("classes", {}),
            answered=given.validated_data["answered"],
            takes_empty=given.validated_data["empty"],
        )
        return Response(shape(fresh(found)), status=202)


class LabelImportUndo(APIView):
    @extend_schema(operation_id="label_imports_undo", request=None, responses={202: dict})
    def post(self, request: Request, project_id: int, label_import_id: int) -> Response:
        """Take an import back; what people have changed or reviewed since stays, and is counted."""
        found = found_or_404(request, project_id, label_import_id)
        label_imports.undo(found, permissions.person(request))
        return Response(shape(fresh(found)), status=202)


def found_or_404(request: Request, project_id: int, label_import_id: int) -> LabelImport:
    project = permissions.project_or_404(request.user, project_id, "manage")
    return get_object_or_404(project.label_imports.select_related("project"), pk=label_import_id)


def fresh(given: LabelImport) -> LabelImport:
    return LabelImport.objects.select_related("project").get(pk=given.pk)


def shape(given: LabelImport) -> dict[str, Any]:
    job = label_imports.job_of(given)
    return {
        "id": given.pk,
        "name": given.name,
        "format": given.format,
        "state": given.state,
        "as": given.mode or None,
        "created_at": given.created_at,
        "applied_at": given.applied_at,
        "classes": [
            {"name": each.name, "parent": each.parent, "images": each.images, "regions": each.regions,
             "free": each.free, "class": each.choice}
            for each in label_classes.proposed(given)
        ],
        "report": given.report,
        "outcomes": label_applying.outcomes(given),
        "job": shapes.job_shape(job) if job else None,
    }  # fmt: skip
