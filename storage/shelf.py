"""One collection in memory: its documents, their versions, and what searches see of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence

import orjson

from router.envelope import JsonObject
from storage.binding import bind, bind_after, check_sort
from storage.conflicts import guard, not_found
from storage.contract import Document, Write, Written
from storage.evaluate import FieldValues, are_behind, field_values, matches, sort_value
from storage.mapping import Mapping
from storage.names import incarnation
from storage.query import Scalar, Search
from storage.stamps import apply, packed


class Record:
    """One version of one document; its bytes never change, so that nothing leaks in or out."""

    __slots__ = ("_content", "_fields", "_mapping", "id", "version")

    def __init__(self, id: str, version: int, content: bytes) -> None:
        self.id = id
        self.version = version
        self._content = content
        self._mapping: Mapping | None = None
        self._fields: FieldValues = {}

    def __len__(self) -> int:
        return len(self._content)

    @property
    def source(self) -> JsonObject:
        """The content; a new object each time."""
        source: JsonObject = orjson.loads(self._content)
        return source

    def fields(self, mapping: Mapping) -> FieldValues:
        """The indexed values under this mapping; the last answer is kept."""
        if self._mapping is not mapping:
            self._fields = field_values(mapping.rows(self.source))
            self._mapping = mapping
        return self._fields


class Found:
    """A record that a search found, with what it is sorted by.

    `is_shown` is False for what comes no later than the search's `after`.
    """

    __slots__ = ("fields", "is_shown", "place", "record")

    def __init__(
        self, mapping: Mapping, record: Record, search: Search, after: Sequence[Scalar] | None
    ) -> None:
        self.record = record
        self.fields = record.fields(mapping)
        self.place = (record.id, mapping.index, mapping.collection)
        self.is_shown = after is None or are_behind(
            [sort_value(key, record.id, self.fields) for key in search.sort], search.sort, after
        )


class Shelf:
    """The documents of one collection.

    Searches see `documents` themselves, until `hide` makes them see a snapshot that only
    `refresh` brings up to date.
    """

    def __init__(self, mapping: Mapping) -> None:
        self.mapping = mapping
        self._incarnation = incarnation(str(uuid.uuid4()))
        self._documents: dict[str, Record] = {}
        self._removed: dict[str, int] = {}
        self._visible = self._documents

    def hide(self) -> None:
        """Keep what follows from searches until the next `refresh`."""
        self._visible = dict(self._documents)

    def refresh(self) -> None:
        """Let searches see everything written so far."""
        if self._visible is not self._documents:
            self._visible = dict(self._documents)

    def get(self, id: str) -> Document | None:
        """The document of that id."""
        record = self._documents.get(id)
        return (
            None
            if record is None
            else Document(
                id=id,
                version=record.version,
                source=record.source,
                incarnation=self._incarnation,
            )
        )

    def write(self, write: Write, now_ms: int) -> Written:
        """Do one write. Raises: as `Storage.write`; the shelf is then as before."""
        record = self._documents.get(write.id)
        previous = None if record is None else record.source
        if write.condition is not None:
            guard(write, self.get(write.id))
        if write.verb == "delete":
            return self._delete(write, record)
        content = apply(write, previous, now_ms)
        extended = self.mapping.check(content)
        version = self.version(write.id) + 1
        stored = Record(write.id, version, packed(content))
        self.mapping = extended or self.mapping
        self._documents[write.id] = stored
        self._removed.pop(write.id, None)
        return Written(
            id=write.id,
            version=version,
            source=stored.source,
            replaced=None if record is None else record.source,
            created=record is None,
            incarnation=self._incarnation,
        )

    def version(self, id: str) -> int:
        """The version of the last write of that id, deletes counted; 0 before the first."""
        record = self._documents.get(id)
        return self._removed.get(id, 0) if record is None else record.version

    def usage(self) -> tuple[int, int]:
        """How many documents there are, and how many bytes they take."""
        return len(self._documents), sum(len(each) for each in self._documents.values())

    def matching(self, search: Search) -> Iterator[Found]:
        """What a search finds, in no order. Raises: as `storage.binding`, before anything else."""
        query = bind(search.wanted, self.mapping)
        check_sort(search.sort, self.mapping)
        after = bind_after(search, self.mapping)
        return (
            Found(self.mapping, record, search, after)
            for record in self._visible.values()
            if matches(query, record.id, record.fields(self.mapping))
        )

    def _delete(self, write: Write, record: Record | None) -> Written:
        if record is None:
            raise not_found(write.id, write.index, write.collection)
        del self._documents[write.id]
        self._removed[write.id] = record.version + 1
        return Written(
            id=write.id,
            version=record.version,
            source=record.source,
            replaced=record.source,
            incarnation=self._incarnation,
        )
