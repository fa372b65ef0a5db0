"""Teams: people who get work together, in as many projects as they are given to.

A vendor's people have accounts of their own that open only what their team was given: see `User.vendor`.
"""

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling import announcing, members
from labeling.members import WorkforceRefused
from labeling.models import Annotation, Event, Membership, Project, ProjectTeam, Team, TeamMember, User

TAKEN = "There is a team of that name already."


def create(
    by: User, name: str, *, is_vendor: bool = False, organisation: str = "", contact: str = ""
) -> Team:
    """Make a team, which is managed by who made it. Raises WorkforceRefused."""
    company = {"organisation": organisation.strip(), "contact": contact.strip()} if is_vendor else {}
    try:
        with transaction.atomic():
            team = Team.objects.create(name=tidy_name(name), is_vendor=is_vendor, created_by=by, **company)
            Event.record("team_made", None, by, team=team.name, vendor=is_vendor)
    except IntegrityError as error:
        raise WorkforceRefused(TAKEN) from error
    return team


def edit(team: Team, by: User, *, name: str, organisation: str = "", contact: str = "") -> None:
    """Change what a team is called, and what is known of a vendor's company. Raises WorkforceRefused."""
    fields = {"name": tidy_name(name)}
    if team.is_vendor:
        fields |= {"organisation": organisation.strip(), "contact": contact.strip()}
    before = team.name
    try:
        with transaction.atomic():
            Team.objects.filter(pk=team.pk).update(**fields)
            Event.record("team_changed", None, by, team=fields["name"], before=before)
    except IntegrityError as error:
        raise WorkforceRefused(TAKEN) from error
    team.refresh_from_db()


def tidy_name(name: str) -> str:
    name = " ".join(name.split())
    if not name:
        raise WorkforceRefused("A team needs a name.")
    return name


# People


def refuse_stranger(team: Team, user: User) -> None:
    """Refuse an account that cannot be in a team. Raises WorkforceRefused."""
    if user.vendor_id not in (None, team.pk):
        raise WorkforceRefused(_("This account belongs to a vendor, so it can be in no other team."))
    if team.is_vendor and user.vendor_id is None:
        raise WorkforceRefused(
            _("A vendor’s people need accounts of their own. This address has an account for other work.")
        )


def join(team: Team, user: User, by: User, *, is_lead: bool = False) -> TeamMember:
    """Take somebody into a team, and into all of its projects. Raises WorkforceRefused."""
    refuse_stranger(team, user)
    with transaction.atomic():
        Team.objects.select_for_update(no_key=True).get(pk=team.pk)
        person, is_new = TeamMember.objects.get_or_create(team=team, user=user, defaults={"is_lead": is_lead})
        if not is_new and person.left_at is None:
            return person
        TeamMember.objects.filter(pk=person.pk).update(left_at=None)
        Event.record("team_join", None, by, team=team.name, user=user.pk)
        settle_everywhere(team, by, user)
        if by != user:
            announcing.tell("joined_team", user.pk, team=team.name, who=by.label)
    return person


def leave(person: TeamMember, by: User) -> None:
    """Take somebody out of a team, and out of its projects; what they did there stays."""
    with transaction.atomic():
        Team.objects.select_for_update(no_key=True).get(pk=person.team_id)
        if not TeamMember.objects.filter(pk=person.pk, left_at=None).update(left_at=timezone.now()):
            return
        Event.record("team_leave", None, by, team=person.team.name, user=person.user_id)
        settle_everywhere(person.team, by, person.user)


def come_back(person: TeamMember, by: User) -> None:
    """Take somebody into a team again who was in it before."""
    join(person.team, person.user, by)


def set_lead(person: TeamMember, by: User, *, is_lead: bool) -> None:
    """Say whether somebody invites people into the team and lets them go."""
    with transaction.atomic():
        if TeamMember.objects.filter(pk=person.pk).exclude(is_lead=is_lead).update(is_lead=is_lead):
            Event.record("team_lead", None, by, team=person.team.name, user=person.user_id, is_lead=is_lead)


def settle_everywhere(team: Team, by: User, user: User) -> None:
    """Carry a change of a team into its projects, in the order of their ids."""
    for given in team.projects.select_related("project").order_by("project_id"):
        members.settle(given.project, by, [user.pk])


# Projects


def give(project: Project, team: Team, role: str, by: User) -> ProjectTeam:
    """Let a team work in a project, or give it another role there. Raises WorkforceRefused."""
    if role not in (Membership.Role.LABELER, Membership.Role.REVIEWER):
        raise WorkforceRefused("A team labels or reviews: choose one of these roles.")
    try:
        with transaction.atomic():
            Team.objects.select_for_update(no_key=True).get(pk=team.pk)
            given, is_new = ProjectTeam.objects.get_or_create(
                project=project, team=team, defaults={"role": role, "is_vendor": team.is_vendor}
            )
            if not is_new and given.role == role:
                return given
            ProjectTeam.objects.filter(pk=given.pk).update(role=role)
            Event.record("give_team" if is_new else "team_role", project, by, team=team.name, role=role)
            before = set(working(project))
            members.settle(project, by)
            new = set(working(project)) - before - {by.pk}
            if new:
                facts = {"team": team.name, "who": by.label}
                announcing.announce("given_team", project, by, to=dict.fromkeys(new, 1), **facts)
    except IntegrityError as error:
        if "project_vendor_once" not in str(error):
            raise
        raise WorkforceRefused("One vendor works in a project, and this one has a vendor.") from error
    given.refresh_from_db()
    return given


def working(project: Project) -> QuerySet[Membership, int]:
    return Membership.objects.filter(project=project, is_active=True).values_list("user_id", flat=True)


def take_away(given: ProjectTeam, by: User) -> None:
    """End a team's work in a project; what its people did stays. Raises WorkforceRefused."""
    project, team = given.project, given.team
    with transaction.atomic():
        Team.objects.select_for_update(no_key=True).get(pk=team.pk)
        if team.is_vendor and has_answered(project, team):
            raise WorkforceRefused(
                f"{team.name} has labeled here, so this project stays with that vendor. You can switch its "
                "people off."
            )
        ProjectTeam.objects.filter(pk=given.pk).delete()
        Event.record("take_team", project, by, team=team.name, role=given.role)
        members.settle(project, by)


def has_answered(project: Project, team: Team) -> bool:
    """Tell whether a vendor's people have answered anything in a project."""
    return Annotation.objects.filter(project=project, labeler__vendor=team).exists()
