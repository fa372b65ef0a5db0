"""Tokens of one's own, and those that open a project."""

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import accounts, permissions
from labeling.api.inputs import Input
from labeling.models import ApiToken

LONGEST = 3_650  # days


class TokenInput(Input):
    name = serializers.CharField(max_length=80, default="token")
    project = serializers.IntegerField(required=False, help_text="id of the only project that it opens")
    scope = serializers.ChoiceField(choices=ApiToken.Scope.choices, default=ApiToken.Scope.ALL)
    days = serializers.IntegerField(
        required=False, min_value=1, max_value=LONGEST, help_text="that it is valid; for ever without"
    )


class Tokens(APIView):
    @extend_schema(operation_id="tokens_list", responses={200: dict})
    def get(self, request: Request) -> Response:
        """List your tokens; their secrets are nowhere kept."""
        user = permissions.person(request)
        found = ApiToken.objects.filter(user=user).order_by("-id")
        return Response({"results": [shape(each, user.label) for each in found]})

    @extend_schema(operation_id="tokens_create", request=TokenInput, responses={201: dict})
    def post(self, request: Request) -> Response:
        """Make a token, for all that you may do or for less; `secret` is shown this once."""
        given = TokenInput(data=request.data)
        given.is_valid(raise_exception=True)
        fields = dict(given.validated_data)
        if "project" in fields:
            fields["project"] = permissions.project_or_404(request.user, fields["project"], "see")
        user = permissions.person(request)
        secret = accounts.issue_token(user, fields.pop("name"), user, **fields)
        made = ApiToken.objects.get(digest=ApiToken.digest_of(secret))
        return Response({**shape(made, user.label), "secret": secret}, status=201)


class TokenDetail(APIView):
    @extend_schema(operation_id="tokens_revoke", responses={204: None})
    def delete(self, request: Request, token_id: int) -> Response:
        """Revoke a token: nothing that used it gets in any more."""
        if not accounts.revoke_token(permissions.person(request), token_id):
            raise Http404
        return Response(status=204)


class ProjectTokens(APIView):
    @extend_schema(operation_id="project_tokens_list", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """List the tokens that open this project alone, whosever they are."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        viewer = permissions.person(request)
        return Response(
            {"results": [shape(each, each.owner) for each in accounts.tokens_of(project, viewer)]}
        )


class ProjectTokenDetail(APIView):
    @extend_schema(operation_id="project_tokens_revoke", responses={204: None})
    def delete(self, request: Request, project_id: int, token_id: int) -> Response:
        """Revoke a token that opens this project alone, whosever it is."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        if not accounts.revoke_project_token(project, token_id, permissions.person(request)):
            raise Http404
        return Response(status=204)


def shape(token: ApiToken, owner: str) -> dict[str, Any]:
    return {
        "id": token.pk,
        "name": token.name,
        "owner": owner,
        "scope": token.scope,
        "project": token.project_id,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
    }
