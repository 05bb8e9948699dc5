"""The hits of a search as SQL: which documents of which collections, in what order."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Any, Final

import apsw
import msgspec
import orjson

from router.envelope import Json
from router.errors import RouterError
from storage.binding import ID, bind, bind_after, check_sort
from storage.contract import Hit, Page
from storage.projection import project
from storage.query import Scalar, Search, Sort
from storage.sqlite.catalog import Collection
from storage.sqlite.matching import Matching
from storage.sqlite.pages import Pages
from storage.sqlite.select import Condition
from storage.sqlite.sides import UPDATED

MAX_TARGETS: Final = 500
"""Collections of one search: what SQLite takes in one compound (SQLITE_MAX_COMPOUND_SELECT)."""


class Hits:
    """The hits of one search over some collections.

    Raises (when made): as `Storage.search`.
    """

    def __init__(self, collections: Sequence[Collection], search: Search) -> None:
        if len(collections) > MAX_TARGETS:
            raise _too_much(f"A search of more than {MAX_TARGETS} collections")
        self._search = search
        self._selects = [_Select(place, each, search) for place, each in enumerate(collections)]

    def count(self, connection: apsw.Connection) -> int:
        """How many documents match."""
        return sum(select.count(connection) for select in self._selects)

    def page(self, connection: apsw.Connection) -> Page:
        """The page that the search asks for."""
        search, total = self._search, self.count(connection)
        if search.offset >= total or not search.size:
            return Page(hits=[], total=total)
        if len(self._selects) == 1:
            return Page(hits=self._selects[0].page(connection, total), total=total)
        rows = self._rows(connection, "*", " LIMIT ? OFFSET ?", (search.size, search.offset))
        return Page(hits=[self._selects[row[0]].hit(connection, row) for row in rows], total=total)

    def places(self, connection: apsw.Connection) -> Places:
        """Where all hits are, in their order."""
        found = Places()
        for row in self._rows(connection, "place, doc, id", "", ()):
            found.add(*row)
        return found

    def at(self, connection: apsw.Connection, place: int, doc: int, mark: int) -> Hit | None:
        """The hit that `places` told, as it is by now; None if it is gone."""
        return self._selects[place].at(connection, doc, mark)

    def _rows(
        self, connection: apsw.Connection, columns: str, end: str, more: tuple[object, ...]
    ) -> Iterator[Any]:
        arms = " UNION ALL ".join(f"SELECT * FROM ({select.sql})" for select in self._selects)
        arguments = [argument for select in self._selects for argument in select.arguments]
        if len(arguments) + len(more) > connection.limit(apsw.SQLITE_LIMIT_VARIABLE_NUMBER):
            raise _too_much("So long a search of so many collections")
        order = _order(self._search.sort)
        sql = (
            f"SELECT {columns} FROM ({arms}) ORDER BY {order}{end}" if arms else "SELECT 1 LIMIT 0"
        )
        return iter(connection.execute(sql, (*arguments, *more)))


class Places:
    """Where documents are, 18 bytes each: collection, number, and a mark of the id, since the
    number of a document that is deleted may be given to another."""

    def __init__(self) -> None:
        self._collections, self._docs, self._marks = array("H"), array("q"), array("q")
        self._next = 0

    def add(self, place: int, doc: int, id: str) -> None:
        """Put one at the end."""
        self._collections.append(place)
        self._docs.append(doc)
        self._marks.append(hash(id))

    def take(self) -> tuple[int, int, int] | None:
        """The next one, None at the end."""
        at = self._next
        if at >= len(self._docs):
            return None
        self._next += 1
        return self._collections[at], self._docs[at], self._marks[at]

    @property
    def remaining(self) -> int:
        """How many were not taken yet."""
        return len(self._docs) - self._next


class Scan:
    """The hits of a search over one collection in the order of their ids, page by page.

    Raises (when made): as `Storage.search`.
    """

    def __init__(self, collection: Collection, search: Search) -> None:
        plain = msgspec.structs.replace(search, sort=(), after=None)
        self._select = _Select(0, collection, plain)
        self._size = search.size
        # Its own way through the ids, or every page would sort all that matches.
        self._index = f"INDEXED BY sqlite_autoindex_documents_{collection.number}_1"

    def page(self, connection: apsw.Connection, after_id: str) -> list[Hit]:
        """The next hits."""
        rows = self._select.by_id(connection, self._index, after_id, self._size)
        return [self._select.shown(*row) for row in rows]


class _Select:
    """One collection's part of a search: rows of (place, doc, id, index, name, sort values…)."""

    def __init__(self, place: int, collection: Collection, search: Search) -> None:
        check_sort(search.sort, collection.mapping)
        self._collection = collection
        self._search = search
        query = bind(search.wanted, collection.mapping)
        self._where = Condition(query, collection)
        self._matching = Matching(query, collection)
        self._documents = f"documents_{collection.number} AS d"
        self._place = place
        self._keys = [_Key(at, key, collection) for at, key in enumerate(search.sort)]
        self._after = bind_after(search, collection.mapping)
        self.sql, self.arguments = self._all(self._where.sql, self._where.arguments)

    def _all(self, where: str, arguments: Sequence[object]) -> tuple[str, list[object]]:
        """All documents of which this holds."""
        collection, keys = self._collection, self._keys
        columns = "".join(f", {key.column} AS key_{at}" for at, key in enumerate(keys))
        joins = "".join(key.join for key in keys)
        sql = (
            f"SELECT ? AS place, d.doc, d.id, ? AS index_name, ? AS name{columns}"
            f" FROM {self._documents}{joins} WHERE {where}"
        )
        given: list[object] = [self._place, collection.index, collection.name]
        given += [argument for key in keys for argument in key.arguments]
        if self._after is None:
            return sql, [*given, *arguments]
        behind, bounds = _behind(self._search.sort, self._after)
        return f"SELECT * FROM ({sql}) WHERE {behind}", [*given, *arguments, *bounds]

    def count(self, connection: apsw.Connection) -> int:
        """How many documents of this collection match."""
        return self._matching.find(connection)

    def page(self, connection: apsw.Connection, total: int) -> list[Hit]:
        """The page of this collection, of so many that were counted just now."""
        pages = Pages(self._collection, self._search, self._matching.where, self._after)
        placed = pages.page(connection, total)
        if placed is None:
            sql, arguments = self._all(self._matching.where, ())
            search = self._search
            rows: Iterator[Any] = connection.execute(
                f"SELECT * FROM ({sql}) ORDER BY {_order(search.sort)} LIMIT ? OFFSET ?",
                (*arguments, search.size, search.offset),
            )
            return [self.hit(connection, row) for row in rows]
        return [
            self._hit(each.id, *self._stored(connection, each.doc), list(each.values))
            for each in placed
        ]

    def _stored(self, connection: apsw.Connection, doc: int) -> tuple[bytes, int]:
        sql = f"SELECT source, version FROM {self._documents} WHERE doc = ?"
        found: Any = connection.execute(sql, (doc,)).get
        return found[0], found[1]

    def hit(self, connection: apsw.Connection, row: Sequence[Json]) -> Hit:
        """The hit of one row."""
        values = [
            bool(value) if key.is_flag and value is not None else value
            for value, key in zip(row[5:], self._keys, strict=True)
        ]
        return self._hit(str(row[2]), *self._stored(connection, int(str(row[1]))), values)

    def at(self, connection: apsw.Connection, doc: int, mark: int) -> Hit | None:
        """The document of that number, unless another has it by now."""
        sql = f"SELECT id, source, version FROM {self._documents} WHERE doc = ?"
        try:
            found: Any = connection.execute(sql, (doc,)).get
        except apsw.SQLError:  # the collection is gone, and its documents with it
            return None
        if found is None or hash(found[0]) != mark:
            return None
        return self._hit(found[0], found[1], found[2], [])

    def by_id(
        self, connection: apsw.Connection, index: str, after_id: str, size: int
    ) -> Iterator[Any]:
        """Rows of (id, source, version) behind an id, in the order of ids."""
        return connection.execute(
            f"SELECT d.id, d.source, d.version FROM {self._documents} {index}"
            f" WHERE d.id > ? AND ({self._where.sql}) ORDER BY d.id LIMIT ?",
            (after_id, *self._where.arguments, size),
        )

    def shown(self, id: str, source: bytes, version: int) -> Hit:
        """The hit of one row of `by_id`."""
        return self._hit(id, source, version, [id])

    def _hit(self, id: str, source: bytes, version: int, values: list[Json]) -> Hit:
        return Hit(
            index=self._collection.index,
            collection=self._collection.name,
            id=id,
            source=project(orjson.loads(source), self._search),
            version=version,
            sort=values,
        )


class _Key:
    """One sort key over one collection: of several values the lowest, descending the highest."""

    def __init__(self, at: int, key: Sort, collection: Collection) -> None:
        self.arguments: list[object] = []
        self.join = ""
        leaf = collection.mapping.leaf(key.field)
        self.is_flag = leaf is not None and leaf.kind == "boolean"
        field = collection.fields.get(key.field)
        if key.field == ID:
            self.column = "d.id"
        elif key.field == UPDATED:
            self.column = "d.updated_ms"
        elif field is None:
            self.column = "NULL"  # no document has a value there
        else:
            chosen = "max" if key.descending else "min"
            self.column = f"sort_{at}.value"
            self.arguments = [field]
            self.join = (
                f" LEFT JOIN (SELECT doc, {chosen}(value) AS value"
                f" FROM values_{collection.number} WHERE field = ? GROUP BY doc) AS sort_{at}"
                f" ON sort_{at}.doc = d.doc"
            )


def _behind(sort: Sequence[Sort], after: Sequence[Scalar]) -> tuple[str, list[object]]:
    """The condition for rows that come behind all with these values."""
    ways, arguments = [], list[object]()
    for at, key in enumerate(sort):
        equal = [f"key_{before} IS ?" for before in range(at)]
        sign = "<" if key.descending else ">"
        if after[at] is None:
            last = f"key_{at} IS NOT NULL" if key.missing_first else "0"
            arguments += after[:at]
        else:
            last = f"key_{at} {sign} ?"
            arguments += after[: at + 1]
            if not key.missing_first:
                last = f"({last} OR key_{at} IS NULL)"
        ways.append(" AND ".join([*equal, last]))
    return " OR ".join(f"({way})" for way in ways), arguments


def _order(sort: Sequence[Sort]) -> str:
    terms = []
    for at, key in enumerate(sort):
        terms.append(f"key_{at} IS NOT NULL" if key.missing_first else f"key_{at} IS NULL")
        terms.append(f"key_{at} {'DESC' if key.descending else 'ASC'}")
    return ", ".join([*terms, "id", "index_name", "name"])


def _too_much(feature: str) -> RouterError:
    return RouterError("trivium.unsupported.feature", feature)
