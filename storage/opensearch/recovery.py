"""Rows of the changes feed that a router left in documents when it died are projected here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final

import structlog

from router.envelope import Json, JsonObject
from router.errors import RouterError
from storage.clock import Clock
from storage.opensearch import places
from storage.opensearch.catalog import Collection, Name
from storage.opensearch.client import object_at, objects
from storage.opensearch.faults import RefusedError, UnreachableError
from storage.opensearch.feed import Feed
from storage.opensearch.operations import empty_grave
from storage.opensearch.pruning import Pruning
from storage.opensearch.reads import fetch_records
from storage.opensearch.records import Record, read_grave, read_record
from storage.opensearch.registry import Registry
from storage.stamps import STAMP

_log = structlog.get_logger("storage.opensearch")

MARGIN_MS: Final = 600_000
"""How long a row may be under way, and by how much the clocks of two routers may differ."""

_EVERY_S: Final = 300.0
"""Other routers may die too."""

_PAGE: Final = 500
_CHECKPOINT: Final = "sweep"
"""The document beside the tombstones that says up to when every change is in the feed."""


class Recovery:
    """Looks through what was changed lately, once at the start and then now and again.

    The feed takes each row once, so that nothing is told twice.
    """

    def __init__(self, registry: Registry, feed: Feed, clock: Clock, pruning: Pruning) -> None:
        self._client = registry.client
        self._registry = registry
        self._pruning = pruning
        self._graves = registry.scope.graves
        self._feed = feed
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Go to work in the background; `stop` must follow."""
        self._task = asyncio.create_task(self._run(), name="recovery of the changes feed")

    async def stop(self) -> None:
        """End, finished or not."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            try:
                await self.sweep()
            except (UnreachableError, RefusedError) as fault:
                _log.warning("the changes feed can't be looked through", fault=str(fault))
            await asyncio.sleep(_EVERY_S)

    async def sweep(self) -> None:
        """Project what is left in documents and tombstones since the last look. Raises: faults."""
        began_ms = self._clock.now_ms()
        since_ms = await self._since()
        if since_ms is not None:
            await self._client.request("POST", self._graves, "_refresh")
            for collection in list(self._registry.catalog.collections.values()):
                with _unless_gone():
                    await self._sweep_documents(collection, since_ms)
            await self._sweep_graves(since_ms)
        swept_ms = began_ms - MARGIN_MS
        await self._client.request(
            "PUT", self._graves, "_doc", _CHECKPOINT, body={"swept": swept_ms}
        )
        self._feed.settled_ms = swept_ms
        # Another router's last look may be so much older, and it would put rows in again.
        await self._pruning.run(began_ms, swept_ms - MARGIN_MS)

    async def open(self) -> None:
        """Know up to when everything is in the feed. Raises: faults."""
        self._feed.settled_ms = await self._since() or 0

    async def _since(self) -> int | None:
        """None for a store that never had a router of this kind."""
        try:
            found = await self._client.request("GET", self._graves, "_doc", _CHECKPOINT)
        except RefusedError as error:
            if error.status == 404:
                return None
            raise
        swept = object_at(found, "_source").get("swept")
        return swept if isinstance(swept, int) else None

    async def _sweep_documents(self, collection: Collection, since_ms: int) -> None:
        bounds: JsonObject = {"gte": since_ms, "format": "epoch_millis"}
        times = [f"{STAMP}.createdAt", f"{STAMP}.updatedAt"]
        if not collection.is_foreign:
            times.append(f"{places.HIDDEN}.{places.AT}")
        either: list[Json] = [{"range": {each: bounds}} for each in times]
        await self._client.request("POST", collection.alias, "_refresh")
        query: JsonObject = {"bool": {"should": either, "minimum_should_match": 1}}
        async for hits in self._pages(collection.alias, query):
            for hit in hits:
                record = read_record({**hit, "found": True})
                self._feed.add(collection, str(hit.get("_id")), record)
            await self._feed.settled()

    async def _sweep_graves(self, since_ms: int) -> None:
        query: JsonObject = {"range": {"at": {"gte": since_ms}}}
        known = {each.uuid: each for each in self._registry.catalog.collections.values()}
        async for hits in self._pages(places.alias(self._graves), query):
            buried: dict[Name, dict[str, Record]] = {}
            for hit in hits:
                told = object_at(hit, "_source")
                collection = known.get(str(told.get("uuid")))
                if collection is not None:
                    grave = read_grave({**hit, "found": True})
                    buried.setdefault(collection.name, {})[str(told.get("id"))] = grave
            for name, graves in buried.items():
                with _unless_gone():
                    await self._project_graves(self._registry.catalog.find(*name), graves)

    async def _project_graves(self, collection: Collection, graves: dict[str, Record]) -> None:
        """A tombstone counts once its document is gone. It keeps the version alone then."""
        found = await fetch_records(self._client, collection, list(graves))
        counting = {key: each for key, each in found.items() if each.content is None and each.rows}
        for key, record in counting.items():
            self._feed.add(collection, key, record)
        await self._feed.settled()
        emptied = [empty_grave(collection, key, each) for key, each in counting.items()]
        if emptied:
            await self._client.bulk(emptied)  # 409: somebody has made or deleted it again

    async def _pages(self, alias: str, query: JsonObject) -> AsyncIterator[Sequence[JsonObject]]:
        last = -1
        while True:
            above: JsonObject = {"range": {"_seq_no": {"gt": last}}}
            body: JsonObject = {
                "size": _PAGE,
                "sort": [{"_seq_no": "asc"}],
                "query": {"bool": {"filter": [above, query]}},
                "seq_no_primary_term": True,
                "version": True,
            }
            found = await self._client.request("POST", alias, "_search", body=body)
            hits = objects(object_at(found, "hits").get("hits"))
            if not hits:
                return
            seq_no = hits[-1].get("_seq_no")
            assert isinstance(seq_no, int)
            last = seq_no
            yield hits


@contextlib.contextmanager
def _unless_gone() -> Iterator[None]:
    """Pass over a collection that is deleted meanwhile."""
    try:
        yield
    except RouterError:
        return
    except RefusedError as error:
        if error.status != 404:
            raise
