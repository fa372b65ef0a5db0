"""The labeler's loop: get a page, answer it, take it back."""

from collections.abc import Mapping
from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import earlier, gold, limits, permissions, queue, statistics, submission
from labeling.api import shapes
from labeling.models import Page, Project


class Pages(APIView):
    @extend_schema(operation_id="pages_create", request=shapes.PageInput, responses={201: dict, 204: None})
    def post(self, request: Request, project_id: int) -> Response:
        """Get a page of items to label; 204 when nothing is left for you, 409 when your limit is reached."""
        project = permissions.project_or_404(request.user, project_id, "label")
        given = shapes.PageInput(data=request.data)
        given.is_valid(raise_exception=True)
        page = queue.claim(project, permissions.person(request), **given.validated_data)
        return Response(shapes.page_shape(page), status=201) if page else Response(status=204)

    @extend_schema(operation_id="pages_list", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """List the pages that you submitted last, newest first, with your answers that stand."""
        project = permissions.project_or_404(request.user, project_id, "label")
        latest = earlier.latest(project, permissions.person(request))
        return Response({"pages": [shapes.earlier_shape(*each) for each in latest]})


class PageDetail(APIView):
    @extend_schema(operation_id="pages_read", responses={200: dict})
    def get(self, request: Request, project_id: int, page_id: int) -> Response:
        """Look at a page that you submitted. Submit it again with new UUIDs to correct your answers."""
        page = page_or_404(request, project_id, page_id)
        if page.state != Page.State.SUBMITTED:
            raise Http404
        return Response(shapes.submitted_shape(page))


class PageSubmit(APIView):
    @extend_schema(operation_id="pages_submit", request=shapes.SubmitInput, responses={200: dict})
    def post(self, request: Request, project_id: int, page_id: int) -> Response:
        """Answer a page. Repeating the same UUIDs changes nothing; late answers are kept.

        So are those of somebody who labels here no longer: `notice` says so then. Where the project says so,
        `known` tells of an image whose answer was known, and what is right.
        """
        page = permissions.own_page_or_404(request.user, project_id, page_id, also_former=True)
        given = shapes.SubmitInput(data=request.data)
        given.is_valid(raise_exception=True)
        answers = answers_from(page.project, given.validated_data["answers"])
        saved = submission.submit(page, page.labeler, answers)
        told = gold.feedback(page)
        reply = {"saved": saved, "done_today": statistics.done_today(page.project, page.labeler)}
        is_all_late = all(each["status"] == "kept" for each in saved)
        reply |= {"known": told} if told else {}
        return Response(reply | (notice(page) if is_all_late else {}))


class PageUndo(APIView):
    @extend_schema(operation_id="pages_undo", request=None, responses={201: dict})
    def post(self, request: Request, project_id: int) -> Response:
        """Take back the page that you submitted last, within ten minutes."""
        project = permissions.project_or_404(request.user, project_id, "label")
        undone = submission.undo(project, permissions.person(request))
        if undone is None:
            raise Http404
        return Response(shapes.undone_shape(*undone), status=201)


class PageExtend(APIView):
    @extend_schema(operation_id="pages_extend", request=None, responses={200: dict})
    def post(self, request: Request, project_id: int, page_id: int) -> Response:
        """Keep a page for longer, or open one again that was released, unless its `state` is `submitted`.

        `lost` names items that cannot be had any more.
        """
        page = queue.extend(page_or_404(request, project_id, page_id))
        return Response({"lease_expires_at": page.expires_at, "lost": queue.lost(page), "state": page.state})


class PageRelease(APIView):
    @extend_schema(operation_id="pages_release", request=None, responses={204: None})
    def post(self, request: Request, project_id: int, page_id: int) -> Response:
        """Give a page back unanswered."""
        queue.release(page_or_404(request, project_id, page_id))
        return Response(status=204)


def page_or_404(request: Request, project_id: int, page_id: int) -> Page:
    """Return one of the caller's own pages."""
    return permissions.own_page_or_404(request.user, project_id, page_id)


def notice(page: Page) -> dict[str, str]:
    """Return what a labeler has to know of what they sent: that they work here no longer."""
    try:
        limits.member(page.project, page.labeler)
    except limits.NotWorking as error:
        return {"notice": str(error)}
    return {}


def answers_from(project: Project, given: list[dict[str, Any]]) -> list[submission.Answer]:
    """Turn checked input into answers, class names into ids. Raises InvalidAnswer."""
    ids = {each.name.lower(): each.pk for each in project.classes.all()}
    return [
        submission.Answer(
            item=each["item"],
            uuid=each["uuid"],
            seconds=each.get("seconds"),
            skipped=each["skipped"],
            skip_reason=each["skip_reason"],
            exception=each["exception"],
            regions=tuple(region_from(region, ids) for region in each["regions"]),
        )
        for each in given
    ]


def region_from(region: Mapping[str, Any], ids: Mapping[str, int]) -> submission.RegionInput:
    label_class = region["class"]
    if isinstance(label_class, str):
        if label_class.lower() not in ids:
            text = _("This project has no class “%(name)s”.")
            raise submission.InvalidAnswer(text % {"name": label_class})
        label_class = ids[label_class.lower()]
    return submission.RegionInput(label_class, region.get("bbox"), region.get("polygon"), region["origin"])
