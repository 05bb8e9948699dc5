"""Pages of one collection's matches, read along an index for as long as the page needs.

Where that can't be done (None) the page is cut out of all that matches: see `Hits`.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby
from typing import Any, Final, NamedTuple

import apsw
import orjson

from storage.binding import ID
from storage.evaluate import FieldValues, are_behind, field_values, in_order, sort_value
from storage.query import Scalar, Search, Sort
from storage.sqlite.catalog import Collection

_MOST: Final = 10_000
"""Documents that are put in order here; with more the database is faster."""

_MOST_READ: Final = 2_000
"""The same, where they must be read to be put in order."""

_SLACK: Final = 32
"""Documents that are read beyond a page that goes on behind another."""

_SPARSE: Final = 50
"""Below one match in so many documents the matches are sorted, above that all ids are read."""


class Placed(NamedTuple):
    """A document of a page and what it is sorted by."""

    doc: int
    id: str
    values: list[Scalar]


class Candidate:
    """A document that was read to be put in order."""

    __slots__ = ("doc", "fields", "place")

    def __init__(self, doc: int, id: str, collection: Collection, fields: FieldValues) -> None:
        self.doc = doc
        self.place = (id, collection.index, collection.name)
        self.fields = fields


class Pages:
    """The pages of one collection.

    Args:
        where: The condition for the documents that match, over `d`; see `Matching`.
        after: The values to go on behind, as index rows hold them.
    """

    def __init__(
        self, collection: Collection, search: Search, where: str, after: Sequence[Scalar] | None
    ) -> None:
        self._collection = collection
        self._number = collection.number
        self._search = search
        self._where = where
        self._after = after

    def page(self, connection: apsw.Connection, total: int) -> list[Placed] | None:
        """The page, of so many matches."""
        search = self._search
        if not search.sort or (search.sort[0].field == ID and len(search.sort) == 1):
            return self._by_id(connection, total)
        key = search.sort[0]
        field = self._collection.fields.get(key.field)
        if field is None or key.missing_first:
            return None
        if self._after is None and len(search.sort) == 1:
            return self._by_value(connection, field, total)
        return self._by_values(connection, field, total)

    def _by_id(self, connection: apsw.Connection, total: int) -> list[Placed]:
        newest = connection.execute(f"SELECT max(doc) FROM documents_{self._number}").get
        is_sparse = total * _SPARSE < int(newest or 0)
        # Its own way through the ids, where enough of them match.
        index = "" if is_sparse else f"INDEXED BY sqlite_autoindex_documents_{self._number}_1"
        key = self._search.sort[0] if self._search.sort else Sort(ID)
        behind, more = "", list[object]()
        if self._after is not None:
            behind, more = f" AND d.id {'<' if key.descending else '>'} ?", [self._after[0]]
        rows: Iterable[Any] = connection.execute(
            f"SELECT d.doc, d.id FROM documents_{self._number} AS d {index}"
            f" WHERE {self._where}{behind}"
            f" ORDER BY d.id {'DESC' if key.descending else 'ASC'} LIMIT ? OFFSET ?",
            (*more, self._search.size, self._search.offset),
        )
        return [Placed(doc, own, [own] if self._search.sort else []) for doc, own in rows]

    def _by_value(self, connection: apsw.Connection, field: int, total: int) -> list[Placed] | None:
        search = self._search
        needed = search.offset + search.size
        chosen = self._walk(connection, field, needed, _MOST)
        if chosen is None or len(chosen) < min(needed, total):
            return None  # too many are alike, or those without the field are on the page
        groups = deque(list(docs) for _, docs in groupby(chosen, key=chosen.__getitem__))
        # Those before the page needn't be in order among themselves.
        start = search.offset
        while groups and len(groups[0]) <= start:
            start -= len(groups.popleft())
        ids = self._ids(connection, chain.from_iterable(groups))
        leaf = self._collection.mapping.leaf(search.sort[0].field)
        is_flag = leaf is not None and leaf.kind == "boolean"
        placed: list[Placed] = []
        for docs in groups:
            value = chosen[docs[0]]
            told = bool(value) if is_flag else value
            placed += sorted((Placed(doc, ids[doc], [told]) for doc in docs), key=_id_of)
        return placed[start : start + search.size]

    def _by_values(
        self, connection: apsw.Connection, field: int, total: int
    ) -> list[Placed] | None:
        if self._after is None:
            return self._read_on(connection, field, 0, total)
        if self._after[0] is None:
            return None
        # Some of the same first value may not be behind: then once more, with more of them.
        few = self._read_on(connection, field, _SLACK, None)
        if few is not None:
            return few
        return self._read_on(connection, field, _MOST_READ // 2, None)

    def _read_on(
        self, connection: apsw.Connection, field: int, slack: int, total: int | None
    ) -> list[Placed] | None:
        """The page, if it is among the first documents that it could hold, and so many more, or
        among all that match."""
        search = self._search
        needed = search.offset + search.size
        if needed + slack > _MOST_READ:
            return None
        chosen = self._walk(connection, field, needed + slack, _MOST_READ)
        if chosen is None:
            return None
        found = in_order(self._read(connection, chosen), search.sort)
        placed = [self._placed(each) for each in found]
        if self._after is not None:
            placed = [each for each in placed if are_behind(each.values, search.sort, self._after)]
        page = placed[search.offset : needed]
        return page if len(page) == search.size or len(chosen) == total else None

    def _walk(
        self, connection: apsw.Connection, field: int, needed: int, most: int
    ) -> dict[int, Scalar] | None:
        """At least so many documents, if there are, in the order of the first sort key, with
        all that are like the last of them; None if they are too many."""
        key = self._search.sort[0]
        start, arguments = "", list[object]([field])
        if self._after is not None:
            start = f" AND d.value {'<=' if key.descending else '>='} ?"
            arguments.append(self._after[0])
        rows: Iterable[Any] = connection.execute(
            f"SELECT d.value, d.doc FROM values_{self._number} AS d"
            f" WHERE d.field = ?{start} AND {self._where}"
            f" ORDER BY d.value {'DESC' if key.descending else 'ASC'}",
            arguments,
        )
        return _taken(rows, needed, needed + most)

    def _ids(self, connection: apsw.Connection, docs: Iterable[int]) -> dict[int, str]:
        numbers = array("q", docs)
        if not numbers:
            return {}
        rows: Iterable[Any] = connection.execute(
            f"SELECT doc, id FROM documents_{self._number} WHERE doc IN carray(?)",
            (apsw.carray(numbers, flags=apsw.SQLITE_CARRAY_INT64),),
        )
        return dict(rows)

    def _read(self, connection: apsw.Connection, docs: Iterable[int]) -> Iterator[Candidate]:
        sql = f"SELECT id, source FROM documents_{self._number} WHERE doc = ?"
        mapping = self._collection.mapping
        for doc in docs:
            own, source = connection.execute(sql, (doc,)).get
            fields = field_values(mapping.rows(orjson.loads(source)))
            yield Candidate(doc, own, self._collection, fields)

    def _placed(self, found: Candidate) -> Placed:
        own = found.place[0]
        values = [sort_value(key, own, found.fields) for key in self._search.sort]
        return Placed(found.doc, own, values)


def _taken(rows: Iterable[tuple[Any, int]], needed: int, most: int) -> dict[int, Scalar] | None:
    taken: dict[int, Scalar] = {}
    last: object = None
    for value, doc in rows:
        if doc in taken:
            continue
        if len(taken) >= needed and value != last:
            break
        if len(taken) >= most:
            return None
        taken[doc] = last = value
    return taken


def _id_of(placed: Placed) -> str:
    return placed.id
