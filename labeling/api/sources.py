"""Where a project's images come from: looking again, changing how it is looked at."""

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import permissions, reading, refreshing, sources, taking_back
from labeling.api import shapes
from labeling.api.inputs import Input
from labeling.models import DataSource

LISTED = 200


class CredentialsInput(Input):
    """Credentials are taken and never told again."""

    key = serializers.CharField(required=False, write_only=True, help_text="access key of S3")
    secret = serializers.CharField(required=False, write_only=True, help_text="of that key")
    token = serializers.CharField(required=False, write_only=True, help_text="of an S3 session")
    account_key = serializers.CharField(required=False, write_only=True, help_text="of an Azure account")
    sas = serializers.CharField(required=False, write_only=True, help_text="shared access signature of Azure")
    service_account = serializers.CharField(
        required=False, write_only=True, help_text="Google's JSON file, as a text"
    )


class SourceInput(CredentialsInput):
    refresh = serializers.ChoiceField(
        choices=DataSource.Refresh.choices, required=False, help_text="how often it is looked at again"
    )
    signs_urls = serializers.BooleanField(
        required=False, help_text="send browsers to the bucket itself, by addresses good for five minutes"
    )
    every_page = serializers.BooleanField(
        required=False, help_text="make an item of each page of a TIFF, not of the first alone"
    )


class ImportInput(SourceInput):
    also = frozenset({"files", "upload", "paths"})

    url = serializers.CharField(
        required=False,
        help_text="s3://, az:// or gs:// with a bucket and a pattern; https:// of a list of images, one a"
        " line; or, for site admins only, a folder or ZIP of the server",
    )
    data_set = serializers.IntegerField(
        required=False, min_value=1, help_text="id of one of your data sets that is complete"
    )
    urls = serializers.CharField(required=False, help_text="addresses of images, one a line")
    endpoint = serializers.CharField(required=False, help_text="of S3 that is not Amazon's")
    region = serializers.CharField(required=False, help_text="of S3")
    account = serializers.CharField(required=False, help_text="of Azure")


def source_shape(source: DataSource) -> dict[str, Any]:
    """Return what is told of a source; of its credentials, whether there are any."""
    return {
        **reading.summary(source),
        "options": source.options,
        "has_credentials": bool(source.credentials),
        "signs_urls": source.signs_urls,
        "every_page": source.every_page,
        "under_way": refreshing.is_under_way(source),
    }


def source_or_404(request: Request, project_id: int, source_id: int) -> DataSource:
    project = permissions.project_or_404(request.user, project_id, "manage")
    source = project.sources.select_related("project").filter(pk=source_id).first()
    if source is None:
        raise Http404
    return source


class SourceDetail(APIView):
    @extend_schema(operation_id="sources_read", responses={200: dict})
    def get(self, request: Request, project_id: int, source_id: int) -> Response:
        """Tell of a source, with the first 200 of its images that are gone or were changed there."""
        source = source_or_404(request, project_id, source_id)
        gone = source.items.filter(gone_at__isnull=False).order_by("path")[:LISTED]
        changed = source.items.filter(changed_at__isnull=False, gone_at=None).order_by("path")[:LISTED]
        return Response(
            {
                **source_shape(source),
                "problems": reading.problems(source),
                "gone_items": [
                    {"id": each.pk, "path": each.path, "state": each.state, "gone_at": each.gone_at}
                    for each in gone
                ],
                "changed_items": [
                    {"id": each.pk, "path": each.path, "state": each.state, "changed_at": each.changed_at}
                    for each in changed
                ],
            }
        )

    @extend_schema(operation_id="sources_change", request=SourceInput, responses={200: dict})
    def patch(self, request: Request, project_id: int, source_id: int) -> Response:
        """Change how a source is looked at, or replace its credentials."""
        source = source_or_404(request, project_id, source_id)
        given = SourceInput(data=request.data)
        given.is_valid(raise_exception=True)
        sources.change(source, given.validated_data, permissions.person(request))
        source.refresh_from_db()
        return Response(source_shape(source))

    @extend_schema(operation_id="sources_take_back", responses={202: dict})
    def delete(self, request: Request, project_id: int, source_id: int) -> Response:
        """Take an import back: images that nobody has labeled leave the project, labels stay."""
        source = source_or_404(request, project_id, source_id)
        job = taking_back.start(source, permissions.person(request))
        return Response(shapes.job_shape(job), status=202)


class SourceRefresh(APIView):
    again = False

    @extend_schema(request=None, responses={202: dict})
    def post(self, request: Request, project_id: int, source_id: int) -> Response:
        """Look what a source holds by now; `read-again` also reads what was changed or is damaged."""
        source = source_or_404(request, project_id, source_id)
        job = refreshing.start(source, permissions.person(request), again=self.again)
        return Response(shapes.job_shape(job), status=202)
