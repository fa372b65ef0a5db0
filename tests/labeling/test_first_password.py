"""Invitations with a temporary password, sent again, in lists, and revoked."""

from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from labeling import mailing, workforce
from labeling.models import ApiToken, Invitation, Letter, Membership, User
from tests import factories

pytestmark = pytest.mark.django_db
OWN = "quite another phrase"


def sign_in(email: str, password: str) -> Client:
    client = Client()
    client.post(reverse("sign-in"), {"username": email, "password": password})
    return client


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def invite(project, manager, email: str = "new@example.com", role: str = "labeler") -> Invitation:
    return workforce.invite(project, manager, role, email, with_password=True)


def test_nothing_opens_before_the_temporary_password_is_changed(project, manager) -> None:
    invitation = invite(project, manager)
    client = sign_in("new@example.com", workforce.temporary_password(invitation))
    assert is_in(client)
    for path in ("/", "/profile/", f"/projects/{project.pk}/", "/projects/new/", "/notifications/"):
        assert client.get(path).headers["Location"] == reverse("first-password"), path
    api = client.get("/api/projects/")
    assert (api.status_code, api.json()["error"]["code"]) == (403, "password_change_required")
    secret = ApiToken.issue(User.objects.get(email="new@example.com"))
    token = Client().get("/api/projects/", headers={"Authorization": f"Token {secret}"})
    assert (token.status_code, token.json()["error"]["code"]) == (403, "password_change_required")
    assert not Membership.objects.filter(user__email="new@example.com").exists()

    same = {"new_password1": workforce.temporary_password(invitation)}
    again = client.post(reverse("first-password"), same | {"new_password2": same["new_password1"]})
    assert "Choose another one." in again.content.decode()
    given = {"name": "Noa", "new_password1": OWN, "new_password2": OWN}
    page = client.post(reverse("first-password"), given, follow=True)
    assert project.name in page.content.decode()
    assert Membership.objects.get(user__email="new@example.com").role == "labeler"
    invitation.refresh_from_db()
    assert invitation.accepted_at is not None
    assert client.get(reverse("first-password")).headers["Location"] == "/"
    assert is_in(sign_in("new@example.com", OWN))
    assert not is_in(sign_in("new@example.com", workforce.temporary_password(invitation)))


def test_a_temporary_password_runs_out_and_is_renewed(project, manager) -> None:
    invitation = invite(project, manager)
    old = workforce.temporary_password(invitation)
    past = timezone.now() - timedelta(seconds=1)
    Invitation.objects.update(expires_at=past)
    User.objects.filter(temporary_until__isnull=False).update(temporary_until=past)
    page = Client().post(reverse("sign-in"), {"username": "new@example.com", "password": old})
    assert "has expired" in page.content.decode()
    client = Client()  # that of somebody who had signed in before
    client.force_login(User.objects.get(email="new@example.com"))
    late = client.post(reverse("first-password"), {"new_password1": OWN, "new_password2": OWN})
    assert "has expired" in late.content.decode()
    fresh = workforce.resend(invitation, manager)
    assert not is_in(sign_in("new@example.com", old))
    assert is_in(sign_in("new@example.com", workforce.temporary_password(fresh)))


def test_a_link_that_is_sent_again_replaces_the_old_one(project, manager, outsider) -> None:
    invitation = workforce.invite(project, manager, "labeler")
    Invitation.objects.update(expires_at=timezone.now() - timedelta(days=1))
    fresh = workforce.resend(invitation, manager)
    assert workforce.find(invitation.token) is None
    assert workforce.accept(workforce.find(fresh.token), outsider) is not None
    with pytest.raises(workforce.WorkforceRefused, match="used or revoked"):
        workforce.resend(fresh, manager)


def test_revoking_takes_an_account_away_that_nobody_has_used(project, manager) -> None:
    invitation = invite(project, manager)
    workforce.revoke(invitation, manager)
    assert not User.objects.filter(email="new@example.com").exists()
    used = invite(project, manager)
    workforce.settle_in(User.objects.get(email="new@example.com"), OWN)
    workforce.revoke(used, manager)
    assert User.objects.filter(email="new@example.com").exists()


def test_a_password_of_ones_own_is_never_set_anew_by_who_sent_the_temporary_one(project, manager) -> None:
    invitation = invite(project, manager)
    person = User.objects.get(email="new@example.com")
    person.set_password(OWN)
    person.temporary_until = None
    person.save()
    with pytest.raises(workforce.WorkforceRefused, match="used or revoked"):
        workforce.resend(invitation, manager)
    assert is_in(sign_in("new@example.com", OWN))


def test_who_has_an_account_keeps_their_password_and_gets_a_link(project, manager, outsider) -> None:
    invitation = invite(project, manager, outsider.email)
    assert invitation.account is None
    assert is_in(sign_in(outsider.email, factories.PASSWORD))
    assert workforce.accept(invitation, outsider).role == "labeler"


def test_nobody_else_renews_a_password_of_an_account_that_waits(project, manager, reviewer) -> None:
    first = invite(project, manager)
    other = factories.make_project(manager=reviewer)
    second = invite(other, reviewer)
    assert second.account is None
    workforce.resend(second, reviewer)
    assert is_in(sign_in("new@example.com", workforce.temporary_password(first)))


def test_the_letter_brings_the_password_the_same_each_time(project, manager, settings) -> None:
    invitation = invite(project, manager)
    letter = Letter.objects.get(invitation=invitation)
    Letter.objects.update(due_at=timezone.now())
    mailing.look()
    factories.run_jobs("quick")
    password = workforce.temporary_password(invitation)
    assert password in mail.outbox[0].body
    assert mailing.of_invitation(letter).body == mail.outbox[0].body
    assert "/invitations/" not in mail.outbox[0].body


def test_a_pasted_list_is_read_whatever_it_looks_like() -> None:
    text = 'Ida <ida@example.com>; kim@example.com\n,, KIM@example.com \n"Noa" <noa@example.co.kr>, nobody'
    assert workforce.addresses(text) == (
        ["ida@example.com", "kim@example.com", "noa@example.co.kr"],
        ["nobody"],
    )


def test_a_manager_invites_a_list_and_copies_passwords_once(client, project, manager, labeler) -> None:
    client.force_login(manager)
    url = reverse("team", args=[project.pk])
    given = {
        "role": "labeler",
        "email": f"a@example.com\nb@example.com\n{labeler.email}",
        "with_password": "on",
    }
    page = client.post(url, given).content.decode()
    assert f"{labeler.email} is a member already." in page
    for email in ("a@example.com", "b@example.com"):
        password = workforce.temporary_password(Invitation.objects.get(email=email))
        assert f"{email}  {password}" in page
        assert password not in client.get(url).content.decode()
    invitation = Invitation.objects.get(email="a@example.com")
    page = client.post(reverse("invitation-resend", args=[project.pk, invitation.pk])).content.decode()
    invitation.refresh_from_db()
    assert workforce.temporary_password(invitation) in page
    bad = client.post(url, {"role": "labeler", "email": "nobody"})
    assert "email" in bad.context["form"].errors


def test_programs_invite_with_a_password(api, project, manager) -> None:
    client, url = api(manager), f"/api/projects/{project.pk}/invitations/"
    body = {"role": "reviewer", "email": "new@example.com", "with_password": True}
    made = client.post(url, body, format="json").json()
    assert is_in(sign_in("new@example.com", made["password"]))
    assert made["url"] is None
    assert "password" not in client.get(url).json()["results"][0]
    fresh = client.post(f"{url}{made['id']}/resend/").json()
    assert is_in(sign_in("new@example.com", fresh["password"]))
    assert client.post(f"{url}{made['id']}/revoke/").json()["open"] is False
    assert client.post(url, {"role": "labeler", "with_password": True}, format="json").status_code == 400
