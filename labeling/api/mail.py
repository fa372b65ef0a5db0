"""Letters that the mail server has not taken, for site admins."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import mailing, permissions
from labeling.models import Letter

SHOWN = 200


class Mail(APIView):
    @extend_schema(operation_id="mail_list", responses={200: dict})
    def get(self, request: Request) -> Response:
        """List letters that could not be sent, and how many wait to be."""
        permissions.site_admin_or_404(permissions.person(request))
        found = [shape(each) for each in mailing.troubled()[:SHOWN]]
        return Response({"results": found, "waiting": mailing.due().count()})

    @extend_schema(operation_id="mail_try_again", request=None, responses={200: dict})
    def post(self, request: Request) -> Response:
        """Try soon to send what could not be sent."""
        permissions.site_admin_or_404(permissions.person(request))
        return Response({"count": mailing.try_again()})


def shape(letter: Letter) -> dict[str, Any]:
    return {
        "id": letter.pk,
        "to": letter.user.email if letter.user else letter.invitation and letter.invitation.email,
        "state": letter.state,
        "attempts": letter.attempts,
        "due_at": letter.due_at,
        "error": letter.error,
    }
