"""Who may do what: the one place that decides. Unknown and forbidden look the same."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest
from django.utils.formats import date_format
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from rest_framework.request import Request

from labeling.models import (
    ApiToken,
    CheckPage,
    Decoy,
    Item,
    Membership,
    ObjectCheck,
    Page,
    Project,
    Team,
    TeamMember,
    Upload,
    User,
)

MANAGER, REVIEWER, LABELER = Membership.Role.MANAGER, Membership.Role.REVIEWER, Membership.Role.LABELER

# What a verb needs; a verb that is not listed is refused to everybody.
ROLES_THAT_MAY: dict[str, frozenset[str]] = {
    "see": frozenset({MANAGER, REVIEWER, LABELER}),
    "label": frozenset({MANAGER, REVIEWER, LABELER}),
    "review": frozenset({MANAGER, REVIEWER}),
    "manage": frozenset({MANAGER}),
    "log": frozenset({MANAGER}),
}

STRONGEST = (MANAGER, REVIEWER, LABELER)
ROLE_OF_SCOPE = {
    ApiToken.Scope.ALL: MANAGER,
    ApiToken.Scope.READ: MANAGER,
    ApiToken.Scope.REVIEW: REVIEWER,
    ApiToken.Scope.LABEL: LABELER,
}

Visitor = AbstractBaseUser | AnonymousUser


class ProjectDeleted(Http404):
    """The project is there no more; said to those who worked in it, and to nobody else."""


def person(request: HttpRequest | Request) -> User:
    """Return who is signed in; only views that need a sign-in may ask."""
    assert isinstance(request.user, User)
    return request.user


def role_of(user: Visitor, project: Project) -> str | None:
    """Return the user's role in a project; site admins manage every project.

    Who comes with a token has at most the role that it gives, in the project that it opens.
    """
    token = getattr(user, "token", None)
    if not user.is_authenticated or (token and token.project_id not in (None, project.pk)):
        return None
    role: str | None = MANAGER
    if not getattr(user, "is_superuser", False):
        mine = Membership.objects.filter(project=project, user_id=user.pk, is_active=True)
        role = mine.values_list("role", flat=True).first()
    return role if role is None or token is None else weaker(role, ROLE_OF_SCOPE[token.scope])


def weaker(one: str, other: str) -> str:
    return max(one, other, key=STRONGEST.index)


def may(role: str | None, verb: str) -> bool:
    return role in ROLES_THAT_MAY.get(verb, frozenset())


def visible_projects(user: Visitor) -> QuerySet[Project]:
    """Return the projects that a user is a member of, with `role` on each."""
    projects = Project.objects.filter(deleted_at=None)
    token = getattr(user, "token", None)
    if token and token.project_id:
        projects = projects.filter(pk=token.project_id)
    if getattr(user, "is_superuser", False):
        return projects
    return projects.filter(memberships__user=user.pk, memberships__is_active=True)


def project_or_404(user: Visitor, project_id: int, verb: str) -> Project:
    """Return the project when the user may do `verb` there. Raises Http404 otherwise.

    The project carries the user's role as `role`.
    """
    project = Project.objects.filter(pk=project_id).first()
    if project is None:
        raise Http404
    role = role_of(user, project)
    refuse_deleted(project, role)
    if not may(role, verb):
        raise Http404
    project.role = role  # type: ignore[attr-defined]
    return project


def refuse_deleted(project: Project, role: str | None) -> None:
    """Let nobody into a deleted project, and tell those who were members. Raises Http404."""
    if project.deleted_at is None:
        return
    if role is None:
        raise Http404
    text = _(
        "This project was deleted on %(day)s, with all that was in it. Your other projects are as before."
    )
    style = "j F Y" if get_language() == "en" else "DATE_FORMAT"  # Django's own is American
    raise ProjectDeleted(text % {"day": date_format(project.deleted_at, style)})


def upload_or_404(user: Visitor, project_id: int, upload_id: int, *, own: bool = False) -> Upload:
    """Return an upload of a project that somebody manages. Raises Http404 otherwise.

    Every manager sees it and may cancel it; its files are sent by who has them: whoever began it. With `own`,
    raises PermissionDenied for others.
    """
    project = project_or_404(user, project_id, "manage")
    upload = project.uploads.select_related("created_by").filter(pk=upload_id).first()
    if upload is None:
        raise Http404
    upload.project = project
    if own:
        refuse_others(user, upload)
    return upload


def refuse_others(user: Visitor, upload: Upload) -> None:
    if upload.created_by_id != user.pk:
        raise PermissionDenied(
            _("Only who began this upload can go on with it. It can be cancelled, though.")
        )


def data_sets(user: Visitor) -> QuerySet[Upload]:
    """Return the data sets that somebody can make projects of: their own; all, for site admins."""
    token = getattr(user, "token", None)
    if not may_create(user) or (token and token.project_id):
        return Upload.objects.none()
    found = Upload.objects.filter(project=None).exclude(state=Upload.State.CANCELLED)
    return found if getattr(user, "is_superuser", False) else found.filter(created_by=user.pk)


def data_set_or_404(user: Visitor, upload_id: int, *, own: bool = False) -> Upload:
    """Return a data set, as `upload_or_404` returns an upload of a project."""
    found = data_sets(user).select_related("created_by").filter(pk=upload_id).first()
    if found is None:
        raise Http404
    if own:
        refuse_others(user, found)
    return found


def own_page_or_404(user: Visitor, project_id: int, page_id: int, *, also_former: bool = False) -> Page:
    """Return one of somebody's own pages in a project where they label; Raises Http404 otherwise.

    With `also_former`, also who labels there no longer gets theirs: what they send of it is kept.
    """
    project = Project.objects.filter(pk=project_id).first()
    if project is None:
        raise Http404
    role = role_of(user, project)
    refuse_deleted(project, role)
    if not (also_former or may(role, "label")):
        raise Http404
    page = Page.objects.select_related("project", "labeler").filter(pk=page_id, project=project).first()
    if page is None or page.labeler_id != user.pk:
        raise Http404
    return page


def only_labels(user: Visitor) -> bool:
    """Tell whether somebody is a labeler in all of their projects, and has some."""
    if getattr(user, "is_superuser", False):
        return False
    mine = Membership.objects.filter(user=user.pk, is_active=True, project__deleted_at=None)
    return set(mine.values_list("role", flat=True).distinct()) == {LABELER}


def may_create(user: Visitor) -> bool:
    """Tell whether somebody makes projects and teams: everybody but a vendor's people."""
    return bool(user.is_authenticated) and getattr(user, "vendor_id", None) is None


def creator_or_404(user: Visitor) -> None:
    """Let those pass who make projects and teams."""
    if not may_create(user):
        raise Http404


def led_teams(user: Visitor) -> QuerySet[Team]:
    """Return the teams whose people somebody manages: those that they made or lead; all, for site admins."""
    if getattr(user, "is_superuser", False):
        return Team.objects.all()
    leads = TeamMember.objects.filter(user=user.pk, is_lead=True, left_at=None)
    return Team.objects.filter(Q(created_by=user.pk) | Q(pk__in=leads.values("team")))


def known_teams(user: Visitor) -> QuerySet[Team]:
    """Return the teams that somebody can give work to: those that they made, lead or are in."""
    if not may_create(user):
        return Team.objects.none()
    inside = TeamMember.objects.filter(user=user.pk, left_at=None)
    return led_teams(user) | Team.objects.filter(pk__in=inside.values("team"))


def known_people(user: Visitor) -> QuerySet[User]:
    """Return the others whom somebody can name without their address: of their teams, and where they manage.

    A vendor's people come with their team alone.
    """
    if not may_create(user):
        return User.objects.none()
    managed = Membership.objects.filter(
        user=user.pk, role=MANAGER, is_active=True, project__deleted_at=None
    ).values("project")
    beside = Membership.objects.filter(project__in=managed, is_active=True).values("user")
    inside = TeamMember.objects.filter(team__in=known_teams(user), left_at=None).values("user")
    known = User.objects.filter(Q(pk__in=beside) | Q(pk__in=inside), is_active=True, vendor=None)
    return known.exclude(email=getattr(user, "email", ""))


def knows(viewer: Visitor | None, person: User) -> bool:
    """Tell whether somebody is told who a person is: a vendor's people know those of their team alone.

    Nobody in particular, such as the command line, is told.
    """
    vendor = getattr(viewer, "vendor_id", None)
    return vendor is None or person.vendor_id == vendor


def owns(user: Visitor, team: Team) -> bool:
    """Tell whether somebody may rename a team and say who leads it: its maker, and site admins."""
    return getattr(user, "is_superuser", False) or (may_create(user) and team.created_by_id == user.pk)


def team_or_404(user: Visitor, team_id: int, *, owned: bool = False) -> Team:
    """Return a team whose people somebody manages, or that is theirs. Raises Http404 otherwise."""
    team = led_teams(user).filter(pk=team_id).first()
    if team is None or (owned and not owns(user, team)):
        raise Http404
    return team


def site_admin_or_404(user: Visitor) -> None:
    """Let site admins pass; what concerns all projects does not exist for others."""
    if not getattr(user, "is_superuser", False):
        raise Http404


def may_read_server(user: Visitor | None) -> bool:
    """Tell whether somebody may have folders of the server read: site admins, without a project's token."""
    token = getattr(user, "token", None)
    return getattr(user, "is_superuser", False) and not (token and token.project_id)


def server_reader(user: Visitor) -> None:
    """Let those pass who may have folders of the server read. Raises PermissionDenied."""
    if not may_read_server(user):
        raise PermissionDenied("Only a site admin may import from folders of the server.")


def item_or_404(user: Visitor, item_id: int) -> Item:
    """Return an item whose picture the user may see.

    Reviewers and managers see all of a project's items; a labeler those that were handed out to them, or
    hidden among those.
    """
    item = Item.objects.select_related("project", "source").filter(pk=item_id).first()
    if item is None or item.project.deleted_at is not None:
        raise Http404
    role = role_of(user, item.project)
    if may(role, "review"):
        return item
    if may(role, "label") and (
        item.claims.filter(labeler_id=user.pk).exists()
        or Decoy.objects.filter(known__item=item, page__labeler=user.pk).exists()
    ):
        return item
    raise Http404


def check_or_404(user: Visitor, check_id: int) -> ObjectCheck:
    """Return an object whose crop the user may see: one of those handed out to them, for a labeler."""
    check = ObjectCheck.objects.select_related("project", "item__source").filter(pk=check_id).first()
    if check is None or check.project.deleted_at is not None:
        raise Http404
    role = role_of(user, check.project)
    if may(role, "review"):
        return check
    mine = CheckPage.objects.filter(project=check.project, labeler=user.pk, checks__contains=[check.pk])
    if may(role, "label") and mine.exists():
        return check
    raise Http404
