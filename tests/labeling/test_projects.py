"""Making a project in the wizard, and what of it never changes."""

import pytest
from django.urls import reverse

from labeling import deleting, projects
from labeling.models import Project
from tests import factories

pytestmark = pytest.mark.django_db

TYPED = {
    "name": "Forklifts",
    "task_type": "detection",
    "classes": "forklift: with a driver or without\npallet",
    "instructions": "## Tight boxes",
    "assist_mode": "accept",
    "promise": "whole",
    "target": "92",
    "confidence": "97",
}


def test_what_was_typed_is_there_again_when_a_project_is_refused(client, manager) -> None:
    client.force_login(manager)
    projects.create_project(manager, "forklifts", "multiclass", ["a"])
    page = client.post(reverse("project-new"), TYPED).content.decode()
    assert (
        "The name “Forklifts” is taken. Names are never used again, even after a project is deleted." in page
    )
    for text in ("forklift: with a driver or without\npallet", "## Tight boxes", 'value="92"', 'value="97"'):
        assert text in page
    checked = [line for line in page.split("<input") if " checked" in line.partition(">")[0]]
    assert sorted(each.split('value="')[1].split('"')[0] for each in checked) == [
        "accept",
        "detection",
        "whole",
    ]
    assert Project.objects.count() == 1


@pytest.mark.parametrize("headers", [{"HX-Request": "true"}, {}], ids=["in its place", "without a script"])
def test_the_wizard_offers_the_template_with_the_classes_that_were_typed(client, manager, headers) -> None:
    client.force_login(manager)
    page = client.post(reverse("project-new-template"), TYPED, headers=headers).content.decode()
    for text in (
        "## Tight boxes",
        "- **forklift**: with a driver or without",
        "- **pallet**: …",
        "## How to draw",
    ):
        assert text in page
    assert ("<html" in page) is not headers
    assert not Project.objects.exists()
    empty = client.post(reverse("project-new-template"), {}, headers=headers).content.decode()
    assert "## What to label" in empty


def test_a_name_is_gone_for_good(api, project, manager) -> None:
    deleting.delete(project, manager, project.name)
    body = {"name": project.name.upper(), "task_type": "multiclass", "classes": ["a"]}
    refused = api(manager).post("/api/projects/", body, format="json")
    assert refused.json()["error"]["fields"].keys() == {"name"}
    assert "even after a project is deleted" in refused.json()["error"]["message"]
    other = factories.make_project(manager=manager)
    renamed = api(manager).patch(f"/api/projects/{other.pk}/", {"name": project.name}, format="json")
    assert renamed.status_code == 400
    assert renamed.json()["error"]["message"] == projects.taken(project.name)


def test_the_task_type_never_changes_and_says_so(api, client, project, manager) -> None:
    url = f"/api/projects/{project.pk}/"
    refused = api(manager).patch(url, {"task_type": "detection"}, format="json")
    assert (refused.status_code, refused.json()["error"]["message"]) == (400, projects.SAME_TASK)
    assert (
        api(manager).patch(url, {"task_type": "multiclass", "currency": "€"}, format="json").status_code
        == 200
    )
    project.refresh_from_db()
    assert (project.task_type, project.currency) == ("multiclass", "€")
    client.force_login(manager)
    assert "This never changes" in client.get(reverse("settings", args=[project.pk])).content.decode()


def test_a_project_is_paused_and_goes_on(api, project, manager, labeler, items) -> None:
    url = f"/api/projects/{project.pk}/"
    assert api(manager).post(f"{url}pause/").json() == {"state": "paused"}
    paused = api(labeler).post(f"{url}pages/", {"size": 1}, format="json")
    assert (paused.status_code, paused.json()["error"]["code"]) == (409, "paused")
    assert api(manager).post(f"{url}start/").json() == {"state": "running"}
    assert api(labeler).post(f"{url}pages/", {"size": 1}, format="json").status_code == 201


def test_people_come_with_a_new_project(client, manager, reviewer, labeler, settings) -> None:
    shift = factories.make_team(manager, labeler, name="Night shift")
    factories.make_team(reviewer, name="Not theirs")
    client.force_login(manager)
    page = client.get(reverse("project-new")).content.decode()
    assert ("Night shift" in page, labeler.email in page) == (True, True)
    assert ("Not theirs" in page, reviewer.email in page) == (False, False)
    chosen = {
        "people-email": f"new@example.com, {reviewer.email}",
        "people-role": "reviewer",
        f"people-team-{shift.pk}": "labeler",
    }
    refused = client.post(reverse("project-new"), TYPED | chosen | {"people-email": manager.email})
    assert "is a member already" in refused.content.decode()
    assert not Project.objects.exists()
    client.post(reverse("project-new"), TYPED | chosen)
    made = Project.objects.get()
    assert set(made.memberships.values_list("user__email", "role")) == {
        (manager.email, "manager"),
        (labeler.email, "labeler"),
    }
    assert set(made.invitations.values_list("email", "role")) == {
        ("new@example.com", "reviewer"),
        (reviewer.email, "reviewer"),
    }
    assert reviewer.notifications.get().kind == "invited"
    settings.SENDS_MAIL = False
    second = TYPED | {"name": "Second", "people-email": "b@example.com", "people-with_password": "on"}
    assert "b@example.com" in client.post(reverse("project-new"), second).content.decode()
    assert Project.objects.get(name="Second").invitations.get().account
