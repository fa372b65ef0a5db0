"""A project: its images, labels, model and exports."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loupe_client import uploading
from loupe_client.connection import Connection

AT_A_TIME = 50  # images whose suggestions are sent together

Region = Mapping[
    str, Any
]  # {"class": name or id, "bbox": [x, y, width, height] or "polygon": [[x, y, …], …]}
Answer = str | Sequence[str] | Sequence[Region] | None


@dataclass(frozen=True)
class Item:
    """An image of a project with what is known of it."""

    id: int
    path: str
    state: str
    width: int | None
    height: int | None
    labels: list[str]
    facts: Mapping[str, Any] = field(repr=False)


class Project:
    """A project on the server; made by `Loupe.project` and `Loupe.create_project`."""

    def __init__(self, connection: Connection, facts: Mapping[str, Any]) -> None:
        self.connection = connection
        self.id: int = facts["id"]
        self.name: str = facts["name"]
        self.at = f"/api/projects/{self.id}/"

    def __repr__(self) -> str:
        return f"<Project {self.id}: {self.name}>"

    def facts(self) -> dict[str, Any]:
        """Return counts by state, queue, next run, model, certificate and forecast, as they are now."""
        found: dict[str, Any] = self.connection.get(self.at)
        return found

    def change(self, **settings: Any) -> None:
        """Change settings, as in the API."""
        self.connection.patch(self.at, settings)

    def start(self) -> None:
        self.connection.post(f"{self.at}start/")

    def pause(self) -> None:
        self.connection.post(f"{self.at}pause/")

    # Images

    def upload(self, *paths: str | Path, every_page: bool = False) -> None:
        """Send images, folders of images, and ZIP and TAR archives. Names inside a folder keep their folders.

        What broke off is gone on with, in another run, too. With `every_page`, each page of a TIFF becomes an
        image. Raises LoupeError.
        """
        uploading.upload(self.connection, f"{self.at}uploads/", paths, {"every_page": every_page})

    def use_data_set(self, number: int, *, every_page: bool = False) -> None:
        """Import a data set of yours, which stays where it is. Raises LoupeError."""
        self.connection.post(f"{self.at}imports/", {"data_set": number, "every_page": every_page})

    def wait_for_images(self, every: float = 0.5) -> None:
        """Wait until the server has looked at every image that was imported."""
        with self.connection.bar("Reading images") as bar:
            while True:
                imports = self.connection.get(f"{self.at}imports/")["results"]
                bar.total = sum(each["total"] for each in imports) or None
                bar.n = sum(each["read"] for each in imports)
                bar.refresh()
                if all(each["read"] >= each["total"] or each["error"] for each in imports):
                    return
                time.sleep(every)

    def items(self, **filters: Any) -> Iterator[Item]:
        """Yield images, labeled ones unless a filter says otherwise, such as state="unlabeled"."""
        for each in self.connection.pages(f"{self.at}items/", limit=200, **filters):
            names = [label["name"] for label in each["labels"]]
            yield Item(each["id"], each["path"], each["state"], each["width"], each["height"], names, each)

    # Labels

    def pages(self, size: int = 9) -> Iterator["Page"]:
        """Yield pages of images to answer, as labelers get them, until nothing is left for this account."""
        while (page := self.connection.post(f"{self.at}pages/", {"size": size})) is not None:
            yield Page(self, page)

    def label(self, answer: Callable[[str], Answer], size: int = 9) -> int:
        """Answer all that waits by a function of an image's path; returns how many images.

        It returns a class, several, regions with `class` and `bbox` or `polygon`, or None to skip.
        """
        done = 0
        with self.connection.bar("Labeling") as bar:
            for page in self.pages(size):
                page.submit({each["id"]: answer(each["file_name"]) for each in page.items})
                done += len(page.items)
                bar.update(len(page.items))
        return done

    def image(self, item: int) -> bytes:
        """Return the file of an image, upright."""
        return self.connection.fetch(f"/images/{item}/")

    def suggest(
        self,
        model: str,
        look: Callable[[bytes], Sequence[Region]],
        thresholds: Mapping[str, float] | None = None,
        prompts: Mapping[str, str] | None = None,
    ) -> int:
        """Let a model of your own propose for all unlabeled images; returns for how many it did.

        `look` gets a file and returns regions with `class` and `confidence`, and `bbox` or `polygon` where
        these are drawn. People confirm or correct them. Thresholds and prompts are by the names of classes.
        """
        ids = {each["name"]: str(each["id"]) for each in self.connection.get(f"{self.at}classes/")["results"]}
        body = {
            "model": model,
            "thresholds": {ids[name]: value for name, value in (thresholds or {}).items()},
            "prompts": {ids[name]: said for name, said in (prompts or {}).items()},
        }
        run = self.connection.post(f"{self.at}auto-label/outside/", body)["id"]
        waiting = [each.id for each in self.items(state="unlabeled")]
        taken = 0
        with self.connection.bar("Suggesting", len(waiting)) as bar:
            for start in range(0, len(waiting), AT_A_TIME):
                some = waiting[start : start + AT_A_TIME]
                given = [{"item": item, "regions": list(look(self.image(item)))} for item in some]
                at = f"{self.at}auto-label/runs/{run}/suggestions/"
                said = self.connection.post(at, {"suggestions": given})["results"]
                taken += sum(each["status"] == "taken" for each in said)
                bar.update(len(some))
        return taken

    # The model

    def wait_for_backbone(self, every: float = 1) -> None:
        """Wait until the backbone has looked at every image: what a model learns from."""
        with self.connection.bar("Looking at images") as bar:
            while (seen := self.facts().get("embedding")) and seen["done"] + seen["given_up"] < seen["total"]:
                bar.total, bar.n = seen["total"], seen["done"]
                bar.refresh()
                time.sleep(every)

    def train(self, *, wait: bool = True) -> None:
        """Train now, and wait for the end of it. Raises LoupeError where labels are missing."""
        self.wait_for_backbone()
        job = self.connection.post(f"{self.at}runs/", {"kind": "training"})["job"]
        if wait:
            self.connection.wait_for(job, "Training")

    def runs(self) -> list[dict[str, Any]]:
        """Return what the model did, newest first, with progress and metrics."""
        found: list[dict[str, Any]] = self.connection.get(f"{self.at}runs/")["results"]
        return found

    # Exports

    def export(self, to: str | Path, format: str = "coco", **filters: Any) -> Path:  # noqa: A002
        """Make an export and download it; returns where it lies. Filters are those of the gallery."""
        asked = {"format": format, "filter": filters}
        job = self.connection.post(f"{self.at}exports/", asked)["id"]
        done = self.connection.wait_for(job, "Exporting")
        return self.connection.download(done["result"]["file"], Path(to))


class Page:
    """Images that were handed out together; they go back if nobody answers them in time."""

    def __init__(self, project: Project, facts: Mapping[str, Any]) -> None:
        self.project = project
        self.id: int = facts["page"]
        self.items: list[dict[str, Any]] = facts["items"]

    def submit(self, answers: Mapping[int, Answer], seconds: float | None = None) -> None:
        """Answer images by their ids: a class, several, regions, or None to skip. `seconds` is for each."""
        given = [
            {"item": item, "uuid": str(uuid.uuid4()), "seconds": seconds, **answer_of(answer)}
            for item, answer in answers.items()
        ]
        at = f"{self.project.at}pages/{self.id}/submit/"
        self.project.connection.post(at, {"answers": given})

    def release(self) -> None:
        """Give the images back."""
        self.project.connection.post(f"{self.project.at}pages/{self.id}/release/")


def answer_of(answer: Answer) -> dict[str, Any]:
    if answer is None:
        return {"skipped": True}
    named: list[str | Region] = [answer] if isinstance(answer, str) else list(answer)
    return {"regions": [{"class": each} if isinstance(each, str) else dict(each) for each in named]}
