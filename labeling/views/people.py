"""The team of a project: members, teams, roles, limits, invitations."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from labeling import limits, members, pausing, permissions, statistics, teams, workforce
from labeling.api.shapes import whole_number
from labeling.models import Invitation, Membership, Project, ProjectTeam
from labeling.people_forms import InviteForm, LimitsForm
from labeling.views import SignedIn


def team(request: SignedIn, project_id: int) -> HttpResponse:
    """Show members, teams and open invitations; a POST invites people."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    form = InviteForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return team_page(request, project, form=form)
    sent, refused = invite_all(project, request, form.cleaned_data)
    for sentence in refused:
        form.add_error("email", sentence)
    passwords = to_copy(sent)
    if refused or passwords:
        return team_page(request, project, form=form if refused else InviteForm(), passwords=passwords)
    messages.success(request, sent_words(sent))
    return redirect("team", project.pk)


def invite_all(
    project: Project, request: SignedIn, given: dict[str, Any]
) -> tuple[list[Invitation], list[str]]:
    """Invite each address by itself; returns the invitations, and why others were refused."""
    sent, refused = [], []
    for email in given["email"] or [""]:
        try:
            sent.append(
                workforce.invite(
                    project, request.user, given["role"], email, with_password=given["with_password"]
                )
            )
        except workforce.WorkforceRefused as error:
            refused.append(str(error))
    return sent, refused


def to_copy(sent: list[Invitation]) -> list[tuple[str, str]]:
    """Return addresses with their temporary passwords, where no mail server brings them."""
    if settings.SENDS_MAIL:
        return []
    return [(each.email, workforce.temporary_password(each)) for each in sent if each.account_id]


def sent_words(sent: list[Invitation]) -> str:
    if len(sent) > 1:
        return f"{len(sent)} invitations are " + ("on their way." if settings.SENDS_MAIL else "there, below.")
    email = sent[0].email
    if email and settings.SENDS_MAIL:
        if sent[0].account_id:
            return f"The invitation with a temporary password is on its way to {email}."
        return f"The invitation is on its way to {email}. Its link is below, too."
    return "The invitation is there. Copy its link and send it."


def team_page(request: SignedIn, project: Project, **context: Any) -> HttpResponse:
    labels = {row["id"]: row for row in statistics.labels_by_labeler(project)}
    people = list(project.memberships.select_related("user", "team").order_by("-is_active", "role", "id"))
    quality = pausing.members_quality(project, people)
    context |= {
        "project": project,
        "members": people,
        "quality": quality,
        "is_measured": any(each["record"].asked for each in quality.values()),
        "measurable": [
            each
            for each in people
            if each.role == Membership.Role.LABELER
            or each.paused_at
            or quality[each.user_id]["record"].asked
            or quality[each.user_id]["measured"]
        ],
        "labels": labels,
        "most": max((row["count"] for row in labels.values()), default=0),
        "grids": statistics.grids_by_labeler(project),
        "crops": statistics.crops_by_labeler(project),
        "roles": Membership.Role.choices,
        "given": project.teams.select_related("team").order_by("team__name"),
        "choices": permissions.known_teams(request.user).exclude(projects__project=project).order_by("name"),
        "invitations": workforce.open_ones().filter(project=project).order_by("-id"),
        "has_mail": settings.SENDS_MAIL,
    }
    return render(request, "people/team.html", context)


# Invitations


def invitation_or_404(request: SignedIn, project_id: int, invitation_id: int) -> Invitation:
    project = permissions.project_or_404(request.user, project_id, "manage")
    return get_object_or_404(project.invitations.select_related("project", "team"), pk=invitation_id)


@require_POST
def revoke_invitation(request: SignedIn, project_id: int, invitation_id: int) -> HttpResponse:
    workforce.revoke(invitation_or_404(request, project_id, invitation_id), request.user)
    messages.success(request, "The invitation is revoked: it opens nothing any more.")
    return redirect("team", project_id)


@require_POST
def resend_invitation(request: SignedIn, project_id: int, invitation_id: int) -> HttpResponse:
    """Renew a link or a temporary password, and send it again."""
    invitation = invitation_or_404(request, project_id, invitation_id)
    try:
        fresh = workforce.resend(invitation, request.user)
    except workforce.WorkforceRefused as error:
        messages.error(request, str(error))
        return redirect("team", project_id)
    if passwords := to_copy([fresh]):
        project = permissions.project_or_404(request.user, project_id, "manage")
        return team_page(request, project, form=InviteForm(), passwords=passwords)
    messages.success(request, f"{sent_words([fresh])} The one before opens nothing any more.")
    return redirect("team", project_id)


# Members


def member_or_404(request: SignedIn, project_id: int, membership_id: int) -> Membership:
    project = permissions.project_or_404(request.user, project_id, "manage")
    rows = project.memberships.select_related("user", "project", "team")
    return get_object_or_404(rows, pk=membership_id)


@require_POST
def change_member(request: SignedIn, project_id: int, membership_id: int) -> HttpResponse:
    """Give a member another role, let them rest or go on, or take them out."""
    membership = member_or_404(request, project_id, membership_id)
    what = request.POST.get("role", "")
    try:
        say(request, membership, what)
    except workforce.WorkforceRefused as error:
        messages.error(request, str(error))
    is_own = membership.user_id == request.user.pk
    return redirect("projects") if is_own else redirect("team", project_id)


def say(request: SignedIn, membership: Membership, what: str) -> None:
    """Do what a button of a member's row says. Raises WorkforceRefused."""
    name, undo = membership.user.label, reverse("member", args=[membership.project_id, membership.pk])
    if what == "remove":
        members.remove(membership, request.user)
        messages.success(request, f"{name} is no longer a member. Their labels stay.")
    elif what == "off":
        members.deactivate(membership, request.user)
        messages.success(
            request, f"{name} is switched off here: what they had on screen is others’ now.", f"{undo}?on"
        )
    elif what == "on" or "on" in request.GET:
        members.reactivate(membership, request.user)
        messages.success(request, f"{name} can go on.")
    else:
        members.change_role(membership, what, request.user)
        messages.success(request, f"{name} is a {what} now.")


def member_limits(request: SignedIn, project_id: int, membership_id: int) -> HttpResponse:
    """Show and set how much a member may label."""
    membership = member_or_404(request, project_id, membership_id)
    project, user = membership.project, membership.user
    form = LimitsForm(request.POST or None, instance=membership)
    if request.method == "POST" and form.is_valid():
        members.set_limits(membership, request.user, **form.cleaned_data)
        messages.success(request, f"Saved for {user.label}.")
        return redirect("team", project_id)
    project.role = "manager"  # type: ignore[attr-defined]
    context = {
        "project": project,
        "member": membership,
        "form": form,
        "today": limits.done_today(project, user),
        "in_all": limits.done_in_all(project, user),
    }
    return render(request, "people/limits.html", context)


# Teams


@require_POST
def give_team(request: SignedIn, project_id: int) -> HttpResponse:
    """Let a team work in the project."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    pk = whole_number(request.POST.get("team", ""))
    if pk is None:
        messages.error(request, "Choose a team.")
        return redirect("team", project.pk)
    chosen = permissions.known_teams(request.user).filter(pk=pk).first()
    if chosen is None:
        raise Http404
    try:
        teams.give(project, chosen, request.POST.get("role", ""), request.user)
        messages.success(request, f"{chosen.name} works here now, and so will everybody who joins it.")
    except workforce.WorkforceRefused as error:
        messages.error(request, str(error))
    return redirect("team", project.pk)


@require_POST
def change_team(request: SignedIn, project_id: int, team_id: int) -> HttpResponse:
    """Give a team another role in the project, or end its work there."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    rows = ProjectTeam.objects.select_related("team", "project")
    given = get_object_or_404(rows, project=project, team=team_id)
    role = request.POST.get("role", "")
    try:
        if role == "remove":
            teams.take_away(given, request.user)
            messages.success(request, f"{given.team.name} does not work here any more. Its labels stay.")
        else:
            teams.give(project, given.team, role, request.user)
            messages.success(request, f"Everybody in {given.team.name} is a {role} now.")
    except workforce.WorkforceRefused as error:
        messages.error(request, str(error))
    return redirect("team", project.pk)
