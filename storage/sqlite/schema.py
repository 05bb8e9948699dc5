"""The tables, and the numbered steps that bring an older store up to them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import apsw
import orjson

from storage.contract import StoreOpenError
from storage.mapping import Mapping
from storage.sqlite import texts
from storage.sqlite.connection import FILE_NAME, Disk
from storage.sqlite.sides import SideChanges

_CHUNK: Final = 1_000
"""Documents that are indexed in one go."""

APPLICATION_ID: Final = 0x54726976
"""`Triv`: tells our files from others' (SQLite, PRAGMA application_id)."""


def _create(connection: apsw.Connection) -> None:
    """Step 1: the tables that hold for the whole store. Those of a collection come with it.

    `collections.mapping` is null once the collection is gone: its number is in rows of the
    feed, and is never given out again. The newest row of `changes` is never removed, so `seq`
    needs no AUTOINCREMENT to go on growing.
    """
    connection.execute(
        """
        CREATE TABLE feed (id TEXT NOT NULL);
        CREATE TABLE indexes (name TEXT PRIMARY KEY) WITHOUT ROWID;
        CREATE TABLE collections (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            index_name TEXT NOT NULL, name TEXT NOT NULL, mapping BLOB);
        CREATE UNIQUE INDEX living ON collections (index_name, name) WHERE mapping IS NOT NULL;
        CREATE TABLE fields (
            collection INTEGER NOT NULL, number INTEGER NOT NULL, path TEXT NOT NULL,
            PRIMARY KEY (collection, path)) WITHOUT ROWID;
        CREATE TABLE tombstones (
            collection INTEGER NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
            PRIMARY KEY (collection, id)) WITHOUT ROWID;
        CREATE TABLE changes (
            seq INTEGER PRIMARY KEY,
            collection INTEGER NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
            action INTEGER NOT NULL, at_ms INTEGER NOT NULL, bytes_before INTEGER NOT NULL,
            author TEXT, request_id TEXT NOT NULL, wire TEXT NOT NULL,
            changes BLOB, undo BLOB, whole BLOB);
        """
    )
    connection.execute("INSERT INTO feed VALUES (?)", (secrets.token_urlsafe(12),))


def _chain(connection: apsw.Connection) -> None:
    """Step 2: each change names the one before it of the same document, each document its last."""
    connection.execute("ALTER TABLE changes ADD COLUMN previous INTEGER NOT NULL DEFAULT 0")
    connection.execute("ALTER TABLE tombstones ADD COLUMN seq INTEGER NOT NULL DEFAULT 0")
    connection.execute(
        "UPDATE changes SET previous = older.seq FROM ("
        "  SELECT seq AS own, lag(seq, 1, 0) OVER (PARTITION BY collection, id ORDER BY seq) AS seq"
        "  FROM changes) AS older WHERE older.own = changes.seq"
    )
    latest = "coalesce((SELECT max(seq) FROM changes WHERE (collection, id) = ({}, {})), 0)"
    connection.execute(
        f"UPDATE tombstones SET seq = {latest.format('tombstones.collection', 'tombstones.id')}"
    )
    numbers = connection.execute("SELECT number FROM collections WHERE mapping IS NOT NULL")
    for (number,) in numbers.fetchall():
        table = f"documents_{number}"
        connection.execute(f"ALTER TABLE {table} ADD COLUMN seq INTEGER NOT NULL DEFAULT 0")
        connection.execute(f"UPDATE {table} SET seq = {latest.format(number, f'{table}.id')}")


def _keep_keys(connection: apsw.Connection) -> None:
    """Step 3: what was done under idempotency keys, oldest first."""
    connection.execute(
        """
        CREATE TABLE keys (
            number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, at_ms INTEGER NOT NULL,
            fingerprint TEXT NOT NULL, version INTEGER NOT NULL, created INTEGER NOT NULL,
            content BLOB, source BLOB, previous BLOB, answer BLOB);
        """
    )


def _index_nested_objects(connection: apsw.Connection) -> None:
    """Step 4: nested objects are index rows, as they are when they are written from now on."""
    for number, mapping, sides in _mapped(connection, "nested"):
        documents: Iterable[Any] = connection.execute(f"SELECT doc, source FROM documents_{number}")
        for doc, source in documents:
            found = mapping.rows(orjson.loads(source))
            sides.add(doc, (), [row for row in found if row[1] == "nested"], list)
        sides.flush(connection, number)
        connection.executemany(
            "INSERT OR IGNORE INTO fields VALUES (?, ?, ?)",
            [(number, field, path) for path, field in sides.fields.items()],
        )


def _note(connection: apsw.Connection) -> None:
    """Step 5: what those who listen to a write are told besides, for those who ask later."""
    connection.execute("ALTER TABLE changes ADD COLUMN notes BLOB")


def _index_words(connection: apsw.Connection) -> None:
    """Step 6: texts are found by their words, without reading them."""
    for number, mapping, sides in _mapped(connection, "text"):
        texts.create(connection, number)
        documents: Iterable[Any] = connection.execute(f"SELECT doc, source FROM documents_{number}")
        for doc, source in documents:
            found = mapping.rows(orjson.loads(source))
            text = [row for row in found if row[1] == "text"]
            sides.add(doc, (), text, partial(list, text))
            if not doc % _CHUNK:
                sides.flush(connection, number)
                sides = SideChanges(sides.fields)  # noqa: PLW2901 - the rows that are not written yet
        sides.flush(connection, number)


def _mapped(connection: apsw.Connection, kind: str) -> Iterator[tuple[int, Mapping, SideChanges]]:
    """The collections whose mapping has fields of a kind, and where their index rows go."""
    living = "SELECT number, mapping FROM collections WHERE instr(mapping, ?)"
    rows: list[Any] = connection.execute(living, (f'"{kind}"',)).fetchall()
    for number, form in rows:
        known = "SELECT path, number FROM fields WHERE collection = ?"
        sides = SideChanges(dict(connection.execute(known, (number,))))
        yield number, Mapping.parse("", "", orjson.loads(form)), sides


STEPS: Final[tuple[Callable[[apsw.Connection], None], ...]] = (
    *(_create, _chain, _keep_keys),
    *(_index_nested_objects, _note, _index_words),
)
"""Step n brings schema n-1 to schema n. Never altered once released; a new one is added."""

CURRENT: Final = len(STEPS)


def create_collection_tables(connection: apsw.Connection, number: int) -> None:
    """Make the tables of one collection, as of the current schema.

    `seq` is the document's last change, `updated_ms` the `updatedAt` of its stamp. `values_n`
    holds one row for each value of each mapped field, `places_n` the same for geo_points.
    """
    connection.execute(
        f"""
        CREATE TABLE documents_{number} (
            doc INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, version INTEGER NOT NULL,
            seq INTEGER NOT NULL DEFAULT 0, updated_ms INTEGER, source BLOB NOT NULL);
        CREATE TABLE values_{number} (
            field INTEGER NOT NULL, value NOT NULL, doc INTEGER NOT NULL,
            PRIMARY KEY (field, value, doc)) WITHOUT ROWID;
        CREATE TABLE places_{number} (
            field INTEGER NOT NULL, lat REAL NOT NULL, lon REAL NOT NULL, doc INTEGER NOT NULL,
            PRIMARY KEY (field, lat, lon, doc)) WITHOUT ROWID;
        """
    )


def identity(connection: apsw.Connection) -> str:
    """The id of the changes feed, and so of the store."""
    return str(connection.execute("SELECT id FROM feed").get)


def drop_collection_tables(connection: apsw.Connection, number: int) -> None:
    """Remove the tables of one collection and everything in them."""
    for kind in ("documents", "values", "places"):
        connection.execute(f"DROP TABLE {kind}_{number}")
    texts.drop(connection, number)


def prepare(connection: apsw.Connection, folder: Path, disk: Disk) -> None:
    """Bring the file to the current schema: a new one from nothing, an older one step by step
    in one transaction, after it was copied beside itself.

    Raises:
        StoreOpenError: The file is of a newer schema, or isn't a store.
        apsw.Error: The disk.
    """
    path = folder / FILE_NAME
    number = connection.pragma("user_version")
    mark = connection.pragma("application_id")
    if mark != APPLICATION_ID and (mark or number or not _is_empty(connection)):
        raise StoreOpenError(f"{path} is a database of another program")
    if number == CURRENT:
        return
    if number > CURRENT:
        raise StoreOpenError(
            f"{path} has schema {number}; this version knows schemas up to {CURRENT}: "
            "use the version that wrote it, or a newer one"
        )
    if number > 0:
        _back_up(connection, folder / f"{FILE_NAME}.schema-{number}", disk)
    upgrade(connection, number, CURRENT)


def _is_empty(connection: apsw.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").get is None


def upgrade(connection: apsw.Connection, number: int, target: int) -> None:
    """Run the steps from schema `number` to schema `target` in one transaction."""
    with connection:
        for step in STEPS[number:target]:
            step(connection)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {target}")


def _back_up(connection: apsw.Connection, path: Path, disk: Disk) -> None:
    path.unlink(missing_ok=True)
    copy = apsw.Connection(str(path), vfs=disk.vfs or None)
    try:
        with copy.backup("main", connection, "main") as backup:
            backup.step()
    finally:
        copy.close()
