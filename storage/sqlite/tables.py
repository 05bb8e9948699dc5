"""The rows of one collection's documents that a transaction puts in, changes and takes out."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import apsw
import msgspec

from storage.plan import Row
from storage.sqlite.catalog import Collection
from storage.sqlite.records import Key, Record
from storage.sqlite.sides import SideChanges


class DocumentRows:
    """Collects what becomes of documents, then tells the file in a few statements."""

    def __init__(self, connection: apsw.Connection, collection: Collection) -> None:
        self._connection = connection
        self._number = collection.number
        self._sides = SideChanges(collection.fields)
        self._updated: list[tuple[object, ...]] = []
        self._created: list[tuple[object, ...]] = []
        self._deleted: list[tuple[object, ...]] = []
        self._buried: list[tuple[object, ...]] = []
        self._risen: list[tuple[object, ...]] = []
        self._last_doc: int | None = None

    def index(
        self,
        doc: int,
        gone: Iterable[Row],
        new: Iterable[Row],
        whole: Callable[[], Iterable[Row]],
    ) -> None:
        """A document loses and gains these rows of the side tables; `whole` gives all it has."""
        self._sides.add(doc, gone, new, whole)

    def update(self, after: Record) -> None:
        """A document changed."""
        self._updated.append((after.version, after.seq, after.updated_ms, after.source, after.doc))

    def create(self, key: Key, before: Record, after: Record) -> Record:
        """A document came to be; its record with its number."""
        if before.version:
            self._risen.append(key)
        if self._last_doc is None:
            newest = self._connection.execute(f"SELECT max(doc) FROM documents_{self._number}").get
            self._last_doc = int(newest or 0)
        self._last_doc += 1
        created = msgspec.structs.replace(after, doc=self._last_doc)
        self._created.append(
            (created.doc, key[1], after.version, after.seq, after.updated_ms, after.source)
        )
        return created

    def delete(self, key: Key, before: Record, after: Record) -> None:
        """A document is gone; its version stays, for one that may come in its place."""
        self._buried.append((*key, after.version, after.seq))
        if before.source is not None:
            self._deleted.append((before.doc,))

    def flush(self) -> dict[str, int]:
        """Tell the file; the numbers of the collection's fields, new ones among them."""
        many = self._connection.executemany
        table = f"documents_{self._number}"
        if self._updated:
            self._updated.sort(key=_doc)  # neighbours share pages
            many(
                f"UPDATE {table} SET version = ?, seq = ?, updated_ms = ?, source = ?"
                " WHERE doc = ?",
                self._updated,
            )
        if self._deleted:
            many(f"DELETE FROM {table} WHERE doc = ?", self._deleted)
        if self._risen:
            many("DELETE FROM tombstones WHERE collection = ? AND id = ?", self._risen)
        if self._created:
            many(
                f"INSERT INTO {table} (doc, id, version, seq, updated_ms, source)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                self._created,
            )
        if self._buried:
            many("REPLACE INTO tombstones VALUES (?, ?, ?, ?)", self._buried)
        self._sides.flush(self._connection, self._number)
        return self._sides.fields


def _doc(row: tuple[object, ...]) -> int:
    doc = row[-1]
    assert isinstance(doc, int)
    return doc
