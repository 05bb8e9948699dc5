"""The `collection` controller: collections and their mappings."""

from __future__ import annotations

from typing import Final

import msgspec

from controllers import arguments
from controllers.arguments import NAMED
from controllers.kept_settings import KeptSettings
from controllers.writes import author
from realtime.rooms import Rooms
from router import places
from router.actions import Action, Argument, Route
from router.envelope import Json, JsonObject, Request
from router.errors import RouterError
from storage.contract import Storage

_TARGET: Final = (arguments.INDEX, arguments.COLLECTION)
_MAPPINGS: Final = Argument(
    "mappings",
    "object",
    "`{properties?, dynamic?, _meta?}`, merged into what is there.",
    place="body",
)
_SETTINGS: Final = Argument(
    "settings", "object", "Elasticsearch's; kept and shown, without effect.", place="body"
)
_MAPPING_KEYS: Final = frozenset({"properties", "dynamic", "_meta"})
MAPPING_ERRORS: Final = (
    "services.storage.invalid_mapping",
    "services.storage.cannot_change_mapping",
    "services.storage.invalid_mapping_type",
)
_TYPES: Final = ("all", "stored", "realtime")


class Collections(msgspec.Struct, frozen=True):
    """Creates, describes, lists and removes collections."""

    storage: Storage
    settings: KeptSettings
    rooms: Rooms

    async def create(self, request: Request) -> Json:
        """Create a collection, and its index if need be; an existing one takes the mapping in."""
        index, collection = _place(request)
        mapping, settings = _mapping(request), _settings(request)
        await self.storage.create_collection(index, collection, mapping)
        await self.settings.add(index, collection, settings, author(request))
        return {"acknowledged": True}

    async def update(self, request: Request) -> Json:
        """Merge a mapping into the collection's own."""
        index, collection = _place(request)
        request.body_object()
        mapping, settings = _mapping(request), _settings(request)
        await self.storage.update_mapping(index, collection, mapping or {})
        await self.settings.add(index, collection, settings, author(request))
        return None

    async def update_mapping(self, request: Request) -> Json:
        """Merge a mapping, the body itself, into the collection's own; the outcome."""
        index, collection = _place(request)
        await self.storage.update_mapping(index, collection, request.body_object())
        return self.storage.mapping(index, collection)

    async def get_settings(self, request: Request) -> Json:
        """The settings that were given, with defaults."""
        index, collection = _place(request)
        await self.storage.mget(index, collection, ())
        return await self.settings.get(index, collection)

    async def truncate(self, request: Request) -> Json:
        """Remove all documents of a collection."""
        await self.storage.truncate(*_place(request))
        return {"acknowledged": True}

    async def get_mapping(self, request: Request) -> Json:
        """The mapping, without the router's own fields unless asked."""
        whole = request.flag("includeKuzzleMeta")
        place = _place(request)
        await self.storage.catch_up()
        stored = self.storage.mapping(*place)
        mapping = {key: value for key, value in stored.items() if value or key != "_meta"}
        properties = mapping.get("properties")
        if whole or not isinstance(properties, dict):
            return mapping
        shown = {name: field for name, field in properties.items() if name != "_kuzzle_info"}
        return {**mapping, "properties": shown}

    async def exists(self, request: Request) -> Json:
        """Whether the collection exists."""
        place = _place(request)
        await self.storage.catch_up()
        return self.storage.has_collection(*place)

    async def list(self, request: Request) -> Json:
        """The collections of an index, sorted; a page of them if asked."""
        index = request.name("index")
        kind = request.string("type", "all")
        if kind not in _TYPES:
            raise RouterError("api.assert.invalid_argument", "type", ", ".join(_TYPES))
        first, size = request.integer("from", 0), request.integer("size", 0)
        if first < 0 or size < 0:
            raise RouterError(
                "api.assert.invalid_argument", "from" if first < 0 else "size", "zero or more"
            )
        await self.storage.catch_up()
        stored = [] if kind == "realtime" else self.storage.collections(index)
        heard = () if kind == "stored" else self.rooms.collections(index)
        named = [(name, "stored") for name in stored] + [(name, "realtime") for name in heard]
        page = sorted(named)[first : first + size if size else None]
        collections: list[Json] = [{"name": name, "type": its} for name, its in page]
        result: JsonObject = {"collections": collections, "type": kind}
        if first:
            result["from"] = first
        if size:
            result["size"] = size
        return result

    async def delete(self, request: Request) -> Json:
        """Remove a collection and its documents."""
        index, collection = _place(request)
        await self.storage.delete_collection(index, collection)
        await self.settings.forget(index, collection, author(request))
        return None

    async def refresh(self, request: Request) -> Json:
        """Make every write of before visible to searches."""
        await self.storage.refresh(*_place(request))
        return None

    def actions(self) -> tuple[Action, ...]:
        """The actions of this controller."""
        found = (
            self._making(),
            *self._mapping(),
            *self._removing(),
            *self._listing(),
            *self._describing(),
        )
        return tuple(sorted(found, key=lambda action: action.name))

    def _making(self) -> Action:
        return Action(
            controller="collection",
            name="create",
            handler=self.create,
            places=places.named,
            summary="Create a collection, or merge the mapping into an existing one.",
            routes=(Route("PUT", "/:index/:collection"),),
            arguments=(*_TARGET, _MAPPINGS, _SETTINGS),
            body="optional",
            result="`{acknowledged: true}`",
            errors=(
                *NAMED[:2],
                *MAPPING_ERRORS,
                "services.storage.invalid_index_name",
                "services.storage.invalid_collection_name",
                "services.storage.collection_reserved",
            ),
        )

    def _mapping(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="collection",
                name="update",
                handler=self.update,
                places=places.named,
                summary="Add fields to a collection's mapping, or change its `dynamic` or `_meta`.",
                routes=(Route("POST", "/:index/:collection"),),
                arguments=(*_TARGET, _MAPPINGS, _SETTINGS),
                body="required",
                result="null",
                errors=(*NAMED, "api.assert.body_required", *MAPPING_ERRORS),
            ),
            Action(
                controller="collection",
                name="updateMapping",
                handler=self.update_mapping,
                places=places.named,
                summary="Add fields to a collection's mapping; the body is the mapping.",
                routes=(Route("PUT", "/:index/:collection/_mapping"),),
                arguments=_TARGET,
                body="required",
                result="`{dynamic, _meta, properties}`",
                errors=(*NAMED, "api.assert.body_required", *MAPPING_ERRORS),
            ),
        )

    def _removing(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="collection",
                name="delete",
                handler=self.delete,
                places=places.named,
                summary="Delete a collection with its documents.",
                routes=(Route("DELETE", "/:index/:collection"),),
                arguments=_TARGET,
                result="null",
                errors=NAMED,
            ),
            Action(
                controller="collection",
                name="refresh",
                handler=self.refresh,
                places=places.named,
                summary="Make every earlier write visible to searches.",
                routes=(Route("POST", "/:index/:collection/_refresh"),),
                arguments=_TARGET,
                result="null",
                errors=NAMED,
            ),
            Action(
                controller="collection",
                name="truncate",
                handler=self.truncate,
                places=places.named,
                summary="Delete all documents of a collection, without a notification.",
                routes=(Route("DELETE", "/:index/:collection/_truncate"),),
                arguments=_TARGET,
                result="`{acknowledged: true}`",
                errors=NAMED,
            ),
        )

    def _listing(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="collection",
                name="list",
                handler=self.list,
                places=places.named,
                summary="The collections of an index.",
                routes=(Route("GET", "/:index/_list"),),
                arguments=(
                    arguments.INDEX,
                    Argument("from", "integer", "How many to skip; default 0."),
                    Argument("size", "integer", "How many to answer; 0, the default, is all."),
                    Argument("type", "string", "`all`, `stored`, or `realtime`: listened to."),
                ),
                result="`{collections: [{name, type}], type, from?, size?}`",
                errors=(*NAMED[:3], "api.assert.invalid_argument"),
            ),
        )

    def _describing(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="collection",
                name="exists",
                handler=self.exists,
                places=places.named,
                summary="Whether a collection exists.",
                routes=(Route("GET", "/:index/:collection/_exists"),),
                arguments=_TARGET,
                result="boolean",
                errors=NAMED[:2],
            ),
            Action(
                controller="collection",
                name="getMapping",
                handler=self.get_mapping,
                places=places.named,
                summary="A collection's mapping.",
                routes=(Route("GET", "/:index/:collection/_mapping"),),
                arguments=(
                    *_TARGET,
                    Argument("includeKuzzleMeta", "flag", "Show `_kuzzle_info` too."),
                ),
                result="`{dynamic, _meta?, properties}`",
                errors=NAMED,
            ),
            Action(
                controller="collection",
                name="getSettings",
                handler=self.get_settings,
                places=places.named,
                summary="A collection's settings.",
                routes=(Route("GET", "/:index/:collection/_settings"),),
                arguments=_TARGET,
                result="`{number_of_shards, number_of_replicas, …}`",
                errors=NAMED,
            ),
        )


def _settings(request: Request) -> JsonObject:
    return {} if request.body is None else request.body_field("settings", {})


def _place(request: Request) -> tuple[str, str]:
    return request.name("index"), request.name("collection")


def _mapping(request: Request) -> JsonObject | None:
    if request.body is None:
        return None
    mapping = mapping_of(request.body_object())
    if not isinstance(mapping, dict | None):
        raise RouterError("api.assert.invalid_type", "body.mappings", "object")
    return mapping


def mapping_of(described: JsonObject) -> Json:
    """The mapping within what describes a collection: under `mappings`, or the whole as clients of
    old send it; None where there is none."""
    if "mappings" not in described and not _MAPPING_KEYS.isdisjoint(described):
        return {key: value for key, value in described.items() if key != "settings"}
    return described.get("mappings")
