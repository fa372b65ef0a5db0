"""The team: members, roles, invitations."""

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from labeling import pausing, permissions, statistics, workforce
from labeling.forms import InviteForm
from labeling.models import Membership
from labeling.views import SignedIn


def team(request: SignedIn, project_id: int) -> HttpResponse:
    """Show members and open invitations; a POST invites somebody."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    form = InviteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            workforce.invite(project, request.user, form.cleaned_data["role"], form.cleaned_data["email"])
        except workforce.WorkforceRefused as error:
            form.add_error("email", str(error))
        else:
            messages.success(request, sent_words(form.cleaned_data["email"]))
            return redirect("team", project.pk)
    members = list(project.memberships.select_related("user").order_by("role", "id"))
    context = {
        "project": project,
        "form": form,
        "members": members,
        "quality": pausing.members_quality(project, members),
        "labels": {row["id"]: row for row in statistics.labels_by_labeler(project)},
        "grids": statistics.grids_by_labeler(project),
        "crops": statistics.crops_by_labeler(project),
        "roles": Membership.Role.choices,
        "invitations": project.invitations.filter(
            accepted_at=None, revoked_at=None, expires_at__gt=timezone.now()
        ).order_by("-id"),
    }
    return render(request, "people/team.html", context)


def sent_words(email: str) -> str:
    if email and settings.SENDS_MAIL:
        return f"The invitation is on its way to {email}. Its link is below, too."
    return "The invitation is there. Copy its link and send it."


@require_POST
def revoke_invitation(request: SignedIn, project_id: int, invitation_id: int) -> HttpResponse:
    project = permissions.project_or_404(request.user, project_id, "manage")
    invitation = project.invitations.filter(pk=invitation_id).first()
    if invitation is None:
        raise Http404
    workforce.revoke(invitation, request.user)
    messages.success(request, "The invitation is revoked: its link opens nothing any more.")
    return redirect("team", project.pk)


@require_POST
def change_member(request: SignedIn, project_id: int, membership_id: int) -> HttpResponse:
    """Give a member another role, or take them out."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    membership = project.memberships.select_related("user", "project").filter(pk=membership_id).first()
    if membership is None:
        raise Http404
    role = request.POST.get("role", "")
    try:
        if role == "remove":
            workforce.remove(membership, request.user)
            messages.success(request, f"{membership.user.label} is no longer a member. Their labels stay.")
        else:
            workforce.change_role(membership, role, request.user)
            messages.success(request, f"{membership.user.label} is a {role} now.")
    except workforce.WorkforceRefused as error:
        messages.error(request, str(error))
    return redirect("team", project.pk) if membership.user_id != request.user.pk else redirect("projects")
