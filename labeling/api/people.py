"""People over HTTP: members, invitations, teams, accounts."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import accounts, members, permissions, teams, workforce
from labeling.api import project_shapes, shapes
from labeling.api.inputs import Input
from labeling.models import Invitation, Membership, ProjectTeam, Team, TeamMember, User
from labeling.pausing import members_quality

MOST = 200
Role = Membership.Role


class MemberInput(Input):
    role = serializers.ChoiceField(choices=Role.choices, required=False)
    active = serializers.BooleanField(required=False, help_text="false closes the project to them for now")
    daily_limit = serializers.IntegerField(
        min_value=1, max_value=10_000_000, allow_null=True, required=False, help_text="most images a day"
    )
    total_limit = serializers.IntegerField(
        min_value=1, max_value=10_000_000, allow_null=True, required=False, help_text="most images in all"
    )
    only_assigned = serializers.BooleanField(
        required=False, help_text="gets only what is assigned, beside what is asked blind of everybody"
    )


class Members(APIView):
    @extend_schema(operation_id="members_list", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """List the members with their roles and limits, and how well they label.

        `team` is the one through which somebody is here. `known` are images with known answers: how many
        were right and wrong, and the chance to be right with its middle 95 %. `quality` is that chance by
        the answers of others and the model's.
        """
        project = permissions.project_or_404(request.user, project_id, "manage")
        return Response(
            {"results": shapes_of(list(project.memberships.select_related("user").order_by("id")))}
        )


class Member(APIView):
    @extend_schema(operation_id="members_change", request=MemberInput, responses={200: dict})
    def patch(self, request: Request, project_id: int, membership_id: int) -> Response:
        """Change a member's role or limits, or let them rest (`active`: false) and go on."""
        membership = member_or_404(request, project_id, membership_id)
        given = MemberInput(data=request.data)
        given.is_valid(raise_exception=True)
        fields, by = dict(given.validated_data), permissions.person(request)
        is_active = fields.pop("active", None)
        if "role" in fields:
            members.change_role(membership, fields.pop("role"), by)
        if is_active is not None:
            (members.reactivate if is_active else members.deactivate)(membership, by)
        if fields:
            members.set_limits(membership, by, **fields)
        return Response(shapes_of([member_or_404(request, project_id, membership_id)])[0])

    @extend_schema(operation_id="members_remove", responses={204: None})
    def delete(self, request: Request, project_id: int, membership_id: int) -> Response:
        """Take a member out of the project; their labels stay."""
        members.remove(member_or_404(request, project_id, membership_id), permissions.person(request))
        return Response(status=204)


def member_or_404(request: Request, project_id: int, membership_id: int) -> Membership:
    project = permissions.project_or_404(request.user, project_id, "manage")
    return get_object_or_404(project.memberships.select_related("user", "project", "team"), pk=membership_id)


def shapes_of(found: list[Membership]) -> list[dict[str, Any]]:
    if not found:
        return []
    known = members_quality(found[0].project, found)
    return [project_shapes.member_shape(each, **known[each.user_id]) for each in found]


# Invitations


class InvitationInput(Input):
    role = serializers.CharField(max_length=8)
    email = serializers.EmailField(required=False, allow_blank=True, default="", max_length=254)
    with_password = serializers.BooleanField(
        default=False, help_text="make an account with a temporary password, which is answered this once"
    )


class TeamInvitationInput(Input):
    email = serializers.EmailField(required=False, allow_blank=True, default="", max_length=254)
    is_lead = serializers.BooleanField(default=False)
    with_password = serializers.BooleanField(default=False)


class Invitations(APIView):
    @extend_schema(operation_id="invitations_list", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """List the invitations to a project."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        found = project.invitations.order_by("-id")
        return Response({"results": [shapes.invitation_shape(each) for each in found]})

    @extend_schema(operation_id="invitations_create", request=InvitationInput, responses={201: dict})
    def post(self, request: Request, project_id: int) -> Response:
        """Invite somebody by link, or with an account and a temporary password."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        given = InvitationInput(data=request.data)
        given.is_valid(raise_exception=True)
        made = workforce.invite(project, permissions.person(request), **given.validated_data)
        return Response(fresh_shape(made), status=201)


class InvitationAct(APIView):
    """Renew or revoke an invitation to a project."""

    act: str = ""

    @extend_schema(request=None, responses={200: dict})
    def post(self, request: Request, project_id: int, invitation_id: int) -> Response:
        project = permissions.project_or_404(request.user, project_id, "manage")
        found = get_object_or_404(project.invitations.select_related("project", "team"), pk=invitation_id)
        return Response(act(found, self.act, permissions.person(request)))


def act(invitation: Invitation, what: str, by: User) -> dict[str, Any]:
    if what == "resend":
        return fresh_shape(workforce.resend(invitation, by))
    workforce.revoke(invitation, by)
    invitation.refresh_from_db()
    return shapes.invitation_shape(invitation)


def fresh_shape(invitation: Invitation) -> dict[str, Any]:
    """Return an invitation with its temporary password, which is told only where it was just made."""
    password = workforce.temporary_password(invitation) if invitation.account_id else None
    return {**shapes.invitation_shape(invitation), "password": password}


# Teams


class TeamInput(Input):
    name = serializers.CharField(max_length=120)
    is_vendor = serializers.BooleanField(default=False, help_text="of another company; cannot be changed")
    organisation = serializers.CharField(max_length=120, default="", allow_blank=True)
    contact = serializers.CharField(max_length=200, default="", allow_blank=True)


class TeamChange(Input):
    name = serializers.CharField(max_length=120, required=False)
    organisation = serializers.CharField(max_length=120, required=False, allow_blank=True)
    contact = serializers.CharField(max_length=200, required=False, allow_blank=True)


class PersonInput(Input):
    active = serializers.BooleanField(required=False)
    is_lead = serializers.BooleanField(required=False)


class Teams(APIView):
    @extend_schema(operation_id="teams_list", responses={200: dict})
    def get(self, request: Request) -> Response:
        """List the teams whose people you manage."""
        found = permissions.led_teams(request.user).order_by("name")
        return Response({"results": [team_shape(each) for each in found]})

    @extend_schema(operation_id="teams_create", request=TeamInput, responses={201: dict})
    def post(self, request: Request) -> Response:
        """Make a team of people who get work together in any number of projects."""
        permissions.creator_or_404(request.user)
        given = TeamInput(data=request.data)
        given.is_valid(raise_exception=True)
        made = teams.create(permissions.person(request), **given.validated_data)
        return Response(team_shape(made), status=201)


class TeamDetail(APIView):
    @extend_schema(operation_id="teams_read", responses={200: dict})
    def get(self, request: Request, team_id: int) -> Response:
        """Read a team with its people."""
        team = permissions.team_or_404(request.user, team_id)
        people = team.people.select_related("user").order_by("id")
        return Response({**team_shape(team), "people": [person_shape(each) for each in people]})

    @extend_schema(operation_id="teams_change", request=TeamChange, responses={200: dict})
    def patch(self, request: Request, team_id: int) -> Response:
        """Change a team's name, company or contact."""
        team = permissions.team_or_404(request.user, team_id, owned=True)
        given = TeamChange(data=request.data)
        given.is_valid(raise_exception=True)
        before = {"name": team.name, "organisation": team.organisation, "contact": team.contact}
        teams.edit(team, permissions.person(request), **before | given.validated_data)
        return Response(team_shape(team))


class TeamPerson(APIView):
    @extend_schema(operation_id="teams_person", request=PersonInput, responses={200: dict})
    def patch(self, request: Request, team_id: int, user_id: int) -> Response:
        """Take somebody out of a team (`active`: false) or in again, or say whether they lead it."""
        team = permissions.team_or_404(request.user, team_id)
        person = get_object_or_404(team.people.select_related("team", "user"), user=user_id)
        given = PersonInput(data=request.data)
        given.is_valid(raise_exception=True)
        fields, by = given.validated_data, permissions.person(request)
        if "is_lead" in fields:
            permissions.team_or_404(request.user, team_id, owned=True)
            teams.set_lead(person, by, is_lead=fields["is_lead"])
        if "active" in fields:
            (teams.come_back if fields["active"] else teams.leave)(person, by)
        return Response(person_shape(team.people.select_related("user").get(pk=person.pk)))


class TeamInvitations(APIView):
    @extend_schema(operation_id="team_invitations_list", responses={200: dict})
    def get(self, request: Request, team_id: int) -> Response:
        """List the invitations to a team."""
        team = permissions.team_or_404(request.user, team_id)
        found = team.invitations.order_by("-id")
        return Response({"results": [shapes.invitation_shape(each) for each in found]})

    @extend_schema(operation_id="team_invitations_create", request=TeamInvitationInput, responses={201: dict})
    def post(self, request: Request, team_id: int) -> Response:
        """Invite somebody to a team, and so to all of its projects."""
        team = permissions.team_or_404(request.user, team_id)
        given = TeamInvitationInput(data=request.data)
        given.is_valid(raise_exception=True)
        fields = given.validated_data
        if fields["is_lead"]:
            permissions.team_or_404(request.user, team_id, owned=True)
        made = workforce.invite_to_team(team, permissions.person(request), **fields)
        return Response(fresh_shape(made), status=201)


class TeamInvitationAct(APIView):
    """Renew or revoke an invitation to a team."""

    act: str = ""

    @extend_schema(request=None, responses={200: dict})
    def post(self, request: Request, team_id: int, invitation_id: int) -> Response:
        team = permissions.team_or_404(request.user, team_id)
        found = get_object_or_404(team.invitations.select_related("project", "team"), pk=invitation_id)
        return Response(act(found, self.act, permissions.person(request)))


class GivenInput(Input):
    team = serializers.IntegerField()
    role = serializers.ChoiceField(choices=(Role.LABELER, Role.REVIEWER), default=Role.LABELER)


class ProjectTeams(APIView):
    @extend_schema(operation_id="project_teams_list", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """List the teams that work in a project."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        found = project.teams.select_related("team").order_by("id")
        return Response({"results": [given_shape(each) for each in found]})

    @extend_schema(operation_id="project_teams_give", request=GivenInput, responses={201: dict})
    def post(self, request: Request, project_id: int) -> Response:
        """Let a team work in a project, or give it another role there."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        given = GivenInput(data=request.data)
        given.is_valid(raise_exception=True)
        here = Team.objects.filter(pk__in=project.teams.values("team"))
        known = permissions.known_teams(request.user) | here
        team = get_object_or_404(known.distinct(), pk=given.validated_data["team"])
        made = teams.give(project, team, given.validated_data["role"], permissions.person(request))
        return Response(given_shape(made), status=201)


class ProjectTeamDetail(APIView):
    @extend_schema(operation_id="project_teams_take", responses={204: None})
    def delete(self, request: Request, project_id: int, team_id: int) -> Response:
        """End a team's work in a project; its labels stay."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        rows = ProjectTeam.objects.select_related("team", "project")
        given = get_object_or_404(rows, project=project, team=team_id)
        teams.take_away(given, permissions.person(request))
        return Response(status=204)


def team_shape(team: Team) -> dict[str, Any]:
    return {
        "id": team.pk,
        "name": team.name,
        "is_vendor": team.is_vendor,
        "organisation": team.organisation,
        "contact": team.contact,
    }


def person_shape(person: TeamMember) -> dict[str, Any]:
    return {
        "user": person.user_id,
        "email": person.user.email,
        "name": person.user.label,
        "is_lead": person.is_lead,
        "active": person.left_at is None and person.user.is_active,
    }


def given_shape(given: ProjectTeam) -> dict[str, Any]:
    return {"team": given.team_id, "name": given.team.name, "is_vendor": given.is_vendor, "role": given.role}


# Accounts


class AccountInput(Input):
    active = serializers.BooleanField()


class People(APIView):
    @extend_schema(
        operation_id="people_list",
        parameters=[OpenApiParameter("q", OpenApiTypes.STR), OpenApiParameter("after", OpenApiTypes.STR)],
        responses={200: dict},
    )
    def get(self, request: Request) -> Response:
        """List all accounts by address, for site admins; `next` goes into `after`."""
        permissions.site_admin_or_404(request.user)
        wanted, after = request.query_params.get("q", ""), request.query_params.get("after", "")
        found, following = accounts.page(wanted, after, MOST)
        return Response({"results": [account_shape(each) for each in found], "next": following})


class Person(APIView):
    @extend_schema(operation_id="people_change", request=AccountInput, responses={200: dict})
    def patch(self, request: Request, user_id: int) -> Response:
        """Switch an account off or on: sign-in and tokens open nothing while it is off."""
        permissions.site_admin_or_404(request.user)
        user = get_object_or_404(User, pk=user_id)
        given = AccountInput(data=request.data)
        given.is_valid(raise_exception=True)
        switch = accounts.reactivate if given.validated_data["active"] else accounts.deactivate
        switch(user, permissions.person(request))
        user.refresh_from_db()
        return Response(account_shape(user))


def account_shape(user: User) -> dict[str, Any]:
    return {
        "id": user.pk,
        "email": user.email,
        "name": user.label,
        "active": user.is_active,
        "site_admin": user.is_superuser,
        "vendor": user.vendor_id,
    }
