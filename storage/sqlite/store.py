"""The embedded engine, as the storage contract has it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from router.envelope import JsonObject, always
from router.errors import RouterError
from router.once import Remembered
from router.settings import StorageSettings
from storage.clock import Clock, system_ms
from storage.conflicts import not_found
from storage.contract import (
    KEYS_KEPT_HOURS,
    Change,
    Document,
    Hit,
    Listener,
    Page,
    Scroll,
    Usage,
    Write,
    Written,
)
from storage.listening import together
from storage.query import Search
from storage.sqlite import administration, transfer
from storage.sqlite.catalog import Collection
from storage.sqlite.connection import FILE_NAME, Disk, connect
from storage.sqlite.keys import Conclusion
from storage.sqlite.ledger import Ledger
from storage.sqlite.lock import FolderLock
from storage.sqlite.opening import explaining, take
from storage.sqlite.reader import Reader
from storage.sqlite.searches import Searches
from storage.sqlite.slices import SLICE, SlicedReader
from storage.sqlite.writer import Writer
from storage.stamps import packed
from storage.transfer import Grave

T = TypeVar("T")


class _Parts(NamedTuple):
    """What stands behind an opened store."""

    writer: Writer
    reader: Reader
    slices: SlicedReader
    searches: Searches


class SqliteStorage:
    """Documents in one SQLite file of the settings' `data` folder. See `storage.contract.Storage`.

    Writes go through one thread, which commits all that wait together; documents are read by id
    on the loop and searched in a few other threads. After a failure of the disk every write that
    was not acknowledged fails, and the store takes no more until it could open its file anew.

    Args:
        disk: How the file is reached.
        read_ms: The system's time in ms since 1970.
        folder_mode: Of the folder, if it has to be made; the umask takes its part.
        keys_kept_hours: How long an idempotency key is remembered.
    """

    is_shared = False

    def __init__(
        self,
        settings: StorageSettings,
        *,
        disk: Disk | None = None,
        read_ms: Callable[[], int] = system_ms,
        folder_mode: int = 0o777,
        keys_kept_hours: float = KEYS_KEPT_HOURS,
    ) -> None:
        self._settings = settings
        self._disk = disk or Disk()
        self._folder_mode = folder_mode
        self._clock = Clock(read_ms)
        self._ledger = Ledger(settings, self._disk, self._clock, int(keys_kept_hours * 3_600_000))
        self._lock: FolderLock | None = None
        self._listener: Listener | None = None
        self._parts: _Parts | None = None

    async def open(self) -> None:
        """Make ready; call once, before anything else, from the loop that will use it.

        Raises:
            StoreOpenError: The folder or the file is not what it should be.
        """
        folder = Path(self._settings.data)
        self._lock = take(folder, self._folder_mode)
        try:
            with explaining(folder):
                self._ledger.open()
                self._parts = self._start(folder / FILE_NAME)
        except BaseException:
            self._ledger.close()
            self._lock.release()
            raise

    def _start(self, path: Path) -> _Parts:
        settings = self._settings
        open_reader = partial(
            connect, path, self._disk, cache_mb=settings.read_cache_mb, read_only=True
        )
        reader = Reader(open_reader(), self._ledger.cache)
        slices = SlicedReader(lambda: Reader(open_reader(), self._ledger.cache))
        searches = Searches(
            open_reader,
            at_once=settings.searches_at_once,
            timeout_s=settings.search_timeout_s,
            waiting=settings.searches_waiting,
        )
        writer = Writer(self._ledger, batch=settings.batch, waiting=settings.writes_waiting)
        if self._listener is not None:
            writer.listen(self._listener)
        return _Parts(writer, reader, slices, searches)

    async def close(self) -> None:
        """Finish what was handed in, then let go of everything."""
        if self._parts is None or self._lock is None:
            return
        parts, self._parts = self._parts, None
        parts.reader.close()
        await parts.slices.close()
        await parts.searches.close()
        await parts.writer.stop()
        self._lock.release()

    @property
    def feed(self) -> str:
        """The id of this store's changes feed."""
        return self._ledger.feed

    def now_ms(self) -> int:
        """The time of the next write in ms since 1970; never earlier than that of any write."""
        return self._clock.now_ms()

    # -- indexes and collections ----------------------------------------------------------

    async def catch_up(self) -> None:
        """Nobody else has this store."""

    async def create_index(self, index: str) -> None:
        """Raises: `index_already_exists`, `invalid_index_name`."""
        await self._writer.run(partial(administration.create_index, index=index))

    async def delete_index(self, index: str) -> None:
        """Remove the index with all its collections and documents."""
        await self._writer.run(partial(administration.delete_index, index=index))

    def has_index(self, index: str) -> bool:
        """Whether the index exists."""
        return index in self._ledger.catalog.indexes

    def indexes(self) -> list[str]:
        """All indexes, sorted."""
        return sorted(self._ledger.catalog.indexes)

    async def create_collection(
        self, index: str, collection: str, mapping: JsonObject | None = None
    ) -> None:
        """Create the collection, and the index if it is missing; update it if it exists."""
        await self._writer.run(
            partial(administration.create_collection, name=(index, collection), declared=mapping)
        )

    async def update_mapping(self, index: str, collection: str, mapping: JsonObject) -> None:
        """Add fields to a mapping, or change `dynamic` and `_meta`; index what is stored."""
        await self._writer.run(
            partial(administration.update_mapping, name=(index, collection), declared=mapping)
        )

    def mapping(self, index: str, collection: str) -> JsonObject:
        """`{dynamic, _meta, properties}`, `_kuzzle_info` among the properties."""
        return self._ledger.catalog.find(index, collection).mapping.to_json()

    async def delete_collection(self, index: str, collection: str) -> None:
        """Remove the collection and its documents."""
        await self._writer.run(partial(administration.delete_collection, name=(index, collection)))

    async def truncate(self, index: str, collection: str) -> None:
        """Remove all documents of a collection at once; its mapping stays."""
        await self._writer.run(partial(administration.truncate, name=(index, collection)))

    async def usage(self) -> list[Usage]:
        """What every collection takes, by index and name."""
        collections = self._ledger.catalog.collections
        return await self._searches.usage([collections[name] for name in sorted(collections)])

    def has_collection(self, index: str, collection: str) -> bool:
        """Whether the collection exists; False for an unknown index."""
        return (index, collection) in self._ledger.catalog.collections

    def collections(self, index: str) -> list[str]:
        """The collections of an index, sorted."""
        return [collection.name for collection in self._ledger.catalog.of_index(index)]

    # -- documents ------------------------------------------------------------------------

    async def get(self, index: str, collection: str, id: str) -> Document:
        """The document as of the last acknowledged write. Raises: `not_found`."""
        found = self._reader.get(self._ledger.catalog.find(index, collection), id)
        if found is None:
            raise not_found(id, index, collection)
        return found

    async def mget(self, index: str, collection: str, ids: Sequence[str]) -> list[Document | None]:
        """The documents of these ids, in their order; None where there is none."""
        found = self._ledger.catalog.find(index, collection)
        if len(ids) <= SLICE:
            return self._reader.mget(found, ids)
        return await self._slices.mget(found, ids)

    def write(self, write: Write) -> Awaitable[Written]:
        """Hand in one write; await the result for the acknowledgement."""
        if self._parts is None:
            refused: asyncio.Future[Written] = asyncio.get_running_loop().create_future()
            refused.set_exception(RouterError("api.process.shutting_down"))
            return refused
        return self._writer.write(write)

    def listen(self, listener: Listener, is_wanted: Callable[[], bool] = always) -> None:  # noqa: ARG002 - it costs nothing
        """Call this listener, too, with each write of this process that is acknowledged."""
        self._listener = together(self._listener, listener)
        if self._parts is not None:
            self._writer.listen(self._listener)

    async def bulk(self, writes: Sequence[Write]) -> list[Written | RouterError]:
        """Hand in many writes at once, in order; each outcome stands at its write's place."""
        return await self._writer.write_all(writes)

    async def recall(self, key: str) -> Remembered | None:
        """What is known of an idempotency key."""
        return self._reader.recall(key, self._clock.now_ms() - self._ledger.keys_kept_ms)

    async def conclude(self, key: str, answer: JsonObject) -> None:
        """Keep the answer of a key whose write was done; durable when this returns."""
        await self._writer.run(Conclusion(key, packed(answer)))

    async def search(self, targets: Sequence[tuple[str, str]], search: Search) -> Page:
        """Hits of the (index, collection) pairs; ties of the sort are broken by `_id`."""
        return await self._answered(targets, self._searches.page, search)

    async def count(self, targets: Sequence[tuple[str, str]], search: Search) -> int:
        """How many documents match."""
        return await self._answered(targets, self._searches.count, search)

    async def scan(
        self, index: str, collection: str, search: Search, after_id: str = ""
    ) -> list[Hit]:
        """The next `size` hits in the order of their ids' bytes."""

        def ask(collections: Sequence[Collection], search: Search) -> Awaitable[list[Hit]]:
            return self._searches.scan(collections[0], search, after_id)

        return await self._answered([(index, collection)], ask, search)

    async def settle(self, index: str, collection: str, ids: Sequence[str]) -> None:
        """Nothing to do: what a search shows was told."""

    async def scroll(
        self,
        targets: Sequence[tuple[str, str]],
        search: Search,
        *,
        most: int,
        life_s: float,  # noqa: ARG002 - it takes nothing from others, so it may live on
    ) -> Scroll:
        """Open a search: which documents, in what order; they are read with their page."""
        return await self._answered(targets, partial(self._searches.scroll, most=most), search)

    async def refresh(self, index: str, collection: str) -> None:
        """Return at once: searches see every acknowledged write."""
        self._ledger.catalog.find(index, collection)

    async def changes(self, since: int, limit: int = 1000) -> list[Change]:
        """Rows of the feed with `seq` above `since`, in order. Raises: `trivium.feed.gone`."""
        return self._reader.changes(since, limit)

    async def before(self, change: Change) -> JsonObject | None:
        """The document before a change. Raises: `trivium.feed.gone`."""
        return self._reader.before(change)

    async def newest(self) -> int:
        """Where the feed is by now."""
        return self._reader.newest()

    async def page(self, index: str, collection: str, after_id: str, size: int) -> list[Document]:
        """The next documents in the order of their ids. See `storage.transfer.Transferable`."""
        return self._reader.page(self._ledger.catalog.find(index, collection), after_id, size)

    async def load(self, index: str, collection: str, documents: Sequence[Document]) -> None:
        """Put documents in verbatim. See `storage.transfer.Transferable`."""
        await self._writer.run(
            partial(transfer.load, name=(index, collection), documents=documents)
        )

    async def graves(self, index: str, collection: str, after_id: str, size: int) -> list[Grave]:
        """What is left of deleted documents. See `storage.transfer.Transferable`."""
        return self._reader.graves(self._ledger.catalog.find(index, collection), after_id, size)

    async def bury(self, index: str, collection: str, graves: Sequence[Grave]) -> None:
        """Know the versions of deleted documents. See `storage.transfer.Transferable`."""
        await self._writer.run(partial(transfer.bury, name=(index, collection), graves=graves))

    async def rows(self, since: int, limit: int) -> list[Change]:
        """The rows of the feed that there are. See `storage.transfer.Transferable`."""
        return self._reader.rows(since, limit)

    async def load_rows(self, rows: Sequence[Change]) -> None:
        """Put rows into the feed. See `storage.transfer.Transferable`."""
        await self._writer.run(partial(transfer.load_rows, rows=rows))

    async def _answered(
        self,
        targets: Sequence[tuple[str, str]],
        ask: Callable[[Sequence[Collection], Search], Awaitable[T]],
        search: Search,
    ) -> T:
        try:
            return await self._asked(targets, ask, search)
        except UnicodeEncodeError as error:
            raise RouterError(
                "services.storage.unexpected_bad_request", f"The search holds no text: {error}."
            ) from error

    async def _asked(
        self,
        targets: Sequence[tuple[str, str]],
        ask: Callable[[Sequence[Collection], Search], Awaitable[T]],
        search: Search,
    ) -> T:
        collections = self._targets(targets)
        while True:
            try:
                return await ask(collections, search)
            except RouterError:
                asked = [each.number for each in collections]
                collections = self._targets(targets)  # says so if one of them is gone by now
                if asked == [each.number for each in collections]:
                    raise
                # One was made anew meanwhile, in other tables.

    def _targets(self, targets: Sequence[tuple[str, str]]) -> list[Collection]:
        catalog = self._ledger.catalog
        return [catalog.find(*name) for name in dict.fromkeys(targets)]

    # -- parts ----------------------------------------------------------------------------

    @property
    def _writer(self) -> Writer:
        return self._opened.writer

    @property
    def _reader(self) -> Reader:
        return self._opened.reader

    @property
    def _slices(self) -> SlicedReader:
        return self._opened.slices

    @property
    def _searches(self) -> Searches:
        return self._opened.searches

    @property
    def _opened(self) -> _Parts:
        if self._parts is None:
            raise RouterError("api.process.shutting_down")
        return self._parts
