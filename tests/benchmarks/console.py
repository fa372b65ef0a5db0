"""How fast the pages of managers and reviewers are on a large project, over HTTP against gunicorn.

    python -m tests.benchmarks.console --items 500000

One project in a database of its own: six in ten items labeled by five people, confirmed or imported, some
in dispute or skipped, a proposal for each, the rest in the queue. Every page is asked for some times in turn;
the figures are milliseconds until all of the answer was there. The last line of output is one JSON object.
"""

import argparse
import http.client
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks.queue import loupe

LABELERS = 5
CLASSES = 10
MOST_REJECTED = 10_000

# Shares of each thousand items.
LABELED, DISPUTED, SKIPPED = 600, 610, 620

ITEMS = """
INSERT INTO labeling_item (project_id, source_id, path, state, reason, draw, sha256, size_bytes, width,
    height, format, page, fingerprint, read_at, created_at)
SELECT %(project)s, %(source)s, 'folder_' || n %% 40 || '/IMG_' || substr(md5(n::text), 1, 12) || '.jpg',
    'unlabeled', '', random(), '', 1000, 640, 480, 'JPEG', 0, '', now(), now()
FROM generate_series(1, %(items)s) n
"""
ANSWERS = """
INSERT INTO labeling_annotation (project_id, item_id, uuid, source, labeler_id, kind, "group", skipped,
    skip_reason, counted, suggestion_visible, agreed, seconds, instructions_id, created_at, withdrawal)
SELECT i.project_id, i.id, gen_random_uuid(), CASE WHEN i.id %% 10 = 0 THEN 'import' ELSE 'human' END,
    CASE WHEN i.id %% 10 > 0
        THEN (%(people)s::bigint[])[1 + (i.id * 7 + k) %% cardinality(%(people)s::bigint[])] END,
    CASE WHEN i.id %% 10 > 0 THEN 'manual' ELSE '' END, CASE WHEN i.id %% 10 = 5 THEN i.id / 90 END,
    i.id %% 1000 BETWEEN %(disputed)s AND %(skipped)s - 1, '', true, i.id %% 10 = 5,
    CASE WHEN i.id %% 10 = 5 THEN true END, 2.5, %(instructions)s,
    now() - interval '60 days' * (1 - i.id::float8 / %(last)s), ''
FROM labeling_item i, generate_series(0, 1) k
WHERE i.project_id = %(project)s AND i.id %% 1000 < %(skipped)s
AND (k = 0 OR i.id %% 1000 BETWEEN %(labeled)s AND %(disputed)s - 1 AND i.id %% 10 > 0)
ORDER BY i.id, k
"""
REGIONS = """
INSERT INTO labeling_region (annotation_id, label_class_id, origin)
SELECT a.id, (%(classes)s::bigint[])[1 + a.id %% cardinality(%(classes)s::bigint[])], 'drawn'
FROM labeling_annotation a WHERE a.project_id = %(project)s AND NOT a.skipped
"""
STATES = """
UPDATE labeling_item i SET state = CASE WHEN i.id %% 1000 < %(labeled)s THEN 'labeled'
    WHEN i.id %% 1000 < %(disputed)s THEN 'needs_review' ELSE 'skipped' END,
    current_annotation_id = CASE WHEN i.id %% 1000 < %(labeled)s THEN a.id END
FROM labeling_annotation a WHERE a.item_id = i.id AND i.project_id = %(project)s
"""
PROPOSALS = """
INSERT INTO labeling_suggestion (item_id, project_id, model_version, regions, top_class_id, confidence,
    created_at)
SELECT i.id, i.project_id, 1, '[]', (%(classes)s::bigint[])[1 + i.id %% cardinality(%(classes)s::bigint[])],
    power(random(), 0.2), now()
FROM labeling_item i WHERE i.project_id = %(project)s
"""
ENTRIES = """
INSERT INTO labeling_queueentry (item_id, project_id, kind, priority, why, needed, open_slots)
SELECT i.id, i.project_id, CASE WHEN i.id %% 5 = 0 THEN 'validation' ELSE 'manual' END, random(), '', 1, 1
FROM labeling_item i WHERE i.project_id = %(project)s AND i.state = 'unlabeled'
"""
ERRORS = """
UPDATE labeling_listing SET label_error = random(), model_class = classes[1]
WHERE project_id = %(project)s AND state = 'labeled' AND item_id %% 10 > 0
"""
APPROVED = "UPDATE labeling_listing SET reviewed = true WHERE project_id = %(project)s AND item_id %% 50 = 1"


@dataclass(slots=True)
class Site:
    """A signed-in connection."""

    port: int
    token: str
    cookie: str
    times: dict[str, list[float]] = field(default_factory=dict)
    link: http.client.HTTPConnection | None = None

    def ask(self, name: str, path: str, body: Any = None, **headers: str) -> bytes:
        """Ask for something, and note the milliseconds until all of it was there."""
        if self.link is None:
            self.link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
            self.link.connect()
        if body is None:
            headers |= {"Cookie": self.cookie}
            method, content = "GET", None
        else:
            headers |= {"Authorization": f"Token {self.token}", "Content-Type": "application/json"}
            method, content = "POST", json.dumps(body)
        started = time.perf_counter()
        self.link.request(method, path, content, headers)
        answer = self.link.getresponse()
        given = answer.read()
        self.times.setdefault(name, []).append((time.perf_counter() - started) * 1000)
        if answer.status >= 400:
            raise RuntimeError(f"{path} gave {answer.status}: {given[:300]!r}")
        return given


def fill(items: int) -> tuple[Any, Any, dict[str, Any]]:
    """Make the project; returns it, its manager and what its parts are."""
    from django.db import connection

    from labeling import projects, tallies
    from labeling.models import DataSource, Instructions, Item, Membership, User

    manager = User.objects.create_user("manager@example.com", is_superuser=True)
    names = [f"class {number}" for number in range(CLASSES)]
    project = projects.create_project(manager, "Console benchmark", "multiclass", names, assist_mode="off")
    source = DataSource.objects.create(project=project, kind="folder", location="/nowhere", name="benchmark")
    people = [User.objects.create_user(f"labeler-{number}@example.com") for number in range(LABELERS)]
    Membership.objects.bulk_create(
        Membership(project=project, user=person, role="labeler") for person in people
    )
    instructions = Instructions.objects.filter(project=project).first()
    if instructions is None:
        instructions = Instructions.objects.create(project=project, version=1, text="Name it.")
    parts: dict[str, Any] = {
        "project": project.pk,
        "source": source.pk,
        "items": items,
        "people": [person.pk for person in people],
        "classes": list(project.classes.values_list("pk", flat=True)),
        "instructions": instructions.pk,
        "labeled": LABELED,
        "disputed": DISPUTED,
        "skipped": SKIPPED,
    }
    with connection.cursor() as cursor:
        cursor.execute(ITEMS, parts)
        parts["last"] = Item.objects.latest("id").pk
        for statement in (ANSWERS, REGIONS, STATES, PROPOSALS, ENTRIES, ERRORS, APPROVED):
            started = time.perf_counter()
            cursor.execute("ANALYZE")  # else triggers go through all answers for each item
            cursor.execute(statement, parts)
            print(f"{statement.split('(')[0].split('SET')[0].strip()}: {time.perf_counter() - started:.1f} s",
                  file=sys.stderr)  # fmt: skip
        tallies.merge()  # a worker does, each half minute
        cursor.execute("VACUUM ANALYZE")
    return project, manager, parts


def views(parts: dict[str, Any]) -> dict[str, str]:
    """Return the gallery's filters and sorts by name, as queries."""
    found = {
        "filter_none": "",
        "filter_class": f"class={parts['classes'][3]}",
        "filter_labeler": f"labeler={parts['people'][2]}",
        "filter_answered": f"answered={parts['people'][2]}",
        "filter_origin": "source=confirmed",
        "filter_confidence_below": "confidence_below=0.3",
        "filter_confidence_between": "confidence_above=0.5&confidence_below=0.8",
        "filter_unlabeled": "state=unlabeled",
        "filter_unlabeled_confidence": "state=unlabeled&confidence_below=0.2",
        "filter_needs_review": "state=needs_review",
        "filter_waiting": "kind=validation",
        "filter_dates": "since={day}&until={day}",
        "filter_disagreement": "disagreement=people",
        "filter_against_model": "disagreement=model",
        "filter_group": "group={group}",
        "filter_name": "name=img_c4ca",
        "filter_name_common": "name=folder",
        "filter_instructions": "instructions=1",
        "filter_reviewed": "reviewed=yes",
        "filter_not_reviewed": "reviewed=no",
        "filter_comments": "comments=open",
        "filter_many": f"class={parts['classes'][3]}&labeler={parts['people'][2]}&source=person&reviewed=no",
    }
    return found | {
        f"sort_{each}": f"sort={each}"
        for each in ("newest", "oldest", "label_error", "uncertain", "name", "latest")
    }  # fmt: skip


def percentiles(values: list[float]) -> dict[str, float]:
    ranked = sorted(values)
    return {
        name: round(ranked[min(len(ranked) - 1, int(len(ranked) * share))], 1)
        for name, share in (("p50", 0.5), ("p95", 0.95))
    }


def measure(
    site: Site, project: Any, parts: dict[str, Any], times: int, report: Callable[[str], None]
) -> None:
    from labeling.models import Item, Listing

    place = f"/projects/{project.pk}"
    listing = Listing.objects.filter(project=project, group__isnull=False, state="labeled").latest("item_id")
    day = listing.labeled_at.date().isoformat() if listing.labeled_at else ""
    queries = {
        name: query.format(day=day, group=listing.group) if "{" in query else query
        for name, query in views(parts).items()
    }
    pages: dict[str, str] = {
        "gallery": f"{place}/data/",
        "dashboard": f"{place}/",
        "dashboard_live": f"{place}/live/",
    }
    pages |= {name: f"{place}/data/?{query}" for name, query in queries.items()}
    pages |= {f"{name}_count": f"{place}/data/count/?{query}" for name, query in queries.items()}
    some = list(
        Item.objects.filter(project=project, state="labeled")
        .order_by("-id")
        .values_list("id", flat=True)[:times]
    )
    for name, address in pages.items():
        dear = name.startswith("dashboard")
        site.ask("warm", address)
        if dear and site.times["warm"][-1] > 5_000:
            site.times[name] = [site.times["warm"][-1]]
            continue
        for _ in range(times):
            site.ask(name, address)
        report(f"{name}: {percentiles(site.times[name])}")
    for query in ("", "&sort=label_error", "&sort=name", "&sort=uncertain", f"&class={parts['classes'][3]}"):
        cursor = ""
        for _ in range(times):
            path = f"/api/projects/{project.pk}/items/?limit=60{query}{cursor}"
            following = json.loads(site.ask("next_page", path)).get("next")
            cursor = f"&cursor={following}"
    for item in some:
        site.ask("item_panel", f"{place}/data/{item}/", **{"HX-Request": "true"})
    for _ in range(times):
        site.ask("review_queue", f"/api/projects/{project.pk}/review-queue/")
        site.ask("statement", f"/api/projects/{project.pk}/quality/")
    reject_many(site, project, report)


def reject_many(site: Site, project: Any, report: Callable[[str], None]) -> None:
    """Reject items by the thousand and take that back, then once more for what stays rejected."""
    from labeling.models import Item

    some = list(
        Item.objects.filter(project=project, state="labeled").order_by("id").values_list("id", flat=True)
    )[:MOST_REJECTED]
    for _ in range(3):
        path = f"/api/projects/{project.pk}/reviews/"
        batch = json.loads(site.ask("reject_10000", path, {"items": some, "verdict": "reject"}))["batch"]
        site.ask("undo_10000", f"{path}{batch}/undo/", {})
    report(f"reject_10000: {percentiles(site.times['reject_10000'])}, undo {site.times['undo_10000']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--items", type=int, default=500_000)
    parser.add_argument("--times", type=int, default=20, help="requests for each page")
    parser.add_argument("--quick", action="store_true", help="a small run that proves it works")
    options = parser.parse_args()
    if options.quick:
        options.items, options.times = 12_000, 3
    with loupe():
        from django.conf import settings
        from django.test import Client

        from deploy import webserver
        from labeling.models import ApiToken

        started = time.perf_counter()
        project, manager, parts = fill(options.items)
        print(f"{options.items:,} items made in {time.perf_counter() - started:.0f} s", file=sys.stderr)
        client = Client()
        client.force_login(manager)
        cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
        with webserver.temporary() as address:
            site = Site(int(address.rsplit(":", 1)[1]), ApiToken.issue(manager), cookie)
            measure(site, project, parts, options.times, lambda line: print(line, file=sys.stderr))
        del site.times["warm"]
        figures = {f"{name}_ms": percentiles(values) for name, values in site.times.items()}
        slowest = max(
            (values["p95"], name)
            for name, values in figures.items()
            if name.startswith(("filter", "sort", "gallery"))
        )
        print(
            json.dumps(figures | {"slowest_gallery": slowest, "items": options.items, "times": options.times})
        )


if __name__ == "__main__":
    main()
