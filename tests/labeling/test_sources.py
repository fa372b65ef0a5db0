"""Buckets and lists of addresses: listed, read, looked at again; who gets at what, and what is never told."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from labeling import (
    addresses,
    exporting,
    extensions,
    hiding,
    images,
    importing,
    masked,
    queue,
    reading,
    refreshing,
    remote,
    review,
    sealing,
    sources,
    storing,
)
from labeling.importing import ImportRefused
from labeling.models import DataSource, Event, Item, Job, QueueEntry
from tests import coloured, factories

pytestmark = pytest.mark.django_db

KEY, SECRET = "AKIAUNMISTAKABLE", "unmistakable/secret+of/s3"


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    """Start a server that speaks S3, once for all."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


class Bucket:
    """A bucket of the test's own, and the ways in which its owner changes what lies there."""

    def __init__(self, endpoint: str, name: str) -> None:
        import boto3

        self.endpoint, self.name = endpoint, name
        self.client: Any = boto3.client(
            "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
        )  # fmt: skip
        self.client.create_bucket(Bucket=name)

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=data)

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)

    def given(self, pattern: str = "**", **more: Any) -> dict[str, Any]:
        """Return what a form takes of it."""
        return {
            "address": f"s3://{self.name}/{pattern}", "endpoint": self.endpoint, "key": KEY, "secret": SECRET,
        } | more  # fmt: skip


@pytest.fixture
def bucket(s3_server, settings, tmp_path, request) -> Bucket:
    """Return a bucket with six pictures in folders by class, and a text."""
    settings.LOUPE_SOURCES_PRIVATE = True
    made = Bucket(s3_server, f"bucket-{abs(hash(request.node.name))}")
    folder = factories.write_folder(tmp_path / "pictures", 6)
    for path in sorted(folder.rglob("*.png")):
        made.put(f"photos/{path.relative_to(folder)}", path.read_bytes())
    made.put("photos/notes.txt", b"no image")
    return made


@pytest.fixture
def source(project, manager, bucket) -> DataSource:
    """Return the bucket as a source of the project, listed and read."""
    made = sources.add(project, bucket.given("photos/**"), manager)
    factories.run_jobs("quick")
    made.refresh_from_db()
    return made


def picture(number: int) -> bytes:
    return factories.picture_file((40 + number, 30))


def states(source: DataSource) -> dict[str, str]:
    return dict(source.items.values_list("path", "state"))


def refresh(source: DataSource, **how: Any) -> dict[str, Any]:
    """Look at a source again, and return what that came to."""
    job = refreshing.start(source, None, **how)
    factories.run_jobs("quick")
    job.refresh_from_db()
    return job.result


def test_a_bucket_is_listed_and_read_in_place(source, project) -> None:
    facts = reading.summary(source)
    assert (facts["total"], facts["read"], facts["broken"], facts["refused"]) == (6, 6, 0, 1)
    assert "circle/00000.png" in states(source)
    assert QueueEntry.objects.filter(project=project).count() == 6


@pytest.mark.parametrize(
    ("pattern", "count"),
    [("", 6), ("/**", 6), ("**/*.*", 6), ("photos/circle/*.png", 2), ("photos/*.png", 0),
     ("photos/**/0000[0-2].png", 3), ("photos/square/00001.png", 1)],
)  # fmt: skip
def test_patterns_choose_what_is_meant(project, manager, bucket, pattern, count) -> None:
    sources.add(project, bucket.given(pattern.lstrip("/")), manager)
    job = Job.objects.get(kind="refresh")
    from labeling import jobs

    jobs.run(job.pk)
    assert Item.objects.filter(project=project).count() == count
    job.refresh_from_db()
    assert job.state == ("done" if count else "failed")


def test_credentials_are_sealed_and_told_to_nobody(source, project, manager, api, client, caplog) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(s)::text FROM labeling_datasource s")
        stored = cursor.fetchone()[0]
        cursor.execute("SELECT coalesce(string_agg(row_to_json(e)::text, ''), '') FROM labeling_event e")
        stored += cursor.fetchone()[0]
    client.force_login(manager)
    told = [
        stored,
        api(manager).get(reverse("api-source", args=[project.pk, source.pk])).content.decode(),
        api(manager).get(reverse("api-imports", args=[project.pk])).content.decode(),
        client.get(reverse("source", args=[project.pk, source.pk])).content.decode(),
        client.get(reverse("import", args=[project.pk])).content.decode(),
        caplog.text,
    ]
    assert [text for text in told if KEY in text or SECRET in text] == []
    assert sealing.unseal(source.credentials) == {"key": KEY, "secret": SECRET}


def test_with_another_key_of_the_installation_credentials_are_asked_for_again(
    source, manager, bucket, settings
) -> None:
    settings.SECRET_KEY = "another"
    job = refreshing.start(source, manager)
    from labeling import jobs

    jobs.run(job.pk)
    job.refresh_from_db()
    assert "Enter them again" in job.error
    sources.change(source, {"key": KEY, "secret": SECRET}, manager)
    assert refresh(DataSource.objects.get(pk=source.pk))["files"] == 6


def test_only_what_is_new_is_read_and_later_batches_join_a_running_project(
    source, project, labeler, bucket, monkeypatch
) -> None:
    factories.answer(project, labeler, size=4)
    looked: list[str] = []
    look = reading.look
    monkeypatch.setattr(reading, "look", lambda item: looked.append(item.path) or look(item))
    bucket.put("photos/new/a.png", picture(1))
    assert refresh(source) | {"source": 0} == {
        "source": 0, "files": 7, "new": 1, "gone": 0, "back": 0, "changed": 0, "refused": 1,
    }  # fmt: skip
    assert looked == ["new/a.png"]
    assert QueueEntry.objects.filter(item__path="new/a.png").exists()


def test_what_is_gone_is_shown_keeps_its_label_and_is_asked_no_more(
    source, project, labeler, manager, bucket, client
) -> None:
    Item.objects.filter(project=project)
    factories.answer(project, labeler)
    labeled = Item.objects.get(state="labeled")
    other = Item.objects.filter(state="unlabeled").first()
    page = queue.claim(project, labeler, 1)
    held = page.claims.get().item
    for item in {labeled, other, held}:
        bucket.delete(f"photos/{item.path}")
    gone = len({labeled, other, held})
    assert refresh(source)["gone"] == gone
    labeled.refresh_from_db()
    other.refresh_from_db()
    assert (labeled.state, labeled.current_annotation is None, labeled.gone_at is None) == (
        "labeled", False, False,
    )  # fmt: skip
    assert (other.state, other.reason) == ("removed", "Its file is no longer at the source.")
    assert not QueueEntry.objects.filter(item__gone_at__isnull=False).exists()
    assert not held.claims.filter(state="live").exists()
    client.force_login(manager)
    shown = client.get(reverse("source", args=[project.pk, source.pk])).content.decode()
    assert labeled.path in shown
    assert f"{gone} gone" in client.get(reverse("import", args=[project.pk])).content.decode()
    assert Event.objects.filter(verb="refresh", data__gone=gone).exists()


def test_an_object_that_was_overwritten_is_neither_shown_nor_copied_under_its_old_label(
    source, project, labeler, manager, bucket, client, tmp_path
) -> None:
    factories.answer_all(project, labeler)
    item = project.items.filter(state="labeled").first()
    bucket.put(f"photos/{item.path}", picture(99))
    client.force_login(manager)
    answer = client.get(reverse("image", args=[item.pk]))
    assert (answer.status_code, answer.content.decode()) == (410, storing.ANOTHER)
    report = exporting.write(project, review.Filters(), tmp_path / "a.zip", exporting.Choice("coco", "copy"))
    assert report["left_out"] == {
        "count": 1, "images": [{"file_name": item.path, "reason": storing.ANOTHER}],
    }  # fmt: skip


def test_what_comes_back_or_was_only_renamed_is_the_same_item(source, project, labeler, bucket) -> None:
    factories.answer(project, labeler)
    labeled = Item.objects.get(state="labeled")
    waiting = Item.objects.filter(state="unlabeled").first()
    kept = {path: bucket_bytes(bucket, f"photos/{path}") for path in (labeled.path, waiting.path)}
    for path in kept:
        bucket.delete(f"photos/{path}")
    refresh(source)
    bucket.put(f"photos/{waiting.path}", kept[waiting.path])
    bucket.put("photos/moved/there.png", kept[labeled.path])
    found = refresh(source)
    assert (found["back"], found["new"]) == (1, 1)
    waiting.refresh_from_db()
    labeled.refresh_from_db()
    assert (waiting.state, waiting.gone_at, QueueEntry.objects.filter(item=waiting).count()) == (
        "unlabeled", None, 1,
    )  # fmt: skip
    assert (labeled.path, labeled.state, labeled.gone_at) == ("moved/there.png", "labeled", None)
    assert source.items.count() == 6


def bucket_bytes(bucket: Bucket, key: str) -> bytes:
    data: bytes = bucket.client.get_object(Bucket=bucket.name, Key=key)["Body"].read()
    return data


def test_what_was_changed_is_marked_and_read_as_another_item_only_when_asked(
    source, project, labeler, bucket
) -> None:
    factories.answer(project, labeler)
    labeled = Item.objects.get(state="labeled")
    bucket.put(f"photos/{labeled.path}", picture(7))
    assert refresh(source)["changed"] == 1
    labeled.refresh_from_db()
    assert labeled.changed_at
    assert source.items.count() == 6
    found = refresh(source, again=True)
    assert (found["new"], found["changed"]) == (1, 0)
    labeled.refresh_from_db()
    assert (labeled.state, labeled.gone_at is None) == ("labeled", False)
    fresh = Item.objects.get(path=labeled.path, gone_at=None)
    assert (fresh.width, fresh.state, fresh.entry.needed) == (47, "unlabeled", 1)


def test_a_copy_stands_in_for_an_image_that_is_gone(source, project, bucket) -> None:
    original = Item.objects.filter(project=project).order_by("id").first()
    bucket.put("photos/copy.png", bucket_bytes(bucket, f"photos/{original.path}"))
    refresh(source)
    assert states(source)["copy.png"] == "removed"
    bucket.delete(f"photos/{original.path}")
    refresh(source)
    assert (states(source)["copy.png"], states(source)[original.path]) == ("unlabeled", "removed")
    assert QueueEntry.objects.filter(item__path="copy.png").exists()


def test_schedules_look_when_an_hour_or_a_day_has_passed(source, manager) -> None:
    sources.change(source, {"refresh": "hourly"}, manager)
    refreshing.look()
    assert Job.objects.filter(kind="refresh", state="queued").count() == 0
    DataSource.objects.update(listed_at=timezone.now() - timezone.timedelta(hours=2))
    refreshing.look()
    refreshing.look()
    assert Job.objects.filter(kind="refresh", state="queued").count() == 1
    with pytest.raises(refreshing.NotNow, match="right now"):
        refreshing.start(source, manager)


def test_an_unreachable_bucket_says_why_and_takes_nothing_away(source, project, manager, bucket) -> None:
    from labeling import jobs

    DataSource.objects.update(options={"endpoint": "http://127.0.0.1:9"})
    source.refresh_from_db()
    job = refreshing.start(source, manager)
    jobs.run(job.pk)
    assert "cannot be read" in reading.summary(source)["error"]
    assert source.items.filter(gone_at__isnull=False).count() == 0
    with pytest.raises(importing.ImportRefused, match="not exist"):
        sources.add(project, bucket.given() | {"address": "s3://no-such-bucket/**"}, manager)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"address": "ftp://x/y"}, "Write an address like"),
        ({"address": "s3://UPPER/**"}, "not the name of a bucket"),
        ({"address": "s3://bucket/a**"}, "not a pattern"),
        ({"address": "s3://bucket/**", "endpoint": "http://169.254.169.254"}, "not on the public internet"),
        ({"address": "s3://bucket/**", "endpoint": "http://localhost:9000"}, "not on the public internet"),
        ({"address": "s3://bucket/**", "region": "evil.example/"}, "region"),
        ({"address": "s3://bucket/**", "key": "only"}, "needs both"),
        ({"address": "az://box/**", "account": "evil.example/"}, "storage account"),
        ({"address": "az://box/**", "account": "abc", "account_key": "x;BlobEndpoint=http://10.1"}, "charac"),
        ({"address": "az://box/**", "account": "abc", "endpoint": "https://example.com"}, "site admin"),
        ({"address": "gs://box/**", "service_account": '{"type": "external_account"}'}, "service account"),
        ({"address": "s3://bucket/**", "signs_urls": True}, "Short-lived addresses need"),
    ],
)  # fmt: skip
def test_what_leads_nowhere_or_into_our_own_network_is_refused(project, manager, given, sentence) -> None:
    with pytest.raises(importing.ImportRefused, match=sentence):
        sources.made(project, given, manager)


def test_originals_are_streamed_in_parts_to_those_who_may_see_them(source, manager, outsider, client) -> None:
    item = source.items.first()
    url = reverse("image", args=[item.pk])
    client.force_login(outsider)
    assert client.get(url).status_code == 404
    client.force_login(manager)
    whole = client.get(url)
    assert (whole.status_code, len(whole.content), whole.headers["Accept-Ranges"]) == (
        200,
        item.size_bytes,
        "bytes",
    )
    part = client.get(url, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{item.size_bytes}"
    assert client.get(url, headers={"Range": "bytes=-5"}).content == whole.content[-5:]
    beyond = client.get(url, headers={"Range": f"bytes={item.size_bytes}-"})
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{item.size_bytes}")


def test_browsers_are_sent_to_the_bucket_where_the_source_says_so(source, manager, client, project) -> None:
    sources.change(source, {"signs_urls": True}, manager)
    client.force_login(manager)
    answer = client.get(reverse("image", args=[source.items.first().pk]))
    assert answer.status_code == 302
    assert SECRET not in answer.headers["Location"]
    with urlopen(answer.headers["Location"]) as sent:
        assert sent.read(4) == b"\x89PNG"
    policy = client.get(reverse("data", args=[project.pk])).headers["Content-Security-Policy"]
    assert source.options["endpoint"] in policy
    elsewhere = client.get(reverse("projects")).headers["Content-Security-Policy"]
    assert source.options["endpoint"] not in elsewhere


def test_where_faces_are_hidden_nobody_is_sent_to_the_bucket_which_stays_as_it_is(
    source, manager, client, project, bucket, monkeypatch
) -> None:
    monkeypatch.setattr(extensions, "_face_finders", [coloured.ByColour()])
    sources.change(source, {"signs_urls": True}, manager)
    bucket.put("photos/face.png", coloured.picture())
    refresh(source)
    hiding.begin(project, manager, "mosaic", "keep", project.name)
    factories.run_jobs("long", "quick")
    client.force_login(manager)
    item = source.items.get(path="face.png")
    answer = client.get(images.address(item))
    assert answer.status_code == 200
    assert b"".join(answer.streaming_content if answer.streaming else [answer.content]) == masked.read(item)
    policy = client.get(reverse("data", args=[project.pk])).headers["Content-Security-Policy"]
    assert source.options["endpoint"] not in policy
    assert bucket_bytes(bucket, "photos/face.png") == coloured.picture()
    found = refresh(source)
    assert (found["new"], found["gone"], found["changed"]) == (0, 0, 0)
    with pytest.raises(ImportRefused, match="hides faces"):
        sources.change(source, {"signs_urls": True}, manager)


def test_a_project_takes_no_more_than_it_is_to(project, manager, bucket) -> None:
    project.most_items = 4
    project.save(update_fields=["most_items"])
    made = sources.add(project, bucket.given(), manager)
    factories.run_jobs("quick")
    made.refresh_from_db()
    assert made.items.count() == 4
    assert "2 of its files were left out" in made.refused[0]["reason"]
    project.most_items = None
    project.save(update_fields=["most_items"])
    refresh(made)
    assert made.items.count() == 6


def test_a_folder_of_the_server_is_looked_at_again(project, manager, tmp_path) -> None:
    folder = factories.write_folder(tmp_path / "pictures", 6)
    source = importing.add_folder(project, folder, manager)
    factories.run_jobs("quick")
    paths = sorted(folder.rglob("*.png"))
    paths[0].unlink()
    paths[1].write_bytes(picture(3))
    (folder / "new.png").write_bytes(picture(4))
    found = refresh(source)
    assert [found[each] for each in ("new", "gone", "changed")] == [1, 1, 1]


def test_a_source_is_added_through_the_api_and_by_the_page(project, manager, api, client, bucket) -> None:
    given = bucket.given("photos/circle/*")
    given["url"] = given.pop("address")
    answer = api(manager).post(reverse("api-imports", args=[project.pk]), given, format="json")
    assert answer.status_code == 201, answer.json()
    assert answer.json()["job"]["kind"] == "refresh"
    client.force_login(manager)
    page = reverse("import", args=[project.pk])
    assert client.post(page, bucket.given("photos/square/*")).status_code == 302
    refused = client.post(page, {"address": "s3://UPPER/**"})
    assert (refused.status_code, b"not the name of a bucket" in refused.content) == (400, True)
    factories.run_jobs("quick")
    assert Item.objects.filter(project=project, state="unlabeled").count() == 4
    made = project.sources.order_by("id").first()
    url = reverse("api-source", args=[project.pk, made.pk])
    assert api(manager).patch(url, {"refresh": "daily"}, format="json").json()["refresh"] == "daily"
    looked = api(manager).post(reverse("api-source-refresh", args=[project.pk, made.pk]))
    assert (looked.status_code, looked.json()["kind"]) == (202, "refresh")


def test_an_import_is_taken_back_but_for_what_was_labeled(source, project, manager, labeler, api) -> None:
    factories.answer(project, labeler, lambda item: project.classes.first().name)
    (labeled,) = source.items.filter(state="labeled")
    assert api(manager).delete(f"/api/projects/{project.pk}/sources/{source.pk}/").status_code == 202
    factories.run_jobs("quick")
    assert source.items.filter(state="removed").count() == 5
    assert list(source.items.exclude(state="removed")) == [labeled]
    assert not project.queue.exists()
    assert labeled.current_annotation
    refresh(source)  # what was taken back stays away
    assert source.items.filter(state="removed").count() == 5


def test_a_label_of_an_image_that_is_gone_stays_in_exports(source, project, manager, labeler, bucket) -> None:
    factories.answer(project, labeler)
    labeled = Item.objects.get(state="labeled")
    bucket.delete(f"photos/{labeled.path}")
    refresh(source)
    job = exporting.start(project, manager, "coco", review.Filters())
    factories.run_jobs("quick")
    job.refresh_from_db()
    content = Path(exporting.default_storage.path(job.result["name"])).read_text()
    assert labeled.path in content
    assert "file_gone_at" in content


def test_what_libraries_say_is_told_without_what_is_secret(source) -> None:
    error = ValueError(f"GET https://x/?sig=abc&X-Amz-Signature=def with {SECRET} failed")
    assert remote.scrubbed(source, error) == "GET https://x/?sig=…&X-Amz-Signature=… with … failed"


def test_an_address_is_a_folder_and_a_pattern() -> None:
    found = addresses.parse("s3://bucket/a/b/**/*.jpg")
    assert (found.bucket, found.root, found.pattern) == ("bucket", "a/b", "**/*.jpg")
    assert [found.path(key) for key in ("a/b/x.jpg", "a/b/c/x.jpg", "a/x.jpg", "a/b/x.png", "a/b/")] == [
        "x.jpg", "c/x.jpg", None, None, None,
    ]  # fmt: skip
