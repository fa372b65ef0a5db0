"""A hub on this machine: as much of Hugging Face's HTTP API as fetching a model takes."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlparse

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def hub(models: Path) -> Iterator[str]:
    """Serve the models in a folder, each in one of its own name; yields the address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.answer(is_read=False)

        def do_GET(self) -> None:
            self.answer(is_read=True)

        def answer(self, *, is_read: bool) -> None:
            path = urlparse(self.path).path.strip("/")
            if path.startswith("api/models/"):
                said = path.removeprefix("api/models/").partition("/revision/")[0]
                name, _, is_listed = said.partition("/tree/")
                found = listed(models / name) if is_listed else told(models / name, name)
                self.send(200, json.dumps(found).encode(), "application/json", is_read)
                return
            name, _, rest = path.partition("/resolve/")
            file = models / name / rest.partition("/")[2]
            if rest and file.is_file():
                self.send(200, file.read_bytes(), "application/octet-stream", is_read)
            else:
                self.send(404, b"", "text/plain", is_read)

        def send(self, status: int, body: bytes, kind: str, is_read: bool) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", f'"{sha256(body).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if is_read:
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


def listed(folder: Path) -> list[dict[str, object]]:
    """Return the files of a model as the hub lists them."""
    return [
        {"type": "file", "path": each.name, "size": each.stat().st_size, "oid": COMMIT}
        for each in sorted(folder.iterdir())
    ]


def told(folder: Path, name: str) -> dict[str, object]:
    """Return what the hub says of a model."""
    files = [{"rfilename": each.name, "size": each.stat().st_size} for each in sorted(folder.iterdir())]
    config = json.loads((folder / "config.json").read_text())
    return {
        "_id": "1", "id": name, "modelId": name, "sha": COMMIT, "private": False, "tags": [],
        "downloads": 1, "likes": 0, "siblings": files, "config": {"model_type": config["model_type"]},
        "cardData": {"license": "apache-2.0"},
    }  # fmt: skip
