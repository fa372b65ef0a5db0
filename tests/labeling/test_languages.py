"""Which language a visitor reads, and keeping their own keys."""

import json

import pytest
from django.urls import reverse

from labeling.models import User

GERMAN = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}


@pytest.mark.django_db
def test_signed_out_the_browser_decides(client) -> None:
    page = client.get(reverse("sign-in"), headers=GERMAN)
    assert '<html lang="de"' in page.content.decode()
    assert "Anmelden" in page.content.decode()
    assert "Sign in" in client.get(reverse("sign-in"), headers={"Accept-Language": "fi"}).content.decode()


@pytest.mark.django_db
def test_the_choice_goes_before_the_browser(client, labeler) -> None:
    client.force_login(labeler)
    answer = client.post(reverse("language"), {"language": "ko", "next": "/profile/?a=1"}, headers=GERMAN)
    assert answer.headers["Location"] == "/profile/?a=1"
    page = client.get(reverse("projects"), headers=GERMAN)
    assert '<html lang="ko"' in page.content.decode()
    assert page.headers["Content-Language"] == "ko"


@pytest.mark.django_db
@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "", "sign-in", "a\0b"])
def test_choosing_a_language_never_leads_elsewhere(client, labeler, elsewhere: str) -> None:
    client.force_login(labeler)
    answer = client.post(reverse("language"), {"language": "xx", "next": elsewhere})
    assert answer.headers["Location"] == "/"
    assert User.objects.get(pk=labeler.pk).language == ""


@pytest.mark.django_db
def test_the_profile_answers_in_the_language_that_was_just_chosen(client, labeler) -> None:
    client.force_login(labeler)
    page = client.post(
        reverse("profile"), {"name": "Ida", "theme": "dark", "language": "de"}, follow=True
    ).content.decode()
    assert "Gespeichert." in page
    assert "Design" in page
    page = client.post(reverse("profile"), {"name": "Ida", "theme": "dark", "language": ""}, follow=True)
    assert "Saved." in page.content.decode()


@pytest.mark.django_db
def test_pages_for_managers_say_that_they_are_english(client, manager, project) -> None:
    client.force_login(manager)
    page = client.get(reverse("team", args=[project.pk]), headers=GERMAN).content.decode()
    assert '<html lang="de"' in page
    assert 'id="main" lang="en"' in page
    assert ">Übersicht</a>" in page  # the tabs


@pytest.mark.django_db
def test_the_api_refuses_in_the_callers_language(client, labeler, project, items) -> None:
    User.objects.filter(pk=labeler.pk).update(language="de")
    client.force_login(User.objects.get(pk=labeler.pk))
    page = client.post(reverse("api-pages", args=[project.pk]), {"size": 1}, "application/json").json()
    answer = {"item": 999_999, "uuid": "3b241101-e2bb-4255-8caf-4136c566a962", "regions": []}
    url = reverse("api-page-submit", args=[project.pk, page["page"]])
    refused = client.post(url, {"answers": [answer]}, "application/json").json()
    assert refused["error"]["message"] == "Bild 999999 ist nicht auf dieser Seite."
    assert refused["error"]["code"] == "invalid"


@pytest.mark.django_db
def test_the_label_page_gets_its_texts(client, labeler, project) -> None:
    client.force_login(labeler)
    url = reverse("label", args=[project.pk])
    assert 'id="label-texts"' not in client.get(url).content.decode()
    page = client.get(url, headers=GERMAN).content.decode()
    texts = json.loads(page.split('id="label-texts" type="application/json">')[1].split("</script>")[0])
    assert texts["Deleted."] == {"one": "Gelöscht.", "other": "{count} gelöscht."}


def keep(client, body: object) -> int:
    return client.post(reverse("keys"), body, "application/json").status_code


@pytest.mark.django_db
def test_keys_are_kept(client, labeler) -> None:
    client.force_login(labeler)
    keys = {"skip": ["Ctrl+Shift+K", "?", "Space"], "undo": [], "zoom-in": ["+", "Ctrl++"]}
    assert keep(client, {"keys": keys, "single_keys": False}) == 200
    kept = User.objects.get(pk=labeler.pk)
    assert (kept.keys, kept.single_keys) == (keys, False)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body",
    [
        "no JSON",
        "[" * 100_000,
        [],
        {"keys": {}},
        {"keys": {}, "single_keys": 1},
        {"keys": {"skip": "K"}, "single_keys": True},
        {"keys": {"skip": [7]}, "single_keys": True},
        {"keys": {"skip": ["two words"]}, "single_keys": True},
        {"keys": {"skip": ["\x00"]}, "single_keys": True},
        {"keys": {"skip": ["K"] * 7}, "single_keys": True},
        {"keys": {"<b>": ["K"]}, "single_keys": True},
        {"keys": {f"a{number}": [] for number in range(201)}, "single_keys": True},
    ],
)
def test_what_are_no_keys_is_refused(client, labeler, body: object) -> None:
    client.force_login(labeler)
    assert keep(client, body) == 400
    assert User.objects.get(pk=labeler.pk).keys == {}
