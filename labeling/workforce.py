"""People of a project: invitations, members, roles."""

from collections.abc import Iterable
from datetime import timedelta

from django.db import IntegrityError, connection, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from labeling import announcing
from labeling.models import Annotation, Event, Invitation, Letter, Membership, Page, Project, User
from labeling.queue import release

AT_WORK = timedelta(days=7)  # since the last answer of somebody who can be counted on

ADDRESS_TAKEN = gettext_lazy("This address has an account already. Sign in above to accept with it.")


class WorkforceRefused(Exception):
    """Why a change of people was refused, in a sentence for people."""


class AddressTaken(WorkforceRefused):
    """Somebody has an account with this address."""


def at_work(project: Project, but: Iterable[int | None] = ()) -> set[int]:
    """Return the members who have answered lately, but for some: those who can be asked for an opinion."""
    recent = Annotation.objects.filter(
        project=project, labeler=OuterRef("user"), created_at__gt=timezone.now() - AT_WORK
    )
    members = Membership.objects.filter(project=project, paused_at=None)
    members = members.exclude(user__in=[each for each in but if each is not None])
    return set(members.filter(Exists(recent)).values_list("user_id", flat=True))


def invite(project: Project, by: User, role: str, email: str = "") -> Invitation:
    """Make an invitation link, for one address or for whoever has it. Raises WorkforceRefused."""
    email = email.strip().lower()
    if role not in Membership.Role.values:
        raise WorkforceRefused(f"There is no role {role!r}.")
    if email and project.memberships.filter(user__email=email).exists():
        raise WorkforceRefused(f"{email} is a member already.")
    with transaction.atomic():
        invitation = Invitation.objects.create(project=project, role=role, email=email, invited_by=by)
        Event.record("invite", project, by, role=role, email=email)
        tell_invited(invitation, by)
    return invitation


def tell_invited(invitation: Invitation, by: User) -> None:
    """Tell who is invited: in Loupe, or by a letter to an address that has no account yet."""
    known = User.objects.filter(email=invitation.email).first() if invitation.email else None
    announcing.announce(
        "invited",
        invitation.project,
        by,
        to={known.pk: 1} if known else {},
        invitation=invitation.pk,
        role=invitation.role,
        who=by.label,
    )
    if invitation.email and known is None:
        Letter.objects.create(invitation=invitation, due_at=timezone.now())


def find(token: str) -> Invitation | None:
    """Return the invitation of a link while it can still be accepted."""
    invitation = Invitation.objects.select_related("project").filter(token=token).first()
    if invitation is None or not invitation.is_open or invitation.project.deleted_at is not None:
        return None
    return invitation


def accept(invitation: Invitation, user: User) -> Membership:
    """Make the user a member; the link works once. Raises WorkforceRefused."""
    if invitation.email and invitation.email != user.email:
        text = _("This invitation is for %(address)s. Sign in with that address.")
        raise WorkforceRefused(text % {"address": invitation.email})
    with transaction.atomic():
        claimed = Invitation.objects.filter(
            pk=invitation.pk, accepted_at=None, revoked_at=None, expires_at__gt=timezone.now()
        ).update(accepted_at=timezone.now(), accepted_by=user)
        if not claimed:
            raise WorkforceRefused(_("This invitation was used, revoked or has expired. Ask for a new one."))
        membership, created = Membership.objects.get_or_create(
            project=invitation.project, user=user, defaults={"role": invitation.role}
        )
        if created:
            Event.record("join", invitation.project, user, role=invitation.role)
    return membership


def enroll(invitation: Invitation, email: str, password: str, name: str) -> Membership:
    """Make an account and a member of it, or neither. Raises WorkforceRefused."""
    with transaction.atomic():
        try:
            with transaction.atomic():
                user = User.objects.create_user(email, password, name=name)
        except IntegrityError as error:  # somebody was faster since the form looked
            raise AddressTaken(ADDRESS_TAKEN) from error
        return accept(invitation, user)


def revoke(invitation: Invitation, by: User) -> None:
    if Invitation.objects.filter(pk=invitation.pk, accepted_at=None).update(revoked_at=timezone.now()):
        Event.record("revoke", invitation.project, by, email=invitation.email)


def change_role(membership: Membership, role: str, by: User) -> None:
    """Give a member another role. Raises WorkforceRefused."""
    if role not in Membership.Role.values:
        raise WorkforceRefused(f"There is no role {role!r}.")
    with transaction.atomic():
        keep_a_manager(membership, role)
        Membership.objects.filter(pk=membership.pk).update(role=role)
        Event.record(
            "role", membership.project, by, user=membership.user_id, before=membership.role, role=role
        )


def remove(membership: Membership, by: User) -> None:
    """Take a person out: what they hold goes back, what they did stays. Raises WorkforceRefused."""
    with transaction.atomic():
        keep_a_manager(membership, "")
        for page in Page.objects.filter(project=membership.project, labeler=membership.user, state="open"):
            release(page)
        Membership.objects.filter(pk=membership.pk).delete()
        Event.record("remove", membership.project, by, user=membership.user_id)


def keep_a_manager(membership: Membership, role: str) -> None:
    """Refuse to leave a project without a manager."""
    if membership.role != Membership.Role.MANAGER or role == Membership.Role.MANAGER:
        return
    Project.objects.select_for_update().get(pk=membership.project_id)
    others = Membership.objects.filter(project=membership.project, role=Membership.Role.MANAGER)
    if not others.exclude(pk=membership.pk).exists():
        raise WorkforceRefused("A project needs a manager. Make somebody else one first.")


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
