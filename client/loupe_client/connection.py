"""Requests to one Loupe: signed, tried again where that is safe, with errors in the server's words."""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import requests
from tqdm.auto import tqdm

WAITS = (0.5, 1, 2, 4, 8)  # seconds before another try
PATIENT = (0.5, 1, 2, 4, 8, *(15,) * 39)
BUSY = frozenset({429, 502, 503, 504})
CHUNK = 1 << 20

JSON = Any


class LoupeError(Exception):
    """What the server refused, with its sentence; `fields` has what is wrong with which input."""

    def __init__(self, status: int, code: str, message: str, fields: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.fields = status, code, message, fields


class JobFailed(Exception):
    """A job on the server that did not end well."""


class Connection:
    """A session with a server, by an API token of its profile page."""

    def __init__(self, url: str, token: str, *, progress: bool = True) -> None:
        self.url = url.rstrip("/")
        self.progress = progress
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Token {token}"

    def get(self, path: str, **query: Any) -> JSON:
        wanted = {name: value for name, value in query.items() if value is not None}
        return self.send("GET", path, params=wanted)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> JSON:
        return self.send("POST", path, json=dict(body or {}))

    def patch(self, path: str, body: Mapping[str, Any]) -> JSON:
        return self.send("PATCH", path, json=dict(body))

    def delete(self, path: str, **query: Any) -> None:
        self.send("DELETE", path, params=query)

    def put(self, path: str, body: bytes) -> JSON:
        """Send bytes, for ten minutes where the server cannot be reached."""
        headers = {"Content-Type": "application/octet-stream"}
        return self.send("PUT", path, headers=headers, waits=PATIENT, data=body)

    def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        waits: Sequence[float] | None = None,
        **sent: Any,
    ) -> JSON:
        """Return the reply's body, None where there is none. Raises LoupeError.

        A key makes sure that a POST whose reply was lost does its work once all the same.
        """
        headers = dict(headers or {}) | ({"Idempotency-Key": str(uuid.uuid4())} if method == "POST" else {})
        for wait in (*(WAITS if waits is None else waits), None):
            try:
                reply = self.session.request(
                    method, self.address(path), headers=headers, timeout=(10, 600), **sent
                )
            except (requests.ConnectionError, requests.Timeout):
                if wait is None:
                    raise
                time.sleep(wait)
                continue
            is_busy = reply.status_code in BUSY or self.code(reply) == "in_progress"
            if wait is None or not is_busy:
                return self.body(reply)
            time.sleep(float(reply.headers.get("Retry-After", wait)))
        raise AssertionError("The last try returns or raises.")

    def address(self, path: str) -> str:
        return path if path.startswith("http") else f"{self.url}{path}"

    @staticmethod
    def code(reply: requests.Response) -> str:
        if reply.status_code != requests.codes.conflict:
            return ""
        try:
            return str(reply.json()["error"]["code"])
        except (ValueError, KeyError, TypeError):
            return ""

    @staticmethod
    def body(reply: requests.Response) -> JSON:
        if reply.ok:
            return reply.json() if reply.content else None
        try:
            error = reply.json()["error"]
        except (ValueError, KeyError, TypeError):
            text = f"The server answered {reply.status_code}."
            raise LoupeError(reply.status_code, "", text, {}) from None
        raise LoupeError(reply.status_code, error["code"], error["message"], error.get("fields", {}))

    def fetch(self, path: str) -> bytes:
        """Return a file of the server as it is."""
        for wait in (*WAITS, None):
            try:
                reply = self.session.get(self.address(path), timeout=(10, 600))
            except (requests.ConnectionError, requests.Timeout):
                if wait is None:
                    raise
                time.sleep(wait)
                continue
            if reply.ok:
                return reply.content
            if wait is None or reply.status_code not in BUSY:
                self.body(reply)
            time.sleep(wait or 0)
        raise AssertionError("The last try returns or raises.")

    def download(self, path: str, to: Path) -> Path:
        """Write a file of the server; one that is there in part is gone on with."""
        part = to.with_name(f"{to.name}.part")
        done = part.stat().st_size if part.exists() else 0
        headers = {"Range": f"bytes={done}-"} if done else {}
        with self.session.get(self.address(path), headers=headers, stream=True, timeout=60) as reply:
            if not reply.ok:
                self.body(reply)
            is_rest = reply.status_code == requests.codes.partial_content
            size = int(reply.headers.get("Content-Length", 0)) + (done if is_rest else 0)
            with part.open("ab" if is_rest else "wb") as out, self.bar("Downloading", size, "B") as bar:
                bar.update(done if is_rest else 0)
                for chunk in reply.iter_content(CHUNK):
                    out.write(chunk)
                    bar.update(len(chunk))
        return part.replace(to)

    def pages(self, path: str, **query: Any) -> Iterator[JSON]:
        """Yield what a list has, page after page, by its cursor."""
        cursor = None
        while True:
            found = self.get(path, cursor=cursor, **query)
            yield from found["results"]
            cursor = found.get("next")
            if cursor is None:
                return

    def wait_for(self, job: int, what: str, every: float = 0.5) -> JSON:
        """Follow a job to its end; returns it. Raises JobFailed."""
        with self.bar(what) as bar:
            while True:
                now = self.get(f"/api/jobs/{job}/")
                bar.total, bar.n = now["total"] or None, now["done"]
                bar.refresh()
                if now["state"] in ("failed", "cancelled"):
                    raise JobFailed(now["error"] or f"The job was {now['state']}.")
                if now["state"] == "done":
                    return now
                time.sleep(every)

    def bar(self, what: str, total: float | None = None, unit: str = "") -> "tqdm[Any]":
        return tqdm(
            desc=what,
            total=total or None,
            unit=unit or "it",
            unit_scale=unit == "B",
            disable=not self.progress,
        )
