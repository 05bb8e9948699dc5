"""Settings of collections, as Elasticsearch has them: accepted, kept and shown, without effect."""

from __future__ import annotations

from typing import Final

from router.envelope import JsonObject
from router.errors import RouterError
from storage.contract import Author, Storage, Write

_HOME: Final = ("kuzzle", "settings")
_DEFAULTS: Final[JsonObject] = {"number_of_shards": 1, "number_of_replicas": 1}


class KeptSettings:
    """What clients have set, in the private store; it goes with the collection."""

    def __init__(self, private: Storage) -> None:
        self._private = private

    async def get(self, index: str, collection: str) -> JsonObject:
        """The settings of a collection, with defaults."""
        return {**_DEFAULTS, **await self._kept(index, collection)}

    async def add(self, index: str, collection: str, given: JsonObject, author: Author) -> None:
        """Keep settings, those under `index` too; nothing is stored where none are given."""
        if not given:
            return
        if not self._private.has_collection(*_HOME):
            await self._private.create_collection(*_HOME)
        inner = given.get("index")
        flat = {**given, **inner} if isinstance(inner, dict) else {**given}
        if isinstance(inner, dict):
            del flat["index"]
        content: JsonObject = {"settings": {**await self._kept(index, collection), **flat}}
        await self._private.write(_write("create_or_replace", index, collection, content, author))

    async def forget(self, index: str, collection: str, author: Author) -> None:
        """Drop the settings of a collection that is gone."""
        if not await self._kept(index, collection):
            return
        try:
            await self._private.write(_write("delete", index, collection, {}, author))
        except RouterError as error:
            if error.id != "services.storage.not_found":
                raise

    async def _kept(self, index: str, collection: str) -> JsonObject:
        if not self._private.has_collection(*_HOME):
            return {}
        (document,) = await self._private.mget(*_HOME, [f"{index}#{collection}"])
        settings = {} if document is None else document.source.get("settings")
        return settings if isinstance(settings, dict) else {}


def _write(verb: str, index: str, collection: str, content: JsonObject, author: Author) -> Write:
    return Write(
        verb="delete" if verb == "delete" else "create_or_replace",
        index=_HOME[0],
        collection=_HOME[1],
        id=f"{index}#{collection}",
        content=content,
        author=author,
    )
