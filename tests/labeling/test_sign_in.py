"""Signing in, and those who guess passwords."""

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from tests import factories

pytestmark = pytest.mark.django_db
ELSEWHERE = "192.0.2.7"


def sign_in(email: str, password: str, place: str = "127.0.0.1") -> tuple[int, str, bool]:
    client = Client(REMOTE_ADDR=place)
    reply = client.post(reverse("sign-in"), {"username": email, "password": password})
    return reply.status_code, reply.content.decode(), "_auth_user_id" in client.session


def test_who_guesses_passwords_has_to_wait_and_others_do_not(labeler, manager) -> None:
    for _ in range(settings.AXES_FAILURE_LIMIT):
        status, page, is_in = sign_in(labeler.email, "a guess")
    assert (status, is_in) == (429, False)
    assert "too many wrong passwords for this address. Try again in 15 minutes." in page
    assert sign_in(labeler.email.upper(), factories.PASSWORD)[2] is False
    assert sign_in(labeler.email, factories.PASSWORD, ELSEWHERE)[2]
    assert sign_in(manager.email, factories.PASSWORD)[2]


def test_a_right_password_forgets_the_wrong_ones_before_it(labeler) -> None:
    for _ in range(2):
        for _ in range(settings.AXES_FAILURE_LIMIT - 1):
            assert sign_in(labeler.email, "a slip")[0] == 200
        assert sign_in(labeler.email, factories.PASSWORD)[2]
