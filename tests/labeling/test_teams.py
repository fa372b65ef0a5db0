"""Teams that work in several projects, and vendors that see nothing beyond theirs."""

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from labeling import announcing, members, permissions, queue, teams, workforce
from labeling.members import WorkforceRefused
from labeling.models import Invitation, Membership, Notification, ProjectTeam, TeamMember, User
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def person(db) -> User:
    return factories.make_user("person@example.com")


@pytest.fixture
def team(manager, person):
    return factories.make_team(manager, person, name="Night shift")


def role(project, user) -> str | None:
    return permissions.role_of(user, project)


def membership_of(project, user) -> Membership:
    return Membership.objects.select_related("user", "project", "team").get(project=project, user=user)


def test_everybody_in_a_team_has_its_role_now_and_later(project, manager, team, person) -> None:
    given = teams.give(project, team, "labeler", manager)
    late = factories.make_user()
    teams.join(team, late, manager)
    assert (role(project, person), role(project, late)) == ("labeler", "labeler")
    teams.give(project, team, "reviewer", manager)
    assert role(project, late) == "reviewer"
    teams.take_away(given, manager)
    assert (role(project, person), role(project, late)) == (None, None)


def test_people_of_a_team_are_told_of_the_projects_that_it_gets(project, manager, team, person) -> None:
    teams.give(project, team, "labeler", manager)
    told = Notification.objects.get(kind="given_team")
    assert told.user == person
    assert announcing.sentence(told) == "manager has given your team Night shift work in this project."
    teams.give(project, team, "reviewer", manager)
    assert Notification.objects.filter(kind="given_team").count() == 1


def test_who_is_a_member_by_themselves_keeps_their_own_role(project, manager, labeler, team) -> None:
    teams.join(team, labeler, manager)
    given = teams.give(project, team, "reviewer", manager)
    assert role(project, labeler) == "labeler"
    teams.take_away(given, manager)
    assert role(project, labeler) == "labeler"
    teams.give(project, team, "reviewer", manager)
    members.remove(membership_of(project, labeler), manager)
    assert role(project, labeler) == "reviewer"


def test_of_two_teams_the_stronger_role_counts_until_that_team_goes(project, manager, team, person) -> None:
    teams.give(project, team, "labeler", manager)
    checkers = teams.give(project, factories.make_team(manager, person), "reviewer", manager)
    assert role(project, person) == "reviewer"
    teams.take_away(checkers, manager)
    assert role(project, person) == "labeler"


def test_leaving_a_team_gives_work_back_and_coming_back_keeps_what_a_manager_decided(
    project, manager, team, person, items
) -> None:
    teams.give(project, team, "labeler", manager)
    queue.claim(project, person, 9)
    inside = TeamMember.objects.select_related("team", "user").get(team=team, user=person)
    members.set_limits(membership_of(project, person), manager, daily_limit=7)
    teams.leave(inside, manager)
    assert role(project, person) is None
    assert not project.queue.filter(open_slots=0).exists()
    teams.come_back(inside, manager)
    assert membership_of(project, person).daily_limit == 7
    members.deactivate(membership_of(project, person), manager)
    teams.leave(inside, manager)
    teams.come_back(inside, manager)
    assert role(project, person) is None


def test_a_role_through_a_team_is_not_changed_by_itself(project, manager, team, person) -> None:
    teams.give(project, team, "labeler", manager)
    for change in (
        lambda one: members.change_role(one, "manager", manager),
        lambda one: members.remove(one, manager),
    ):
        with pytest.raises(WorkforceRefused, match="through the team Night shift"):
            change(membership_of(project, person))
    workforce.accept(workforce.invite(project, manager, "reviewer", person.email), person)
    assert (role(project, person), membership_of(project, person).team) == ("reviewer", None)


def test_an_invitation_to_a_team_opens_its_projects(client, project, manager, team) -> None:
    teams.give(project, team, "labeler", manager)
    invitation = workforce.invite_to_team(team, manager, "new@example.com")
    join = {"email": "new@example.com", "name": "New", "password": factories.PASSWORD}
    page = client.post(reverse("invitation", args=[invitation.token]), join, follow=True)
    assert project.name in page.content.decode()
    assert role(project, User.objects.get(email="new@example.com")) == "labeler"


def test_the_database_allows_one_vendor_in_a_project(project, manager) -> None:
    first, second = (factories.make_team(manager, is_vendor=True) for _ in range(2))
    teams.give(project, first, "labeler", manager)
    with pytest.raises(WorkforceRefused, match="One vendor works in a project"):
        teams.give(project, second, "labeler", manager)
    with pytest.raises(IntegrityError), transaction.atomic():
        ProjectTeam.objects.create(project=project, team=second, role="labeler", is_vendor=True)


def test_a_vendor_stays_once_it_has_labeled(project, manager, items) -> None:
    worker = factories.make_user("worker@vendor.example")
    vendor = factories.make_team(manager, worker, is_vendor=True)
    given = teams.give(project, vendor, "labeler", manager)
    teams.take_away(given, manager)
    given = teams.give(project, vendor, "labeler", manager)
    factories.answer(project, worker)
    with pytest.raises(WorkforceRefused, match="stays with that vendor"):
        teams.take_away(given, manager)
    assert role(project, worker) == "labeler"


def test_accounts_of_a_vendor_stay_with_it(project, manager, labeler, team) -> None:
    vendor = teams.create(manager, "Labels Ltd", is_vendor=True, organisation="Labels Ltd")
    invitation = workforce.invite_to_team(vendor, manager)
    worker = workforce.enroll(invitation, "worker@vendor.example", factories.PASSWORD, "")
    assert worker.vendor == vendor
    with pytest.raises(WorkforceRefused, match="belongs to a vendor"):
        workforce.invite(project, manager, "labeler", worker.email)
    with pytest.raises(WorkforceRefused, match="belongs to a vendor"):
        workforce.accept(workforce.invite(project, manager, "manager"), worker)
    with pytest.raises(WorkforceRefused, match="in no other team"):
        teams.join(team, worker, manager)
    with pytest.raises(WorkforceRefused, match="accounts of their own"):
        workforce.accept(workforce.invite_to_team(vendor, manager), labeler)
    assert not Membership.objects.filter(user=worker).exists()


def test_a_vendors_lead_manages_its_people_and_nothing_else(client, api, project, manager) -> None:
    lead, worker = factories.make_user("lead@vendor.example"), factories.make_user("worker@vendor.example")
    vendor = factories.make_team(manager, lead, worker, is_vendor=True, name="Labels Ltd")
    teams.give(project, vendor, "labeler", manager)
    other = factories.make_team(manager, name="Secret")
    teams.set_lead(vendor.people.select_related("team").get(user=lead), manager, is_lead=True)
    client.force_login(lead)
    assert "Secret" not in client.get(reverse("teams")).content.decode()
    assert client.get(reverse("site-team", args=[other.pk])).status_code == 404
    assert client.post(reverse("teams"), {"name": "Mine"}).status_code == 404
    url = reverse("site-team", args=[vendor.pk])
    assert client.post(url, {"name": "Renamed"}).status_code == 404
    client.post(reverse("team-invite", args=[vendor.pk]), {"email": "a@vendor.example, b@vendor.example"})
    assert Invitation.objects.filter(team=vendor).count() == 2
    client.post(reverse("team-person", args=[vendor.pk, worker.pk]), {"do": "out"})
    assert role(project, worker) is None
    assert client.post(reverse("team-person", args=[vendor.pk, worker.pk]), {"do": "lead"}).status_code == 404
    assert api(lead).post("/api/projects/", {"name": "Mine"}, format="json").status_code == 404
    assert client.get(reverse("project-new")).status_code == 404
    client.force_login(worker)
    assert client.get(url).status_code == client.get(reverse("teams")).status_code == 404


def test_a_manager_gives_a_team_work_on_the_page_and_sees_who_came_with_it(
    client, project, manager, team, person
) -> None:
    client.force_login(manager)
    client.post(reverse("project-teams", args=[project.pk]), {"team": team.pk, "role": "labeler"})
    page = client.get(reverse("team", args=[project.pk])).content.decode()
    assert "through Night shift" in page
    client.post(reverse("project-team", args=[project.pk, team.pk]), {"role": "reviewer"})
    assert role(project, person) == "reviewer"
    client.post(reverse("project-team", args=[project.pk, team.pk]), {"role": "remove"})
    assert role(project, person) is None


def test_teams_that_somebody_does_not_know_are_none(client, project, manager, reviewer) -> None:
    foreign = factories.make_team(reviewer)
    client.force_login(manager)
    give = client.post(reverse("project-teams", args=[project.pk]), {"team": foreign.pk, "role": "labeler"})
    assert give.status_code == 404
    assert foreign.name not in client.get(reverse("team", args=[project.pk])).content.decode()


def test_programs_manage_teams(api, project, manager, outsider) -> None:
    client = api(manager)
    made = client.post("/api/teams/", {"name": "Robots"}, format="json")
    assert made.status_code == 201
    url = f"/api/teams/{made.json()['id']}/"
    assert client.post("/api/teams/", {"name": "robots"}, format="json").status_code == 400
    assert client.patch(url, {"name": "Machines"}, format="json").json()["name"] == "Machines"
    invited = client.post(
        f"{url}invitations/", {"email": "r@example.com", "with_password": True}, format="json"
    )
    assert invited.json()["password"]
    given = client.post(
        f"/api/projects/{project.pk}/teams/", {"team": made.json()["id"], "role": "labeler"}, format="json"
    )
    assert given.status_code == 201
    workforce.settle_in(User.objects.get(email="r@example.com"), "another one 7")
    assert client.get(url).json()["people"][0]["email"] == "r@example.com"
    robot = User.objects.get(email="r@example.com")
    assert role(project, robot) == "labeler"
    client.patch(f"{url}people/{robot.pk}/", {"active": False}, format="json")
    assert role(project, robot) is None
    assert client.delete(f"/api/projects/{project.pk}/teams/{made.json()['id']}/").status_code == 204
    assert api(outsider).get(url).status_code == 404


def test_a_vendors_people_see_no_names_of_others_on_the_dashboard(
    client, project, manager, labeler, items
) -> None:
    User.objects.filter(pk=labeler.pk).update(name="Unmistakable")
    factories.answer(project, labeler)
    worker = factories.make_user("worker@vendor.example")
    vendor = factories.make_team(manager, worker, is_vendor=True)
    teams.give(project, vendor, "labeler", manager)
    client.force_login(worker)
    assert "Unmistakable" not in client.get(reverse("project", args=[project.pk])).content.decode()
    assert "Unmistakable" not in client.get(f"/api/projects/{project.pk}/").content.decode()
