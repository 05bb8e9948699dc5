"""Which indexes and collections the server has, as one immutable picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from router.envelope import Json, JsonObject
from router.errors import RouterError
from storage.mapping import Mapping
from storage.names import RESERVED_COLLECTION, incarnation
from storage.opensearch import places
from storage.opensearch.client import Client, object_at

Name: TypeAlias = tuple[str, str]
"""An index and a collection in it."""


_FOREIGN: Final[JsonObject] = {"type": "object", "enabled": False}
_OWN: Final[JsonObject] = {
    "dynamic": "false",
    "properties": {
        places.ID: {"type": "keyword"},
        places.AT: {"type": "date", "format": "epoch_millis"},
        places.LAST: _FOREIGN,
    },
}
"""The mapping of the hidden field. What others made has no id to sort by in its documents."""


@dataclass(frozen=True, slots=True)
class Collection:
    """One collection: its mapping, the index that holds it, and that index's own id.

    `is_foreign` says that another program made it: not every document has a hidden field. `told`
    is the mapping in the server's words, as long as `mapping` is just what was read from it.
    """

    mapping: Mapping
    physical: str
    uuid: str
    scope: places.Scope
    is_foreign: bool = False
    told: JsonObject | None = dataclasses.field(default=None, compare=False, repr=False)
    incarnation: str = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "incarnation", incarnation(self.uuid))

    @property
    def name(self) -> Name:
        """Its index and its own name."""
        return self.mapping.index, self.mapping.collection

    @property
    def alias(self) -> str:
        """What the server is asked for."""
        return places.alias(self.scope.physical(*self.name))

    @property
    def sort_id(self) -> str:
        """The field to sort by id."""
        return "_id" if self.is_foreign else f"{places.HIDDEN}.{places.ID}"

    def remapped(self, mapping: Mapping) -> Collection:
        """This collection with another mapping."""
        return replace(self, mapping=mapping, told=None)


@dataclass(frozen=True, slots=True)
class Catalog:
    """All indexes and collections at one moment."""

    indexes: frozenset[str]
    collections: dict[Name, Collection]

    def find(self, index: str, collection: str) -> Collection:
        """The collection of that name.

        Raises:
            RouterError: `services.storage.unknown_index`, `services.storage.unknown_collection`.
        """
        found = self.collections.get((index, collection))
        if found is None:
            self.check_index(index)
            raise RouterError("services.storage.unknown_collection", index, collection)
        return found

    def check_index(self, index: str) -> None:
        """Let the name of an index pass that exists. Raises: `services.storage.unknown_index`."""
        if index not in self.indexes:
            raise RouterError("services.storage.unknown_index", index)

    def of_index(self, index: str) -> list[Collection]:
        """The collections of an index that exists, by name."""
        self.check_index(index)
        found = [each for each in self.collections.values() if each.name[0] == index]
        return sorted(found, key=lambda each: each.name)

    def with_collection(self, changed: Collection) -> Catalog:
        """This picture with one collection, and its index, added or changed."""
        collections = {**self.collections, changed.name: changed}
        return Catalog(self.indexes | {changed.name[0]}, collections)

    def without(self, gone: Iterable[Collection], indexes: Iterable[str] = ()) -> Catalog:
        """This picture without some collections and indexes."""
        names = {each.name for each in gone}
        kept = {name: each for name, each in self.collections.items() if name not in names}
        return replace(self, indexes=self.indexes.difference(indexes), collections=kept)


async def load(client: Client, scope: places.Scope, known: Catalog) -> Catalog:
    """The picture of a scope that the server has now. Missing aliases are added
    (`generateMissingAliases` of the peer). Raises: `storage.opensearch.faults`.

    Args:
        known: An earlier picture. What is in it and has not changed is not read again: of some
            hundred collections that takes a good part of a second.
    """
    found = await client.request("GET", scope.every, params={"expand_wildcards": "all"})
    indexes: set[str] = set()
    collections: dict[Name, Collection] = {}
    for physical, told in found.items():
        name, has_alias = _name(scope, physical, told)
        if name is None:
            continue
        indexes.add(name[0])
        if name[1] == RESERVED_COLLECTION:
            continue
        if not has_alias:
            await client.request("PUT", physical, "_alias", places.alias(scope.physical(*name)))
        mappings = object_at(told, "mappings")
        if not object_at(mappings, "properties", places.HIDDEN):
            added: JsonObject = {"properties": {places.HIDDEN: _FOREIGN}}
            await client.request("PUT", physical, "_mapping", body=added)
        uuid = str(object_at(told, "settings", "index").get("uuid"))
        before = known.collections.get(name)
        if before is not None and (before.uuid, before.told) == (uuid, mappings):
            collections[name] = before
        else:
            collections[name] = _collection(name, physical, uuid, mappings, scope)
    return Catalog(frozenset(indexes), collections)


def _collection(
    name: Name, physical: str, uuid: str, told: JsonObject, scope: places.Scope
) -> Collection:
    is_foreign = "properties" not in object_at(told, "properties", places.HIDDEN)
    return Collection(read_mapping(name, told), physical, uuid, scope, is_foreign, told)


def server_mapping(mapping: Mapping, *, is_foreign: bool = False) -> JsonObject:
    """A mapping as the server is told it: with the hidden field."""
    form = mapping.to_json()
    hidden = _FOREIGN if is_foreign else _OWN
    properties = object_at(form, "properties")
    return {**form, "properties": {**properties, places.HIDDEN: hidden}}


def read_mapping(name: Name, told: JsonObject) -> Mapping:
    """The mapping that the server tells. Fields of types that this store doesn't know count as
    unmapped: the index may be somebody else's."""
    kept = ("dynamic", "_meta", "dynamic_templates")
    form: JsonObject = {key: told[key] for key in kept if key in told}
    known = _known(name, object_at(told, "properties"))
    known.pop(places.HIDDEN, None)
    return Mapping.parse(*name, {**form, "properties": known})


def _known(name: Name, properties: JsonObject) -> JsonObject:
    if _is_known(name, properties):
        return dict(properties)
    known: JsonObject = {}
    for key, definition in properties.items():
        if isinstance(definition, dict) and isinstance(definition.get("properties"), dict):
            inner = _known(name, object_at(definition, "properties"))
            candidate: Json = {**definition, "properties": inner}
        else:
            candidate = definition
        if _is_known(name, {key: candidate}):
            known[key] = candidate
    return known


def _is_known(name: Name, properties: JsonObject) -> bool:
    try:
        Mapping.parse(*name, {"properties": properties})
    except RouterError:
        return False
    return True


def _name(scope: places.Scope, physical: str, told: Json) -> tuple[Name | None, bool]:
    for alias in object_at(told, "aliases"):
        name = scope.named(alias) if alias.startswith("@") else None
        if name is not None:
            return name, True
    return scope.named(physical), False
