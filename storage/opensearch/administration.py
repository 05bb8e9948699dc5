"""Changes of the catalog: indexes of the server made, remapped and removed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

import orjson

from router.envelope import Json, JsonObject
from router.errors import RouterError
from storage import names
from storage.contract import Usage
from storage.declared import MAX_FIELDS
from storage.mapping import Mapping
from storage.opensearch import places
from storage.opensearch.catalog import Catalog, Collection, Name, server_mapping
from storage.opensearch.client import Client, object_at, objects, refusal
from storage.opensearch.faults import RefusedError
from storage.opensearch.records import Record, pack, read_record
from storage.opensearch.registry import Registry

_PAGE: Final = 500
"""Documents that are indexed anew at a time."""

_NAMES: Final = 100
"""Names that are tried for the index of one collection."""

_EXISTS: Final = "resource_already_exists_exception"


class Administration:
    """Changes the server and the registry's catalog, one change at a time."""

    def __init__(self, client: Client, registry: Registry, replicas: str) -> None:
        self._client = client
        self._registry = registry
        self._scope = registry.scope
        self._replicas = replicas

    @property
    def _catalog(self) -> Catalog:
        return self._registry.catalog

    async def create_index(self, index: str) -> None:
        """Make an index: what keeps it alive while it has no collection.

        Raises:
            RouterError: `index_already_exists`, `invalid_index_name`; faults.
        """
        names.check_index(index)
        async with self._registry.lock:
            if index in self._catalog.indexes or not await self._keep(index):
                raise RouterError("services.storage.index_already_exists", "public", index)

    async def delete_index(self, index: str) -> None:
        """Remove an index and everything in it. Raises: `unknown_index`, faults."""
        await self._registry.reload()  # so that nothing stays of what others put in
        async with self._registry.lock:
            collections = self._catalog.of_index(index)
            for each in (*(each.physical for each in collections), self._scope.keeper(index)):
                await self._remove(each)
            self._registry.catalog = self._catalog.without(collections, [index])

    async def create_collection(
        self, index: str, collection: str, declared: JsonObject | None
    ) -> None:
        """Make a collection, and its index; add to the mapping of one that exists."""
        names.check_index(index)
        names.check_collection(collection)
        if (index, collection) not in self._catalog.collections:
            mapping = Mapping.parse(index, collection, declared)
            async with self._registry.lock:
                if index not in self._catalog.indexes:
                    await self._keep(index)
                if await self._make(mapping):
                    return
            await self._registry.reload()  # another router was faster
        if declared is not None:
            await self.update_mapping(index, collection, declared)

    async def delete_collection(self, name: Name) -> None:
        """Remove a collection and its documents; its index stays."""
        await self._registry.find(name)
        async with self._registry.lock:
            collection = self._catalog.find(*name)
            await self._keep(name[0])
            await self._remove(collection.physical)
            self._registry.catalog = self._catalog.without([collection])

    async def truncate(self, name: Name) -> None:
        """Put an empty collection of the same mapping in the place of one."""
        async with self._registry.lock:
            collection = self._catalog.find(*name)
            await self._keep(name[0])
            await self._remove(collection.physical)
            if await self._make(collection.mapping):
                return
        await self._registry.reload()  # another router was faster

    async def usage(self) -> list[Usage]:
        """What every collection takes."""
        await self._client.request("POST", self._scope.every, "_refresh")  # or it counts too few
        told = await self._client.request("GET", self._scope.every, "_stats", "docs,store")
        found = []
        for index, name in sorted(self._catalog.collections):
            physical = self._catalog.collections[index, name].physical
            primaries = object_at(told, "indices", physical, "primaries")
            documents = object_at(primaries, "docs").get("count")
            size = object_at(primaries, "store").get("size_in_bytes")
            found.append(Usage(index, name, _number(documents), _number(size)))
        return found

    async def update_mapping(self, index: str, collection: str, declared: JsonObject) -> None:
        """Add to a mapping, and index what is stored under the new fields."""
        await self._registry.find((index, collection))
        async with self._registry.lock:
            before = self._catalog.find(index, collection)
            mapping = before.mapping.extended(declared)
            if mapping is before.mapping:
                return
            changed = await self._registry.remap(before, mapping)
            await self._reindex(changed)

    # -- indexes ------------------------------------------------------------------------------

    async def _keep(self, index: str) -> bool:
        """Make the hidden collection; False if it was there."""
        name = self._scope.keeper(index)
        is_new = await self._create(name, name, {"dynamic": "false"}) is not None
        self._registry.catalog = Catalog(self._catalog.indexes | {index}, self._catalog.collections)
        return is_new

    async def _make(self, mapping: Mapping) -> bool:
        """Make the index of a collection; False if the collection is there.

        An index comes with its alias in one step, so that one of that name without the alias
        is something else (Kuzzle reference, 4.1). Routers that make the same collection at a
        time try the same names in the same order: one of them makes the first that is free.
        """
        name = self._scope.physical(mapping.index, mapping.collection)
        for number in range(_NAMES):
            if await self._has_alias(places.alias(name)):
                return False
            physical = f"{name[:248]}.{number}" if number else name
            uuid = await self._create(physical, name, server_mapping(mapping))
            if uuid is not None:
                made = Collection(mapping, physical, uuid, self._scope)
                self._registry.catalog = self._catalog.with_collection(made)
                return True
        raise RouterError("services.storage.unexpected_error", f"the names like {name} are taken")

    async def _has_alias(self, alias: str) -> bool:
        try:
            await self._client.request("GET", "_alias", alias)
        except RefusedError as error:
            if error.status == 404:
                return False
            raise
        return True

    async def _create(self, physical: str, name: str, mapping: JsonObject) -> str | None:
        """Make one index of the server; its id, None if the name is taken."""
        limit = {"total_fields.limit": 2 * MAX_FIELDS, "depth.limit": 64}
        settings: JsonObject = {"number_of_shards": 1, "auto_expand_replicas": self._replicas}
        settings["mapping"] = dict(limit)
        body: JsonObject = {
            "settings": settings,
            "mappings": mapping,
            "aliases": {places.alias(name): {}},
        }
        try:
            await self._client.request("PUT", physical, body=body)
        except RefusedError as error:
            if error.kind == _EXISTS:
                return None
            raise
        told = await self._client.request("GET", physical, "_settings")
        return str(object_at(told, physical, "settings", "index").get("uuid"))

    async def _remove(self, physical: str) -> None:
        try:
            await self._client.request("DELETE", physical)
        except RefusedError as error:
            if error.status != 404:
                raise

    # -- indexing anew ------------------------------------------------------------------------

    async def _reindex(self, collection: Collection) -> None:
        """Index all documents under their collection's mapping as it is now. Documents that are
        written meanwhile are indexed under it anyway."""
        await self._client.request("POST", collection.physical, "_refresh")
        async for hits in self._pages(collection):
            records = [(str(hit.get("_id")), _record(hit)) for hit in hits]
            mapping = collection.mapping
            for _, record in records:
                mapping = _learnt(mapping, record)
            collection = await self._registry.remap(collection, mapping)
            await self._rewrite(collection, records)
        await self._client.request("POST", collection.physical, "_refresh")

    async def _rewrite(
        self, collection: Collection, records: Sequence[tuple[str, Record]], is_odd: bool = False
    ) -> None:
        operations = [_operation(collection, *each, is_odd=is_odd) for each in records]
        answers = await self._client.bulk(operations)
        misfits = []
        for each, answer in zip(records, answers, strict=True):
            status = answer.get("status")
            if status == 400 and not is_odd:
                misfits.append(each)  # older than a field that it doesn't fit: it stays, unindexed
            elif status not in (200, 409):
                raise refusal(status if isinstance(status, int) else 500, answer.get("error"))
        if misfits:
            await self._rewrite(collection, misfits, is_odd=True)

    async def _pages(self, collection: Collection) -> AsyncIterator[list[JsonObject]]:
        last, end = -1, None
        while True:
            bounds: JsonObject = {"gt": last} if end is None else {"gt": last, "lte": end}
            body: JsonObject = {
                "size": _PAGE,
                "sort": [{"_seq_no": "asc"}],
                "query": {"range": {"_seq_no": bounds}},
                "seq_no_primary_term": True,
                "version": True,
                "aggs": {"end": {"max": {"field": "_seq_no"}}},
            }
            found = await self._client.request("POST", collection.physical, "_search", body=body)
            hits = objects(object_at(found, "hits").get("hits"))
            if not hits:
                return
            if end is None:
                newest = object_at(found, "aggregations", "end").get("value")
                assert isinstance(newest, (int, float))
                end = int(newest)
            seq_no = hits[-1].get("_seq_no")
            assert isinstance(seq_no, int)
            last = seq_no
            yield hits


def _number(value: Json) -> int:
    return value if isinstance(value, int) else 0


def _record(hit: JsonObject) -> Record:
    return read_record({**hit, "found": True})


def _learnt(mapping: Mapping, record: Record) -> Mapping:
    assert record.content is not None
    try:
        return mapping.check(orjson.loads(record.content)) or mapping
    except RouterError:
        return mapping


def _operation(collection: Collection, id: str, record: Record, *, is_odd: bool) -> bytes:
    assert record.place is not None
    head: JsonObject = {
        "_index": collection.alias,
        "_id": id,
        "if_seq_no": record.place.seq_no,
        "if_primary_term": record.place.primary_term,
    }
    source = pack(id, record, collection.mapping, is_odd=is_odd)
    return orjson.dumps({"index": head}) + b"\n" + source + b"\n"
