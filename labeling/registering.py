"""Rows for what sources list: compared with the items there are, and written, all within the database.

A listing goes by COPY into a table of this connection, so that a million files need no more memory than a
page of them. What it says of known items is worked out there, too: which files are new, gone, changed, back.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from labeling import jobs, listing, validation
from labeling.listing import LONGEST_PATH, Found
from labeling.models import DataSource, Event, Item, Job, Project, User

PART = 20_000  # items read by one job
BATCH = 20_000  # files that one COPY writes
NAMED = 1_000  # files that are named with the reason why they became no item
TWICE = "The archive has another file of this path further on, which is used."
GONE = "Its file is no longer at the source."
REPLACED = "Its file was replaced at the source; the new one is an image of its own."
FULL = (
    "{left:,} of its files were left out, since the project takes no more than {most:,} images."
    " A manager can raise the limit in the settings."
)


class NothingThere(Exception):
    """A source lists no file at all."""


@dataclass(slots=True)
class Outcome:
    """What a listing came to, in numbers of files."""

    files: int = 0
    new: int = 0
    gone: int = 0
    back: int = 0
    changed: int = 0
    left: int = 0  # since the project is full
    refused: int = 0
    named: list[dict[str, str]] = field(default_factory=list)

    def refuse(self, path: str, reason: str) -> None:
        self.refused += 1
        if len(self.named) < NAMED:
            self.named.append({"name": listing.readable(path[:LONGEST_PATH]), "reason": reason})


# A page of a TIFF is in the file whose path begins its own.
STORED = "CASE WHEN i.page = 0 THEN i.path ELSE regexp_replace(i.path, '#page=[0-9]+$', '') END"


def take(
    source: DataSource,
    files: Iterable[Found],
    by: User | None,
    *,
    batch: int = 0,
    replaces: bool = False,
    alive: Callable[[int], None] = lambda files: None,
) -> Outcome:
    """Compare what a source lists with its items, write what is new, and queue its reading.

    `batch` is 0 the first time. What was changed is only marked so, unless it `replaces` what was imported.
    Raises NothingThere where there has never been anything.
    """
    outcome = Outcome()
    stage(source, files, batch, outcome, alive)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            locked = DataSource.objects.select_for_update(no_key=True).get(pk=source.pk)
            compare(cursor, locked, outcome, batch, replaces)
            if not batch and not outcome.files and not outcome.refused:
                raise NothingThere
            finish(locked, outcome, by, batch)
    finally:
        if not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute("DROP TABLE IF EXISTS found")
    return outcome


def stage(
    source: DataSource,
    files: Iterable[Found],
    batch: int,
    outcome: Outcome,
    alive: Callable[[int], None],
) -> None:
    """COPY a listing into a table; draws come from the project's seed, so that they can be repeated."""
    named = f"{source.project.seed}:{source.pk}"
    draws = random.Random(f"{named}:{batch}" if batch else named)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DROP TABLE IF EXISTS found;
            CREATE TEMPORARY TABLE found (place bigint, path text COLLATE "C", size bigint, fingerprint text,
                draw float8, taken boolean, byte_offset bigint)
            """
        )
        for part in in_batches(files):
            with cursor.copy("COPY found FROM STDIN") as copy:
                for place, (path, size, fingerprint, byte_offset, known) in part:
                    problem = known or listing.refusal(source.kind, path, size)
                    if problem is None:
                        outcome.files += 1
                        mark = fingerprint[:100]
                        copy.write_row((place, path, size, mark, draws.random(), True, byte_offset))
                    elif problem:
                        outcome.refuse(path, problem)
                        if listing.can_be_stored(path):
                            copy.write_row((place, path, size, fingerprint[:100], 0.0, False, None))
            alive(outcome.files)
        cursor.execute("ANALYZE found")


def in_batches(files: Iterable[Found]) -> Iterator[list[tuple[int, Found]]]:
    numbered = enumerate(files)
    while batch := list(islice(numbered, BATCH)):
        yield batch


def compare(cursor: Any, source: DataSource, outcome: Outcome, batch: int, replaces: bool) -> None:
    """Write what the table says of a source's items; returns nothing but numbers, in `outcome`."""
    if source.kind not in (DataSource.Kind.FOLDER, DataSource.Kind.UPLOAD):
        drop_repeated(cursor, source, outcome)
    if source.items.exists():
        cursor.execute("CREATE INDEX ON found (path)")
        if replaces:
            take_away(cursor, source, f"i.changed_at IS NOT NULL AND ({STORED}) = f.path", REPLACED)
        outcome.back = bring_back(cursor, source)
        outcome.gone = take_away(cursor, source, "f.path IS NULL", GONE)
        outcome.changed = mark_changed(cursor, source)
    most = room(source.project)
    outcome.new = insert(cursor, source, most, is_first=not batch)
    if outcome.new >= BATCH:
        # Readers come at once; by what was known of a small table they would sort a million rows a chunk.
        cursor.execute("ANALYZE labeling_item, labeling_listing")
    if most is not None and outcome.new == most:
        outcome.left = left_out(cursor, source)


def drop_repeated(cursor: Any, source: DataSource, outcome: Outcome) -> None:
    """Keep the last of several files of one path: archives may have them, and are read so.

    Buckets should not, but who speaks S3 may do as it likes.
    """
    cursor.execute(
        """
        DELETE FROM found WHERE ctid IN (
            SELECT ctid FROM (SELECT ctid, row_number() OVER (PARTITION BY path ORDER BY place DESC) AS nth
                FROM found) f WHERE nth > 1)
        RETURNING path, taken
        """
    )
    for path, was_taken in cursor.fetchall():
        outcome.files -= was_taken
        if not source.is_remote:
            outcome.refuse(path, TWICE)


def take_away(cursor: Any, source: DataSource, condition: str, reason: str) -> int:
    """Mark items whose files are gone, and ask nobody about those that have no label; returns how many.

    Labels stay, and what is labeled stays labeled. Locks are taken in the order in which everybody does.
    """
    now = timezone.now()
    cursor.execute(
        f"""
        DROP TABLE IF EXISTS going;
        CREATE TEMPORARY TABLE going AS SELECT i.id
        FROM labeling_item i LEFT JOIN found f ON f.path = ({STORED})
        WHERE i.source_id = {int(source.pk)} AND i.gone_at IS NULL AND {condition}
        """  # noqa: S608  # conditions of our own
    )
    cursor.execute("SELECT id FROM labeling_claim c WHERE c.state = 'live' AND c.item_id IN"
                   " (SELECT id FROM going) ORDER BY id FOR UPDATE")  # fmt: skip
    cursor.execute("SELECT item_id FROM labeling_queueentry WHERE item_id IN (SELECT id FROM going)"
                   " ORDER BY item_id FOR UPDATE")  # fmt: skip
    cursor.execute("SELECT id FROM labeling_item WHERE id IN (SELECT id FROM going) ORDER BY id"
                   " FOR NO KEY UPDATE")  # fmt: skip
    cursor.execute(
        """
        WITH unlabeled AS (SELECT i.id FROM labeling_item i JOIN going USING (id)
                WHERE i.state = 'unlabeled'),
            claims AS (UPDATE labeling_claim SET state = 'expired'
                WHERE state = 'live' AND item_id IN (SELECT id FROM unlabeled))
        DELETE FROM labeling_queueentry WHERE item_id IN (SELECT id FROM unlabeled)
        """
    )
    cursor.execute(
        """
        UPDATE labeling_item i SET gone_at = %s, changed_at = NULL,
            reason = CASE WHEN i.state = 'unlabeled' THEN %s ELSE i.reason END,
            state = CASE WHEN i.state = 'unlabeled' THEN 'removed' ELSE i.state END
        FROM going WHERE i.id = going.id
        """,
        [now, reason],
    )
    count: int = cursor.rowcount
    promote(cursor, source)
    cursor.execute("DROP TABLE going")
    return count


def promote(cursor: Any, source: DataSource) -> None:
    """Let one of the copies that are still there stand for an image that was taken away."""
    cursor.execute(
        """
        CREATE TEMPORARY TABLE heirs AS SELECT d.duplicate_of_id AS original, min(d.id) AS id
        FROM going JOIN labeling_item o USING (id) JOIN labeling_item d ON d.duplicate_of_id = o.id
        WHERE o.state = 'removed' AND d.gone_at IS NULL AND d.state = 'removed' GROUP BY 1;
        UPDATE labeling_item d SET duplicate_of_id = heirs.id FROM heirs
        WHERE d.duplicate_of_id = heirs.original AND d.id <> heirs.id;
        UPDATE labeling_item d SET duplicate_of_id = NULL, state = 'unlabeled', reason = '' FROM heirs
        WHERE d.id = heirs.id;
        """
    )
    cursor.execute("SELECT id FROM heirs")
    validation.add_entries(source.project, [pk for (pk,) in cursor.fetchall()])
    cursor.execute("DROP TABLE heirs")


def bring_back(cursor: Any, source: DataSource) -> int:
    """Take items up again whose very file is there again; returns how many."""
    cursor.execute(
        f"""
        UPDATE labeling_item i SET gone_at = NULL,
            reason = CASE WHEN i.state = 'removed' AND i.reason = %(gone)s THEN '' ELSE i.reason END,
            state = CASE WHEN i.state = 'removed' AND i.reason = %(gone)s THEN 'unlabeled' ELSE i.state END
        FROM found f WHERE f.path = ({STORED}) AND f.taken AND i.source_id = %(source)s
        AND i.gone_at IS NOT NULL AND i.size_bytes = f.size AND i.fingerprint = f.fingerprint
        AND NOT EXISTS (SELECT 1 FROM labeling_item o WHERE o.source_id = i.source_id AND o.path = i.path
            AND (o.gone_at IS NULL OR o.id > i.id))
        AND NOT EXISTS (SELECT 1 FROM labeling_item o WHERE o.project_id = i.project_id AND o.id <> i.id
            AND o.sha256 = i.sha256 AND o.sha256 <> '' AND o.duplicate_of_id IS NULL AND o.state <> 'removed')
        RETURNING i.id, i.read_at IS NOT NULL
        """,  # noqa: S608
        {"source": source.pk, "gone": GONE},
    )
    rows = cursor.fetchall()
    validation.add_entries(source.project, [pk for pk, is_read in rows if is_read])
    return len(rows)


DIFFERS = """(f.size > 0 AND f.size <> i.size_bytes OR NOT f.taken
    OR i.fingerprint <> '' AND f.fingerprint <> '' AND f.fingerprint <> i.fingerprint)"""


def mark_changed(cursor: Any, source: DataSource) -> int:
    """Mark items whose path has another file by now; returns how many are marked so.

    What nobody has looked at yet needs no mark: it is read as it is. What is as it was is unmarked.
    """
    same = f"FROM found f WHERE f.path = ({STORED}) AND i.source_id = %(source)s AND i.gone_at IS NULL"
    params = {"source": source.pk, "now": timezone.now()}
    cursor.execute(
        f"""
        UPDATE labeling_item i SET size_bytes = f.size, fingerprint = f.fingerprint {same}
        AND i.read_at IS NULL AND i.state <> 'broken'
        AND (i.size_bytes, i.fingerprint) <> (f.size, f.fingerprint)
        """,  # noqa: S608
        params,
    )
    cursor.execute(
        f"""
        UPDATE labeling_item i SET fingerprint = f.fingerprint {same}
        AND i.fingerprint = '' AND f.fingerprint <> '' AND f.size = i.size_bytes
        """,  # noqa: S608
        params,
    )
    cursor.execute(
        f"""
        UPDATE labeling_item i SET changed_at = CASE WHEN {DIFFERS} THEN %(now)s END {same}
        AND (i.changed_at IS NULL) = {DIFFERS}
        """,  # noqa: S608
        params,
    )
    return source.items.filter(changed_at__isnull=False, gone_at=None).count()


UNKNOWN = """AND NOT EXISTS (SELECT 1 FROM labeling_item i
    WHERE i.source_id = %(source)s AND i.path = f.path AND i.gone_at IS NULL)"""


def room(project: Project) -> int | None:
    """Return how many more images a project takes; None for as many as come."""
    if project.most_items is None:
        return None
    here = Item.objects.filter(project=project).exclude(state=Item.State.REMOVED).count()
    return max(0, project.most_items - here)


def insert(cursor: Any, source: DataSource, most: int | None, *, is_first: bool) -> int:
    """Write a row for each new file, in the order in which they were listed; returns how many."""
    known = "" if is_first else UNKNOWN
    cursor.execute(
        f"""
        INSERT INTO labeling_item (project_id, source_id, path, page, state, reason, draw, sha256, size_bytes,
            fingerprint, byte_offset, format, created_at)
        SELECT %(project)s, %(source)s, f.path, 0, 'unlabeled', '', f.draw, '', f.size, f.fingerprint,
            f.byte_offset, '', %(now)s
        FROM found f WHERE f.taken {known} ORDER BY f.place LIMIT %(most)s
        """,  # noqa: S608
        {"project": source.project_id, "source": source.pk, "now": timezone.now(), "most": most},
    )
    count: int = cursor.rowcount
    return count


def left_out(cursor: Any, source: DataSource) -> int:
    """Count the files for which the project had no room."""
    cursor.execute(
        f"SELECT count(*) FROM found f WHERE f.taken {UNKNOWN}",  # noqa: S608
        {"source": source.pk},
    )
    count: int = cursor.fetchone()[0]
    return count


def finish(source: DataSource, outcome: Outcome, by: User | None, batch: int) -> None:
    """Note what a listing came to, and queue the reading of what nobody has looked at."""
    if outcome.left:
        reason = FULL.format(left=outcome.left, most=source.project.most_items)
        outcome.named.insert(0, {"name": source.name, "reason": reason})
        outcome.refused += outcome.left
    source.refused, source.refused_count = outcome.named, outcome.refused
    source.listed_at = timezone.now()
    source.save(update_fields=["refused", "refused_count", "listed_at"])
    validation.settle_rate(source.project)
    if not batch:
        Event.record(
            "import", source.project, by, source=source.pk, files=outcome.new, refused=outcome.refused
        )
    elif outcome.new or outcome.gone or outcome.back or outcome.changed:
        numbers = {name: getattr(outcome, name) for name in ("new", "gone", "back", "changed")}
        Event.record("refresh", source.project, by, source=source.pk, name=source.name, **numbers)
    queue_reading(source, by, batch)


def queue_reading(source: DataSource, by: User | None, batch: int) -> None:
    """Queue jobs that read what nobody has looked at, a part of the draws each."""
    waiting = unread(source).count()
    for part in range(0, waiting, PART):
        low, high = part / waiting, min(1.0, (part + PART) / waiting)
        jobs.enqueue(
            "import",
            source.project,
            {"source": source.pk, "from": low, "to": high, "batch": batch},
            key=f"import:{source.pk}:{batch}:{part}" if batch else f"import:{source.pk}:{part}",
            total=min(PART, waiting - part),
            created_by=by,
        )


def unread(source: DataSource) -> Any:
    """Return the items of a source whose bytes nobody has looked at. By project, as the index has them."""
    return Item.objects.filter(project=source.project_id, source=source, read_at=None, gone_at=None).exclude(
        state=Item.State.BROKEN
    )


def is_being_read(source: DataSource) -> bool:
    return Job.objects.filter(
        project=source.project_id, kind="import", payload__source=source.pk, state__in=Job.UNFINISHED
    ).exists()
