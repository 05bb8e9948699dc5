"""The engine over OpenSearch, as the storage contract has it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from router.envelope import JsonObject, always
from router.errors import RouterError
from router.once import Remembered
from router.settings import OpenSearchSettings
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
    outcome,
)
from storage.opensearch import places, scrolls, searches, states, transfer
from storage.opensearch.administration import Administration
from storage.opensearch.cache import Cache
from storage.opensearch.catalog import Collection, Name
from storage.opensearch.client import Client
from storage.opensearch.faults import RefusedError, telling
from storage.opensearch.feed import Feed
from storage.opensearch.keys import Keys
from storage.opensearch.lane import Lane, Tools
from storage.opensearch.opening import prepare, wait_for
from storage.opensearch.pruning import Pruning
from storage.opensearch.reads import Reads, documents
from storage.opensearch.recovery import Recovery
from storage.opensearch.refreshes import Refreshes
from storage.opensearch.registry import Registry
from storage.opensearch.stream import Stream
from storage.opensearch.turn import Job
from storage.query import Search, by_id
from storage.transfer import Grave

T = TypeVar("T")


class OpenSearchStorage:
    """Documents in an OpenSearch that other routers use too. See `storage.contract.Storage`.

    Each document carries its version and its last change in a hidden field, and is only written
    where it is still what was read. A database that Kuzzle made is served; while this router
    writes to it, no other program may.

    Args:
        connect: How the server is reached.
        read_ms: The system's time in ms since 1970.
        scope: Which of the two stores of the server this is.
        keys_kept_hours: How long an idempotency key is remembered.
    """

    is_shared = True

    def __init__(
        self,
        settings: OpenSearchSettings,
        *,
        scope: places.Scope = places.PUBLIC,
        connect: Callable[[OpenSearchSettings], Client] = Client,
        read_ms: Callable[[], int] = system_ms,
        keys_kept_hours: float = KEYS_KEPT_HOURS,
    ) -> None:
        self._settings = settings
        self._scope = scope
        self._connect = connect
        self._clock = Clock(read_ms)
        self._keys_kept_ms = int(keys_kept_hours * 3_600_000)
        self._lanes: dict[Name, Lane] = {}
        self._stream = Stream()
        self._tools: Tools | None = None
        self._reads: Reads | None = None
        self._recovery: Recovery | None = None
        self._is_closing = False

    async def open(self) -> None:
        """Make ready; call once, before anything else, from the loop that will use it.

        Waits for a server that is away, as long as the settings say.

        Raises:
            StoreOpenError: It stayed away, or refuses this router.
        """
        client = self._connect(self._settings)
        try:
            await self._open(client)
        except BaseException:
            await client.close()
            raise

    async def _open(self, client: Client) -> None:
        settings = self._settings
        feed, registry = Feed(client, self._scope), Registry(client, self._scope)
        pruning = Pruning(client, self._scope, settings)
        recovery = Recovery(registry, feed, self._clock, pruning)
        ready = partial(prepare, client, feed, registry, recovery, settings.replicas)
        await wait_for(settings, ready)
        self._clock.start_at(feed.newest_ms)
        refreshes = Refreshes(client, settings.refresh_ms / 1_000)
        cache = Cache(settings.document_cache_mb * 1_048_576)
        self._reads = Reads(client)
        keys = Keys(client, self._scope, self._clock, self._keys_kept_ms)
        wrote = self._stream.wrote
        self._tools = Tools(
            settings, client, registry, feed, refreshes, cache, self._clock, keys, wrote
        )
        self._stream.begin(self._tools)
        self._recovery = recovery
        recovery.start()
        registry.start()

    async def close(self) -> None:
        """Finish what was handed in, then let go of everything."""
        if self._tools is None or self._reads is None or self._is_closing:
            return
        self._is_closing = True
        await asyncio.gather(*(lane.drain() for lane in self._lanes.values()))
        tools = self._tools
        await self._stream.end()
        await tools.refreshes.close()
        await self._reads.close()
        if self._recovery is not None:
            await self._recovery.stop()
        await tools.registry.stop()
        await tools.feed.close()
        await tools.client.close()

    @property
    def feed(self) -> str:
        """The id of this store's changes feed."""
        return self._opened.feed.id

    def now_ms(self) -> int:
        """The time of the next write in ms since 1970; never earlier than that of any write."""
        return self._clock.now_ms()

    # -- indexes and collections ----------------------------------------------------------

    async def catch_up(self) -> None:
        """Know what other routers did to indexes, collections and mappings."""
        with telling():
            await self._registry.catch_up()

    async def create_index(self, index: str) -> None:
        """Raises: `index_already_exists`, `invalid_index_name`."""
        with telling():
            await self._administration.create_index(index)

    async def delete_index(self, index: str) -> None:
        """Remove the index with all its collections and documents."""
        with telling():
            await self._administration.delete_index(index)

    def has_index(self, index: str) -> bool:
        """Whether the index exists."""
        return index in self._registry.catalog.indexes

    def indexes(self) -> list[str]:
        """All indexes, sorted."""
        return sorted(self._registry.catalog.indexes)

    async def create_collection(
        self, index: str, collection: str, mapping: JsonObject | None = None
    ) -> None:
        """Create the collection, and the index if it is missing; update it if it exists."""
        with telling():
            await self._administration.create_collection(index, collection, mapping)

    async def update_mapping(self, index: str, collection: str, mapping: JsonObject) -> None:
        """Add fields to a mapping, or change `dynamic` and `_meta`; index what is stored."""
        with telling():
            await self._administration.update_mapping(index, collection, mapping)

    def mapping(self, index: str, collection: str) -> JsonObject:
        """`{dynamic, _meta, properties}`, `_kuzzle_info` among the properties."""
        return self._registry.catalog.find(index, collection).mapping.to_json()

    async def delete_collection(self, index: str, collection: str) -> None:
        """Remove the collection and its documents."""
        with telling():
            await self._administration.delete_collection((index, collection))

    async def truncate(self, index: str, collection: str) -> None:
        """Remove all documents of a collection at once; its mapping stays."""
        with telling():
            await self._administration.truncate((index, collection))

    async def usage(self) -> list[Usage]:
        """What every collection takes, by index and name."""
        with telling():
            return await self._administration.usage()

    def has_collection(self, index: str, collection: str) -> bool:
        """Whether the collection exists; False for an unknown index."""
        return (index, collection) in self._registry.catalog.collections

    def collections(self, index: str) -> list[str]:
        """The collections of an index, sorted."""
        return [each.name[1] for each in self._registry.catalog.of_index(index)]

    # -- documents ------------------------------------------------------------------------

    async def get(self, index: str, collection: str, id: str) -> Document:
        """The document as of the last acknowledged write. Raises: `not_found`."""
        (found,) = await self.mget(index, collection, [id])
        if found is None:
            raise not_found(id, index, collection)
        return found

    async def mget(self, index: str, collection: str, ids: Sequence[str]) -> list[Document | None]:
        """The documents of these ids, in their order; None where there is none."""
        reads = self._reads
        if reads is None or self._is_closing:
            raise RouterError("api.process.shutting_down")
        with telling():
            return await self._asked([(index, collection)], partial(documents, reads, ids))

    async def recall(self, key: str) -> Remembered | None:
        """What is known of an idempotency key."""
        with telling():
            return await self._opened.keys.recall(key)

    async def conclude(self, key: str, answer: JsonObject) -> None:
        """Keep the answer of a key whose write was done; durable when this returns."""
        with telling():
            await self._opened.feed.settled()  # the key may still be on its way to its index
            await self._opened.keys.conclude(key, answer)

    def write(self, write: Write) -> Awaitable[Written]:
        """Hand in one write; await the result for the acknowledgement."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Written] = loop.create_future()
        refused = self._refusal(1)
        if refused is not None:
            future.set_exception(refused)
            return future
        job = Job(write, future, loop.time() + self._settings.patience_s)
        name = (write.index, write.collection)
        if name not in self._lanes:
            self._lanes[name] = Lane(name, self._opened)
        self._lanes[name].add(job)
        return future

    def listen(self, listener: Listener, is_wanted: Callable[[], bool] = always) -> None:
        """Call this listener, too, with what any router writes."""
        self._stream.listen(listener, is_wanted)

    async def bulk(self, writes: Sequence[Write]) -> list[Written | RouterError]:
        """Hand in many writes at once, in order; each outcome stands at its write's place."""
        refused = self._refusal(len(writes))
        if refused is not None:
            raise refused
        answers = [self.write(write) for write in writes]
        return [await outcome(answer) for answer in answers]

    def _refusal(self, count: int) -> RouterError | None:
        if self._tools is None or self._is_closing:
            return RouterError("api.process.shutting_down")
        waiting = sum(lane.waiting for lane in self._lanes.values()) + self._tools.feed.waiting
        if waiting + count > self._settings.writes_waiting:
            return RouterError("api.process.overloaded")
        return None

    async def search(self, targets: Sequence[tuple[str, str]], search: Search) -> Page:
        """Hits of the (index, collection) pairs; ties of the sort are broken by `_id`."""
        with telling():
            return await self._asked(
                targets, lambda found: searches.page(self._opened.client, found, search)
            )

    async def count(self, targets: Sequence[tuple[str, str]], search: Search) -> int:
        """How many documents match."""
        with telling():
            return await self._asked(
                targets, lambda found: searches.count(self._opened.client, found, search)
            )

    async def scan(
        self, index: str, collection: str, search: Search, after_id: str = ""
    ) -> list[Hit]:
        """The next `size` hits in the order of their ids' bytes."""
        return (await self.search([(index, collection)], by_id(search, after_id))).hits

    async def settle(self, index: str, collection: str, ids: Sequence[str]) -> None:
        """Return once `changes` tells all that searches have shown of these documents."""
        with telling():
            await self._asked(
                [(index, collection)], lambda found: states.settle(self._opened, found[0], ids)
            )

    async def scroll(
        self,
        targets: Sequence[tuple[str, str]],
        search: Search,
        *,
        most: int,  # noqa: ARG002 - the server holds them
        life_s: float,
    ) -> Scroll:
        """Open a search: a snapshot that the server keeps."""
        with telling():
            found = await self._found(targets)
            return await scrolls.opened(self._opened.client, found, search, life_s)

    async def refresh(self, index: str, collection: str) -> None:
        """Return once searches see every write acknowledged before."""
        with telling():
            await self._asked(
                [(index, collection)],
                lambda found: asyncio.shield(self._opened.refreshes.join(found[0].alias)),
            )

    async def changes(self, since: int, limit: int = 1000) -> list[Change]:
        """Rows of the feed with `seq` above `since`, in order. Raises: `trivium.feed.gone`."""
        with telling():
            return await self._opened.feed.read(since, limit)

    async def before(self, change: Change) -> JsonObject | None:
        """The document before a change. Raises: `trivium.feed.gone`."""
        with telling():
            return await states.before(self._opened, change)

    async def newest(self) -> int:
        """Where the feed is by now."""
        with telling():
            return await self._opened.feed.newest()

    async def page(self, index: str, collection: str, after_id: str, size: int) -> list[Document]:
        """The next documents in the order of their ids. See `storage.transfer.Transferable`."""
        if not after_id:
            await self.refresh(index, collection)
        with telling():
            return await transfer.page(self._registry, (index, collection), after_id, size)

    async def load(self, index: str, collection: str, documents: Sequence[Document]) -> None:
        """Put documents in verbatim. See `storage.transfer.Transferable`."""
        with telling():
            await transfer.load(self._registry, (index, collection), documents)

    async def graves(self, index: str, collection: str, after_id: str, size: int) -> list[Grave]:
        """What is left of deleted documents. See `storage.transfer.Transferable`."""
        with telling():
            return await transfer.graves(self._registry, (index, collection), after_id, size)

    async def bury(self, index: str, collection: str, graves: Sequence[Grave]) -> None:
        """Know the versions of deleted documents. See `storage.transfer.Transferable`."""
        with telling():
            await transfer.bury(self._registry, (index, collection), graves)

    async def rows(self, since: int, limit: int) -> list[Change]:
        """The rows of the feed that there are. See `storage.transfer.Transferable`."""
        with telling():
            return await self._opened.feed.rows(since, limit)

    async def load_rows(self, rows: Sequence[Change]) -> None:
        """Put rows into the feed. See `storage.transfer.Transferable`."""
        with telling():
            await self._opened.feed.load(rows)

    async def _asked(
        self, targets: Sequence[Name], ask: Callable[[list[Collection]], Awaitable[T]]
    ) -> T:
        """What the server answers about collections; another router may have removed one."""
        try:
            return await ask(await self._found(targets))
        except RefusedError as fault:
            if not fault.is_of_missing_index:
                raise
        await self._registry.reload()
        return await ask(await self._found(targets))

    async def _found(self, targets: Sequence[Name]) -> list[Collection]:
        return [await self._registry.find(name) for name in dict.fromkeys(targets)]

    # -- parts ----------------------------------------------------------------------------

    @property
    def _opened(self) -> Tools:
        if self._tools is None or self._is_closing:
            raise RouterError("api.process.shutting_down")
        return self._tools

    @property
    def _registry(self) -> Registry:
        return self._opened.registry

    @property
    def _administration(self) -> Administration:
        return Administration(self._opened.client, self._registry, self._settings.replicas)
