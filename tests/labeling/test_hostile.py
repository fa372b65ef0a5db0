"""What comes from outside may say anything, lie about its size and never end. Loupe does not go with it."""

import struct
import threading
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from labeling import bounded, importing, jobs, remote, sources, storing
from labeling.models import DataSource, Event, Job

pytestmark = pytest.mark.django_db

PAGE = (
    "<ListBucketResult><IsTruncated>{more}</IsTruncated>{names}"
    "<NextContinuationToken>x</NextContinuationToken></ListBucketResult>"
)
NAME = "<Contents><Key>{}</Key><Size>{}</Size><ETag>x</ETag></Contents>"


class Liar:
    """A server that answers what a test says, with more bytes than anybody wants if so."""

    def __init__(self) -> None:
        self.asked = 0
        self.says: Callable[[int], tuple[int, bytes, int]] = lambda asked: (404, b"", 1)
        liar = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                liar.asked += 1
                status, body, times = liar.says(liar.asked)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body) * times))
                self.end_headers()
                try:
                    for _ in range(times):
                        self.wfile.write(body)
                except OSError:
                    self.close_connection = True  # whoever asked has had enough

            def log_message(self, *given: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def lists(self, *names: str, more: str = "false") -> None:
        body = PAGE.format(more=more, names="".join(names)).encode()
        self.says = lambda asked: (200, body, 1)


@pytest.fixture
def liar(settings) -> Iterator[Liar]:
    settings.LOUPE_SOURCES_PRIVATE = True
    made = Liar()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def bucket(project, manager, liar) -> DataSource:
    return sources.made(project, {"address": "s3://bucket/**", "endpoint": liar.url}, manager)


def test_a_listing_without_end_holds_up_no_page_and_ends_by_itself(bucket, liar, monkeypatch) -> None:
    liar.lists(more="true")
    remote.check(bucket)
    assert liar.asked == 1
    monkeypatch.setattr(remote, "MOST_LISTED", 5 * remote.PAGE)
    with pytest.raises(remote.Unreachable, match="without end"):
        list(remote.listed(bucket))
    assert liar.asked == 7


def test_a_listing_that_is_stopped_is_no_fault_of_its_bucket(bucket, liar) -> None:
    def stop() -> None:
        raise jobs.Cancelled

    liar.lists(more="true")
    with pytest.raises(jobs.Cancelled):
        next(remote.listed(bucket, stop))


def test_no_more_is_read_of_a_bucket_than_was_asked_for(bucket, liar, monkeypatch) -> None:
    liar.says = lambda asked: (206, bytes(1 << 20), 64)
    assert len(remote.read(bucket, "a.png", 0, 1_000)) == 1_000
    monkeypatch.setattr(bounded, "LONGEST", 1 << 20)
    liar.says = lambda asked: (200, b"<a/>" * (1 << 18), 4)
    with pytest.raises(remote.Unreachable, match="longer than any of S3"):
        remote.check(bucket)


def test_an_object_that_has_become_empty_is_damaged_and_nothing_else(bucket, liar) -> None:
    liar.says = lambda asked: (416, b"<Error><Code>InvalidRange</Code></Error>", 1)
    assert remote.read(bucket, "a.png", 0, 1_000) == b""


def test_a_listing_that_lies_is_taken_for_what_it_can_be(project, manager, liar) -> None:
    liar.lists(NAME.format("a.png", -5), NAME.format("a.png", 5), NAME.format("b.png", "9" * 30))
    given = {"address": "s3://bucket/**", "endpoint": liar.url}
    source = sources.add(project, given, manager)
    jobs.run(Job.objects.get(kind="refresh").pk)
    assert list(source.items.values_list("path", "size_bytes")) == [("a.png", 5)]
    source.refresh_from_db()
    assert [each["name"] for each in source.refused] == ["b.png"]


def test_no_password_is_part_of_an_address(project, manager, liar) -> None:
    with pytest.raises(importing.ImportRefused, match="no user name or password"):
        sources.add(project, {"address": "https://bob:unmistakable@example.com/list.txt"}, manager)
    text = f"https://bob:unmistakable@example.com/a.png\n{'x' * 9_999}\nhttps://[::1/a.png\n{liar.url}/b.png"
    source = sources.add_list(project, text, "", manager, every_page=False)
    assert list(source.items.values_list("path", flat=True)) == [f"{liar.url}/b.png"]
    assert [each["reason"][:18] for each in source.refused] == [
        "The address must h", "This is no web add", "This is no web add",
    ]  # fmt: skip
    assert max(len(each["name"]) for each in source.refused) == 2_000
    assert not Event.objects.filter(data__icontains="unmistakable").exists()


def test_a_list_that_is_refused_later_says_so(project, manager, liar, monkeypatch) -> None:
    liar.says = lambda asked: (200, b"http://example.com/a.png\n", 1) if asked == 1 else (403, b"", 1)
    sources.add(project, {"address": f"{liar.url}/list.txt"}, manager)
    job = Job.objects.get(kind="refresh")
    jobs.run(job.pk)
    job.refresh_from_db()
    assert job.error.endswith("list.txt cannot be read. The server does not hand it out: it answers 403.")


def test_an_entry_in_whatever_compression_unpacks_to_no_more_than_it_says(tmp_path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive, archive.open("a.png", "w") as entry:
        for _ in range(64):
            entry.write(bytes(1 << 20))
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.rfind(b"PK\x01\x02") + 24, 1_000)
    path.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(zipfile.BadZipFile):
        storing.read_entry(str(path), 1, "a.png")
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()
