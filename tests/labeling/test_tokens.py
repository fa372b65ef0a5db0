"""Tokens open what they are for, and requests with a key do their work once."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from labeling import accounts
from labeling.models import ApiToken, Event, KeptReply, Project
from tests import factories

pytestmark = pytest.mark.django_db
NEW = {"name": "More", "task_type": "multiclass", "classes": ["a"]}


def client_of(user, **limits) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {accounts.issue_token(user, 'script', user, **limits)}")
    return client


def address(project: Project, rest: str = "") -> str:
    return f"/api/projects/{project.pk}/{rest}"


def test_a_token_of_one_project_knows_of_no_other(project, manager, items) -> None:
    other = factories.make_project(manager=manager)
    client = client_of(manager, project=project)
    assert [each["id"] for each in client.get("/api/projects/").json()["results"]] == [project.pk]
    assert client.get(address(project)).status_code == 200
    assert client.get(f"/images/{items[0].pk}/").status_code == 200
    assert client.patch(address(project), {"name": "Renamed"}, format="json").status_code == 200
    for closed in (address(other), address(other, "items/"), "/api/teams/", "/api/tokens/", "/api/events/"):
        assert client.get(closed).status_code == 404, closed
    assert client.post("/api/projects/", NEW, format="json").status_code == 403


@pytest.mark.parametrize(
    ("scope", "sees", "labels", "manages"),
    [("all", 200, 201, 200), ("review", 200, 201, 404), ("label", 404, 201, 404), ("read", 200, 403, 403)],
)
def test_a_token_does_no_more_than_its_scope(project, manager, items, scope, sees, labels, manages) -> None:
    client = client_of(manager, scope=scope)
    assert client.get(address(project, "items/")).status_code == sees
    assert client.post(address(project, "pages/"), {"size": 1}, format="json").status_code == labels
    assert client.patch(address(project), {"name": "Renamed"}, format="json").status_code == manages
    made = client.post("/api/projects/", NEW, format="json").status_code
    assert made == (201 if scope == "all" else 403)


def test_a_token_never_gives_more_than_its_owner_may(project, labeler) -> None:
    assert client_of(labeler).get(address(project, "items/")).status_code == 404


def test_a_token_ends_by_itself_and_says_so(project, manager) -> None:
    client = client_of(manager, days=30)
    assert client.get(address(project)).status_code == 200
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    reply = client.get(address(project))
    assert reply.status_code == 401
    assert reply.json()["error"]["message"].startswith("This token has expired on ")


def test_tokens_are_made_listed_and_revoked_by_programs(project, manager, labeler) -> None:
    client = client_of(manager)
    body = {"name": "nightly", "project": project.pk, "scope": "read", "days": 7}
    made = client.post("/api/tokens/", body, format="json").json()
    reader = APIClient(headers={"authorization": f"Token {made['secret']}"})
    assert reader.get(address(project)).status_code == 200
    assert "secret" not in client.get("/api/tokens/").json()["results"][0]
    assert client.delete(f"/api/tokens/{made['id']}/").status_code == 204
    assert reader.get(address(project)).status_code == 401
    theirs = client_of(labeler, project=project)
    (listed,) = client.get(address(project, "tokens/")).json()["results"]
    assert (listed["owner"], listed["scope"]) == ("labeler", "all")
    assert client.delete(address(project, f"tokens/{listed['id']}/")).status_code == 204
    assert theirs.get(address(project)).status_code == 401
    assert Event.objects.filter(verb="token_revoked", project=project, actor=manager).count() == 2


def test_managers_see_and_revoke_the_tokens_that_open_their_project_alone(project, manager, labeler) -> None:
    accounts.issue_token(labeler, "camera", labeler, project=project, scope="label", days=30)
    accounts.issue_token(labeler, "my own", labeler)
    browser = Client()
    browser.force_login(manager)
    page = browser.get(f"/projects/{project.pk}/settings/").content.decode()
    assert "camera" in page
    assert "my own" not in page
    (token,) = project.tokens.all()
    browser.post(f"/projects/{project.pk}/settings/tokens/{token.pk}/")
    assert not project.tokens.exists()
    assert browser.post(f"/projects/{project.pk}/settings/tokens/{token.pk}/").status_code == 404


def test_how_one_works_is_read_and_changed_by_programs(project, labeler) -> None:
    client = client_of(labeler)
    assert client.get("/api/me/").json()["email"] == labeler.email
    wanted = {"theme": "dark", "page_size": 4, "keys": {"undo": ["Ctrl+U"]}}
    changed = client.patch("/api/me/", wanted, format="json").json()
    assert {name: changed[name] for name in wanted} == wanted
    for wrong in ({"page_size": 5}, {"keys": {"undo": "u"}}, {"keys": []}, {"language": "xx"}):
        assert client.patch("/api/me/", wrong, format="json").status_code == 400
    only_here = client_of(labeler, project=project)
    assert only_here.get("/api/me/").status_code == 200
    assert only_here.patch("/api/me/", {"theme": "light"}, format="json").status_code == 403
    labeler.refresh_from_db()
    assert (labeler.theme, labeler.page_size) == ("dark", 4)


def test_a_token_that_asks_too_often_is_told_when_to_go_on(project, manager, settings) -> None:
    settings.LOUPE_API_RATE = 3
    client = client_of(manager)
    codes = [client.get("/api/projects/").status_code for _ in range(3)]
    reply = client.get("/api/projects/")
    assert (set(codes), reply.status_code, reply.json()["error"]["code"]) == ({200}, 429, "throttled")
    assert 0 < int(reply["Retry-After"]) <= 60


def test_the_same_request_with_a_key_makes_one_project(manager) -> None:
    client, key = client_of(manager), str(uuid.uuid4())
    first = client.post("/api/projects/", NEW, format="json", HTTP_IDEMPOTENCY_KEY=key)
    again = client.post("/api/projects/", NEW, format="json", HTTP_IDEMPOTENCY_KEY=key)
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert again["Idempotent-Replayed"] == "true" and "Idempotent-Replayed" not in first
    other = client.post("/api/projects/", {**NEW, "name": "Two"}, format="json", HTTP_IDEMPOTENCY_KEY=key)
    assert (other.status_code, other.json()["error"]["code"]) == (422, "key_used")
    assert Project.objects.count() == 1


def test_what_failed_can_be_tried_again_under_its_key(manager) -> None:
    client = client_of(manager)
    send = lambda: client.post("/api/projects/", {"name": ""}, format="json", HTTP_IDEMPOTENCY_KEY="k")  # noqa: E731
    assert [send().status_code for _ in range(2)] == [400, 400]
    assert not KeptReply.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_does_the_work(manager) -> None:
    clients = [client_of(manager) for _ in range(4)]

    def send(client: APIClient) -> int:
        try:
            return client.post("/api/projects/", NEW, format="json", HTTP_IDEMPOTENCY_KEY="k").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(send, clients))
    assert set(codes) <= {201, 409} and 201 in codes
    assert Project.objects.count() == 1
