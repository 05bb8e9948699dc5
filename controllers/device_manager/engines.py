"""Which indexes are engines: their declarations in the admin index, kept at hand."""

from __future__ import annotations

import asyncio
from typing import Final

from controllers.device_manager import mappings
from controllers.device_manager.models import COMMONS, Models
from router.envelope import Json, JsonObject
from router.errors import RouterError
from storage.contract import Author, Storage, Write
from storage.query import Search, Sort, Terms

CONFIG: Final = "config"
ASSETS: Final = "assets"
COLLECTIONS: Final = ("assets", "assets-history", "assets-groups", "devices", "measures")
"""The collections of an engine, beside its `config`; in the order that the peer lists them."""

_TYPE: Final = "engine-device-manager"
_PLUGIN: Final[JsonObject] = {
    "type": "device-manager",
    "device-manager": {"provisioningStrategy": "auto"},
}
_PAGE: Final = 1_000  # Declarations that are read at a time.


class Engines:
    """The engines of this router and what they are made of.

    Await `prepare()` once the store is open, before the first request.
    """

    def __init__(self, storage: Storage, models: Models, *, admin_index: str) -> None:
        self.models = models
        self._storage = storage
        self._admin = admin_index
        self._groups: dict[str, str] = {}
        # Engines come, change and go one at a time: each of it takes many steps.
        self._change = asyncio.Lock()

    async def prepare(self) -> None:
        """Create the admin index, store the models, load the engines and bring them up to date."""
        for collection, mapping in (
            (CONFIG, mappings.CONFIG),
            ("models", mappings.MODELS),
            ("devices", mappings.DEVICES),
            ("payloads", mappings.PAYLOADS),
        ):
            await self._storage.create_collection(self._admin, collection, mapping)
        await self._declare_plugin()
        await self._exchange_models()
        for engine in await self.list():
            self._groups[str(engine["index"])] = str(engine["group"])
        for index in self._groups:
            if self._storage.has_index(index):
                await self._build(index)

    def group(self, index: str) -> str:
        """The group of an engine.

        Raises:
            RouterError: `trivium.engine.unknown` for an index that isn't one.
        """
        group = self._groups.get(index)
        if group is None or not self._storage.has_collection(index, ASSETS):
            raise RouterError("trivium.engine.unknown", index, index)
        return group

    def exists(self, index: str) -> bool:
        """Whether an engine of that name is declared."""
        return index in self._groups

    async def create(self, index: str, group: str, author: Author) -> None:
        """Make an index an engine, creating the index if it is missing.

        Raises:
            RouterError: `trivium.engine.already_exists`, `api.assert.invalid_argument` for the
                admin index.
        """
        if index == self._admin:
            raise RouterError(
                "api.assert.invalid_argument", "index", f"not {index}, the admin index"
            )
        async with self._change:
            # One whose index was deleted meanwhile is made anew.
            if self.exists(index) and self._storage.has_collection(index, ASSETS):
                raise RouterError("trivium.engine.already_exists", index)
            self._groups[index] = group
            try:
                await self._storage.create_collection(index, CONFIG, mappings.ENGINE_CONFIG)
                await self._build(index)
                await self._write(_declaration(self._admin, index, group, author))
            except BaseException:
                del self._groups[index]
                raise

    async def update(self, index: str) -> None:
        """Bring an engine's mappings up to date with the models.

        Raises:
            RouterError: `trivium.engine.missing`.
        """
        async with self._change:
            self._insist(index)
            await self._build(index)

    async def delete(self, index: str, author: Author) -> None:
        """Remove an engine's collections and its declaration; the index stays.

        Raises:
            RouterError: `trivium.engine.missing`.
        """
        async with self._change:
            self._insist(index)
            for collection in COLLECTIONS:
                if self._storage.has_collection(index, collection):
                    await self._storage.delete_collection(index, collection)
            write = Write(
                verb="delete",
                index=self._admin,
                collection=CONFIG,
                id=_config_id(index),
                author=author,
                refresh=True,
            )
            await self._write(write, "services.storage.not_found")
            self._groups.pop(index, None)

    async def _declared(self, collection: str, type: str) -> list[JsonObject]:
        found: list[JsonObject] = []
        while True:
            search = Search(
                query=Terms("type", (type,)), sort=(Sort("_id"),), offset=len(found), size=_PAGE
            )
            page = await self._storage.search([(self._admin, collection)], search)
            found += (hit.source for hit in page.hits)
            if len(page.hits) < _PAGE:
                return found

    async def list(self) -> list[JsonObject]:
        """All engines as `{index, group, name}`, by name."""
        documents = await self._declared(CONFIG, _TYPE)
        engines = [document.get("engine") for document in documents]
        return [
            {
                "index": engine.get("index"),
                "group": engine.get("group"),
                "name": engine.get("name"),
            }
            for engine in engines
            if isinstance(engine, dict)
        ]

    def metadata(self, index: str) -> JsonObject:
        """The mapping of the metadata that the engine's models declare."""
        declared: JsonObject = {}
        for model in self.models.seen_by(self._groups.get(index, COMMONS)):
            declared.update(model.metadata_mappings)
        return declared

    def _insist(self, index: str) -> None:
        if not self.exists(index):
            raise RouterError("trivium.engine.missing", index)

    async def _build(self, index: str) -> None:
        group = self._groups[index]
        measures = self.models.measures
        assets = mappings.assets(self.models.seen_by(group), measures)
        made = (
            assets,
            mappings.history(assets),
            mappings.GROUPS,
            mappings.DEVICES,
            mappings.measured(assets, measures),
        )
        for collection, mapping in zip(COLLECTIONS, made, strict=True):
            await self._storage.create_collection(index, collection, mapping)

    async def _declare_plugin(self) -> None:
        write = Write(
            verb="create",
            index=self._admin,
            collection=CONFIG,
            id="plugin--device-manager",
            content=_PLUGIN,
        )
        await self._write(write, "services.storage.document_already_exists")

    async def _exchange_models(self) -> None:
        # Stored models that this run doesn't declare go on serving, as the peer's do.
        for stored in await self._declared("models", "asset"):
            self.models.restore(stored)
        documents = {f"model-asset-{model.model}": model.document() for model in self.models}
        for kind, values in self.models.measures.items():
            documents[f"model-measure-{kind}"] = _measure(kind, values)
        kept = await self._storage.mget(self._admin, "models", list(documents))
        for (key, content), before in zip(documents.items(), kept, strict=True):
            if before is None or _differs(before.source, content):
                await self._write(
                    Write(
                        verb="create_or_replace",
                        index=self._admin,
                        collection="models",
                        id=key,
                        content=content,
                        refresh=True,
                    )
                )

    async def _write(self, write: Write, tolerated: str = "") -> None:
        try:
            await self._storage.write(write)
        except RouterError as error:
            if error.id != tolerated:
                raise


def _config_id(index: str) -> str:
    return f"{_TYPE}--{index}"


def _declaration(admin: str, index: str, group: str, author: Author) -> Write:
    engine: Json = {"index": index, "group": group, "name": "device-manager"}
    return Write(
        verb="create_or_replace",
        index=admin,
        collection=CONFIG,
        id=_config_id(index),
        content={"type": _TYPE, "engine": engine},
        author=author,
        refresh=True,
    )


def _measure(type: str, values: JsonObject) -> JsonObject:
    return {
        "type": "measure",
        "measure": {
            "type": type,
            "valuesMappings": values,
            "valuesDetails": {},
            "validationSchema": {},
            "locales": {},
        },
    }


def _differs(stored: JsonObject, content: JsonObject) -> bool:
    return {key: value for key, value in stored.items() if key != "_kuzzle_info"} != content
