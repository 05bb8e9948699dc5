"""Which indexes are engines: their declarations in the admin index, kept at hand."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import msgspec

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

_NO_ADMIN: Final = ("services.storage.unknown_index", "services.storage.unknown_collection")

_TRUSTED_S: Final = 5.0
"""How long a declaration counts as read: a router that shares the store may change it."""


class _Known(msgspec.Struct, frozen=True):
    group: str
    read_at: float = msgspec.field(default_factory=time.monotonic)

    @property
    def is_trusted(self) -> bool:
        return time.monotonic() - self.read_at < _TRUSTED_S


class Engines:
    """The engines of this router and what they are made of.

    Await `prepare()` once the store is open, before the first request.
    """

    def __init__(self, storage: Storage, models: Models, *, admin_index: str) -> None:
        self.models = models
        self._storage = storage
        self._admin = admin_index
        self._known: dict[str, _Known] = {}
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
            self._known[str(engine["index"])] = _Known(str(engine["group"]))
        for index, known in list(self._known.items()):
            if self._storage.has_index(index):
                await self._build(index, known.group)

    async def group(self, index: str) -> str:
        """The group of an engine; another router may have made it just now.

        Raises:
            RouterError: `trivium.engine.unknown` for an index that isn't one.
        """
        known = self._known.get(index)
        is_there = self._storage.has_collection(index, ASSETS)
        if known is not None and known.is_trusted and is_there:
            return known.group
        if not is_there:
            await self._storage.catch_up()
        if self._storage.has_collection(index, ASSETS) and await self.exists(index):
            return self._known[index].group
        raise RouterError("trivium.engine.unknown", index, index)

    async def exists(self, index: str) -> bool:
        """Whether an engine of that name is declared."""
        engine = await self._declaration(index)
        if engine.get("index") == index:
            self._known[index] = _Known(str(engine.get("group")))
            return True
        self._known.pop(index, None)
        return False

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
            if await self.exists(index):
                await self._storage.catch_up()
                if self._storage.has_collection(index, ASSETS):
                    raise RouterError("trivium.engine.already_exists", index)
            self._known[index] = _Known(group)
            try:
                await self._storage.create_collection(index, CONFIG, mappings.ENGINE_CONFIG)
                await self._build(index, group)
                await self._write(_declaration(self._admin, index, group, author))
            except BaseException:
                self._known.pop(index, None)
                raise

    async def update(self, index: str) -> None:
        """Bring an engine's mappings up to date with the models.

        Raises:
            RouterError: `trivium.engine.missing`.
        """
        async with self._change:
            await self._insist(index)
            await self._build(index, self._group(index))

    async def delete(self, index: str, author: Author) -> None:
        """Remove an engine's collections and its declaration; the index stays.

        Raises:
            RouterError: `trivium.engine.missing`.
        """
        async with self._change:
            await self._insist(index)
            await self._storage.catch_up()
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
            self._known.pop(index, None)

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
        for model in self.models.seen_by(self._group(index)):
            declared.update(model.metadata_mappings)
        return declared

    def _group(self, index: str) -> str:
        known = self._known.get(index)
        return COMMONS if known is None else known.group

    async def _declaration(self, index: str) -> JsonObject:
        try:
            (document,) = await self._storage.mget(self._admin, CONFIG, [_config_id(index)])
        except RouterError as error:
            if error.id not in _NO_ADMIN:
                raise
            document = None
        engine = None if document is None else document.source.get("engine")
        return engine if isinstance(engine, dict) else {}

    async def _insist(self, index: str) -> None:
        was_known = index in self._known and self._storage.has_collection(index, ASSETS)
        if not await self.exists(index) and not was_known:
            raise RouterError("trivium.engine.missing", index)

    async def _build(self, index: str, group: str) -> None:
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
