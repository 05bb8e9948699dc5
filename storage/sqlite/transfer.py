"""All that a store holds as it is: taken out in pages, and put in past stamps and versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import apsw
import orjson

from storage.contract import Change, Document
from storage.sqlite import feed
from storage.sqlite.batch import updated_ms
from storage.sqlite.catalog import Catalog, Collection, save_collection
from storage.sqlite.connection import unexpected
from storage.sqlite.records import NOTHING, Record
from storage.sqlite.tables import DocumentRows
from storage.stamps import packed
from storage.transfer import Grave


def page(
    connection: apsw.Connection, collection: Collection, after_id: str, size: int
) -> list[Document]:
    """The next documents in the order of their ids' bytes. Raises: `unexpected_error`."""
    try:
        rows: list[Any] = connection.execute(
            f"SELECT id, version, source FROM documents_{collection.number}"
            " WHERE id > ? ORDER BY id LIMIT ?",
            (after_id, size),
        ).fetchall()
    except apsw.Error as error:
        raise unexpected(error) from error
    return [Document(id=row[0], version=row[1], source=orjson.loads(row[2])) for row in rows]


def load(
    connection: apsw.Connection,
    catalog: Catalog,
    name: tuple[str, str],
    documents: Sequence[Document],
) -> Catalog:
    """Put documents in verbatim, those left out whose ids are there; within a transaction."""
    collection = catalog.find(*name)
    rows = DocumentRows(connection, collection)
    for document in documents:
        if _is_there(connection, collection, document.id):
            continue
        source = document.source
        record = Record(0, document.version, 0, updated_ms(source), packed(source))
        created = rows.create((collection.number, document.id), NOTHING, record)
        found = collection.mapping.rows(source)
        rows.index(created.doc, (), found, partial(list, found))
    fields = rows.flush()
    if fields is collection.fields:
        return catalog
    collection = replace(collection, fields=fields)
    save_collection(connection, collection)
    return catalog.with_collections([collection])


def _is_there(connection: apsw.Connection, collection: Collection, id: str) -> bool:
    found = connection.execute(
        f"SELECT 1 FROM documents_{collection.number} WHERE id = ?"
        " UNION ALL SELECT 1 FROM tombstones WHERE collection = ? AND id = ?",
        (id, collection.number, id),
    ).get
    return found is not None


def graves(
    connection: apsw.Connection, collection: Collection, after_id: str, size: int
) -> list[Grave]:
    """The next versions of deleted documents, by id. Raises: `unexpected_error`."""
    try:
        found: list[Any] = connection.execute(
            "SELECT id, version FROM tombstones WHERE collection = ? AND id > ?"
            " ORDER BY id LIMIT ?",
            (collection.number, after_id, size),
        ).fetchall()
    except apsw.Error as error:
        raise unexpected(error) from error
    return [Grave(*row) for row in found]


def bury(
    connection: apsw.Connection, catalog: Catalog, name: tuple[str, str], graves: Sequence[Grave]
) -> Catalog:
    """Know the versions of documents that are gone; within a transaction."""
    number = catalog.find(*name).number
    connection.executemany(
        "INSERT OR IGNORE INTO tombstones (collection, id, version, seq) VALUES (?, ?, ?, 0)",
        [(number, *grave) for grave in graves],
    )
    return catalog


def rows(connection: apsw.Connection, since: int, limit: int) -> list[Change]:
    """The rows of the feed after `since` that there are. Raises: `unexpected_error`."""
    try:
        return feed.rows(connection, since, limit)
    except apsw.Error as error:
        raise unexpected(error) from error


def load_rows(connection: apsw.Connection, catalog: Catalog, rows: Sequence[Change]) -> Catalog:
    """Put rows into the feed, under the numbers that they had; within a transaction.

    Rows came in order, so that those up to the newest one are there already.
    """
    position = feed.position(connection)
    added = feed.FeedRows(position)
    for row in rows:
        if row.seq < position.next_seq:
            continue
        number = _number(connection, catalog, (row.index, row.collection))
        living = catalog.collections.get((row.index, row.collection))
        place = None if living is None else _place(connection, living, row.id)
        # A collection that was made anew begins with version 1: no row of it is before that.
        previous = 0 if place is None or row.version == 1 else place[1]
        added.load(number, row, previous)
        if place is not None:
            connection.execute(place[0], (row.seq, row.id))
    added.flush(connection)
    return catalog


def _number(connection: apsw.Connection, catalog: Catalog, name: tuple[str, str]) -> int:
    """The number of a collection, which may be gone: old rows keep its name."""
    living = catalog.collections.get(name)
    if living is not None:
        return living.number
    gone = connection.execute(
        "SELECT max(number) FROM collections WHERE (index_name, name) = (?, ?)", name
    ).get
    if gone is not None:
        return int(gone)
    connection.execute("INSERT INTO collections (index_name, name) VALUES (?, ?)", name)
    return connection.last_insert_rowid()


def _place(connection: apsw.Connection, collection: Collection, id: str) -> tuple[str, int] | None:
    """How to say which row is the document's last, and which one it was so far."""
    number = collection.number
    for table, where in (
        (f"documents_{number}", "id = ?"),
        ("tombstones", f"collection = {number} AND id = ?"),
    ):
        seq = connection.execute(f"SELECT seq FROM {table} WHERE {where}", (id,)).get
        if seq is not None:
            return f"UPDATE {table} SET seq = ? WHERE {where}", int(seq)
    return None
