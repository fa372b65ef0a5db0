"""Invitations, roles and leaving."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from labeling import queue, workforce
from labeling.forms import JoinForm
from labeling.models import Annotation, Invitation, Membership, QueueEntry, User
from tests import factories

pytestmark = pytest.mark.django_db


def test_a_link_makes_one_person_a_member_once(project, manager, outsider, admin) -> None:
    invitation = workforce.invite(project, manager, "reviewer")
    assert workforce.accept(workforce.find(invitation.token), outsider).role == "reviewer"
    assert workforce.find(invitation.token) is None
    with pytest.raises(workforce.WorkforceRefused, match="used, revoked or has expired"):
        workforce.accept(invitation, admin)


def test_a_link_for_an_address_is_for_nobody_else(project, manager, outsider) -> None:
    invitation = workforce.invite(project, manager, "labeler", "Someone@Example.com")
    with pytest.raises(workforce.WorkforceRefused, match=r"for someone@example\.com"):
        workforce.accept(invitation, outsider)
    assert not Membership.objects.filter(user=outsider).exists()


def test_expired_and_revoked_links_open_nothing(project, manager) -> None:
    late = workforce.invite(project, manager, "labeler")
    Invitation.objects.filter(pk=late.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    revoked = workforce.invite(project, manager, "labeler")
    workforce.revoke(revoked, manager)
    assert workforce.find(late.token) is workforce.find(revoked.token) is workforce.find("nonsense") is None


def test_accepting_never_lowers_or_raises_a_role(project, manager, labeler) -> None:
    invitation = workforce.invite(project, manager, "manager")
    assert workforce.accept(invitation, labeler).role == "labeler"


def test_leaving_gives_work_back_and_keeps_what_was_done(project, manager, labeler, items) -> None:
    factories.answer(project, labeler)
    queue.claim(project, labeler, 9)
    workforce.remove(Membership.objects.get(project=project, user=labeler), manager)
    assert Annotation.objects.filter(labeler=labeler).count() == 1
    assert not QueueEntry.objects.filter(open_slots=0).exists()


def test_the_last_manager_stays(project, manager, reviewer) -> None:
    mine = Membership.objects.get(project=project, user=manager)
    with pytest.raises(workforce.WorkforceRefused, match="needs a manager"):
        workforce.change_role(mine, "labeler", manager)
    workforce.change_role(Membership.objects.get(project=project, user=reviewer), "manager", manager)
    workforce.remove(mine, manager)
    assert not Membership.objects.filter(pk=mine.pk).exists()


JOIN = {"email": "new@example.com", "name": "New", "password": factories.PASSWORD}


def test_an_account_is_made_with_its_membership_or_not_at_all(client, project, manager, outsider) -> None:
    invitation = workforce.invite(project, manager, "labeler")
    stale = workforce.find(invitation.token)
    workforce.accept(invitation, outsider)  # between the look and the post
    with pytest.raises(workforce.WorkforceRefused, match="used, revoked or has expired"):
        workforce.enroll(stale, **JOIN)
    assert not User.objects.filter(email=JOIN["email"]).exists()


def test_a_link_makes_an_account_and_signs_it_in(client, project, manager) -> None:
    url = reverse("invitation", args=[workforce.invite(project, manager, "labeler").token])
    assert client.post(url, JOIN).url == reverse("project", args=[project.pk])
    assert client.session["_auth_user_id"] == str(User.objects.get(email=JOIN["email"]).pk)


def test_an_address_that_was_taken_meanwhile_is_an_error_of_the_form(
    client, project, manager, monkeypatch
) -> None:
    invitation = workforce.invite(project, manager, "labeler")
    factories.make_user(JOIN["email"])
    monkeypatch.setattr(JoinForm, "clean_email", lambda form: form.cleaned_data["email"])
    response = client.post(reverse("invitation", args=[invitation.token]), JOIN)
    assert response.status_code == 200
    assert response.context["form"].errors == {"email": [workforce.ADDRESS_TAKEN]}
    assert workforce.find(invitation.token) is not None


def test_addresses_that_are_too_long_are_errors_of_their_field(client, project, manager, api) -> None:
    label = "a" * 60
    email = f"new@{'.'.join([label] * 4)}.example.com"
    assert len(email) > 254
    joined = client.post(
        reverse("invitation", args=[workforce.invite(project, manager, "labeler").token]),
        JOIN | {"email": email},
    )
    assert "email" in joined.context["form"].errors
    client.force_login(manager)
    invited = client.post(reverse("team", args=[project.pk]), {"role": "labeler", "email": email})
    assert "email" in invited.context["form"].errors
    response = api(manager).post(
        f"/api/projects/{project.pk}/invitations/", {"role": "labeler", "email": email}, format="json"
    )
    assert response.status_code == 400
    assert "email" in response.json()["error"]["fields"]


def test_a_link_with_odd_characters_opens_nothing(client, db) -> None:
    assert client.get("/invitations/%00/").status_code == 404
