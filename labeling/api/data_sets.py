"""Data sets: sent like other uploads, for any number of projects."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import data_sets, naming, permissions, uploading
from labeling.api.inputs import Input
from labeling.api.uploads import (
    NamedInput,
    OfProject,
    UploadChunks,
    UploadComplete,
    UploadDetail,
    UploadFiles,
    named,
)
from labeling.models import Upload


class DataSetInput(Input):
    name = serializers.CharField(max_length=120)
    sample = serializers.ListField(
        child=NamedInput(),
        required=False,
        max_length=uploading.SAMPLE,
        help_text="some of the files: an open data set of yours that has half of them is gone on with",
    )


def data_set_shape(data_set: Upload, viewer: Any, projects: int) -> dict[str, Any]:
    facts = uploading.progress(data_set)
    return {
        "id": data_set.pk,
        "name": data_set.name,
        "state": data_set.state,
        "error": data_set.error,
        "images": data_set.files if data_set.state == Upload.State.COMPLETE else None,
        "files": facts.files,
        "files_here": facts.files_here,
        "size": facts.size,
        "received": facts.received,
        "projects": projects,
        "created_by": naming.called(viewer, data_set.created_by),
        "is_mine": data_set.created_by_id == viewer.pk,
        "created_at": data_set.created_at,
    }


class DataSets(APIView):
    @extend_schema(operation_id="data_sets_list", responses={200: dict})
    def get(self, request: Request) -> Response:
        """List your data sets, newest first; for site admins, all of them."""
        mine = data_sets.with_uses(permissions.data_sets(request.user)).select_related("created_by")
        found = mine.order_by("-id")[:500]
        return Response({"results": [data_set_shape(each, request.user, each.projects) for each in found]})  # type: ignore[attr-defined]

    @extend_schema(operation_id="data_sets_create", request=DataSetInput, responses={200: dict, 201: dict})
    def post(self, request: Request) -> Response:
        """Begin a data set, or go on with one that has the same files: then the answer is 200.

        Its files are named, sent and completed as those of an upload for a project are. When it is complete,
        `imports/` of any project takes it as `data_set`.
        """
        permissions.creator_or_404(request.user)
        given = DataSetInput(data=request.data)
        given.is_valid(raise_exception=True)
        sample = named(given.validated_data.get("sample", []))
        found, is_known = uploading.begin_data_set(
            permissions.person(request), given.validated_data["name"], sample=sample
        )
        return Response(data_set_shape(found, request.user, 0), status=200 if is_known else 201)


class OfNoProject(OfProject):
    def upload(self, *, own: bool = False) -> Upload:
        return permissions.data_set_or_404(self.request.user, self.kwargs["upload_id"], own=own)

    def told(self, upload: Upload) -> dict[str, Any]:
        return data_set_shape(upload, self.request.user, data_sets.projects_with(upload))


@extend_schema_view(get=extend_schema(operation_id="data_sets_read"))
class DataSetDetail(OfNoProject, UploadDetail):
    @extend_schema(operation_id="data_sets_delete", responses={204: None})
    def delete(self, request: Request, **at: int) -> Response:
        """Delete a data set with its files, unless a project has its images."""
        data_sets.delete(self.upload())
        return Response(status=204)


@extend_schema_view(
    get=extend_schema(operation_id="data_sets_files"), post=extend_schema(operation_id="data_sets_name")
)
class DataSetFiles(OfNoProject, UploadFiles):
    pass


@extend_schema_view(put=extend_schema(operation_id="data_sets_send"))
class DataSetChunks(OfNoProject, UploadChunks):
    pass


@extend_schema_view(post=extend_schema(operation_id="data_sets_complete"))
class DataSetComplete(OfNoProject, UploadComplete):
    pass
