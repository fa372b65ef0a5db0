"""Who is told of what, in Loupe and by e-mail, and that no letter gets lost."""

import socket
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection, transaction
from django.urls import reverse
from django.utils import timezone

from labeling import (
    announcing,
    deleting,
    exporting,
    finishing,
    jobs,
    mailing,
    notifications,
    review,
    teams,
    workforce,
)
from labeling.models import Announcement, Job, Letter, Notification, User
from tests import factories

pytestmark = pytest.mark.django_db


def told(user: User) -> list[tuple[str, str]]:
    """Return what somebody sees, oldest first, in words."""
    found, _ = notifications.page(user)
    return [(each.kind, announcing.kind_of(each.kind).say(each.data, each.count)) for each in reversed(found)]


def post_letters(later: timedelta = timedelta()) -> list[str]:
    """Send what is due, as if so much time had passed; returns the subjects."""
    mail.outbox.clear()
    Letter.objects.filter(state="open", due_at__lte=timezone.now() + later).update(due_at=timezone.now())
    mailing.look()
    factories.run_jobs("quick")
    return sorted(each.subject for each in mail.outbox)


# Who is told


def test_whoever_starts_a_job_is_told_of_its_end_and_others_are_not(
    project, manager, reviewer, items
) -> None:
    colleague = factories.make_user()
    factories.add_member(project, colleague, "manager")
    factories.label_one(items[0])
    exporting.start(project, reviewer, "coco", review.Filters())
    factories.run_jobs("quick")
    assert told(reviewer) == [("export_done", "The export of 1 image is ready.")]
    assert told(manager) == [("import_done", "12 images are imported.")]
    assert told(colleague) == []


def test_a_large_rejection_is_one_notification_with_a_count_for_each_labeler(
    project, reviewer, labeler, manager, items
) -> None:
    other = factories.make_user()
    factories.add_member(project, other)
    factories.answer(project, other)
    factories.answer(project, reviewer)
    factories.answer_all(project, labeler)
    review.reject(project, [each.pk for each in items], reviewer, "Look at the corners.")
    said = "10 of your labels were rejected. The images are asked again. Comment: “Look at the corners.”"
    assert told(labeler) == [("rejected", said)]
    assert told(other)[0][1].startswith("One of your labels was rejected.")
    assert "rejected" not in dict(told(reviewer))  # who rejected one of their own, too


def test_rejections_add_up_until_they_are_read(project, reviewer, labeler, items, client) -> None:
    factories.answer_all(project, labeler)
    for each in items[:3]:
        review.reject(project, [each.pk], reviewer)
    assert [each.count for each in notifications.page(labeler)[0]] == [3]
    client.force_login(labeler)
    client.post(reverse("notifications-read"))
    review.reject(project, [items[3].pk], reviewer)
    assert [(each.count, bool(each.read_at)) for each in notifications.page(labeler)[0]] == [
        (1, False),
        (3, True),
    ]


def test_a_project_is_finished_once_and_again_with_more_images(project, manager, labeler, items) -> None:
    finishing.look()
    factories.answer_all(project, labeler)
    finishing.look()
    finishing.look()
    assert told(manager)[1:] == [("finished", "Every image is done: 12 are labeled.")]
    assert told(labeler) == []
    factories.make_items(project, 1, size=40)
    finishing.look()
    factories.answer_all(project, labeler)
    finishing.look()
    assert [kind for kind, _ in told(manager)].count("finished") == 2


def test_nothing_is_told_of_projects_that_one_may_not_see_any_more(project, manager, labeler, items) -> None:
    factories.answer_all(project, labeler)
    review.reject(project, [items[0].pk], manager)
    assert notifications.unread(labeler) == 1
    workforce.remove(project.memberships.get(user=labeler), manager)
    assert notifications.unread(labeler) == 0
    deleting.delete(project, manager, project.name)
    assert told(manager) == []


def test_a_job_that_comes_by_again_announces_nothing_twice(project, manager, items) -> None:
    job = Job.objects.filter(kind="import").first()
    Job.objects.filter(pk=job.pk).update(state="queued")
    jobs.run(job.pk)
    assert Announcement.objects.filter(kind="import_done").count() == 1
    assert len(told(manager)) == 1


def test_a_failed_export_says_why_and_stays_failed(project, manager, items, settings) -> None:
    factories.label_one(items[0])
    exporting.start(project, manager, "coco", review.Filters())
    settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": "no.such.Storage"}}
    jobs.run(Job.objects.get(kind="export").pk)
    assert Job.objects.get(kind="export").state == "failed"
    assert told(manager)[-1][1].startswith("The export failed: ")


def test_what_follows_from_a_job_cannot_undo_it(project, manager, items, monkeypatch) -> None:
    factories.label_one(items[0])
    exporting.start(project, manager, "coco", review.Filters())
    monkeypatch.setattr(announcing, "announce", lambda *args, **kwargs: 1 / 0)
    factories.run_jobs("quick")
    assert Job.objects.get(kind="export").state == "done"


# Reading and choosing


def test_opening_a_notification_reads_it_and_leads_to_its_page(
    project, manager, outsider, items, client
) -> None:
    (mine,), _ = notifications.page(manager)
    client.force_login(manager)
    assert "1 unread notification" in client.get(reverse("projects")).content.decode()
    url = reverse("notification", args=[mine.pk])
    assert client.get(url).headers["Location"] == reverse("import", args=[project.pk])
    assert notifications.unread(manager) == 0
    client.force_login(outsider)
    assert client.get(url).status_code == 404
    assert client.post(reverse("notification-read", args=[mine.pk])).status_code == 404


def test_each_kind_reaches_people_as_they_chose(project, manager, labeler, client) -> None:
    client.force_login(manager)
    choices = dict.fromkeys(announcing.kinds(), "app")
    client.post(reverse("profile-notifications"), choices | {"import_done": "nothing", "export_done": "mail"})
    factories.make_items(project, 3)
    factories.label_one(project.items.first())
    exporting.start(project, manager, "coco", review.Filters())
    factories.run_jobs("quick")
    assert [kind for kind, _ in told(manager)] == ["export_done"]
    assert post_letters() == [f"{project.name}: An export is done"]
    client.force_login(labeler)  # has nothing to choose of what only managers get
    page = client.get(reverse("profile")).content.decode()
    assert 'name="rejected"' in page
    assert 'name="training_started"' not in page


def test_a_list_of_many_goes_on_where_it_ended(project, manager, client) -> None:
    for number in range(notifications.PAGE + 2):
        announcing.announce("finished", project, labeled=number + 1)
    client.force_login(manager)
    first = client.get(reverse("notifications"))
    second = client.get(reverse("notifications"), {"before": first.context["older"]})
    counts = [each.data["labeled"] for each, _ in first.context["rows"] + second.context["rows"]]
    assert counts == list(reversed(range(1, notifications.PAGE + 3)))
    assert client.get(reverse("notifications"), {"before": "never"}).status_code == 200


# By e-mail


def test_an_address_without_account_is_invited_by_a_letter_with_the_link(project, manager, settings) -> None:
    invitation = workforce.invite(project, manager, "labeler", "new@example.com")
    assert post_letters() == [f"manager invites you to {project.name}"]
    (letter,) = mail.outbox
    assert letter.to == ["new@example.com"]
    assert f"{settings.LOUPE_URL}/invitations/{invitation.token}/" in letter.body
    revoked = workforce.invite(project, manager, "labeler", "other@example.com")
    workforce.revoke(revoked, manager)
    assert post_letters() == []


def test_who_has_an_account_is_invited_in_loupe_and_by_mail_in_their_language(
    project, manager, outsider, client
) -> None:
    User.objects.filter(pk=outsider.pk).update(language="de")
    invitation = workforce.invite(project, manager, "reviewer", outsider.email)
    (mine,), _ = notifications.page(outsider)
    client.force_login(outsider)
    answer = client.get(reverse("notification", args=[mine.pk]))
    assert answer.headers["Location"] == reverse("invitation", args=[invitation.token])
    post_letters()
    assert "manager lädt zu diesem Projekt ein" in mail.outbox[0].body
    assert invitation.token not in str(Announcement.objects.get().data)


def test_a_digest_collects_a_day_and_leaves_out_what_was_read(project, manager, labeler, items) -> None:
    notifications.choose(manager, {"export_done": "digest", "finished": "digest"})
    factories.label_one(items[0])
    for _ in range(2):
        exporting.start(project, manager, "coco", review.Filters())
    factories.run_jobs("quick")
    assert post_letters() == []
    announcing.announce("finished", project, labeled=12)
    read = Notification.objects.filter(kind="export_done").first()
    notifications.mark_read(manager, read.pk)
    assert post_letters(timedelta(days=1)) == ["2 notifications from Loupe"]
    assert mail.outbox[0].body.count("The export of 1 image is ready.") == 1
    announcing.announce("finished", project, labeled=13)  # the next digest has only what is new
    assert post_letters(timedelta(days=1)) == [f"{project.name}: A project is finished"]


def test_labels_rejected_while_a_letter_waits_are_in_it_and_later_ones_in_another(
    project, reviewer, labeler, items
) -> None:
    notifications.choose(labeler, {"rejected": "mail"})
    factories.answer_all(project, labeler)
    review.reject(project, [items[0].pk], reviewer)
    review.reject(project, [items[1].pk], reviewer)
    assert post_letters() == []
    assert len(post_letters(mailing.notifications.BUNDLING)) == 1
    assert "2 of your labels were rejected" in mail.outbox[0].body
    review.reject(project, [items[2].pk], reviewer)
    assert len(post_letters(mailing.notifications.BUNDLING)) == 1
    assert "One of your labels was rejected" in mail.outbox[0].body


def unreachable(settings) -> None:
    """Name a mail server at a port where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        settings.EMAIL_PORT = free.getsockname()[1]
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"


def test_a_mail_server_that_is_down_loses_nothing_and_is_seen(
    project, manager, admin, settings, client
) -> None:
    working = settings.EMAIL_BACKEND
    for name in ("a", "b"):
        workforce.invite(project, manager, "labeler", f"{name}@example.com")
    unreachable(settings)
    assert post_letters() == []
    assert {(each.state, each.attempts) for each in Letter.objects.all()} == {("open", 1)}
    mailing.look()
    assert not Job.objects.filter(kind="mail", state="queued").exists()  # not before the pause is over
    for _ in range(5):
        post_letters(timedelta(days=1))
    assert set(Letter.objects.values_list("state", flat=True)) == {"given_up"}
    client.force_login(admin)
    page = client.get(reverse("site-mail")).content.decode()
    assert "given up" in page
    assert "refused" in page.lower()
    settings.EMAIL_BACKEND = working
    client.post(reverse("site-mail-again"))
    assert len(post_letters()) == 2


def test_one_address_that_is_refused_holds_up_no_other(project, manager, settings, mail_server) -> None:
    mail_server.refused = "bad@example.com"
    for address in ("bad@example.com", "good@example.com"):
        workforce.invite(project, manager, "labeler", address)
    post_letters()
    assert mail_server.received == ["good@example.com"]
    states = dict(Letter.objects.values_list("invitation__email", "state"))
    assert states == {"bad@example.com": "open", "good@example.com": "sent"}
    assert "550" in Letter.objects.get(state="open").error


class MailServer:
    """As much of SMTP as one client needs, on a port of its own."""

    def __init__(self) -> None:
        self.refused = ""
        self.received: list[str] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            with peer, peer.makefile("rwb", buffering=0) as stream:
                self.talk(stream.readline, lambda line, to=stream: to.write(line + b"\r\n"))

    def talk(self, hear: Callable[[], bytes], say: Callable[[bytes], object]) -> None:
        say(b"220 ready")
        address = ""
        while words := hear().decode().strip():
            if words.upper().startswith("RCPT"):
                address = words.split("<")[1].split(">")[0]
                say(b"550 no such person" if address == self.refused else b"250 yes")
            elif words.upper() == "DATA":
                say(b"354 go on")
                while hear() != b".\r\n":
                    pass
                self.received.append(address)
                say(b"250 taken")
            elif words.upper() == "QUIT":
                say(b"221 bye")
                return
            else:
                say(b"250 yes")


@pytest.fixture
def mail_server(settings):
    server = MailServer()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    yield server
    server.socket.close()


@pytest.mark.django_db(transaction=True)
def test_two_who_reject_at_the_same_time_make_one_notification(
    project, reviewer, manager, labeler, items
) -> None:
    factories.answer_all(project, labeler)
    start = threading.Barrier(2)

    def reject(user: User, chosen: list[int]) -> None:
        start.wait()
        try:
            for each in chosen:
                review.reject(project, [each], user)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=reject, args=(user, [each.pk for each in chosen]))
        for user, chosen in ((reviewer, items[:6]), (manager, items[6:]))
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [each.count for each in notifications.page(labeler)[0]] == [12]


@pytest.mark.django_db(transaction=True)
def test_what_is_told_belongs_to_the_act(project, reviewer, labeler, items) -> None:
    factories.answer_all(project, labeler)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        review.reject(project, [items[0].pk], reviewer)
        raise ZeroDivisionError
    assert told(labeler) == []


# The API


def test_programs_list_read_and_choose_as_their_person_does(
    api, project, manager, reviewer, labeler, items
) -> None:
    factories.label_one(items[0])
    exporting.start(project, manager, "coco", review.Filters())
    factories.run_jobs("quick")
    listed = api(manager).get("/api/notifications/").json()
    assert [each["sentence"] for each in listed["results"]] == [
        "The export of 1 image is ready.", "12 images are imported."
    ]  # fmt: skip
    assert (listed["unread"], listed["next"]) == (2, None)
    newest = listed["results"][0]
    assert newest["url"] == reverse("exports", args=[project.pk])
    older = api(manager).get("/api/notifications/", {"before": newest["happened_at"]}).json()["results"]
    assert [each["kind"] for each in older] == ["import_done"]
    url = f"/api/notifications/{newest['id']}/read/"
    assert api(reviewer).post(url).status_code == 404
    assert api(manager).post(url).json() == {"unread": 1}
    assert api(manager).post("/api/notifications/read/").json() == {"unread": 0}
    assert all(each["read_at"] for each in api(manager).get("/api/notifications/").json()["results"])


def test_programs_choose_among_what_can_concern_their_person(api, project, manager, labeler) -> None:
    url = "/api/notifications/choices/"
    chosen = api(manager).patch(url, {"choices": {"import_done": "mail"}}, format="json").json()["results"]
    assert {each["kind"]: each["choice"] for each in chosen}["import_done"] == "mail"
    assert notifications.choices_of(manager) == {"import_done": "mail"}
    assert "import_done" not in {each["kind"] for each in api(labeler).get(url).json()["results"]}
    for wrong in ({"import_done": "mail"}, {"rejected": "pigeon"}, {"nothing_known": "app"}):
        refused = api(labeler).patch(url, {"choices": wrong}, format="json")
        assert (refused.status_code, list(refused.json()["error"]["fields"])) == (400, ["choices"])


def test_an_export_that_is_stopped_or_fails_is_not_called_ready(project, manager) -> None:
    factories.label_one(factories.make_unread_items(project, 1)[0])
    stopped = exporting.start(project, manager, "coco", review.Filters())
    failed = exporting.start(project, manager, "coco", review.Filters())
    Job.objects.filter(pk=stopped.pk).update(state="cancelled")
    Job.objects.filter(pk=failed.pk).update(state="failed", error="The disk is full.")
    for job in Job.objects.filter(kind="export"):
        exporting.announce_end(job)
    assert told(manager) == [("export_done", "The export failed: The disk is full.")]


def test_who_has_an_account_is_told_of_a_team_as_they_chose(manager, labeler, reviewer, client) -> None:
    shift = factories.make_team(manager, name="Night shift")
    workforce.invite_to_team(shift, manager, labeler.email)
    notifications.choose(reviewer, {"invited": "app"})
    workforce.invite_to_team(shift, manager, reviewer.email)
    assert told(labeler) == told(reviewer) == [("invited", "manager invites you to the team Night shift.")]
    assert Letter.objects.filter(user=labeler).exists()
    assert not Letter.objects.exclude(user=labeler).exists()
    client.force_login(labeler)
    page = client.get(reverse("notifications")).content.decode()
    assert "manager invites you to the team Night shift." in page
    opened = client.get(reverse("notification", args=[labeler.notifications.get().pk]))
    assert opened.headers["Location"] == reverse("invitation", args=[shift.invitations.first().token])
    client.post(opened.headers["Location"])
    assert len(told(labeler)) == 1  # nobody is told what they did themselves
    person = shift.people.select_related("team", "user").get(user=labeler)
    teams.leave(person, manager)
    teams.come_back(person, manager)
    assert told(labeler)[-1][1].startswith("manager has taken you into the team Night shift.")
    [letter] = [text for _, text in mailing.written(Letter.objects.filter(user=labeler).order_by("id")[:1])]
    assert letter.subject == "Night shift: An invitation"
