"""Limits of labelers, and people who rest."""

import threading
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from labeling import accounts, checks, limits, members, queue, submission
from labeling.models import (
    Annotation,
    ApiToken,
    Claim,
    Event,
    Item,
    Membership,
    ObjectCheck,
    Page,
    QueueEntry,
)
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def waiting(project):
    items = factories.make_unread_items(project, 20)
    factories.open_queue(project, items)
    return items


@pytest.fixture
def membership(project, labeler) -> Membership:
    return Membership.objects.select_related("user", "project").get(project=project, user=labeler)


def circle(item: Item) -> str:
    return "circle"


def answers_for(page: Page) -> list[submission.Answer]:
    region = submission.RegionInput(page.project.classes.first().pk)
    return [submission.Answer(each.item_id, uuid.uuid4(), (region,)) for each in page.claims.all()]


def test_a_days_limit_is_never_exceeded_and_goes_on_tomorrow(
    project, manager, labeler, membership, waiting
) -> None:
    members.set_limits(membership, manager, daily_limit=5)
    first = queue.claim(project, labeler, 4)
    second = queue.claim(project, labeler, 4, [first.pk])
    assert (first.claims.count(), second.claims.count()) == (4, 1)
    assert queue.claim(project, labeler, 4, [first.pk, second.pk]) is None
    for page in (first, second):
        submission.submit(page, labeler, answers_for(page))
    with pytest.raises(limits.LimitReached, match=r"today’s limit of 5 images .* It goes on tomorrow\."):
        queue.claim(project, labeler, 4)
    Annotation.objects.update(created_at=timezone.now() - timedelta(days=1))
    assert queue.claim(project, labeler, 4).claims.count() == 4


def test_a_limit_in_all_stays_reached(project, manager, labeler, membership, waiting, api) -> None:
    members.set_limits(membership, manager, total_limit=3)
    factories.answer(project, labeler, circle, size=4)
    Annotation.objects.update(created_at=timezone.now() - timedelta(days=1))
    answer = api(labeler).post(f"/api/projects/{project.pk}/pages/", {"size": 4}, format="json")
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "limit_reached"
    assert "your limit of 3 images" in answer.json()["error"]["message"]
    members.set_limits(membership, manager, total_limit=None)
    assert queue.claim(project, labeler, 4) is not None
    assert [each.data for each in Event.objects.filter(verb="limits").order_by("id")] == [
        {"user": labeler.pk, "total_limit": 3},
        {"user": labeler.pk, "total_limit": None},
    ]


def test_skips_do_not_count(project, manager, labeler, membership, waiting) -> None:
    members.set_limits(membership, manager, daily_limit=1)
    page = queue.claim(project, labeler, 1)
    submission.submit(
        page, labeler, [submission.Answer(page.claims.get().item_id, uuid.uuid4(), skipped=True)]
    )
    assert queue.claim(project, labeler, 1) is not None


def test_a_manager_sets_limits_on_a_page_and_programs_do(
    client, api, project, manager, membership, waiting
) -> None:
    client.force_login(manager)
    url = reverse("member-limits", args=[project.pk, membership.pk])
    client.post(url, {"daily_limit": "500", "total_limit": "", "only_assigned": "on"})
    membership.refresh_from_db()
    assert (membership.daily_limit, membership.total_limit, membership.only_assigned) == (500, None, True)
    assert "of 500" in client.get(reverse("team", args=[project.pk])).content.decode()
    refused = client.post(url, {"daily_limit": "0"})
    assert "daily_limit" in refused.context["form"].errors
    one = f"/api/projects/{project.pk}/members/{membership.pk}/"
    changed = api(manager).patch(one, {"daily_limit": None, "active": False}, format="json").json()
    assert (changed["daily_limit"], changed["active"]) == (None, False)


# Resting


def test_who_is_switched_off_sees_nothing_holds_nothing_and_can_go_on(
    client, project, manager, labeler, membership, waiting
) -> None:
    factories.answer(project, labeler, circle, size=4)
    queue.claim(project, labeler, 9)
    members.deactivate(membership, manager)
    assert not Claim.objects.filter(state="live").exists()
    assert not QueueEntry.objects.filter(open_slots=0).exists()
    assert Annotation.objects.filter(labeler=labeler, withdrawn_at=None).count() == 4
    client.force_login(labeler)
    assert client.get(reverse("project", args=[project.pk])).status_code == 404
    assert project.name not in client.get(reverse("projects")).content.decode()
    with pytest.raises(limits.NotWorking):
        queue.claim(project, labeler, 1)
    membership.refresh_from_db()
    members.reactivate(membership, manager)
    assert client.get(reverse("project", args=[project.pk])).status_code == 200


def test_answers_of_somebody_who_was_switched_off_are_kept_and_change_nothing(
    api, project, manager, labeler, membership, waiting
) -> None:
    done = queue.claim(project, labeler, 1)
    submission.submit(done, labeler, answers_for(done))
    page = queue.claim(project, labeler, 4)
    members.deactivate(membership, manager)
    before = list(QueueEntry.objects.order_by("item").values())
    standing = Annotation.objects.get(withdrawn_at=None)
    for each in (done, page):  # a correction, and what was on screen
        body = {
            "answers": [
                {"item": claim.item_id, "uuid": str(uuid.uuid4()), "regions": [{"class": "square"}]}
                for claim in each.claims.all()
            ]
        }
        url = reverse("api-page-submit", args=[project.pk, each.pk])
        sent = api(labeler).post(url, body, format="json")
        assert {answer["status"] for answer in sent.json()["saved"]} == {"kept"}
        assert "You do not label in this project any more." in sent.json()["notice"]
        assert api(labeler).post(url, body, format="json").json()["saved"] == sent.json()["saved"]
    assert Annotation.objects.count() == 6
    assert Annotation.objects.get(withdrawn_at=None) == standing
    assert list(QueueEntry.objects.order_by("item").values()) == before
    extend = api(labeler).post(reverse("api-page-extend", args=[project.pk, page.pk]))
    assert extend.status_code == 404


def test_pages_of_others_stay_closed_to_whoever_was_switched_off(
    api, project, manager, reviewer, labeler, membership, waiting
) -> None:
    page = queue.claim(project, reviewer, 1)
    members.deactivate(membership, manager)
    url = reverse("api-page-submit", args=[project.pk, page.pk])
    assert api(labeler).post(url, {"answers": []}, format="json").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_page_that_is_claimed_while_its_labeler_is_switched_off_goes_back(
    project, manager, labeler, membership, waiting
) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            while True:
                queue.claim(project, labeler, 1)
        except limits.NotWorking:
            pass
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for each in workers:
        each.start()
    members.deactivate(membership, manager)
    for each in workers:
        each.join()
    assert failures == []
    assert not Claim.objects.filter(state="live").exists()
    assert QueueEntry.objects.filter(open_slots=1).count() == len(waiting)


def test_crops_on_the_screen_of_somebody_who_is_switched_off_go_back(manager, labeler) -> None:
    project = factories.make_project(manager=manager, labeler=labeler, task_type="detection")
    items = factories.make_unread_items(project, 2)
    factories.open_queue(project, items)
    box = lambda item: [{"class": project.classes.first().pk, "bbox": [1, 1, 4, 4]}]  # noqa: E731
    factories.ask_about_objects(project, items, box)
    page = checks.claim(project, labeler)
    mine = Membership.objects.select_related("user", "project").get(project=project, user=labeler)
    members.deactivate(mine, manager)
    assert not ObjectCheck.objects.filter(held_until__isnull=False).exists()
    assert len(checks.shown(checks.claim(project, manager))) == 2
    with pytest.raises(limits.NotWorking):
        checks.answer(page, [], 1.0)


def test_the_last_manager_cannot_be_switched_off(project, manager, reviewer) -> None:
    mine = Membership.objects.select_related("user", "project").get(project=project, user=manager)
    with pytest.raises(members.WorkforceRefused, match="needs a manager"):
        members.deactivate(mine, reviewer)


def test_an_account_that_is_switched_off_opens_nothing(
    client, project, labeler, admin, manager, waiting
) -> None:
    secret = ApiToken.issue(labeler)
    header = {"Authorization": f"Token {secret}"}
    queue.claim(project, labeler, 4)
    client.force_login(labeler)
    assert client.get("/api/projects/", headers=header).status_code == 200
    accounts.deactivate(labeler, admin)
    assert client.get("/").headers["Location"].startswith("/sign-in/")
    assert client.get("/api/projects/", headers=header).status_code == 401
    assert not Claim.objects.filter(state="live").exists()
    page = client.post("/sign-in/", {"username": labeler.email, "password": factories.PASSWORD})
    assert page.status_code == 200
    accounts.reactivate(labeler, admin)
    assert client.get("/api/projects/", headers=header).status_code == 200
    with pytest.raises(accounts.AccountRefused, match="your own"):
        accounts.deactivate(admin, admin)


def test_a_site_admin_finds_accounts_and_switches_them(client, api, admin, labeler, reviewer) -> None:
    client.force_login(admin)
    page = client.get(reverse("site-people"), {"q": "labeler"}).content.decode()
    assert labeler.email in page
    assert reviewer.email not in page
    client.post(reverse("site-person", args=[labeler.pk]), {"do": "off"})
    labeler.refresh_from_db()
    assert not labeler.is_active
    assert api(admin).patch(f"/api/people/{labeler.pk}/", {"active": True}, format="json").json()["active"]


def test_a_labeler_sees_the_work_that_waits_and_a_manager_the_projects(
    client, project, manager, labeler, membership, waiting
) -> None:
    members.set_limits(membership, manager, daily_limit=4)
    client.force_login(labeler)
    page = client.get(reverse("projects")).content.decode()
    assert "Start working" in page
    assert "Name the shape." in page
    factories.answer(project, labeler, circle, size=4)
    response = client.get(reverse("projects"))
    card = response.context["cards"][0]
    assert (card["waiting"], card["today"]) == (16, 4)
    assert "today’s limit of 4 images" in response.content.decode()
    assert "Start working" not in response.content.decode()
    client.force_login(manager)
    assert "you are manager" in client.get(reverse("projects")).content.decode()
