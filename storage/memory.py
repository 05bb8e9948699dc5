"""The contract kept in memory: for tests, which can make it conflict and hide its writes."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterable, Sequence

import msgspec

from router.envelope import Json, JsonObject, always
from router.errors import RouterError
from router.once import Remembered
from storage.aggregate import Aggregator
from storage.clock import system_ms
from storage.conflicts import not_found, version_conflict
from storage.contract import (
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
from storage.done import Done
from storage.evaluate import in_order, sort_value
from storage.listening import together
from storage.mapping import Mapping
from storage.merge import copied
from storage.names import check_collection, check_index
from storage.projection import project
from storage.query import Search, by_id
from storage.replay import detached, forward, needs_more, notes_of
from storage.shelf import Found, Shelf
from storage.undo import document_before, told_of


class MemoryStorage:
    """A `storage.contract.Storage` that forgets everything when it is closed.

    Args:
        read_ms: The clock; stamps never go back even if it does.
    """

    is_shared = False

    def __init__(self, read_ms: Callable[[], int] = system_ms) -> None:
        self._read_ms = read_ms
        self._newest_ms = 0
        self._feed = str(uuid.uuid4())
        self._shelves: dict[str, dict[str, Shelf]] = {}
        self._changes: list[Change] = []
        self._keys: dict[str, Done] = {}
        self._conflicts = 0
        self._is_hiding = False
        self._listener: Listener | None = None

    # -- what a test can make it do -------------------------------------------------------

    def conflict(self, times: int) -> None:
        """Let the next so many attempts to write find that another writer was faster."""
        self._conflicts = times

    def hide_until_refresh(self) -> None:
        """Let searches see no further write until `refresh`, or until a write with `refresh`
        is answered; other engines are slow this way, this one only on request."""
        self._is_hiding = True
        for shelf in self._all_shelves():
            shelf.hide()

    # -- the contract ---------------------------------------------------------------------

    async def open(self) -> None:
        """Nothing to make ready."""

    async def close(self) -> None:
        """Forget everything."""
        self._shelves.clear()
        self._changes.clear()

    @property
    def feed(self) -> str:
        """The id of this store's changes feed."""
        return self._feed

    def now_ms(self) -> int:
        """The time of the next write; never earlier than that of any write."""
        return max(self._read_ms(), self._newest_ms)

    async def catch_up(self) -> None:
        """Nobody else has this store."""

    async def create_index(self, index: str) -> None:
        """Raises: `index_already_exists`, `invalid_index_name`."""
        check_index(index)
        if index in self._shelves:
            raise RouterError("services.storage.index_already_exists", "public", index)
        self._shelves[index] = {}

    async def delete_index(self, index: str) -> None:
        """Remove the index with all its collections and documents."""
        self._index(index)
        del self._shelves[index]

    def has_index(self, index: str) -> bool:
        """Whether the index exists."""
        return index in self._shelves

    def indexes(self) -> list[str]:
        """All indexes, sorted."""
        return sorted(self._shelves)

    async def create_collection(
        self, index: str, collection: str, mapping: JsonObject | None = None
    ) -> None:
        """Create the collection, and the index if it is missing; update it if it exists."""
        check_index(index)
        check_collection(collection)
        if self.has_collection(index, collection):
            if mapping is not None:
                await self.update_mapping(index, collection, mapping)
            return
        shelf = Shelf(Mapping.parse(index, collection, mapping))
        if self._is_hiding:
            shelf.hide()
        self._shelves.setdefault(index, {})[collection] = shelf

    async def update_mapping(self, index: str, collection: str, mapping: JsonObject) -> None:
        """Add fields to a mapping; documents are indexed anew when they are next searched."""
        shelf = self._shelf(index, collection)
        shelf.mapping = shelf.mapping.extended(mapping)

    def mapping(self, index: str, collection: str) -> JsonObject:
        """`{dynamic, _meta, properties}`, `_kuzzle_info` among the properties."""
        return self._shelf(index, collection).mapping.to_json()

    async def delete_collection(self, index: str, collection: str) -> None:
        """Remove the collection and its documents."""
        self._shelf(index, collection)
        del self._shelves[index][collection]

    async def truncate(self, index: str, collection: str) -> None:
        """Put an empty shelf of the same mapping in the place of the collection's."""
        shelf = Shelf(self._shelf(index, collection).mapping)
        if self._is_hiding:
            shelf.hide()
        self._shelves[index][collection] = shelf

    async def usage(self) -> list[Usage]:
        """What every collection takes, by index and name."""
        return [
            Usage(index, name, *self._shelves[index][name].usage())
            for index in self.indexes()
            for name in self.collections(index)
        ]

    def has_collection(self, index: str, collection: str) -> bool:
        """Whether the collection exists; False for an unknown index."""
        return collection in self._shelves.get(index, {})

    def collections(self, index: str) -> list[str]:
        """The collections of an index, sorted."""
        return sorted(self._index(index))

    async def get(self, index: str, collection: str, id: str) -> Document:
        """The document as of the last write. Raises: `not_found`."""
        document = self._shelf(index, collection).get(id)
        if document is None:
            raise not_found(id, index, collection)
        return document

    async def mget(self, index: str, collection: str, ids: Sequence[str]) -> list[Document | None]:
        """The documents of these ids, in their order; None where there is none."""
        shelf = self._shelf(index, collection)
        return [shelf.get(each) for each in ids]

    def write(self, write: Write) -> asyncio.Future[Written]:
        """Do one write now; what is awaited is its acknowledgement."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Written] = loop.create_future()
        try:
            written = self._write(write)
        except RouterError as error:
            answer.set_exception(error)
        else:
            loop.call_soon(self._acknowledge, write, written, answer)
        return answer

    def listen(self, listener: Listener, is_wanted: Callable[[], bool] = always) -> None:  # noqa: ARG002 - it costs nothing
        """Call this listener, too, with each write that is acknowledged."""
        self._listener = together(self._listener, listener)

    async def bulk(self, writes: Sequence[Write]) -> list[Written | RouterError]:
        """Do many writes in order; each outcome stands at its write's place."""
        answers = [self.write(write) for write in writes]
        return [await outcome(answer) for answer in answers]

    async def recall(self, key: str) -> Remembered | None:
        """What is known of an idempotency key."""
        done = self._keys.get(key)
        if done is None:
            return None
        return Remembered(done.fingerprint, None if done.answer is None else copied(done.answer))

    async def conclude(self, key: str, answer: JsonObject) -> None:
        """Keep the answer of a key whose write was done."""
        if key in self._keys:
            self._keys[key].answer = copied(answer)

    async def search(self, targets: Sequence[tuple[str, str]], search: Search) -> Page:
        """Hits of the (index, collection) pairs; ties of the sort are broken by `_id`."""
        found = in_order(self._matching(targets, search), search.sort)
        shown = [each for each in found if each.is_shown]
        page = shown[search.offset : search.offset + search.size]
        return Page(
            hits=[_hit(each, search) for each in page],
            total=len(found),
            aggregations=self._aggregated(targets, search) if search.aggregations else None,
        )

    async def count(self, targets: Sequence[tuple[str, str]], search: Search) -> int:
        """How many documents match."""
        return len(self._matching(targets, search))

    async def scan(
        self, index: str, collection: str, search: Search, after_id: str = ""
    ) -> list[Hit]:
        """The next `size` hits in the order of their ids' bytes."""
        return (await self.search([(index, collection)], by_id(search, after_id))).hits

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
        """Open a search: a snapshot of what matches now."""
        found = in_order(self._matching(targets, search), search.sort)
        if len(found) > most:
            raise RouterError("trivium.search.too_long_a_scroll", len(found), most)
        return _Scroll(found, search)

    async def refresh(self, index: str, collection: str) -> None:
        """Return once searches see every write acknowledged before."""
        self._shelf(index, collection).refresh()

    async def changes(self, since: int, limit: int = 1000) -> list[Change]:
        """Rows of the feed with `seq` above `since`, in order."""
        if since > len(self._changes):
            raise RouterError("trivium.feed.gone", since)
        start = max(0, since)
        # A row's seq is its place, counted from one.
        return [detached(change) for change in self._changes[start : start + limit]]

    async def before(self, change: Change) -> JsonObject | None:
        """The document before a change."""
        if not needs_more(change):
            return document_before(change, None)
        name = (change.index, change.collection, change.id)
        older = self._changes[change.seq - 2 :: -1]
        # A collection that was made anew begins with version 1.
        return forward(row for row in older if (row.index, row.collection, row.id) == name)

    async def newest(self) -> int:
        """Where the feed is by now."""
        return len(self._changes)

    # -- inside ---------------------------------------------------------------------------

    def _write(self, write: Write) -> Written:
        shelf = self._shelf(write.index, write.collection)
        once = write.once
        if once is not None and once.key in self._keys:
            return self._keys[once.key].repeated(once)
        for _ in range(write.retries + 1):
            if not self._conflicts:
                break
            self._conflicts -= 1
        else:
            raise version_conflict(write, shelf.get(write.id))
        now_ms = self.now_ms()
        written = shelf.write(write, now_ms)
        self._newest_ms = now_ms
        self._record(write, written, shelf.version(write.id))
        if once is not None:
            self._keys[once.key] = Done(write.content, written, once.fingerprint)
        return msgspec.structs.replace(written, seq=len(self._changes))

    def _record(self, write: Write, written: Written, version: int) -> None:
        previous = None if written.previous is None else copied(written.previous)
        after = None if write.verb == "delete" else written.source
        told = told_of(write, version, previous, after)
        self._changes.append(
            Change(
                feed=self._feed,
                seq=len(self._changes) + 1,
                index=write.index,
                collection=write.collection,
                id=write.id,
                version=version,
                action=write.verb,
                author=write.author.id,
                request_id=write.author.request_id,
                wire=write.author.wire,
                at_ms=self._newest_ms,
                changes=told.changes,
                undo=told.undo,
                whole=told.whole,
                notes=notes_of(write),
            )
        )

    def _acknowledge(self, write: Write, written: Written, answer: asyncio.Future[Written]) -> None:
        if write.refresh and self.has_collection(write.index, write.collection):
            self._shelf(write.index, write.collection).refresh()
        if self._listener is not None and written.repeats is None:
            self._listener(write, written)
        if not answer.done():
            answer.set_result(written)

    def _aggregated(self, targets: Sequence[tuple[str, str]], search: Search) -> JsonObject:
        mappings = {target: self._shelf(*target).mapping for target in targets}
        aggregator = Aggregator(search.aggregations, mappings, _told)
        scope = msgspec.structs.replace(search, post_filter=None, sort=(), after=None)
        return aggregator.compute(self._matching(targets, scope))

    def _matching(self, targets: Sequence[tuple[str, str]], search: Search) -> list[Found]:
        shelves = [self._shelf(*target) for target in dict.fromkeys(targets)]
        found = [shelf.matching(search) for shelf in shelves]
        return [each for matching in found for each in matching]

    def _index(self, index: str) -> dict[str, Shelf]:
        if index not in self._shelves:
            raise RouterError("services.storage.unknown_index", index)
        return self._shelves[index]

    def _shelf(self, index: str, collection: str) -> Shelf:
        shelf = self._index(index).get(collection)
        if shelf is None:
            raise RouterError("services.storage.unknown_collection", index, collection)
        return shelf

    def _all_shelves(self) -> Iterable[Shelf]:
        return [shelf for shelves in self._shelves.values() for shelf in shelves.values()]


def _told(found: Found, search: Search) -> Json:
    own, index, collection = found.place
    return {
        "_index": f"&{index}.{collection}",
        "_id": own,
        "_score": None if search.sort else 1.0,
        "_source": project(found.record.source, search),
    }


class _Scroll:
    """What matched at one moment, as it was then."""

    def __init__(self, found: list[Found], search: Search) -> None:
        self._left = found[::-1]
        self._search = search
        self.total = len(found)

    @property
    def remaining(self) -> int:
        """How many hits are left to read."""
        return len(self._left)

    async def next(self) -> list[Hit]:
        """The next hits."""
        count = min(self._search.size, len(self._left))
        return [_hit(self._left.pop(), self._search) for _ in range(count)]

    async def close(self) -> None:
        """Forget them."""
        self._left.clear()


def _hit(found: Found, search: Search) -> Hit:
    _, index, collection = found.place
    record = found.record
    values = [sort_value(key, record.id, found.fields) for key in search.sort]
    source = project(record.source, search)
    return Hit(
        index=index,
        collection=collection,
        id=record.id,
        source=source,
        version=record.version,
        sort=list(values),
    )
