"""Exports: making them, fetching them, and what differs between two."""

from dataclasses import asdict

from django.core.files.storage import default_storage
from django.http import Http404
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import changed, exporting, permissions
from labeling.api import filtering, ranges, shapes
from labeling.formats import catalog
from labeling.gallery import Filters
from labeling.models import Event, Job, Project

MOST = 1_000
MEDIA_TYPES = {
    "json": "application/json",
    "csv": "text/csv",
    "manifest": "application/jsonl",
    "zip": "application/zip",
}


class Exports(APIView):
    @extend_schema(operation_id="exports_list", parameters=shapes.CURSOR, responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """List the exports that were made, and the formats that there are for this project."""
        project = permissions.project_or_404(request.user, project_id, "review")
        made, older = shapes.newest(
            exporting.made(project, permissions.person(request)), request.query_params
        )
        formats = [
            {"name": each.name, "title": each.title, "keeps": each.keeps}
            for each in catalog.offered(project.task_type)
        ]
        results = [shapes.job_shape(each) for each in made]
        return Response({"results": results, "next": older, "formats": formats})

    @extend_schema(operation_id="exports_create", request=filtering.ExportInput, responses={202: dict})
    def post(self, request: Request, project_id: int) -> Response:
        """Start an export; follow the job to its file."""
        project = permissions.project_or_404(request.user, project_id, "review")
        job = exporting.start(project, permissions.person(request), *asked(request))
        return Response(shapes.job_shape(job), status=202)


class ExportPreview(APIView):
    @extend_schema(operation_id="exports_preview", request=filtering.ExportInput, responses={200: dict})
    def post(self, request: Request, project_id: int) -> Response:
        """Say what an export would hold, without making it: images, labels, splits.

        `exact` is of these numbers; `size` is about how many bytes the file would have.
        """
        project = permissions.project_or_404(request.user, project_id, "review")
        return Response(asdict(exporting.preview(project, *asked(request))))


def asked(request: Request) -> tuple[exporting.Choice, Filters]:
    """Return what an export shall be, and of which labels."""
    given = filtering.ExportInput(data=request.data)
    given.is_valid(raise_exception=True)
    filters = filtering.filters_from(given.validated_data["filter"])
    return filtering.choice_from(given.validated_data), filters


class ExportFile(APIView):
    @extend_schema(
        operation_id="exports_file",
        parameters=[OpenApiParameter("Range", OpenApiTypes.STR, OpenApiParameter.HEADER)],
        responses={200: OpenApiTypes.BINARY, 206: OpenApiTypes.BINARY},
    )
    def get(self, request: Request, project_id: int, job_id: int) -> HttpResponseBase:
        """Download an export, whole or from where an earlier try broke off."""
        project = permissions.project_or_404(request.user, project_id, "review")
        job = finished_or_404(project, request, job_id)
        try:
            stored = default_storage.open(job.result["name"])
        except FileNotFoundError as error:
            raise Http404 from error  # somebody has cleared up
        Event.record("download", project, permissions.person(request), export=job.pk)
        ending = job.result["name"].rsplit(".", 1)[-1]
        format_name = job.payload["format"]
        name = (
            f"{project.name}-{job.pk}.{format_name if format_name == ending else f'{format_name}.{ending}'}"
        )
        return ranges.send(request, stored, name, MEDIA_TYPES[ending], job.result["sha256"])


class ExportChanges(APIView):
    @extend_schema(
        operation_id="exports_changes",
        parameters=[
            OpenApiParameter("since", OpenApiTypes.INT, description="id of another export; none for nothing"),
            OpenApiParameter("part", OpenApiTypes.STR, enum=list(changed.PARTS)),
            OpenApiParameter("cursor", OpenApiTypes.INT, description="`next` of the page before"),
            OpenApiParameter("limit", OpenApiTypes.INT),
        ],
        responses={200: dict},
    )
    def get(self, request: Request, project_id: int, job_id: int) -> Response:
        """Say which images came, went, or got other labels since another export; `part` lists them.

        `by_class` has how many labels each class had then and has now.
        """
        project = permissions.project_or_404(request.user, project_id, "review")
        given = request.query_params.get("since", "")
        since = finished_or_404(project, request, shapes.whole_number(given) or 0) if given else None
        changes = exporting.changes(since, finished_or_404(project, request, job_id))
        titles = dict(project.classes.values_list("id", "name"))
        found = {
            **changes.counts(),
            "by_class": [
                {"class": titles[key], "before": before, "after": after}
                for key, (before, after) in changes.by_class().items()
            ],
        }
        part = request.query_params.get("part", "")
        if part in changed.PARTS:
            limit = min(shapes.whole_number(request.query_params.get("limit", "")) or 60, MOST)
            cursor = shapes.whole_number(request.query_params.get("cursor", "")) or 0
            rows = changes.part(part, cursor, limit + 1)
            found["results"] = changed.named(project, rows[:limit])
            found["next"] = rows[limit - 1].item if len(rows) > limit else None
        return Response(found)


def finished_or_404(project: Project, request: Request, job_id: int) -> Job:
    job = exporting.made(project, permissions.person(request)).filter(state="done", pk=job_id).first()
    if job is None:
        raise Http404
    return job
