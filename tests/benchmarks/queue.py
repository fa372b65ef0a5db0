"""How fast work is handed out and taken back, over HTTP against gunicorn.

    python -m tests.benchmarks.queue --items 100000 --labelers 50 --seconds 30

Two phases of equal length. At full speed every labeler asks for the next page as soon as the last
one is submitted: that gives `claims_per_s`, items handed out per second. Then each labeler takes
`--think` seconds over a page, as a fast person does: that gives `claim_ms` and `submit_ms`. The
last line of output is one JSON object.
"""

import argparse
import contextlib
import http.client
import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Phase:
    """What all labelers measured between two moments."""

    think: float
    claim_ms: list[float] = field(default_factory=list)
    submit_ms: list[float] = field(default_factory=list)
    claims: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Labeler:
    """One connection that claims and submits until the phase is over."""

    port: int
    token: str
    project: int
    label_class: int
    size: int
    link: http.client.HTTPConnection | None = None
    items: list[int] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)

    def run(self, phase: Phase, until: float) -> None:
        chance = random.Random(self.token)
        time.sleep(chance.random() * phase.think)
        while time.monotonic() < until:
            page, milliseconds = self.post("pages/", {"size": self.size})
            if page is None:
                return
            phase.claim_ms.append(milliseconds)
            phase.claims += len(page["items"])
            self.items += [each["id"] for each in page["items"]]
            time.sleep(phase.think * chance.uniform(0.5, 1.5))
            answers = [
                {
                    "item": each["id"],
                    "uuid": str(uuid.uuid4()),
                    "seconds": 1.0,
                    "regions": [{"class": self.label_class}],
                }
                for each in page["items"]
            ]
            _, milliseconds = self.post(f"pages/{page['page']}/submit/", {"answers": answers})
            phase.submit_ms.append(milliseconds)
            self.acknowledged += [each["uuid"] for each in answers]

    def post(self, path: str, body: dict[str, Any]) -> tuple[Any, float]:
        """Return the answer and the milliseconds until all of it was there."""
        if self.link is None:
            self.link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            self.link.connect()
        content = json.dumps(body)
        headers = {"Authorization": f"Token {self.token}", "Content-Type": "application/json"}
        started = time.perf_counter()
        self.link.request("POST", f"/api/projects/{self.project}/{path}", content, headers)
        answer = self.link.getresponse()
        given = answer.read()
        milliseconds = (time.perf_counter() - started) * 1000
        if answer.status >= 400:
            raise RuntimeError(f"{path} gave {answer.status}: {given[:300]!r}")
        return json.loads(given) if given else None, milliseconds


@contextlib.contextmanager
def loupe() -> Iterator[None]:
    """Set Django up on a database of its own."""
    home = Path(tempfile.mkdtemp(prefix="loupe-bench-"))
    os.environ |= {"LOUPE_HOME": str(home), "DJANGO_SETTINGS_MODULE": "deploy.settings"}
    os.environ.setdefault("LOUPE_LOG_LEVEL", "WARNING")
    os.environ.pop("DATABASE_URL", None)
    from deploy.postgres import Server

    server = Server(home)
    os.environ["DATABASE_URL"] = server.acquire()
    try:
        import django

        django.setup()
        from labeling.management.base import migrate

        migrate()
        yield
    finally:
        from django.db import connections

        connections.close_all()
        server.release()
        shutil.rmtree(home, ignore_errors=True)


def make_project(items: int, labelers: int) -> tuple[Any, int, list[str]]:
    """Make a project with items that count as read, and a token for each labeler."""
    from django.db import connection
    from django.utils import timezone

    from labeling import projects, validation
    from labeling.models import ApiToken, DataSource, Item, Membership, User

    manager = User.objects.create_user("manager@example.com")
    classes = [f"class {number}" for number in range(10)]
    project = projects.create_project(manager, "Queue benchmark", "multiclass", classes, assist_mode="off")
    source = DataSource.objects.create(project=project, kind="folder", location="/nowhere", name="benchmark")
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO labeling_item (project_id, source_id, path, state, reason, draw, sha256, size_bytes,
                width, height, format, page, fingerprint, read_at, created_at)
            SELECT %s, %s, n || '.jpg', 'unlabeled', '', random(), '', 1000, 64, 64, 'JPEG', 0, '', %s, %s
            FROM generate_series(1, %s) n
            """,
            [project.pk, source.pk, timezone.now(), timezone.now(), items],
        )
    validation.settle_rate(project)
    validation.add_entries(project, list(Item.objects.filter(project=project).values_list("id", flat=True)))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    tokens = []
    for number in range(labelers):
        user = User.objects.create_user(f"labeler-{number}@example.com")
        Membership.objects.create(project=project, user=user, role="labeler")
        tokens.append(ApiToken.issue(user))
    return project, project.classes.earliest("position").pk, tokens


def run_phase(people: list[Labeler], think: float, seconds: float) -> Phase:
    """Let all labelers work at once for some time; an exception in one ends the benchmark."""
    parts = [Phase(think) for _ in people]
    failures: list[BaseException] = []

    def work(person: Labeler, part: Phase) -> None:
        try:
            person.run(part, until)
        except BaseException as failure:
            failures.append(failure)

    started = time.monotonic()
    until = started + seconds
    threads = [
        threading.Thread(target=work, args=pair, daemon=True) for pair in zip(people, parts, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return Phase(
        think,
        [each for part in parts for each in part.claim_ms],
        [each for part in parts for each in part.submit_ms],
        sum(part.claims for part in parts),
        time.monotonic() - started,
    )


def percentiles(values: list[float]) -> dict[str, float]:
    ranked = sorted(values)
    return {
        name: round(ranked[min(len(ranked) - 1, int(len(ranked) * share))], 1)
        for name, share in (("p50", 0.5), ("p99", 0.99))
    }


def verify(people: list[Labeler]) -> dict[str, int]:
    """Compare what the labelers saw with what the database has."""
    from labeling.models import Annotation, Item

    handed_out = [item for person in people for item in person.items]
    acknowledged = {uuid.UUID(each) for person in people for each in person.acknowledged}
    kept = set(Annotation.objects.filter(counted=True).values_list("uuid", flat=True))
    unlabeled = Annotation.objects.exclude(item__state=Item.State.LABELED).count()
    return {
        "handed_out_twice": len(handed_out) - len(set(handed_out)),
        "lost": len(acknowledged - kept) + unlabeled,
        "answers": len(acknowledged),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--labelers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--size", type=int, default=9, choices=(1, 4, 6, 9))
    parser.add_argument("--think", type=float, default=2.0, help="seconds a labeler takes over a page")
    parser.add_argument("--quick", action="store_true", help="a small run that proves it works")
    options = parser.parse_args()
    if options.quick:
        options.items, options.labelers, options.seconds = 5_000, 8, 6
    with loupe():
        from deploy import webserver

        project, label_class, tokens = make_project(options.items, options.labelers)
        print(f"{options.items:,} items, {options.labelers} labelers", file=sys.stderr)
        with webserver.temporary() as address:
            port = int(address.rsplit(":", 1)[1])
            people = [Labeler(port, token, project.pk, label_class, options.size) for token in tokens]
            full = run_phase(people, 0.0, options.seconds / 2)
            paced = run_phase(people, options.think, options.seconds / 2)
        figures = {
            "claims_per_s": round(full.claims / full.seconds, 1),
            "pages_per_s": round(len(full.claim_ms) / full.seconds, 1),
            "claim_ms": percentiles(paced.claim_ms),
            "submit_ms": percentiles(paced.submit_ms),
            **verify(people),
            "full_speed": {
                "claim_ms": percentiles(full.claim_ms),
                "submit_ms": percentiles(full.submit_ms),
            },
            "paced_pages_per_s": round(len(paced.claim_ms) / paced.seconds, 1),
            "items": options.items,
            "labelers": options.labelers,
            "page_size": options.size,
            "think_s": options.think,
        }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
