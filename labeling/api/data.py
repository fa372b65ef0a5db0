"""Items, reviews, imports, jobs."""

from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import data_sets, gallery, importing, naming, permissions, reading, review, sources
from labeling.api import filtering, shapes
from labeling.api.inputs import number_in
from labeling.api.sources import ImportInput
from labeling.models import DataSource, Job, Project

MOST = 200


class Items(APIView):
    @extend_schema(
        operation_id="items_list",
        parameters=[
            filtering.FilterInput,
            OpenApiParameter("sort", OpenApiTypes.STR, enum=list(gallery.SORTS)),
            OpenApiParameter("cursor", OpenApiTypes.STR, description="`next` of the page before"),
            OpenApiParameter("limit", OpenApiTypes.INT, description=f"60 unless it is given, {MOST} at most"),
        ],
        responses={200: dict},
    )
    def get(self, request: Request, project_id: int) -> Response:
        """List items in an order, newest first, narrowed by what is known of them and their labels.

        Without a `state`, these are the labeled ones.
        """
        project = permissions.project_or_404(request.user, project_id, "review")
        given = filtering.FilterInput(data=request.query_params)
        given.is_valid(raise_exception=True)
        filters = filtering.filters_from(given.validated_data)
        filtering.refuse_unknown_class(project, filters)
        sort = request.query_params.get("sort", "") or "newest"
        cursor = request.query_params.get("cursor")
        if sort not in gallery.SORTS:
            raise ValidationError({"sort": [f"There is no such order. There is {', '.join(gallery.SORTS)}."]})
        if cursor and not gallery.is_cursor(sort, cursor):
            raise ValidationError({"cursor": ["This is no `next` of a page in this order."]})
        limit = min(number_in(request, "limit") or 60, MOST)
        items, following = gallery.page(project, filters, sort, cursor, limit)
        return Response(
            {"results": [shapes.item_shape(each, request.user) for each in items], "next": following}
        )


class ItemDetail(APIView):
    @extend_schema(operation_id="items_read", responses={200: dict})
    def get(self, request: Request, project_id: int, item_id: int) -> Response:
        """Read an item with its whole history."""
        project = permissions.project_or_404(request.user, project_id, "review")
        item = (
            project.items.select_related("current_annotation__labeler", "suggestion", "listing")
            .filter(pk=item_id)
            .first()
        )
        if item is None:
            raise Http404
        history = (
            item.annotations.select_related("labeler", "instructions")
            .prefetch_related("regions__label_class__means")
            .order_by("-id")
        )
        reviews = item.reviews.select_related("reviewer").order_by("-id")
        return Response(
            {
                **shapes.item_shape(item, request.user),
                "history": [shapes.annotation_shape(each, request.user) for each in history],
                "reviews": [
                    {"verdict": each.verdict, "comment": each.comment,
                     "reviewer": naming.called(request.user, each.reviewer),
                     "created_at": each.created_at, "undone_at": each.undone_at}
                    for each in reviews
                ],
            }
        )  # fmt: skip


class Decision(APIView):
    @extend_schema(operation_id="items_decide", request=shapes.DecisionInput, responses={200: dict})
    def post(self, request: Request, project_id: int, item_id: int) -> Response:
        """Say which answer is right, by its id, where people do not agree; `batch` takes it back."""
        project = permissions.project_or_404(request.user, project_id, "review")
        item = get_object_or_404(project.items, pk=item_id)
        given = shapes.DecisionInput(data=request.data)
        given.is_valid(raise_exception=True)
        batch = review.decide(
            project, item.pk, given.validated_data["annotation"], permissions.person(request)
        )
        item = project.items.select_related("current_annotation__labeler").get(pk=item_id)
        return Response({**shapes.item_shape(item, request.user), "batch": batch.pk})


class Imports(APIView):
    @extend_schema(operation_id="imports_list", parameters=shapes.CURSOR, responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """List what was imported, with counts and the files that gave no item."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        found, older = shapes.newest(project.sources.all(), request.query_params)
        results = [{**reading.summary(each), "problems": reading.problems(each)} for each in found]
        return Response({"results": results, "next": older})

    @extend_schema(operation_id="imports_create", request=ImportInput, responses={201: dict})
    def post(self, request: Request, project_id: int) -> Response:
        """Import images or archives (multipart `files`), a data set, a bucket, web addresses, or a folder.

        A bucket, and a list by its address, is listed by a job, in which it says what it found.
        """
        project = permissions.project_or_404(request.user, project_id, "manage")
        files = request.FILES.getlist("files") + request.FILES.getlist("upload")
        given = ImportInput(data=request.data)
        given.is_valid(raise_exception=True)
        if files:
            paths = request.data.getlist("paths") if hasattr(request.data, "getlist") else []
            made = importing.add_uploads(
                project, files, permissions.person(request), paths,
                every_page=given.validated_data.get("every_page", False),
            )  # fmt: skip
        elif "data_set" in given.validated_data:
            data_set = permissions.data_set_or_404(request.user, given.validated_data["data_set"])
            every_page = given.validated_data.get("every_page", False)
            made = data_sets.use(data_set, project, permissions.person(request), every_page=every_page)
        else:
            made = [self.found_elsewhere(request, project, given.validated_data)]
        job = (
            Job.objects.filter(
                project=project, kind__in=("refresh", "unpack", "import"), payload__source=made[0].pk
            )
            .order_by("id")
            .first()
        )
        return Response(
            {
                "id": job.pk if job else None,
                "job": shapes.job_shape(job) if job else None,
                "imports": [reading.summary(each) for each in made],
            },
            status=201,
        )

    def found_elsewhere(self, request: Request, project: Project, given: dict[str, Any]) -> DataSource:
        """Add a source that is not sent along. Raises ImportRefused."""
        by = permissions.person(request)
        every_page = given.get("every_page", False)
        if given.get("urls"):
            return sources.add_list(project, given["urls"], "", by, every_page=every_page)
        url = given.get("url", "")
        if "://" in url:
            return sources.add(project, given | {"address": url}, by)
        if not url:
            raise importing.ImportRefused(
                "Send files as `files`, a data set by its number as `data_set`, the address of a bucket, a"
                " list, a folder or ZIP as `url`, or the addresses of images as `urls`."
            )
        permissions.server_reader(request.user)
        source = importing.add_path(project, url, by, every_page=every_page)
        if "refresh" in given:
            sources.change(source, {"refresh": given["refresh"]}, by)
            source.refresh_from_db()
        return source


class JobDetail(APIView):
    @extend_schema(operation_id="jobs_read", responses={200: dict})
    def get(self, request: Request, job_id: int) -> Response:
        """Follow a job."""
        job = Job.objects.select_related("project").filter(pk=job_id).exclude(project=None).first()
        if job is None or job.project_id is None:
            raise Http404
        permissions.project_or_404(request.user, job.project_id, "review")
        return Response(shapes.job_shape(job))
