"""Documents as they are: taken out in pages, and put in past stamps, versions and feed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import apsw
import orjson

from storage.contract import Document
from storage.sqlite.batch import updated_ms
from storage.sqlite.catalog import Catalog, Collection, save_collection
from storage.sqlite.connection import unexpected
from storage.sqlite.records import NOTHING, Record
from storage.sqlite.tables import DocumentRows
from storage.stamps import packed


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
        rows.index(created.doc, (), collection.mapping.rows(source))
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
