"""Webhooks: what is sent, how it is signed, what happens when nobody answers, and where nothing is sent."""

import hashlib
import hmac
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from labeling import announcing, delivering, exporting, outbound, review, webhooks, workforce
from labeling.models import Delivery, Event, Job, User, Webhook
from tests import factories

pytestmark = pytest.mark.django_db


class Receiver:
    """A program on this machine that gets messages, and answers as a test wants."""

    def __init__(self) -> None:
        self.messages: list[tuple[dict[str, str], bytes]] = []
        self.status, self.text, self.location = 200, "thank you", ""
        self.pause = 0.0  # between the bytes of an answer
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.messages.append((dict(self.headers), body))
                self.send_response(receiver.status)
                if receiver.location:
                    self.send_header("Location", receiver.location)
                self.send_header("Content-Length", str(len(receiver.text.encode())))
                self.end_headers()
                for byte in receiver.text.encode():
                    self.wfile.write(bytes([byte]))
                    if receiver.pause:
                        time.sleep(receiver.pause)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def hook(project, manager, receiver, settings) -> Webhook:
    settings.LOUPE_WEBHOOKS_PRIVATE = True
    return webhooks.make(project, manager, f"{receiver.url}/hook?from=loupe", list(announcing.kinds()))


def send_due() -> None:
    """Do what the watchdog and a worker do, as if the pause after a failure were over."""
    Delivery.objects.filter(state="waiting").update(due_at=timezone.now())
    delivering.look()
    factories.run_jobs("quick")


def test_a_message_says_what_happened_and_is_signed(project, manager, labeler, hook, receiver, items) -> None:
    User.objects.filter(pk=manager.pk).update(language="de")
    factories.answer_all(project, labeler)
    review.reject(project, [items[0].pk, items[1].pk], manager, "Blurred.")
    send_due()
    (_, imported), (headers, body) = receiver.messages
    assert json.loads(imported)["sentence"] == "12 images are imported."
    message = json.loads(body)
    assert message["kind"] == headers["X-Loupe-Kind"] == "rejected"
    assert message["project"] == {"id": project.pk, "name": project.name}
    assert message["sentence"] == "2 labels were rejected."
    assert message["data"] == {"count": 2, "comment": "Blurred."}
    assert message["delivery"] == headers["X-Loupe-Delivery"]
    signed = headers["X-Loupe-Timestamp"].encode() + b"." + body
    key = webhooks.secret_of(hook).encode()
    assert headers["X-Loupe-Signature"] == f"sha256={hmac.new(key, signed, hashlib.sha256).hexdigest()}"
    assert {(each.state, each.status, each.answer) for each in Delivery.objects.all()} == {
        ("delivered", 200, "thank you")
    }


def test_only_chosen_kinds_are_sent_and_none_while_it_is_off(project, manager, hook, receiver, items) -> None:
    webhooks.change(hook, manager, hook.url, ["export_done"], is_on=True)
    announcing.announce("finished", project, labeled=1)
    factories.label_one(items[0])
    exporting.start(project, manager, "coco", review.Filters())
    factories.run_jobs("quick")
    webhooks.change(hook, manager, hook.url, ["export_done"], is_on=False)
    exporting.start(project, manager, "coco", review.Filters())
    factories.run_jobs("quick")
    send_due()
    assert [each.kind for each in Delivery.objects.order_by("id")] == ["import_done", "export_done"]
    assert receiver.messages == []
    webhooks.change(hook, manager, hook.url, ["export_done"], is_on=True)
    send_due()
    assert len(receiver.messages) == 2


def test_what_is_not_taken_is_sent_again_five_times_and_then_given_up(project, hook, receiver) -> None:
    receiver.status, receiver.text = 503, "x" * 5_000
    announcing.announce("finished", project, labeled=1)
    for attempt in range(1, 7):
        before = timezone.now()
        send_due()
        delivery = Delivery.objects.get()
        assert (delivery.attempts, delivery.status, len(delivery.answer)) == (attempt, 503, 1_000)
        if attempt < 6:
            pause = (delivery.due_at - before).total_seconds()
            assert pause >= (60, 300, 1_800, 7_200, 43_200)[attempt - 1]
    send_due()
    assert Delivery.objects.get().state == "given_up"
    assert len({headers["X-Loupe-Delivery"] for headers, _ in receiver.messages}) == 1
    assert len(receiver.messages) == 6


def test_a_manager_sends_again_what_was_given_up(project, manager, hook, receiver, client) -> None:
    receiver.status = 500
    announcing.announce("finished", project, labeled=1)
    send_due()
    Delivery.objects.update(state="given_up")
    receiver.status = 204
    receiver.text = ""
    client.force_login(manager)
    delivery = Delivery.objects.get()
    client.post(reverse("delivery-again", args=[project.pk, hook.pk, delivery.pk]))
    send_due()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.status, delivery.attempts) == ("delivered", 204, 1)


def test_nobody_there_and_too_slow_are_said(project, hook, receiver, monkeypatch) -> None:
    receiver.pause = 5.0  # each byte comes in time for itself
    monkeypatch.setattr(outbound.post, "__kwdefaults__", {"allow_private": False, "seconds": 0.5})
    announcing.announce("finished", project, labeled=1)
    send_due()
    assert Delivery.objects.get().error == "No answer within 0.5 seconds."
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    Webhook.objects.update(url=f"http://127.0.0.1:{port}/")
    send_due()
    assert "refused" in Delivery.objects.get().error


def test_a_slow_receiver_does_not_hold_up_another(project, manager, hook, receiver, monkeypatch) -> None:
    slow = Receiver()
    slow.pause = 5.0
    monkeypatch.setattr(outbound.post, "__kwdefaults__", {"allow_private": False, "seconds": 0.5})
    webhooks.make(project, manager, slow.url, ["finished"])
    for number in range(3):
        announcing.announce("finished", project, labeled=number)
    send_due()
    slow.server.shutdown()
    slow.server.server_close()
    states = Delivery.objects.order_by("id").values_list("webhook__url", "state")
    assert [state for url, state in states if url == slow.url] == ["waiting"] * 3
    assert [json.loads(body)["data"]["labeled"] for _, body in receiver.messages] == [0, 1, 2]


def test_a_redirect_is_not_followed(project, hook, receiver) -> None:
    elsewhere = Receiver()
    receiver.status, receiver.location = 307, elsewhere.url
    announcing.announce("finished", project, labeled=1)
    send_due()
    assert (Delivery.objects.get().state, Delivery.objects.get().status) == ("waiting", 307)
    assert elsewhere.messages == []
    elsewhere.server.shutdown()
    elsewhere.server.server_close()


# Where nothing is sent


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
    ],
)
def test_addresses_of_our_own_network_are_no_public_ones(address) -> None:
    assert not outbound.is_public(address)


def test_addresses_of_the_internet_are_public() -> None:
    assert outbound.is_public("93.184.215.14")
    assert outbound.is_public("2606:2800:21f:cb07:6820:80da:af6b:8b2c")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "127.1"])
def test_a_name_that_leads_into_our_own_network_gets_nothing(
    project, manager, hook, receiver, settings, host
) -> None:
    settings.LOUPE_WEBHOOKS_PRIVATE = False
    Webhook.objects.update(url=f"http://{host}:{receiver.server.server_port}/")
    webhooks.send_test(Webhook.objects.get(), manager)
    send_due()
    assert receiver.messages == []
    assert "not on the public internet" in Delivery.objects.get().error


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com",
        "//example.com",
        "https://",
        "https://user:password@example.com/",
        "https://example.com:99999/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "no address",
    ],
)
def test_an_address_that_is_none_of_the_web_is_refused_at_once(project, manager, client, url) -> None:
    client.force_login(manager)
    answer = client.post(reverse("webhooks", args=[project.pk]), {"url": url, "kinds": ["finished"]})
    assert answer.context["form"].errors["url"]
    assert not Webhook.objects.exists()


def test_a_header_cannot_be_put_into_an_address(project, manager, hook, receiver) -> None:
    Webhook.objects.update(url=f"{receiver.url}/a b\u00e4?x=1 2")
    webhooks.send_test(Webhook.objects.get(), manager)
    send_due()
    assert Delivery.objects.get().state == "delivered"


# Managing


def test_a_secret_is_shown_once_and_is_in_no_table(project, manager, client, settings) -> None:
    client.force_login(manager)
    given = {"url": "https://example.com/hooks/T0K3N", "kinds": ["finished", "rejected"]}
    page = client.post(reverse("webhooks", args=[project.pk]), given).content.decode()
    hook = Webhook.objects.get()
    secret = webhooks.secret_of(hook)
    assert page.count(secret) == 1
    assert secret not in str(Webhook.objects.values().get())
    url = reverse("webhook", args=[project.pk, hook.pk])
    assert secret not in client.get(url).content.decode()
    renewed = client.post(reverse("webhook-secret", args=[project.pk, hook.pk])).content.decode()
    hook.refresh_from_db()
    assert webhooks.secret_of(hook) != secret
    assert webhooks.secret_of(hook) in renewed
    settings.SECRET_KEY = "another one"
    assert webhooks.secret_of(hook) not in renewed


def test_the_log_has_every_change_and_nothing_secret(project, manager, client) -> None:
    client.force_login(manager)
    webhook = webhooks.make(project, manager, "https://example.com/hooks/T0K3N", ["finished"])
    url = reverse("webhook", args=[project.pk, webhook.pk])
    client.post(url, {"url": "https://example.org/hooks/T0K3N", "kinds": ["rejected", "finished"]})
    client.post(reverse("webhook-secret", args=[project.pk, webhook.pk]))
    client.post(reverse("webhook-delete", args=[project.pk, webhook.pk]))
    page = client.get(reverse("log", args=[project.pk])).content.decode()
    for said in (
        "made the webhook to example.com.",
        "changed the webhook to example.org: its address, what it gets, switched off.",
        "renewed the secret of the webhook to example.org.",
        "deleted the webhook to example.org.",
    ):
        assert said in page
    assert "T0K3N" not in str(list(Event.objects.values()))


def test_an_invitation_s_link_is_in_no_message(project, manager, hook, receiver) -> None:
    invitation = workforce.invite(project, manager, "labeler", "new@example.com")
    send_due()
    (message,) = (body.decode() for _, body in receiver.messages)
    assert invitation.token not in message
    assert "new@example.com" not in message


def test_a_webhook_belongs_to_its_project(project, manager, hook, client) -> None:
    other = factories.make_project(manager=manager)
    delivery = webhooks.send_test(hook, manager)
    client.force_login(manager)
    assert client.get(reverse("webhook", args=[other.pk, hook.pk])).status_code == 404
    for name, args in (
        ("webhook-delete", [other.pk, hook.pk]),
        ("webhook-secret", [other.pk, hook.pk]),
        ("delivery-again", [other.pk, hook.pk, delivery.pk]),
    ):
        assert client.post(reverse(name, args=args)).status_code == 404


def test_the_database_knows_no_delivered_message_without_an_answer(project, hook, manager) -> None:
    delivery = webhooks.send_test(hook, manager)
    for wrong in ({"state": "delivered"}, {"state": "delivered", "status": 500}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Delivery.objects.filter(pk=delivery.pk).update(**wrong)
    with pytest.raises(IntegrityError), transaction.atomic():
        Webhook.objects.update(kinds=[])


def test_a_worker_that_died_in_the_middle_leaves_the_message_to_another(project, hook, receiver) -> None:
    announcing.announce("finished", project, labeled=1)
    assert len(delivering.claim()) == 1  # and then it dies
    assert delivering.claim() == []
    send_due()
    assert (Delivery.objects.get().state, Delivery.objects.get().attempts) == ("delivered", 2)
    assert not Job.objects.filter(kind="webhooks", state="queued").exists()


def test_programs_manage_webhooks_and_see_what_was_sent(project, manager, api, settings) -> None:
    settings.LOUPE_WEBHOOKS_PRIVATE = True
    at, client = f"/api/projects/{project.pk}/webhooks/", api(manager)
    body = {"url": "http://127.0.0.1:9/hook", "kinds": ["finished"]}
    made = client.post(at, body, format="json", HTTP_IDEMPOTENCY_KEY="hook").json()
    again = client.post(at, body, format="json", HTTP_IDEMPOTENCY_KEY="hook").json()
    assert again == made | {"secret": None} and made["secret"].startswith("whsec_")
    changed = client.patch(f"{at}{made['id']}/", {"is_on": False}, format="json").json()
    assert (changed["kinds"], changed["is_on"]) == (["finished"], False)
    sent = client.post(f"{at}{made['id']}/test/").json()
    assert client.get(f"{at}{made['id']}/deliveries/").json()["results"] == [sent]
    assert client.post(f"{at}{made['id']}/secret/").json()["secret"] != made["secret"]
    wrong = client.post(at, {"url": "ftp://example.com", "kinds": ["nothing"]}, format="json").json()
    assert wrong["error"]["message"] == "kinds: There is no announcement 'nothing'."
    assert client.delete(f"{at}{made['id']}/").status_code == 204
    assert client.get(at).json()["results"] == []
