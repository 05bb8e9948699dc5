"""What a store's file tells of itself to somebody who only looks."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import apsw

from storage.sqlite.opening import explaining
from storage.sqlite.schema import CURRENT


class Facts(NamedTuple):
    """A store at a glance.

    Attributes:
        schema: Of the file; `newest_schema` is what this version would upgrade it to.
        file_bytes, log_bytes: Of the database and of its write-ahead log.
        feed_rows: Rows of the changes feed, of which the oldest and the newest are so old.
        newest_ms: Time of the newest write in ms since 1970, 0 if there was none.
    """

    schema: int
    newest_schema: int
    indexes: int
    collections: int
    documents: int
    file_bytes: int
    log_bytes: int
    feed_rows: int
    oldest_ms: int
    newest_ms: int

    @property
    def feed_hours(self) -> float:
        """How far back the feed reaches."""
        return max(0.0, time.time() * 1_000 - self.oldest_ms) / 3_600_000 if self.feed_rows else 0.0


def library_version() -> str:
    """The version of SQLite within."""
    return apsw.sqlite_lib_version()


def facts(path: Path) -> Facts:
    """What the file tells. Raises: StoreOpenError."""
    with explaining(path.parent):
        return _facts(path)


def _facts(path: Path) -> Facts:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        one = connection.execute
        numbers = [
            number for (number,) in one("SELECT number FROM collections WHERE mapping IS NOT NULL")
        ]
        rows, oldest, newest = one(
            "SELECT count(*), coalesce((SELECT at_ms FROM changes ORDER BY seq LIMIT 1), 0),"
            " coalesce((SELECT at_ms FROM changes ORDER BY seq DESC LIMIT 1), 0) FROM changes"
        ).get
        return Facts(
            schema=connection.pragma("user_version"),
            newest_schema=CURRENT,
            indexes=one("SELECT count(*) FROM indexes").get,
            collections=len(numbers),
            documents=sum(one(f"SELECT count(*) FROM documents_{each}").get for each in numbers),
            file_bytes=path.stat().st_size,
            log_bytes=_size(path.with_name(f"{path.name}-wal")),
            feed_rows=rows,
            oldest_ms=oldest,
            newest_ms=newest,
        )
    finally:
        connection.close()


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
