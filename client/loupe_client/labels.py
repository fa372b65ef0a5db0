"""Files of labels: sent, looked at by the server, then taken in, and taken back."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loupe_client.connection import Connection, JobFailed

WORKING = frozenset({"checking", "applying", "undoing"})


class LabelImport:
    """A file of labels on the server; made by `Project.import_labels`. `facts` is what is known of it."""

    def __init__(self, connection: Connection, at: str, facts: Mapping[str, Any]) -> None:
        self.connection, self.list = connection, at
        self.facts: Mapping[str, Any] = facts

    def __repr__(self) -> str:
        return f"<LabelImport {self.id}: {self.facts['name']}, {self.state}>"

    @property
    def id(self) -> int:
        return int(self.facts["id"])

    @property
    def at(self) -> str:
        return f"{self.list}{self.id}/"

    @property
    def state(self) -> str:
        """One of checking, unreadable, ready, applying, applied, undoing and undone."""
        return str(self.facts["state"])

    @property
    def report(self) -> Mapping[str, Any]:
        """What the file says: counts, `list` with the first problems, and `error` where it is unreadable."""
        found: Mapping[str, Any] = self.facts["report"]
        return found

    @property
    def outcomes(self) -> Mapping[str, int]:
        """How many images got a label, a suggestion, or were left alone, and why."""
        found: Mapping[str, int] = self.facts["outcomes"]
        return found

    def wait(self, every: float = 0.5) -> "LabelImport":
        """Wait until the server has done what it is at. Raises JobFailed."""
        with self.connection.bar(f"Labels: {self.state}") as bar:
            while True:
                self.facts = self.connection.get(self.at)
                job = self.facts["job"]
                if self.state not in WORKING:
                    return self
                if job:
                    bar.total, bar.n = job["total"] or None, job["done"]
                    bar.refresh()
                    if job["state"] in ("failed", "cancelled"):
                        raise JobFailed(job["error"] or f"The job was {job['state']}.")
                time.sleep(every)

    def apply(
        self,
        become: str = "labels",
        *,
        classes: Mapping[str, int | str | None] | None = None,
        answered: str = "skip",
        empty: bool = False,
        every: float = 0.5,
    ) -> "LabelImport":
        """Take them in as "labels" or "suggestions", and wait for the end of it. Raises LoupeError.

        `classes` says what classes of the file become: "new", the number of one of the project's, or None to
        leave it out. `answered` is "skip" or "beside": what to do where an image has a label. With `empty`,
        images without a region in the file are labeled as holding nothing.
        """
        body = {"as": become, "classes": dict(classes or {}), "answered": answered, "empty": empty}
        self.facts = self.connection.post(f"{self.at}apply/", body)
        return self.wait(every)

    def undo(self, every: float = 0.5) -> "LabelImport":
        """Take them back, but for what people have changed or reviewed since. Raises LoupeError."""
        self.facts = self.connection.post(f"{self.at}undo/")
        return self.wait(every)

    def check_again(self, format: str = "", every: float = 0.5) -> "LabelImport":  # noqa: A002
        """Have the file looked at anew; of one that was taken in or undone, a new import comes of it."""
        facts = self.connection.post(f"{self.at}check/", {"format": format})
        return LabelImport(self.connection, self.list, facts).wait(every)

    def discard(self) -> None:
        """Delete a file of which nothing was taken in. Raises LoupeError."""
        self.connection.delete(self.at)


def send(connection: Connection, at: str, path: Path | None, format_name: str) -> LabelImport:
    """Send a file, or those of a folder; without a path, the folders of the project's images name classes."""
    if path is None:
        facts = connection.post(at, {"format": format_name})
    else:
        named = files_of(path)
        files = [("files", (name.rsplit("/", 1)[-1], place.read_bytes())) for place, name in named]
        told = {"format": format_name, "paths": [name for _, name in named]}
        facts = connection.send("POST", at, files=files, data=told)
    return LabelImport(connection, at, facts)


def files_of(path: Path) -> list[tuple[Path, str]]:
    """Return files with their names on the server. Raises FileNotFoundError."""
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {path}.")
    if path.is_file():
        return [(path, path.name)]
    found = sorted(each for each in path.rglob("*") if each.is_file() and not each.name.startswith("."))
    if not found:
        raise FileNotFoundError(f"There is no file in the folder {path}.")
    return [(each, f"{path.name}/{each.relative_to(path).as_posix()}") for each in found]
