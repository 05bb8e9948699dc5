"""`app.sdk.device_manager`: assets and their engines."""

from __future__ import annotations

from typing import Unpack

from router.envelope import JsonObject
from trivium.sdk.calls import Actions, Caller, Content, Options, WriteOptions, expect


class AssetActions(Actions):
    """Assets of an engine: `{"_id", "_version", "_source"}`."""

    async def get(self, index: str, _id: str, **options: Unpack[Options]) -> JsonObject:
        """The asset. Raises: `services.storage.not_found`."""
        return expect(dict, await self._run("get", _at(index, _id), options))

    async def create(
        self, index: str, asset: Content, _id: str | None = None, **options: Unpack[WriteOptions]
    ) -> JsonObject:
        """Create an asset from `{"model", "reference", "type"?, "metadata"?}`."""
        return expect(dict, await self._run("create", _at(index, _id), options, asset))

    async def update(
        self, index: str, _id: str, changes: Content, **options: Unpack[WriteOptions]
    ) -> JsonObject:
        """Merge changes into an asset; `source=True` answers with all of it."""
        return expect(dict, await self._run("update", _at(index, _id), options, changes))

    async def upsert(
        self, index: str, asset: Content, _id: str | None = None, **options: Unpack[WriteOptions]
    ) -> JsonObject:
        """Update the asset, or create it if it isn't there."""
        return expect(dict, await self._run("upsert", _at(index, _id), options, asset))

    async def delete(self, index: str, _id: str, **options: Unpack[WriteOptions]) -> None:
        """Remove the asset. Raises: `services.storage.not_found`."""
        await self._run("delete", _at(index, _id), options)

    async def search(
        self,
        index: str,
        search: Content | None = None,
        *,
        offset: int = 0,
        size: int = 10,
        **options: Unpack[Options],
    ) -> JsonObject:
        """`{"hits": […], "total"}` of a search body (`query`, `sort`…)."""
        place: JsonObject = {"index": index, "from": offset, "size": size}
        return expect(dict, await self._run("search", place, options, search or {}))


class EngineActions(Actions):
    """Engines, each an index with the collections of the device-manager."""

    async def create(
        self, index: str, *, group: str = "commons", **options: Unpack[Options]
    ) -> JsonObject:
        """Make an index an engine of a group; the index is created if need be."""
        place: JsonObject = {"index": index, "group": group}
        return expect(dict, await self._run("create", place, options))

    async def exists(self, index: str, **options: Unpack[Options]) -> bool:
        """Whether the index is an engine."""
        result = expect(dict, await self._run("exists", {"index": index}, options))
        return expect(bool, result["exists"])

    async def delete(self, index: str, **options: Unpack[Options]) -> None:
        """Remove the engine with its assets."""
        await self._run("delete", {"index": index}, options)


class DeviceManager:
    """The controllers of the device-manager; `assets` answers in the current plugin's form."""

    def __init__(self, caller: Caller) -> None:
        self.asset = AssetActions(caller, "device-manager/asset")
        self.assets = Actions(caller, "device-manager/assets")
        self.engine = EngineActions(caller, "device-manager/engine")


def _at(index: str, _id: str | None) -> JsonObject:
    return {"index": index, "_id": _id}
