"""The catalog as this router knows it, kept up with what other routers change."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from router.envelope import Json
from router.errors import RouterError
from storage.mapping import Mapping
from storage.opensearch import places
from storage.opensearch.catalog import (
    Catalog,
    Collection,
    Name,
    load,
    read_mapping,
    server_mapping,
)
from storage.opensearch.client import Client, object_at
from storage.opensearch.faults import RefusedError, UnreachableError

_WATCH_EVERY_S: Final = 1.0
"""How long what another router changes may stay unknown here if nobody asks for it."""


class Registry:
    """Holds the catalog and changes it, one change at a time."""

    def __init__(self, client: Client, scope: places.Scope) -> None:
        self.client = client
        self.scope = scope
        self._looking = asyncio.Lock()
        self._looked_at = -1.0
        self._seen: Json = None
        self._task: asyncio.Task[None] | None = None
        self.lock = asyncio.Lock()
        self.catalog = Catalog(frozenset(), {})

    async def reload(self) -> None:
        """Look at the server again. Raises: faults."""
        async with self.lock:
            self.catalog = await load(self.client, self.scope, self.catalog)

    async def catch_up(self) -> None:
        """Know what other routers changed before this call. Raises: faults.

        One look is under way at a time, and serves all who asked before it began. It is one
        small request, unless something has changed.
        """
        now = asyncio.get_running_loop().time
        asked_at = now()
        async with self._looking:
            if self._looked_at > asked_at:
                return
            began_at = now()
            version = await self._version()
            if version != self._seen:
                await self.reload()
                self._seen = version
            self._looked_at = began_at

    def start(self) -> None:
        """Keep up with other routers in the background; `stop` must follow."""
        self._task = asyncio.create_task(self._watch(), name="catalog of OpenSearch")

    async def stop(self) -> None:
        """Keep up no longer."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_WATCH_EVERY_S)
            # Away: whoever asks for something is told. The next look will come.
            with contextlib.suppress(UnreachableError, RefusedError):
                await self.catch_up()

    async def _version(self) -> Json:
        """Of the cluster's state: it changes with each index and mapping."""
        told = await self.client.request(
            "GET", "_cluster", "state", "version", params={"filter_path": "version,state_uuid"}
        )
        return [told.get("version"), told.get("state_uuid")]

    async def find(self, name: Name) -> Collection:
        """The collection; another router may have made it just now.

        Raises:
            RouterError: `services.storage.unknown_index`, `services.storage.unknown_collection`.
        """
        known = self.catalog.collections.get(name)
        if known is not None:
            return known
        await self.catch_up()
        return self.catalog.find(*name)

    async def learn(self, collection: Collection, mapping: Mapping) -> Collection:
        """Extend a mapping by what documents added to it. Raises: faults."""
        async with self.lock:
            current = self.catalog.find(*collection.name)
            merged = current.mapping.extended(mapping.to_json())
            return await self.remap(current, merged)

    async def remap(self, collection: Collection, mapping: Mapping) -> Collection:
        """Give a collection another mapping; the caller holds the lock.

        Raises:
            RouterError: `cannot_change_mapping`: another router mapped a field otherwise.
        """
        if mapping is collection.mapping:
            return collection
        try:
            await self.client.request(
                "PUT",
                collection.physical,
                "_mapping",
                body=server_mapping(mapping, is_foreign=collection.is_foreign),
            )
        except RefusedError as error:
            if error.status != 400:
                raise
            await self._catch_up(collection)
            raise RouterError("services.storage.cannot_change_mapping", error.reason) from error
        changed = collection.remapped(mapping)
        self.catalog = self.catalog.with_collection(changed)
        return changed

    async def _catch_up(self, collection: Collection) -> None:
        told = await self.client.request("GET", collection.physical, "_mapping")
        seen = read_mapping(collection.name, object_at(told, collection.physical, "mappings"))
        self.catalog = self.catalog.with_collection(collection.remapped(seen))
