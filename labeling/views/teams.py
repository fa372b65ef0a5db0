"""Teams of the whole site, and the accounts that a site admin switches off and on."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import Count, Q
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from labeling import accounts, permissions, teams, workforce
from labeling.models import Invitation, Team, TeamMember, User
from labeling.people_forms import InviteToTeamForm, TeamForm
from labeling.views import SignedIn
from labeling.views.people import sent_words, to_copy

PAGE = 50


def team_list(request: SignedIn) -> HttpResponse:
    """Show the teams that somebody manages; a POST makes one."""
    creates = permissions.may_create(request.user)
    found = permissions.led_teams(request.user).annotate(
        size=Count("people", filter=Q(people__left_at=None), distinct=True),
        work=Count("projects", filter=Q(projects__project__deleted_at=None), distinct=True),
    )
    if not creates and not found.exists():
        raise Http404
    form = TeamForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        permissions.creator_or_404(request.user)
        try:
            made = teams.create(request.user, **form.cleaned_data)
        except workforce.WorkforceRefused as error:
            form.add_error("name", str(error))
        else:
            messages.success(request, f"{made.name} is there. Now invite its people.")
            return redirect("site-team", made.pk)
    context = {"teams": found.order_by("name"), "form": form, "creates": creates}
    return render(request, "people/teams.html", context)


def site_team(request: SignedIn, team_id: int) -> HttpResponse:
    """Show a team; a POST changes what is known of it."""
    team = permissions.team_or_404(request.user, team_id)
    form = TeamForm(request.POST or None, initial=fields_of(team))
    if request.method == "POST" and form.is_valid():
        permissions.team_or_404(request.user, team_id, owned=True)
        given = {name: form.cleaned_data[name] for name in ("name", "organisation", "contact")}
        try:
            teams.edit(team, request.user, **given)
        except workforce.WorkforceRefused as error:
            form.add_error("name", str(error))
        else:
            messages.success(request, "Saved.")
            return redirect("site-team", team.pk)
    return site_team_page(request, team, form=form)


def fields_of(team: Team) -> dict[str, Any]:
    return {"name": team.name, "organisation": team.organisation, "contact": team.contact}


def site_team_page(request: SignedIn, team: Team, **context: Any) -> HttpResponse:
    context.setdefault("form", TeamForm(initial=fields_of(team)))
    context.setdefault("invite_form", InviteToTeamForm())
    visible = permissions.visible_projects(request.user)
    context |= {
        "team": team,
        "people": team.people.select_related("user").order_by("left_at", "user__name", "user__email"),
        "invitations": workforce.open_ones().filter(team=team).order_by("-id"),
        "owned": permissions.owns(request.user, team),
        "work": team.projects.filter(project__in=visible.values("pk")).select_related("project"),
        "has_mail": settings.SENDS_MAIL,
    }
    return render(request, "people/site_team.html", context)


@require_POST
def invite(request: SignedIn, team_id: int) -> HttpResponse:
    """Invite people to a team."""
    team = permissions.team_or_404(request.user, team_id)
    form = InviteToTeamForm(request.POST)
    if not form.is_valid():
        return site_team_page(request, team, invite_form=form)
    given = form.cleaned_data
    is_lead = given["is_lead"] and permissions.owns(request.user, team)
    sent: list[Invitation] = []
    for email in given["email"] or [""]:
        try:
            sent.append(
                workforce.invite_to_team(
                    team, request.user, email, is_lead=is_lead, with_password=given["with_password"]
                )
            )
        except workforce.WorkforceRefused as error:
            form.add_error("email", str(error))
    passwords = to_copy(sent)
    if form.errors or passwords:
        shown = form if form.errors else InviteToTeamForm()
        return site_team_page(request, team, invite_form=shown, passwords=passwords)
    messages.success(request, sent_words(sent))
    return redirect("site-team", team.pk)


@require_POST
def change_invitation(request: SignedIn, team_id: int, invitation_id: int) -> HttpResponse:
    """Renew an invitation to a team, or revoke it."""
    team = permissions.team_or_404(request.user, team_id)
    invitation = get_object_or_404(team.invitations.select_related("team"), pk=invitation_id)
    try:
        if request.POST.get("do") == "revoke":
            workforce.revoke(invitation, request.user)
            messages.success(request, "The invitation is revoked: it opens nothing any more.")
        else:
            fresh = workforce.resend(invitation, request.user)
            if passwords := to_copy([fresh]):
                return site_team_page(request, team, passwords=passwords)
            messages.success(request, f"{sent_words([fresh])} The one before opens nothing any more.")
    except workforce.WorkforceRefused as error:
        messages.error(request, str(error))
    return redirect("site-team", team.pk)


@require_POST
def change_person(request: SignedIn, team_id: int, user_id: int) -> HttpResponse:
    """Let somebody go, or come back; or say whether they lead."""
    team = permissions.team_or_404(request.user, team_id)
    person = get_object_or_404(team.people.select_related("user", "team"), user=user_id)
    do = request.POST.get("do", "")
    if do in ("lead", "no-lead"):
        permissions.team_or_404(request.user, team_id, owned=True)
        teams.set_lead(person, request.user, is_lead=do == "lead")
        is_now = "leads" if do == "lead" else "does not lead"
        messages.success(request, f"{person.user.label} {is_now} {team.name} now.")
    elif do == "back":
        come_back(request, person)
    else:
        teams.leave(person, request.user)
        messages.success(
            request, f"{person.user.label} is out of {team.name}, and of its projects. Their labels stay."
        )
    is_still_theirs = permissions.led_teams(request.user).filter(pk=team.pk).exists()
    return redirect("site-team", team.pk) if is_still_theirs else redirect("projects")


def come_back(request: SignedIn, person: TeamMember) -> None:
    try:
        teams.come_back(person, request.user)
        messages.success(request, f"{person.user.label} is in {person.team.name} again.")
    except workforce.WorkforceRefused as error:
        messages.error(request, str(error))


# Accounts


def site_people(request: SignedIn) -> HttpResponse:
    """Show all accounts to site admins, by address."""
    permissions.site_admin_or_404(request.user)
    wanted = request.GET.get("q", "").strip()
    found, following = accounts.page(wanted, request.GET.get("after", ""), PAGE)
    context = {"people": found, "wanted": wanted, "after": following}
    return render(request, "people/site_people.html", context)


@require_POST
def site_person(request: SignedIn, user_id: int) -> HttpResponse:
    """Switch an account off or on."""
    permissions.site_admin_or_404(request.user)
    user = get_object_or_404(User, pk=user_id)
    try:
        if request.POST.get("do") == "on":
            accounts.reactivate(user, request.user)
            messages.success(request, f"{user.email} can sign in again.")
        else:
            accounts.deactivate(user, request.user)
            messages.success(request, f"{user.email} is switched off: sign-in and tokens open nothing.")
    except accounts.AccountRefused as error:
        messages.error(request, str(error))
    return redirect("site-people")
