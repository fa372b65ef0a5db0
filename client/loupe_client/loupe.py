"""A server: its projects, and new ones."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loupe_client import uploading
from loupe_client.connection import Connection
from loupe_client.project import Project

Classes = Sequence["str | dict[str, Any]"]


class Loupe:
    """A Loupe server. `url` and `token` may come from LOUPE_URL and LOUPE_TOKEN."""

    def __init__(self, url: str = "", token: str = "", *, progress: bool = True) -> None:
        url = url or os.environ.get("LOUPE_URL", "http://localhost:8000")
        token = token or os.environ.get("LOUPE_TOKEN", "")
        if not token:
            raise ValueError("Give a token, or set LOUPE_TOKEN. The profile page of Loupe makes one.")
        self.connection = Connection(url, token, progress=progress)

    def projects(self) -> list[Project]:
        """Return the projects that the token opens."""
        found = self.connection.get("/api/projects/")["results"]
        return [Project(self.connection, each) for each in found]

    def project(self, name_or_id: str | int) -> Project:
        """Return one project. Raises KeyError where the token opens none of that name or number."""
        for each in self.projects():
            if name_or_id in (each.id, each.name):
                return each
        raise KeyError(name_or_id)

    def create_project(self, name: str, task_type: str, classes: Classes, **settings: Any) -> Project:
        """Make a project: `task_type` is multiclass, multilabel, detection, segmentation or semantic.

        A class is a name, or {name, description, color, parent}. Settings are as in the API, such as
        assist_mode="accept", target_error=0.05. Raises LoupeError.
        """
        body = {"name": name, "task_type": task_type, "classes": list(classes), **settings}
        return Project(self.connection, self.connection.post("/api/projects/", body))

    def send_data_set(self, name: str, *paths: str | Path) -> int:
        """Send images, folders and archives for any number of projects; returns the data set's number.

        What broke off is gone on with, in another run, too. Raises LoupeError.
        """
        told: dict[str, Any] = uploading.upload(self.connection, "/api/data-sets/", paths, {"name": name})
        return int(told["id"])
