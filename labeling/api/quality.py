"""How well people label: known images, agreement, pausing."""

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import concord, gold, pausing, permissions
from labeling.api.inputs import Input
from labeling.models import Membership


class GoldInput(Input):
    items = serializers.ListField(
        child=serializers.IntegerField(), default=list, max_length=10_000, help_text="labeled items"
    )
    choose = serializers.IntegerField(
        default=0, min_value=0, max_value=1_000, help_text="how many to choose among adjudicated items"
    )


class Gold(APIView):
    @extend_schema(operation_id="gold_list", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """List the known images that measure labelers, with how they were answered."""
        project = permissions.project_or_404(request.user, project_id, "review")
        rows = [
            {"item": each.pk, "asked": each.asked, "missed": each.missed, "retired_at": each.retired_at}
            for each in gold.pool(project)
        ]
        return Response({"results": rows})

    @extend_schema(operation_id="gold_add", request=GoldInput, responses={201: dict})
    def post(self, request: Request, project_id: int) -> Response:
        """Make labeled items known images, or have some chosen; returns those that were added."""
        project = permissions.project_or_404(request.user, project_id, "review")
        given = GoldInput(data=request.data)
        given.is_valid(raise_exception=True)
        person = permissions.person(request)
        added = gold.add(project, given.validated_data["items"], person)
        if given.validated_data["choose"]:
            added += gold.choose(project, given.validated_data["choose"], person)
        return Response({"items": added}, status=201)


class GoldDetail(APIView):
    @extend_schema(operation_id="gold_remove", responses={204: None})
    def delete(self, request: Request, project_id: int, item_id: int) -> Response:
        """Take an item out of the known images."""
        project = permissions.project_or_404(request.user, project_id, "review")
        gold.remove(project, [item_id], permissions.person(request))
        return Response(status=204)


class Agreement(APIView):
    @extend_schema(operation_id="agreement_read", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """Read how much people agree: by pair, class and week, as it was counted last.

        `counting` says that a newer count is under way. `alpha` is Krippendorff's, `kappa` Cohen's; `alike`
        is the mean Jaccard index of classes or F1 of objects, `overlap` the mean overlap of matched objects.
        """
        project = permissions.project_or_404(request.user, project_id, "review")
        report, is_counting = concord.report_of(project)
        return Response(
            {
                **(report.data if report else {}),
                "counted_at": report.counted_at if report else None,
                "counting": is_counting,
            }
        )


class MemberPause(APIView):
    @extend_schema(operation_id="members_pause", request=None, responses={200: dict})
    def post(self, request: Request, project_id: int, membership_id: int) -> Response:
        """Hand a member no more images; what they have on screen can still be submitted."""
        membership = member_or_404(request, project_id, membership_id)
        pausing.pause(membership, permissions.person(request))
        return Response(state_of(membership))


class MemberResume(APIView):
    @extend_schema(operation_id="members_resume", request=None, responses={200: dict})
    def post(self, request: Request, project_id: int, membership_id: int) -> Response:
        """Let a member go on who was paused or flagged; known images they missed before are forgiven."""
        membership = member_or_404(request, project_id, membership_id)
        pausing.lift(membership, permissions.person(request))
        return Response(state_of(membership))


def member_or_404(request: Request, project_id: int, membership_id: int) -> Membership:
    project = permissions.project_or_404(request.user, project_id, "manage")
    membership = project.memberships.select_related("user", "project").filter(pk=membership_id).first()
    if membership is None:
        raise Http404
    return membership


def state_of(membership: Membership) -> dict[str, Any]:
    membership.refresh_from_db()
    return {"id": membership.pk, "paused_at": membership.paused_at, "flagged_at": membership.flagged_at}
