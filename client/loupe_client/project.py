"""A project: its images, labels, model and exports."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loupe_client import labels, uploading
from loupe_client.connection import Connection
from loupe_client.labels import LabelImport
from loupe_client.sources import Source

AT_A_TIME = 50  # images whose suggestions are sent together

Region = Mapping[
    str, Any
]  # {"class": name or id, "bbox": [x, y, width, height] or "polygon": [[x, y, …], …]}
# What images and exports are narrowed by; `label_class` is a class by its name or number.
FILTERS = frozenset(
    {"state", "label_class", "labeler", "source", "confidence_below", "confidence_above", "since", "until"}
    | {"disagreement", "group", "instructions", "reviewed", "comments", "name", "kind", "assignment"}
    | {"answered"}
)
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
        """Yield images, labeled ones unless a filter says otherwise, such as state="unlabeled".

        Filters are those of FILTERS, and `sort`. Raises TypeError for others.
        """
        sort = filters.pop("sort", None)
        wanted = self.narrowed(filters)
        for each in self.connection.pages(f"{self.at}items/", limit=200, sort=sort, **wanted):
            names = [label["name"] for label in each["labels"]]
            yield Item(each["id"], each["path"], each["state"], each["width"], each["height"], names, each)

    def narrowed(self, filters: Mapping[str, Any]) -> dict[str, Any]:
        """Return filters as the API has them. Raises TypeError for unknown ones, KeyError for a class."""
        unknown = filters.keys() - FILTERS
        if unknown:
            raise TypeError(f"There is no filter {min(unknown)!r}. There is {', '.join(sorted(FILTERS))}.")
        found = {name: value for name, value in filters.items() if value is not None}
        label_class = found.pop("label_class", None)
        if isinstance(label_class, str):
            label_class = {each["name"]: each["id"] for each in self.facts()["classes"]}[label_class]
        return found if label_class is None else {**found, "class": label_class}

    # Where images come from

    def add_source(
        self,
        address: str,
        *,
        credentials: Mapping[str, str] | None = None,
        endpoint: str = "",
        region: str = "",
        account: str = "",
        refresh: str = "off",
        every_page: bool = False,
        signs_urls: bool = False,
    ) -> Source:
        """Import a bucket (s3://, az://, gs:// with a pattern), or a list by its https:// address.

        `credentials` are {key, secret, token} of S3, {account_key} or {sas} of Azure, {service_account} of
        Google. `refresh` is "off", "hourly" or "daily". Raises LoupeError.
        """
        given = {"endpoint": endpoint, "region": region, "account": account, **(credentials or {})}
        body: dict[str, Any] = {name: value for name, value in given.items() if value}
        body |= {"url": address, "refresh": refresh, "every_page": every_page, "signs_urls": signs_urls}
        return self.imported(body)

    def add_addresses(self, urls: Sequence[str], *, every_page: bool = False) -> Source:
        """Import images by their web addresses. Raises LoupeError."""
        body = {"urls": "\n".join(urls), "every_page": every_page}
        return self.imported(body)

    def imported(self, body: Mapping[str, Any]) -> Source:
        made = self.connection.post(f"{self.at}imports/", body)["imports"]
        return Source(self.connection, self.at, made[0])

    def sources(self) -> list[Source]:
        """Return where images come from: buckets, lists, folders and uploads, newest first."""
        found = self.connection.pages(f"{self.at}imports/")
        return [Source(self.connection, self.at, each) for each in found]

    # Labels from files

    def import_labels(self, path: str | Path, format: str = "", every: float = 0.5) -> LabelImport:  # noqa: A002
        """Send a file of labels, or a folder of them, and wait for its report: nothing is taken in yet.

        The format is told from the file unless one is given. Raises LoupeError.
        """
        at = f"{self.at}label-imports/"
        return labels.send(self.connection, at, Path(path), format).wait(every)

    def labels_from_folders(self, every: float = 0.5) -> LabelImport:
        """Take the folders that images lie in for their classes, and wait for the report."""
        at = f"{self.at}label-imports/"
        return labels.send(self.connection, at, None, "own_folders").wait(every)

    def label_imports(self) -> list[LabelImport]:
        """Return the files of labels that were sent, newest first."""
        at = f"{self.at}label-imports/"
        return [LabelImport(self.connection, at, each) for each in self.connection.pages(at)]

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

    def make_custom_model(
        self, classes: Sequence[str] | None = None, ways: Sequence[str] | None = None
    ) -> dict[str, Any]:
        """Train up to four candidates side by side; returns them with figures and costs when they are done.

        Without names of classes it learns all, without ways it takes the first that are possible. Each class
        needs ten labels by people. Raises LoupeError, JobFailed, and ValueError for unknown names.
        """
        at = f"{self.at}custom-models/"
        offered = self.connection.get(at)
        ids = {each["name"]: each["id"] for each in offered["classes"]}
        for said, there in ((classes, ids), (ways, [each["name"] for each in offered["ways"]])):
            if unknown := set(said or ()) - set(there):
                raise ValueError(f"There is no {', '.join(sorted(unknown))}. There is {', '.join(there)}.")
        body = {"classes": classes and [ids[name] for name in classes], "ways": ways}
        made = self.connection.post(at, {name: value for name, value in body.items() if value})
        self.connection.wait_for(made["job"], "Training candidates")
        found: dict[str, Any] = self.connection.get(f"{at}{made['id']}/")
        return found

    def choose_model(self, custom_model: int, candidate: int, *, wait: bool = True) -> None:
        """Make the project's models like a candidate from now on, by the ids of both; wait for the first one.

        A candidate that looks through another backbone follows once that has looked at all images, which is
        not waited for.
        """
        at = f"{self.at}custom-models/{custom_model}/choice/"
        job = self.connection.post(at, {"candidate": candidate})["job"]
        if wait and job:
            self.connection.wait_for(job, "Training")

    def auto_label(
        self, confidence: float = 0.5, count: int | None = None, *, model: int | None = None
    ) -> dict[str, Any]:
        """Let the project's own model propose for images that wait; returns what came of it.

        `model` is the number of a version, the one in use without it.
        """
        body: dict[str, Any] = {"confidence": confidence, "count": count}
        if model is not None:
            body["model"] = f"version/{model}"
        made = self.connection.post(f"{self.at}auto-label/start/", body)
        self.connection.wait_for(made["job"], "Auto-labeling")
        found: dict[str, Any] = self.connection.get(f"{self.at}auto-label/runs/{made['id']}/")
        return found

    def runs(self) -> list[dict[str, Any]]:
        """Return what the model did, newest first, with progress and metrics."""
        found: list[dict[str, Any]] = self.connection.get(f"{self.at}runs/")["results"]
        return found

    # Exports

    def export(
        self,
        to: str | Path,
        format: str = "coco",  # noqa: A002
        *,
        images: str | None = None,
        split: Mapping[str, float] | None = None,
        **filters: Any,
    ) -> Path:
        """Make an export and download it; returns where it lies.

        `images` is "copy" or "link"; `split` says per cents, {"train": 80, "val": 10, "test": 10}. Filters
        are those of FILTERS, such as label_class="cat". Raises TypeError for others, LoupeError, JobFailed.
        """
        asked = self.asked(format, images, split, filters)
        job = self.connection.post(f"{self.at}exports/", asked)["id"]
        done = self.connection.wait_for(job, "Exporting")
        return self.connection.download(done["result"]["file"], Path(to))

    def preview_export(
        self,
        format: str = "coco",  # noqa: A002
        *,
        images: str | None = None,
        split: Mapping[str, float] | None = None,
        **filters: Any,
    ) -> dict[str, Any]:
        """Say what an export would hold, without making it: images, labels, splits, about how many bytes."""
        asked = self.asked(format, images, split, filters)
        found: dict[str, Any] = self.connection.post(f"{self.at}exports/preview/", asked)
        return found

    def asked(
        self,
        format_name: str,
        images: str | None,
        split: Mapping[str, float] | None,
        filters: Mapping[str, Any],
    ) -> dict[str, Any]:
        more = {"images": images, "split": dict(split) if split else None}
        given = {name: value for name, value in more.items() if value is not None}
        return {"format": format_name, "filter": self.narrowed(filters), **given}

    def exports(self) -> list[dict[str, Any]]:
        """Return the exports that were made, newest first, with `id` and `result`."""
        return list(self.connection.pages(f"{self.at}exports/"))

    def compare_exports(self, export: int, since: int | None = None) -> dict[str, Any]:
        """Count the images that came, went, or got other labels since another export, both by their ids."""
        found: dict[str, Any] = self.connection.get(f"{self.at}exports/{export}/changes/", since=since)
        return found


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
