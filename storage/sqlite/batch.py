"""One transaction's writes: applied in memory in their order, then put into the file at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Final

import apsw
import orjson

from router.envelope import JsonObject
from storage.conflicts import guard, not_found
from storage.contract import Document, Write, Written
from storage.dates import date_reader
from storage.plan import Row
from storage.replay import MERGES
from storage.sqlite.catalog import Catalog, Collection, Name, save_collection
from storage.sqlite.feed import Entry, FeedRows, Position
from storage.sqlite.keys import Conclusion, Keys
from storage.sqlite.records import Key, Record
from storage.sqlite.tables import DocumentRows
from storage.stamps import STAMP, apply, packed, stamped_changes
from storage.undo import WHOLE_EVERY, undo_of

_read_date: Final = date_reader()

_SIGNED: Final[JsonObject] = {"updater": None}
"""What an update changes of a stamp, as far as it has index rows (see `sides.UPDATED`)."""

Lookup = Callable[[Collection, str], Record]


class Touched:
    """A document that this transaction writes: what it was, what it will be, and the index rows
    that it loses and gains by all its writes together."""

    __slots__ = ("after", "before", "gone", "new")

    def __init__(self, before: Record) -> None:
        self.before = self.after = before
        self.gone: dict[Row, None] = {}
        self.new: dict[Row, None] = {}

    def change(self, gone: Iterable[Row], new: Iterable[Row]) -> None:
        """Take in one more write; what one put in and the next takes out never was."""
        for row in gone:
            if row in self.new:
                del self.new[row]
            else:
                self.gone[row] = None
        for row in new:
            if row in self.gone:
                del self.gone[row]
            else:
                self.new[row] = None


class Batch:
    """Applies writes on top of what is stored, and remembers what the file must be told.

    Nothing but `flush` touches the file, so a write that is refused leaves no trace.

    Args:
        catalog: The indexes and collections; `catalog` afterwards has what mappings grew by.
        lookup: Gives the stored record of a document.
        at_ms: The time of all these writes.
        keys: The idempotency keys, as of this transaction.
    """

    def __init__(
        self, catalog: Catalog, lookup: Lookup, position: Position, at_ms: int, keys: Keys
    ) -> None:
        self._touched: dict[Key, Touched] = {}
        self._collections: dict[Name, Collection] = {}
        self._names: dict[int, Name] = {}
        self._catalog = catalog
        self._lookup = lookup
        self._at_ms = at_ms
        self._feed = FeedRows(position)
        self._keys = keys

    def records(self) -> Iterator[tuple[Key, Record]]:
        """Every document written, as it is afterwards."""
        return ((key, touched.after) for key, touched in self._touched.items())

    @property
    def position(self) -> Position:
        """Where the feed stands after these writes."""
        return self._feed.position

    @property
    def catalog(self) -> Catalog:
        """The catalog after these writes."""
        if not self._collections:
            return self._catalog
        return self._catalog.with_collections(self._collections.values())

    def apply(self, work: Write | Conclusion) -> Written | None:
        """Do one write in memory, or keep an answer (None).

        Raises:
            RouterError: It is refused; those before and after it are not concerned.
        """
        if isinstance(work, Conclusion):
            self._keys.conclude(work)
            return None
        once = work.once
        if once is None:
            return self._apply(work)
        repeated = self._keys.repeat(once, work.id, self._find(work).incarnation)
        if repeated is not None:
            return repeated
        written = self._apply(work)
        self._keys.add(once, work, written)
        return written

    def _find(self, write: Write) -> Collection:
        name = (write.index, write.collection)
        return self._collections.get(name) or self._catalog.find(*name)

    def _apply(self, write: Write) -> Written:
        collection = self._find(write)
        self._names[collection.number] = (write.index, write.collection)
        touched = self._touched.get((collection.number, write.id))
        record = self._lookup(collection, write.id) if touched is None else touched.after
        if write.condition is not None:
            guard(write, document_of(write.id, record, collection))
        if write.verb == "delete":
            return self._delete(write, collection, record)
        return self._put(write, collection, record)

    def _put(self, write: Write, collection: Collection, record: Record) -> Written:
        key = (collection.number, write.id)
        stored: JsonObject | None = None if record.source is None else orjson.loads(record.source)
        content = apply(write, stored, self._at_ms)
        is_merge = stored is not None and write.verb in MERGES
        changes = stamped_changes(write, content) if is_merge else None
        along = None if changes is None else _along(write, changes)
        gone, new, extended = collection.mapping.reread(stored or {}, content, along)
        source = packed(content)
        if extended is not None:
            name = (write.index, write.collection)
            self._collections[name] = replace(collection, mapping=extended)
        version = record.version + 1
        seq = self._feed.add(key, write, self._entry(record, stored, changes, source))
        touched = self._touch(key, record)
        touched.after = Record(record.doc, version, seq, updated_ms(content), source)
        touched.change(gone, new)
        return Written(
            id=write.id,
            version=version,
            source=content,
            # Not `stored`, with which `content` shares what the write didn't touch.
            replaced=record.source,
            created=stored is None,
            incarnation=collection.incarnation,
            seq=seq,
        )

    def _entry(
        self,
        record: Record,
        stored: JsonObject | None,
        changes: JsonObject | None,
        source: bytes,
    ) -> Entry:
        version = record.version + 1
        if stored is None or changes is None:
            return Entry(version, record.seq, self._at_ms, source, record.source, None)
        undo = orjson.dumps(undo_of(stored, changes))
        whole = source if version % WHOLE_EVERY == 0 else None
        return Entry(version, record.seq, self._at_ms, orjson.dumps(changes), undo, whole)

    def _delete(self, write: Write, collection: Collection, record: Record) -> Written:
        if record.source is None:
            raise not_found(write.id, write.index, write.collection)
        key = (collection.number, write.id)
        version = record.version + 1
        entry = Entry(version, record.seq, self._at_ms, None, record.source, None)
        seq = self._feed.add(key, write, entry)
        source = orjson.loads(record.source)
        touched = self._touch(key, record)
        touched.after = Record(record.doc, version, seq, None, None)
        touched.change(collection.mapping.rows(source), ())
        return Written(
            id=write.id,
            version=record.version,
            source=source,
            replaced=record.source,
            incarnation=collection.incarnation,
            seq=seq,
        )

    def _touch(self, key: Key, record: Record) -> Touched:
        touched = self._touched.get(key)
        if touched is None:
            touched = self._touched[key] = Touched(record)
        return touched

    def flush(self, connection: apsw.Connection) -> None:
        """Put everything into the file, within the transaction that the caller has begun."""
        by_name: dict[Name, list[Key]] = {}
        for key in self._touched:
            by_name.setdefault(self._names[key[0]], []).append(key)
        for name, keys in by_name.items():
            collection = self._collections.get(name) or self._catalog.collections[name]
            fields = self._flush_documents(connection, collection, keys)
            if fields is not collection.fields:
                self._collections[name] = replace(collection, fields=fields)
        for collection in self._collections.values():
            save_collection(connection, collection)
        self._feed.flush(connection)
        self._keys.flush()

    def _flush_documents(
        self, connection: apsw.Connection, collection: Collection, keys: list[Key]
    ) -> dict[str, int]:
        rows = DocumentRows(connection, collection)
        for key in keys:
            touched = self._touched[key]
            before, after = touched.before, touched.after
            if after.source is None:
                rows.delete(key, before, after)
            elif before.source is None:
                touched.after = after = rows.create(key, before, after)
            else:
                rows.update(after)
            rows.index(
                after.doc, touched.gone, touched.new, partial(_rows_of, collection, after.source)
            )
        return rows.flush()


def _rows_of(collection: Collection, source: bytes | None) -> list[Row]:
    return [] if source is None else collection.mapping.rows(orjson.loads(source))


def document_of(id: str, record: Record, collection: Collection) -> Document | None:
    """A record as the contract has it."""
    if record.source is None:
        return None
    return Document(
        id=id,
        version=record.version,
        source=orjson.loads(record.source),
        incarnation=collection.incarnation,
    )


def _along(write: Write, changes: JsonObject) -> JsonObject | None:
    """The changes that index rows may come of, None where the stamp isn't merged."""
    if write.stamping == "anew":
        return None
    if write.stamping == "kept" or write.injected is not None:
        return changes
    return {**write.content, STAMP: _SIGNED}


def updated_ms(content: JsonObject) -> int | None:
    """When the document was last updated, which has a column of its own (see `sides`)."""
    stamp = content.get(STAMP)
    updated = stamp.get("updatedAt") if isinstance(stamp, dict) else None
    if updated is None or isinstance(updated, int):
        return updated
    try:
        return _read_date(updated)
    except ValueError:  # older than its field
        return None
