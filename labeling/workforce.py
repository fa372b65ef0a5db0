"""Who can be asked, and inviting people: by a link, or with an account and a temporary password."""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, connection, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from labeling import announcing, teams
from labeling.members import WorkforceRefused as WorkforceRefused
from labeling.members import change_role as change_role
from labeling.members import remove as remove
from labeling.models import Annotation, Event, Invitation, Letter, Membership, Project, Team, User
from labeling.models.projects import in_two_weeks, invitation_token

AT_WORK = timedelta(days=7)  # since the last answer of somebody who can be counted on
READABLE = "abcdefghjkmnpqrstuvwxyz23456789"  # no two that look alike
ADDRESS = re.compile(r"[^\s,;<>\"()]+@[^\s,;<>\"()]+")
MOST_ADDRESSES = 200

ADDRESS_TAKEN = gettext_lazy("This address has an account already. Sign in above to accept with it.")


class AddressTaken(WorkforceRefused):
    """Somebody has an account with this address."""


def at_work(project: Project, but: Iterable[int | None] = ()) -> set[int]:
    """Return the members who have answered lately, but for some: those who can be asked for an opinion."""
    recent = Annotation.objects.filter(
        project=project, labeler=OuterRef("user"), created_at__gt=timezone.now() - AT_WORK
    )
    members = Membership.objects.filter(project=project, is_active=True, paused_at=None)
    members = members.exclude(user__in=[each for each in but if each is not None])
    return set(members.filter(Exists(recent)).values_list("user_id", flat=True))


# Inviting


def invite(
    project: Project, by: User, role: str, email: str = "", *, with_password: bool = False
) -> Invitation:
    """Invite to a project: by a link, for one address or for whoever has it, or with an account.

    Who has an account gets a link in any case. Raises WorkforceRefused.
    """
    email = email.strip().lower()
    if role not in Membership.Role.values:
        raise WorkforceRefused(f"There is no role {role!r}.")
    here = project.memberships.filter(user__email=email, team=None).first() if email else None
    if here is not None:
        is_off = "" if here.is_active else ", and switched off. Switch them on in the list of members"
        raise WorkforceRefused(f"{email} is a member already{is_off}.")
    if email and User.objects.filter(email=email, vendor__isnull=False).exists():
        raise WorkforceRefused(f"{email} belongs to a vendor. Add the vendor’s team instead.")
    with transaction.atomic():
        invitation = Invitation(project=project, role=role, email=email, invited_by=by)
        made = send(invitation, by, with_password=with_password)
        Event.record("invite", project, by, role=role, email=email)
    return made


def invite_to_team(
    team: Team, by: User, email: str = "", *, is_lead: bool = False, with_password: bool = False
) -> Invitation:
    """Invite to a team, and so to all of its projects, like to a project. Raises WorkforceRefused."""
    email = email.strip().lower()
    known = User.objects.filter(email=email).first() if email else None
    if known is not None:
        teams.refuse_stranger(team, known)
        if team.people.filter(user=known, left_at=None).exists():
            raise WorkforceRefused(f"{email} is in this team already.")
    with transaction.atomic():
        invitation = Invitation(team=team, email=email, is_lead=is_lead, invited_by=by)
        made = send(invitation, by, with_password=with_password)
        Event.record("team_invite", None, by, team=team.name, email=email)
    return made


def staff(
    project: Project,
    by: User,
    given: Iterable[tuple[Team, str]],
    invitees: Mapping[str, str],
    *,
    with_password: bool = False,
) -> list[Invitation]:
    """Let teams work in a project, and invite addresses, all or none. Raises WorkforceRefused."""
    with transaction.atomic():
        for team, role in given:
            teams.give(project, team, role, by)
        return [
            invite(project, by, role, email, with_password=with_password) for email, role in invitees.items()
        ]


def send(invitation: Invitation, by: User, *, with_password: bool) -> Invitation:
    """Keep a new invitation, with an account where one is asked for and the address has none, and tell."""
    known = User.objects.filter(email=invitation.email).exists()
    if with_password and not invitation.email:
        raise WorkforceRefused("A temporary password is for one person: write the e-mail address.")
    if with_password and not known:
        vendor = invitation.team if invitation.team and invitation.team.is_vendor else None
        password = temporary_password(invitation)
        invitation.account = User.objects.create_user(
            invitation.email, password, temporary_until=invitation.expires_at, vendor=vendor
        )
    invitation.save()
    tell_invited(invitation, by)
    return invitation


def addresses(text: str) -> tuple[list[str], list[str]]:
    """Return the e-mail addresses of a pasted list, each once, and what looks like one but is none."""
    good: dict[str, None] = {}
    bad: dict[str, None] = {}
    for found in re.split(r"[\n,;]+", text):
        if not found.strip():
            continue
        match = ADDRESS.search(found)
        email = match[0].strip(".'").lower() if match else found.strip()
        try:
            validate_email(email)
        except ValidationError:
            bad[email] = None
        else:
            (good if len(email) <= 254 else bad)[email] = None
    return list(good), list(bad)


def temporary_password(invitation: Invitation) -> str:
    """Return the password of an invitation's account. It is nowhere kept: it follows from the link's secret.

    So the letter can be written when it is sent, and again when the mail server did not take it.
    """
    digest = salted_hmac("loupe.temporary-password", invitation.token, algorithm="sha256").digest()
    letters = [READABLE[byte % len(READABLE)] for byte in digest[:15]]
    return "-".join("".join(letters[at : at + 5]) for at in (0, 5, 10))


def tell_invited(invitation: Invitation, by: User) -> None:
    """Tell who is invited: as they chose, or by a letter to an address that has no account."""
    known = User.objects.filter(email=invitation.email).first() if invitation.email else None
    to_known = known is not None and invitation.account_id is None
    if invitation.team is not None and known is not None and to_known:
        announcing.tell(
            "invited", known.pk, team=invitation.team.name, invitation=invitation.pk, who=by.label
        )
    elif invitation.project is not None:
        announcing.announce(
            "invited",
            invitation.project,
            by,
            to={known.pk: 1} if known is not None and to_known else {},
            invitation=invitation.pk,
            role=invitation.role,
            who=by.label,
        )
    if invitation.email and not to_known:
        Letter.objects.create(invitation=invitation, due_at=timezone.now())


# What becomes of invitations


def open_ones() -> QuerySet[Invitation]:
    """Return the invitations that can be accepted, or sent again when they have expired."""
    return Invitation.objects.filter(accepted_at=None, revoked_at=None)


def find(token: str) -> Invitation | None:
    """Return the invitation of a link while it can still be accepted."""
    invitation = Invitation.objects.select_related("project", "team").filter(token=token).first()
    if invitation is None or not invitation.is_open:
        return None
    return None if invitation.project and invitation.project.deleted_at is not None else invitation


def accept(invitation: Invitation, user: User) -> Membership | None:
    """Make the user a member of the project, or one of the team; the link works once.

    Returns the membership, None for a team. Raises WorkforceRefused.
    """
    if invitation.email and invitation.email != user.email:
        text = _("This invitation is for %(address)s. Sign in with that address.")
        raise WorkforceRefused(text % {"address": invitation.email})
    if invitation.project is not None and user.vendor_id is not None:
        raise WorkforceRefused(
            _("This account belongs to a vendor, so it opens only what its team was given.")
        )
    with transaction.atomic():
        claimed = Invitation.objects.filter(
            pk=invitation.pk, accepted_at=None, revoked_at=None, expires_at__gt=timezone.now()
        ).update(accepted_at=timezone.now(), accepted_by=user)
        if not claimed:
            raise WorkforceRefused(_("This invitation was used, revoked or has expired. Ask for a new one."))
        if invitation.team is not None:
            teams.join(invitation.team, user, user, is_lead=invitation.is_lead)
            return None
        assert invitation.project is not None
        return become_member(invitation.project, user, invitation.role)


def become_member(project: Project, user: User, role: str) -> Membership:
    """Make somebody a member by themselves; who is one already keeps their role."""
    membership, created = Membership.objects.get_or_create(
        project=project, user=user, defaults={"role": role}
    )
    if not created and membership.team_id is not None:
        membership.team, membership.role = None, role
        membership.is_active = membership.deactivated_at is None
        membership.save(update_fields=["team", "role", "is_active"])
        created = True
    if created:
        Event.record("join", project, user, role=role)
    return membership


def enroll(invitation: Invitation, email: str, password: str, name: str) -> User:
    """Make an account and a member of it, or neither. Raises WorkforceRefused."""
    vendor = invitation.team if invitation.team and invitation.team.is_vendor else None
    with transaction.atomic():
        try:
            with transaction.atomic():
                user = User.objects.create_user(email, password, name=name, vendor=vendor)
        except IntegrityError as error:  # somebody was faster since the form looked
            raise AddressTaken(ADDRESS_TAKEN) from error
        accept(invitation, user)
        return user


def settle_in(user: User, password: str, name: str = "") -> None:
    """Give a new account the password of its owner's choice: so it accepts the invitation that made it."""
    with transaction.atomic():
        user.set_password(password)
        user.temporary_until, user.name = None, name or user.name
        user.save(update_fields=["password", "temporary_until", "name"])
        Event.record("password", None, user)
        mine = open_ones().filter(account=user, expires_at__gt=timezone.now())
        for invitation in mine.select_related("project", "team"):
            accept(invitation, user)


def resend(invitation: Invitation, by: User) -> Invitation:
    """Give an invitation a new link or temporary password, and time; the old one opens nothing any more.

    Raises WorkforceRefused.
    """
    with transaction.atomic():
        now = (
            Invitation.objects.select_for_update(of=("self",)).select_related("account").get(pk=invitation.pk)
        )
        if now.accepted_at is not None or now.revoked_at is not None:
            raise WorkforceRefused("This invitation was used or revoked. Make a new one.")
        now.token, now.expires_at = invitation_token(), in_two_weeks()
        now.save(update_fields=["token", "expires_at"])
        if now.account is not None:
            now.account.set_password(temporary_password(now))
            now.account.temporary_until = now.expires_at
            now.account.save(update_fields=["password", "temporary_until"])
        Letter.objects.filter(invitation=now, state=Letter.State.OPEN).update(state=Letter.State.DROPPED)
        tell_invited(now, by)
        record(now, by, "resend")
    return now


def revoke(invitation: Invitation, by: User) -> None:
    """Let an invitation open nothing any more; an account that it made, and nobody has used, goes with it."""
    with transaction.atomic():
        if close(invitation):
            record(invitation, by, "revoke")


def close(invitation: Invitation) -> bool:
    """End an invitation; tells whether it was open."""
    if not open_ones().filter(pk=invitation.pk).update(revoked_at=timezone.now()):
        return False
    User.objects.filter(invitations=invitation, temporary_until__isnull=False).delete()
    return True


def record(invitation: Invitation, by: User, verb: str) -> None:
    if invitation.project is not None:
        Event.record(verb, invitation.project, by, email=invitation.email)
    elif invitation.team is not None:
        Event.record(f"team_{verb}", None, by, email=invitation.email, team=invitation.team.name)


def who_labeled(project: Project) -> list[int]:
    """Return the people who have answered something, by one look at the index for each."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH RECURSIVE found(labeler) AS (
                (SELECT labeler_id FROM labeling_annotation
                WHERE project_id = %(project)s AND labeler_id IS NOT NULL ORDER BY labeler_id LIMIT 1)
                UNION ALL
                SELECT (SELECT a.labeler_id FROM labeling_annotation a
                    WHERE a.project_id = %(project)s AND a.labeler_id > found.labeler
                    ORDER BY a.labeler_id LIMIT 1)
                FROM found WHERE found.labeler IS NOT NULL
            )
            SELECT labeler FROM found WHERE labeler IS NOT NULL
            """,
            {"project": project.pk},
        )
        return [labeler for (labeler,) in cursor.fetchall()]
