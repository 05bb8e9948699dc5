"""Searches: run in a thread of their own over one moment of the file, for a bounded time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import apsw
import orjson

from router.envelope import Json
from router.errors import RouterError
from storage.binding import ID, bind, check_sort
from storage.contract import Hit, Page
from storage.geo import distance_m
from storage.projection import project
from storage.query import Search, Sort
from storage.sqlite.catalog import Collection
from storage.sqlite.connection import disconnect, unexpected
from storage.sqlite.select import Condition
from storage.sqlite.sides import UPDATED

T = TypeVar("T")

MAX_TARGETS: Final = 500
"""Collections of one search: what SQLite takes in one compound (SQLITE_MAX_COMPOUND_SELECT)."""

_LOOK_EVERY: Final = 20_000
"""Steps of SQLite's machine, about a millisecond, between two looks at the clock."""


class Searches:
    """Answers searches one after the other.

    Args:
        connection: For these searches alone.
        timeout_s: What one search may take; then it is refused.
        waiting: Searches that wait at most.
    """

    def __init__(self, connection: apsw.Connection, *, timeout_s: float, waiting: int) -> None:
        self._connection = connection
        self._timeout_s = timeout_s
        self._waiting_max = waiting
        self._waiting = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store search")
        connection.create_scalar_function("distance_m", _distance_m, 4, deterministic=True)

    async def close(self) -> None:
        """Finish the searches that wait, and let go of the connection."""
        await asyncio.to_thread(self._thread.shutdown)
        disconnect(self._connection)

    async def page(self, collections: Sequence[Collection], search: Search) -> Page:
        """The page of hits, and how many documents match."""
        selects = _selects(collections, search)
        return await self._run(lambda: self._page(selects, search))

    async def count(self, collections: Sequence[Collection], search: Search) -> int:
        """How many documents match."""
        selects = _selects(collections, search)
        return await self._run(lambda: sum(select.count(self._connection) for select in selects))

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= self._waiting_max:
            raise RouterError("api.process.overloaded")
        self._waiting += 1
        is_given_up = False

        def bounded() -> T:
            ends = time.monotonic() + self._timeout_s
            self._connection.set_progress_handler(
                lambda: is_given_up or time.monotonic() > ends, _LOOK_EVERY
            )
            try:
                with self._connection:
                    outcome = work()
            except apsw.InterruptError as error:
                raise _too_long(self._timeout_s) from error
            except apsw.Error as error:
                raise unexpected(error) from error
            return outcome

        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, bounded)
        finally:
            is_given_up = True
            self._waiting -= 1

    def _page(self, selects: list[_Select], search: Search) -> Page:
        total = sum(select.count(self._connection) for select in selects)
        if search.offset >= total or not search.size:
            return Page(hits=[], total=total)
        arms = " UNION ALL ".join(f"SELECT * FROM ({select.sql})" for select in selects)
        arguments = [argument for select in selects for argument in select.arguments]
        if len(arguments) + 2 > self._connection.limit(apsw.SQLITE_LIMIT_VARIABLE_NUMBER):
            raise _too_much("So long a search of so many collections")
        rows = self._connection.execute(
            f"SELECT * FROM ({arms}) ORDER BY {_order(search.sort)} LIMIT ? OFFSET ?",
            (*arguments, search.size, search.offset),
        )
        return Page(hits=[selects[row[0]].hit(self._connection, row) for row in rows], total=total)


class _Select:
    """One collection's part of a search: rows of (place, doc, id, index, name, sort values…)."""

    def __init__(self, place: int, collection: Collection, search: Search) -> None:
        check_sort(search.sort, collection.mapping)
        self._collection = collection
        self._search = search
        self._where = Condition(bind(search.query, collection.mapping), collection)
        self._documents = f"documents_{collection.number} AS d"
        keys = [_Key(at, key, collection) for at, key in enumerate(search.sort)]
        self._are_flags = [key.is_flag for key in keys]
        self.arguments: list[object] = [place, collection.index, collection.name]
        self.arguments += [argument for key in keys for argument in key.arguments]
        self.arguments += self._where.arguments
        columns = "".join(f", {key.column} AS key_{at}" for at, key in enumerate(keys))
        joins = "".join(key.join for key in keys)
        self.sql = (
            f"SELECT ? AS place, d.doc, d.id, ? AS index_name, ? AS name{columns}"
            f" FROM {self._documents}{joins} WHERE {self._where.sql}"
        )

    def count(self, connection: apsw.Connection) -> int:
        """How many documents of this collection match."""
        sql = f"SELECT count(*) FROM {self._documents} WHERE {self._where.sql}"
        return int(connection.execute(sql, self._where.arguments).get)

    def hit(self, connection: apsw.Connection, row: Sequence[Json]) -> Hit:
        """The hit of one row."""
        found: Any = connection.execute(
            f"SELECT source, version FROM {self._documents} WHERE doc = ?", (row[1],)
        ).get
        values = zip(row[5:], self._are_flags, strict=True)
        return Hit(
            index=self._collection.index,
            collection=self._collection.name,
            id=str(row[2]),
            source=project(orjson.loads(found[0]), self._search),
            version=found[1],
            sort=[bool(value) if flag and value is not None else value for value, flag in values],
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


def _selects(collections: Sequence[Collection], search: Search) -> list[_Select]:
    if len(collections) > MAX_TARGETS:
        raise _too_much(f"A search of more than {MAX_TARGETS} collections")
    return [_Select(place, each, search) for place, each in enumerate(collections)]


def _order(sort: Sequence[Sort]) -> str:
    terms = []
    for at, key in enumerate(sort):
        terms.append(f"key_{at} IS NOT NULL" if key.missing_first else f"key_{at} IS NULL")
        terms.append(f"key_{at} {'DESC' if key.descending else 'ASC'}")
    return ", ".join([*terms, "id", "index_name", "name"])


def _distance_m(*degrees: Any) -> float:
    return distance_m(degrees[:2], degrees[2:])


def _too_much(feature: str) -> RouterError:
    return RouterError("trivium.unsupported.feature", feature)


def _too_long(timeout_s: float) -> RouterError:
    return RouterError(
        "services.storage.unexpected_error", f"the search took longer than {timeout_s:g} s"
    )
