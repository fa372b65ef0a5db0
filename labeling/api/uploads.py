"""Uploads in parts: named, sent in chunks with checksums, gone on with after whatever broke, completed."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import completing, naming, permissions, reading, uploading
from labeling.api import shapes
from labeling.api.inputs import Input
from labeling.api.parsers import ChunkParser
from labeling.models import Upload
from labeling.uploading import Named

LISTED = 1_000


class NamedInput(Input):
    path = serializers.CharField(
        max_length=uploading.MOST_PATH, trim_whitespace=False, help_text="/ between folders; one file each"
    )
    size = serializers.IntegerField(min_value=0, max_value=1 << 50, help_text="bytes")
    modified = serializers.IntegerField(
        required=False, allow_null=True, min_value=-(1 << 60), max_value=1 << 60,
        help_text="when it was last changed: a file with another time is sent anew",
    )  # fmt: skip
    sha256 = serializers.RegexField(
        r"^[0-9a-fA-F]{64}\Z", required=False, help_text="of the whole file, checked in the end"
    )


class UploadInput(Input):
    every_page = serializers.BooleanField(
        required=False, help_text="make an item of each page of a TIFF, not of the first alone"
    )
    sample = serializers.ListField(
        child=NamedInput(),
        required=False,
        max_length=uploading.SAMPLE,
        help_text="some of the files: an open upload of yours that has half of them is gone on with",
    )


class FilesInput(Input):
    files = serializers.ListField(child=NamedInput(), allow_empty=False, max_length=uploading.MOST_NAMES)
    known_only = serializers.BooleanField(
        default=False, help_text="take none that were not named before: to go on with what broke off"
    )


class CompleteInput(Input):
    leave_out = serializers.BooleanField(
        default=False, help_text="leave out files of which bytes are missing, rather than refuse"
    )


def named(given: list[dict[str, Any]]) -> list[Named]:
    return [Named(each["path"], each["size"], each.get("modified"), each.get("sha256", "")) for each in given]


def upload_shape(upload: Upload, viewer: Any) -> dict[str, Any]:
    facts = uploading.progress(upload)
    return {
        "id": upload.pk,
        "state": upload.state,
        "error": upload.error,
        "every_page": upload.every_page,
        "files": facts.files,
        "files_here": facts.files_here,
        "size": facts.size,
        "received": facts.received,
        "refused": facts.refused,
        "created_by": naming.called(viewer, upload.created_by),
        "is_mine": upload.created_by_id == viewer.pk,
        "created_at": upload.created_at,
        "kept_until": upload.touched_at + uploading.KEPT_FOR,
        "imports": [reading.summary(each) for each in upload.sources.order_by("id")],
    }


class Uploads(APIView):
    @extend_schema(operation_id="uploads_list", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """List the uploads that are not complete yet, everybody's, with what is here of them."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        found = uploading.unfinished(project)[:50]
        return Response({"results": [upload_shape(each, request.user) for each in found]})

    @extend_schema(operation_id="uploads_create", request=UploadInput, responses={200: dict, 201: dict})
    def post(self, request: Request, project_id: int) -> Response:
        """Begin an upload, or go on with one that has the same files: then the answer is 200.

        Name its files (`files/`), send their bytes (`chunks/`), then `complete/` it. What is here is kept for
        seven days after the last byte came.
        """
        project = permissions.project_or_404(request.user, project_id, "manage")
        given = UploadInput(data=request.data)
        given.is_valid(raise_exception=True)
        upload, is_known = uploading.begin(
            project,
            permissions.person(request),
            every_page=given.validated_data.get("every_page", False),
            sample=named(given.validated_data.get("sample", [])),
        )
        return Response(upload_shape(upload, request.user), status=200 if is_known else 201)


class OfProject(APIView):
    """What is asked of one upload; those of data sets are found in another way."""

    def upload(self, *, own: bool = False) -> Upload:
        at = self.kwargs
        return permissions.upload_or_404(self.request.user, at["project_id"], at["upload_id"], own=own)

    def told(self, upload: Upload) -> dict[str, Any]:
        return upload_shape(upload, self.request.user)


class UploadDetail(OfProject):
    @extend_schema(operation_id="uploads_read", responses={200: dict})
    def get(self, request: Request, **at: int) -> Response:
        """Tell what is here of an upload; of one that is complete, what it became."""
        return Response(self.told(self.upload()))

    @extend_schema(operation_id="uploads_cancel", responses={204: None})
    def delete(self, request: Request, **at: int) -> Response:
        """Forget an upload that is no import yet, with all that is here of it."""
        uploading.cancel(self.upload())
        return Response(status=204)


class UploadFiles(OfProject):
    @extend_schema(
        operation_id="uploads_files",
        parameters=[OpenApiParameter("after", OpenApiTypes.INT, description="`next` of the page before")],
        responses={200: dict},
    )
    def get(self, request: Request, **at: int) -> Response:
        """List the files of which bytes are missing, a thousand at a time."""
        upload = self.upload()
        after = shapes.whole_number(request.query_params.get("after", "")) or 0
        found = list(uploading.missing(upload).filter(pk__gt=after).order_by("id")[: LISTED + 1])
        return Response(
            {
                "results": [file_shape(each) for each in found[:LISTED]],
                "next": found[LISTED - 1].pk if len(found) > LISTED else None,
            }
        )

    @extend_schema(operation_id="uploads_name", request=FilesInput, responses={200: dict})
    def post(self, request: Request, **at: int) -> Response:
        """Name files that will come, at most 1,000 at once; naming them again does no harm.

        Tells of each, in the same order, the number to send it under and how many bytes are here; or, as
        `refused`, why it need not be sent.
        """
        upload = self.upload(own=True)
        given = FilesInput(data=request.data)
        given.is_valid(raise_exception=True)
        known_only = given.validated_data["known_only"]
        rows = uploading.name_files(upload, named(given.validated_data["files"]), known_only=known_only)
        return Response({"files": [file_shape(each) for each in rows]})


def file_shape(row: uploading.UploadFile) -> dict[str, Any]:
    if row.reason:
        return {"path": row.path, "refused": row.reason}
    return {"path": row.path, "file": row.pk, "size": row.size, "received": row.received}


class UploadChunks(OfProject):
    parser_classes = (ChunkParser,)

    @extend_schema(
        operation_id="uploads_send",
        request={"application/octet-stream": OpenApiTypes.BINARY},
        responses={200: dict},
    )
    def put(self, request: Request, **at: int) -> Response:
        """Send bytes of one or many files, at most 500 chunks and 16 MB in one request.

        The body is a line of JSON, `[[file, offset, length, crc32], …]`, and after it the bytes of these
        chunks in the same order. A chunk continues its file: its offset is the number of bytes that are here.
        Tells of each how many are here now; `problem` says why a chunk was not taken. The same request can be
        sent again: what is here already is passed over.
        """
        upload = self.upload(own=True)
        if not isinstance(request.data, list):
            raise serializers.ValidationError({"": ["Send chunks as the body."]})
        taken = uploading.take(upload, request.data)
        return Response(
            {
                "chunks": [
                    {"file": each.file, "received": each.received, "problem": each.problem} for each in taken
                ]
            }
        )


class UploadComplete(OfProject):
    @extend_schema(operation_id="uploads_complete", request=CompleteInput, responses={202: dict})
    def post(self, request: Request, **at: int) -> Response:
        """Have an upload become an import, once every byte is here; a repeat changes nothing."""
        upload = self.upload(own=True)
        given = CompleteInput(data=request.data)
        given.is_valid(raise_exception=True)
        completing.complete(upload, permissions.person(request), **given.validated_data)
        upload.refresh_from_db()
        return Response(self.told(upload), status=202)
