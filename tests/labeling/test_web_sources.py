"""Lists of web addresses, and Google buckets by plain HTTP: read, looked at again, never our own network."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from django.urls import reverse

from labeling import (
    importing,
    outbound,
    reading,
    refreshing,
    sources,
)
from tests import factories
from tests.labeling.test_sources import picture, refresh, states

pytestmark = pytest.mark.django_db


class Site:
    """A web site on this machine with some pictures, and pages that mean no good."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.answers: dict[str, Any] = {}
        self.listing: Any = None  # says what Google would of a bucket
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path in site.redirects:
                    self.send_response(302)
                    self.send_header("Location", site.redirects[path])
                    self.end_headers()
                    return
                if site.listing and path.endswith("/o"):
                    site.files[path] = site.listing(parse_qs(urlsplit(self.path).query))
                self.send_response(200 if path in site.files else 404)
                data = site.files.get(path, b"")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    made.files = {f"/{number}.png": picture(number) for number in range(3)}
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_list_of_addresses_is_read_and_looked_at_again(project, manager, site, settings, client) -> None:
    settings.LOUPE_SOURCES_PRIVATE = True
    site.files["/list.txt"] = (
        f"# pictures\n{site.url}/0.png?size=1\n{site.url}/1.png\n\n{site.url}/no.png\n".encode()
    )
    source = sources.add(project, {"address": f"{site.url}/list.txt"}, manager)
    factories.run_jobs("quick")
    found = reading.summary(source)
    assert (found["total"], found["broken"]) == (3, 1)
    assert "answers 404" in reading.problems(source)[0]["reason"]
    site.files["/list.txt"] += f"{site.url}/2.png\n".encode()
    site.files["/no.png"] = picture(9)
    assert refresh(source, again=True)["new"] == 1
    assert reading.summary(source)["broken"] == 0
    client.force_login(manager)
    item = source.items.get(path__contains="size=1")
    assert client.get(reverse("image", args=[item.pk])).content == site.files["/0.png"]


def test_addresses_that_were_typed_in_are_images_but_for_what_is_none(
    project, manager, site, settings
) -> None:
    settings.LOUPE_SOURCES_PRIVATE = True
    text = f"{site.url}/0.png\n{site.url}/0.png\nfile:///etc/passwd\n{site.url}/page.html\nhttps://x y\n"
    source = sources.add_list(project, text, "", manager, every_page=False)
    factories.run_jobs("quick")
    assert list(source.items.values_list("path", "width")) == [(f"{site.url}/0.png", 40)]
    assert len(source.refused) == 3
    with pytest.raises(refreshing.NotNow):
        refreshing.start(source, manager)


def test_no_address_redirect_or_name_leads_into_our_own_network(project, manager, site, settings) -> None:
    site.redirects["/away"] = "http://169.254.169.254/latest/meta-data/"
    with pytest.raises(importing.ImportRefused, match="not on the public internet"):
        sources.add(project, {"address": f"{site.url}/list.txt"}, manager)
    text = f"{site.url}/0.png\nhttp://localhost:{site.server.server_port}/0.png\n"
    source = sources.add_list(project, text, "", manager, every_page=False)
    factories.run_jobs("quick")
    assert source.items.filter(state="broken", reason__contains="not on the public internet").count() == 2
    import socket

    with pytest.raises(OSError, match="not on the public internet"):
        outbound.guard(
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80)), allow_private=False
        )


def test_a_google_bucket_is_listed_page_by_page_and_read(project, manager, site, monkeypatch) -> None:
    """By a server of the test's own that speaks as much of Google's JSON API as is used."""
    import json

    names = ["photos/a.png", "photos/deep/b.png", "photos/c.txt"]
    site.answers = {
        "": {"items": google(site, names[:2]), "nextPageToken": "more"},
        "more": {"items": google(site, names[2:])},
    }
    site.listing = lambda query: json.dumps(site.answers[query.get("pageToken", [""])[0]]).encode()
    for name in names:
        site.files[f"/download/storage/v1/b/google-box/o/{quote(name, safe='')}"] = site.files["/1.png"]
    site.files[f"/download/storage/v1/b/google-box/o/{quote(names[0], safe='')}"] = site.files["/2.png"]
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", site.url)
    source = sources.add(project, {"address": "gs://google-box/photos/**"}, manager)
    factories.run_jobs("quick")
    facts = reading.summary(source)
    assert (facts["total"], facts["read"], facts["broken"]) == (2, 2, 0), reading.problems(source)
    assert states(source) == {"a.png": "unlabeled", "deep/b.png": "unlabeled"}


def google(site: Site, names: list[str]) -> list[dict[str, str]]:
    size = str(len(site.files["/1.png"]))
    return [{"name": each, "size": size, "etag": f"tag of {each}"} for each in names]
