"""Searches: run in threads of their own over one moment of the file, for a bounded time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import apsw
import msgspec

from router.errors import RouterError
from storage.contract import Hit, Page, Usage
from storage.query import Search
from storage.sqlite.catalog import Collection
from storage.sqlite.connection import disconnect, unexpected
from storage.sqlite.counted import Counting
from storage.sqlite.functions import FUNCTIONS
from storage.sqlite.hits import Hits, Places, Scan

T = TypeVar("T")

_LOOK_EVERY: Final = 20_000
"""Steps of SQLite's machine, about a millisecond, between two looks at the clock."""


class _Own(threading.local):
    """What each thread has for itself: its connection, and whether its search is to end."""

    connection: apsw.Connection | None = None
    is_over: Callable[[], bool] = bool


class Searches:
    """Answers some searches at once, so that a slow one keeps no quick one waiting.

    Args:
        connect: Opens a connection for one of the threads, when it is first needed.
        at_once: Searches that run; all others wait for one of these to end.
        timeout_s: What one search may take; then it is refused.
        waiting: Searches that wait or run at most.
    """

    def __init__(
        self,
        connect: Callable[[], apsw.Connection],
        *,
        at_once: int,
        timeout_s: float,
        waiting: int,
    ) -> None:
        self._connect = connect
        self._timeout_s = timeout_s
        self._waiting_max = waiting
        self._waiting = 0
        self._own = _Own()
        self._opened: list[apsw.Connection] = []
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="store search")

    async def close(self) -> None:
        """Finish the searches that wait, and let go of the connections."""
        await asyncio.to_thread(self._threads.shutdown)
        for connection in self._opened:
            disconnect(connection)

    @property
    def _connection(self) -> apsw.Connection:
        """That of the thread which asks."""
        if self._own.connection is None:
            connection = self._connect()
            self._opened.append(connection)
            for name, function, count in FUNCTIONS:
                connection.create_scalar_function(name, function, count, deterministic=True)
            self._own.connection = connection
        return self._own.connection

    async def page(self, collections: Sequence[Collection], search: Search) -> Page:
        """The page of hits, and how many documents match."""
        hits = Hits(collections, search)
        if not search.aggregations:
            return await self.run(lambda: hits.page(self._connection))
        counting = Counting(collections, search, self._look)

        def both() -> Page:
            page = hits.page(self._connection)
            return msgspec.structs.replace(page, aggregations=counting.compute(self._connection))

        return await self.run(both)

    async def count(self, collections: Sequence[Collection], search: Search) -> int:
        """How many documents match."""
        hits = Hits(collections, search)
        return await self.run(lambda: hits.count(self._connection))

    async def usage(self, collections: Sequence[Collection]) -> list[Usage]:
        """What each collection takes; lengths stand in front of contents, which aren't read."""
        return await self.run(lambda: [self._usage(each) for each in collections])

    def _usage(self, collection: Collection) -> Usage:
        found: Any = self._connection.execute(
            "SELECT count(*), coalesce(sum(octet_length(source)), 0)"
            f" FROM documents_{collection.number}"
        ).get
        return Usage(collection.index, collection.name, *found)

    async def scan(self, collection: Collection, search: Search, after_id: str) -> list[Hit]:
        """The next hits in the order of their ids."""
        scanning = Scan(collection, search)
        return await self.run(lambda: scanning.page(self._connection, after_id))

    async def scroll(
        self, collections: Sequence[Collection], search: Search, *, most: int
    ) -> SqliteScroll:
        """All hits in their order. Raises: `trivium.search.too_long_a_scroll`."""
        hits = Hits(collections, search)

        def opened() -> Places:
            total = hits.count(self._connection)
            if total > most:
                raise RouterError("trivium.search.too_long_a_scroll", total, most)
            return hits.places(self._connection)

        return SqliteScroll(self, hits, await self.run(opened), search.size)

    async def run(self, work: Callable[[], T]) -> T:
        """Do some reading of the connection in a thread, over one moment of the file.

        Raises:
            RouterError: `api.process.overloaded`; `services.storage.unexpected_error` when it
                takes too long, or for what SQLite has against it; what the work raises.
        """
        if self._waiting >= self._waiting_max:
            raise RouterError("api.process.overloaded")
        self._waiting += 1
        is_given_up = False

        def bounded() -> T:
            ends = time.monotonic() + self._timeout_s
            self._own.is_over = lambda: is_given_up or time.monotonic() > ends
            try:
                self._connection.set_progress_handler(self._own.is_over, _LOOK_EVERY)
                outcome = self._at_one_moment(work)
            except apsw.InterruptError as error:
                raise _too_long(self._timeout_s) from error
            except apsw.Error as error:
                raise unexpected(error) from error
            return outcome

        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, bounded)
        finally:
            is_given_up = True
            self._waiting -= 1

    def _look(self) -> None:
        """End what is done in Python when its time is over, as SQLite ends its own."""
        if self._own.is_over():
            raise _too_long(self._timeout_s)

    def _at_one_moment(self, work: Callable[[], T]) -> T:
        # An interrupt while `temp.matched` is filled has ended the transaction already.
        self._connection.execute("BEGIN")
        try:
            return work()
        finally:
            if self._connection.in_transaction:
                self._connection.execute("COMMIT")

    def hits(self, hits: Hits, places: Places, size: int) -> list[Hit]:
        """The next hits of a scroll; in the thread."""
        found: list[Hit] = []
        while len(found) < size:
            place = places.take()
            if place is None:
                break
            hit = hits.at(self._connection, *place)
            if hit is not None:
                found.append(hit)
        return found


class SqliteScroll:
    """Documents that matched at one moment, as they are when their page is read."""

    def __init__(self, searches: Searches, hits: Hits, places: Places, size: int) -> None:
        self._searches = searches
        self._hits = hits
        self._places = places
        self._size = size
        self._read = 0

    @property
    def total(self) -> int:
        """How many there are, without those that were found gone."""
        return self._read + self._places.remaining

    @property
    def remaining(self) -> int:
        """How many are left to read."""
        return self._places.remaining

    async def next(self) -> list[Hit]:
        """The next hits."""
        found = await self._searches.run(
            lambda: self._searches.hits(self._hits, self._places, self._size)
        )
        self._read += len(found)
        return found

    async def close(self) -> None:
        """Forget them."""
        self._places = Places()


def _too_long(timeout_s: float) -> RouterError:
    return RouterError(
        "services.storage.unexpected_error", f"the search took longer than {timeout_s:g} s"
    )
