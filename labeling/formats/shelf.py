"""What a reader has to remember of a file until it needs it, on disk: a key and a value, put once."""

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Self

import orjson

BATCH = 500  # orjson takes 16 kB for each text until it is let go


class Shelf:
    """A table in a temporary file, gone with the object. Values are what JSON can say."""

    def __init__(self) -> None:
        self.count = 0
        self.database = sqlite3.connect("", isolation_level=None)
        self.database.execute("PRAGMA synchronous = OFF")
        self.database.execute("PRAGMA cache_size = -8000")
        self.database.execute("CREATE TABLE kept (key PRIMARY KEY, value) WITHOUT ROWID")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.database.close()

    def fill(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        """Put all pairs; of several with the same key the last one stays."""
        for rows in batches((key, orjson.dumps(value)) for key, value in pairs):
            self.database.execute("BEGIN")
            self.database.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?)", rows)
            self.database.execute("COMMIT")
            self.count += len(rows)

    def get(self, key: Any) -> Any:
        """Return the value of a key, None where there is none."""
        found = self.database.execute("SELECT value FROM kept WHERE key = ?", (key,)).fetchone()
        return orjson.loads(found[0]) if found else None


def batches(rows: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(rows)
    while batch := list(islice(rest, BATCH)):
        yield batch
