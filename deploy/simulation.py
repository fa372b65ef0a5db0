"""Simulated labelers, who answer over the HTTP API from known answers.

They use Loupe as a person does: ask for a page, look at each image, confirm a grid where it is
right and mark the exceptions where it is not. Where they do not agree, a reviewer decides.
"""

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

GROUPED = ("clustered", "prelabeled")
GLANCE = 0.15  # what one more image of a grid costs, as a share of labeling one by hand
PAUSE_WHEN_EMPTY = 0.5
PAUSE_OF_REVIEWER = 1.0

Truth = Mapping[int, frozenset[int]]  # item id to ids of its classes


class SimulationFailed(Exception):
    """The API refused something, in its own words."""


class Client:
    """One person's connection to the API of a project."""

    def __init__(self, address: str, token: str, project: int) -> None:
        self.base = f"{address.rstrip('/')}/api/projects/{project}/"
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Token {token}"

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the answer's body, None when there is none."""
        answer = self.session.post(self.base + path, json=body or {}, timeout=60)
        if answer.status_code >= 400:
            raise SimulationFailed(f"POST {path} gave {answer.status_code}: {answer.text[:300]}")
        return answer.json() if answer.content else None

    def get(self, url: str) -> requests.Response:
        answer = self.session.get(url, timeout=60)
        if answer.status_code >= 400:
            raise SimulationFailed(f"GET {url} gave {answer.status_code}: {answer.text[:300]}")
        return answer

    def project(self) -> dict[str, Any]:
        return dict(self.get(self.base).json())


@dataclass(slots=True)
class Tally:
    """What has been done together, and whether more is wanted."""

    wanted: int | None = None
    answers: int = 0
    by_kind: Counter[str] = field(default_factory=Counter)
    exceptions: int = 0
    mistakes: int = 0
    decided: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reserve(self, size: int) -> int:
        """Return how many answers may still be given, at most `size`, and count them as given."""
        with self.lock:
            count = size if self.wanted is None else min(size, self.wanted - self.answers)
            self.answers += count
            return count

    def settle(self, reserved: int, given: int) -> None:
        with self.lock:
            self.answers += given - reserved


@dataclass(slots=True)
class Labeler:
    """One simulated person. `rate` is labels per second by hand; None is as fast as the API."""

    client: Client
    truth: Truth
    classes: list[int]
    tally: Tally
    error: float = 0.0
    rate: float | None = None
    size: int = 9
    chance: random.Random = field(default_factory=random.Random)

    def work(self, is_over: threading.Event, patience: float = 5.0) -> None:
        """Label until it is over, enough is done, or nothing was left for `patience` seconds."""
        last_page = time.monotonic()
        while not is_over.is_set() and time.monotonic() - last_page < patience:
            reserved = self.tally.reserve(self.size)
            if not reserved:
                return
            given = 0
            try:
                given = self.label_page(self.fitting(reserved), is_over)
            finally:
                self.tally.settle(reserved, given)
            if given:
                last_page = time.monotonic()
            else:
                is_over.wait(PAUSE_WHEN_EMPTY)

    @staticmethod
    def fitting(count: int) -> int:
        return max(size for size in (1, 4, 6, 9) if size <= count)

    def label_page(self, size: int, is_over: threading.Event) -> int:
        """Claim and answer one page; returns how many items it had."""
        page = self.client.post("pages/", {"size": size})
        if page is None:
            return 0
        count = len(page["items"])
        seconds = self.seconds_for(page["kind"], count)
        if seconds and is_over.wait(seconds):
            self.client.post(f"pages/{page['page']}/release/")
            return 0
        answers = [self.answer(page, item) | {"seconds": seconds / count} for item in page["items"]]
        self.client.post(f"pages/{page['page']}/submit/", {"answers": answers})
        with self.tally.lock:
            self.tally.by_kind[page["kind"]] += count
            self.tally.exceptions += sum("exception" in each for each in answers)
        return count

    def seconds_for(self, kind: str, count: int) -> float:
        if self.rate is None:
            return 0.0
        return (1 + GLANCE * (count - 1) if kind in GROUPED else count) / self.rate

    def answer(self, page: Mapping[str, Any], item: Mapping[str, Any]) -> dict[str, Any]:
        right = self.truth[item["id"]]
        given: dict[str, Any] = {"item": item["id"], "uuid": str(uuid.uuid4())}
        errs = self.chance.random() < self.error
        if errs:
            with self.tally.lock:
                self.tally.mistakes += 1
        if page["kind"] == "prelabeled" or page["proposed_class"] is not None:
            proposed = proposed_classes(page, item)
            if (proposed == right) == errs:
                return given | {"exception": True}
            return given | {"regions": [{"class": each} for each in sorted(proposed)]}
        chosen = (
            frozenset([self.chance.choice([c for c in self.classes if c not in right])]) if errs else right
        )
        return given | {"regions": [{"class": each} for each in sorted(chosen)]}


def proposed_classes(page: Mapping[str, Any], item: Mapping[str, Any]) -> frozenset[int]:
    """Return what the screen shows as the proposal for an item."""
    if page["proposed_class"] is not None:
        return frozenset([page["proposed_class"]])
    return frozenset(region["class"] for region in item["suggestion"]["regions"])


@dataclass(slots=True)
class Reviewer:
    """Somebody who never errs and looks at what labelers do not agree on: a proof may wait for it."""

    client: Client
    truth: Truth
    tally: Tally

    def decide(self) -> None:
        """Take the right answer to each image in dispute; without one, send the image back to people."""
        disputed = self.client.get(f"{self.client.base}items/?state=needs_review").json()["results"]
        for item in disputed:
            history = self.client.get(f"{self.client.base}items/{item['id']}/").json()["history"]
            right = [each["id"] for each in history if self.is_right(each, item["id"])]
            if right:
                self.client.post(f"items/{item['id']}/decision/", {"annotation": right[0]})
            else:
                self.client.post("reviews/", {"items": [item["id"]], "verdict": "reject"})
            with self.tally.lock:
                self.tally.decided += 1

    def is_right(self, answer: Mapping[str, Any], item: int) -> bool:
        stands = answer["counted"] and not answer["skipped"] and answer["withdrawn_at"] is None
        by_person = answer["labeler"] is not None
        return stands and by_person and {each["class"] for each in answer["regions"]} == self.truth[item]


@dataclass(slots=True)
class Crowd:
    """Several labelers at work at once, each in a thread, and a reviewer beside them."""

    labelers: list[Labeler]
    reviewer: Reviewer | None = None
    is_over: threading.Event = field(default_factory=threading.Event)
    failures: list[Exception] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self, patience: float = 5.0) -> None:
        for labeler in self.labelers:
            thread = threading.Thread(target=self._run, args=(labeler, patience), daemon=True)
            self.threads.append(thread)
            thread.start()
        if self.reviewer is not None:
            threading.Thread(target=self._review, args=(self.reviewer,), daemon=True).start()

    def _review(self, reviewer: Reviewer) -> None:
        try:
            while self.is_working and not self.is_over.wait(PAUSE_OF_REVIEWER):
                reviewer.decide()
        except (SimulationFailed, requests.RequestException) as failure:
            self.failures.append(failure)
            self.is_over.set()

    def _run(self, labeler: Labeler, patience: float) -> None:
        try:
            labeler.work(self.is_over, patience)
        except (SimulationFailed, requests.RequestException) as failure:
            self.failures.append(failure)
            self.is_over.set()

    @property
    def is_working(self) -> bool:
        return any(thread.is_alive() for thread in self.threads)

    def stop(self) -> None:
        self.is_over.set()
        self.join()

    def join(self, on_wait: Callable[[], None] | None = None) -> None:
        """Wait until all have ended; raises the first failure."""
        while self.is_working:
            for thread in self.threads:
                thread.join(timeout=0.2)
            if on_wait is not None:
                on_wait()
        if self.failures:
            raise self.failures[0]
